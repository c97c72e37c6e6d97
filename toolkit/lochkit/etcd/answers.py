"""Reading what a server answered: bytes that cannot be read are the server's fault, and said so."""

from typing import TypeVar

from .errors import ProtocolError
from .messages import Message
from .wire import DEFAULT_LIMIT, DecodeError, decode

__all__ = ["read_answer"]

ResponseT = TypeVar("ResponseT", bound=Message)


def read_answer(kind: type[ResponseT], body: bytes, *, limit: int = DEFAULT_LIMIT) -> ResponseT:
    """Decode what a server answered.

    Raises:
        ProtocolError: it is not what the API promises.
    """
    try:
        return decode(kind, body, limit=limit)
    except DecodeError as error:
        raise ProtocolError(f"the server's answer cannot be read: {error}") from error
