"""Reading what a server answered: bytes that cannot be read are the server's fault, and said so."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from .errors import ProtocolError
from .messages import Message
from .wire import DEFAULT_LIMIT, DecodeError, decode

__all__ = ["read_answer"]

ResponseT = TypeVar("ResponseT", bound=Message)

_LARGE: Final = 1 << 16


def read_answer(kind: type[ResponseT], body: bytes, *, limit: int = DEFAULT_LIMIT) -> ResponseT:
    """Decode what a server answered.

    Raises:
        ProtocolError: it is not what the API promises.
    """
    try:
        if len(body) < _LARGE:
            return decode(kind, body, limit=limit)
        with _cycle_collector_paused():
            return decode(kind, body, limit=limit)
    except DecodeError as error:
        raise ProtocolError(f"the server's answer cannot be read: {error}") from error


@contextmanager
def _cycle_collector_paused() -> Iterator[None]:
    """Spare CPython the search for cycles while thousands of keys are made, none of which has one.

    It would look through the youngest after every 700, and now and then through all there are: a
    quarter of the time that decoding a page takes (measured). Nothing is awaited meanwhile.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
