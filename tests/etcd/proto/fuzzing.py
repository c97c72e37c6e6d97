"""What every message, damaged or not, must leave the decoder with."""

import tracemalloc
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from lochkit.etcd import messages
from lochkit.etcd.wire import MAX_DEPTH, DecodeError, decode, encode
from lochkit.etcd.wire_compile import make_plan
from lochkit.etcd.wire_plan import Plan

__all__ = ["MOST_MEMORY_PER_BYTE", "check_messages"]

MOST_MEMORY_PER_BYTE: Final = 64
"""Bytes of memory for a byte of message, at most; two bytes can ask for an element of a list."""

_SMALL_CHANGE: Final = 4096  # bytes any decoding may cost: an exception, its text, its traceback


def check_messages(cases: Iterable[tuple[str, bytes]], *, measure_every: int) -> Counter[str]:
    """Decode every case, and raise ``AssertionError`` if one does what it must not.

    A case must give a message or a ``DecodeError``; a message must survive being written and read;
    the table alone must come to the same verdict as with the straight line; and for every
    ``measure_every``\\ th the memory it took must be in proportion to its length.

    Returns:
        How many cases ended how, and the most memory per byte (in percent) that was measured.
    """
    outcomes: Counter[str] = Counter()
    for number, (name, data) in enumerate(cases):
        cls = getattr(messages, name)
        if number % measure_every == 0:
            cost = _memory_per_byte(cls, data)
            assert cost <= MOST_MEMORY_PER_BYTE, f"{cost} bytes a byte: {name} {data.hex()}"
            outcomes["peak memory, % of length"] = max(
                outcomes["peak memory, % of length"], int(cost * 100)
            )
        outcomes[_check(cls, data)] += 1
    return outcomes


def _check(cls: type[Any], data: bytes) -> str:
    try:
        message = decode(cls, data)
    except DecodeError as exc:
        assert _table_alone(cls, data) is None, f"only the straight line refuses {data.hex()}"
        return type(exc).__name__
    assert _table_alone(cls, data) == message, f"the straight line misreads {data.hex()}"
    assert decode(cls, encode(message)) == message, f"not the same again: {data.hex()}"
    return "decoded"


def _table_alone(cls: type, data: bytes) -> Any:
    """What the decoder makes of ``data`` without its fast path; ``None`` if it refuses."""
    try:
        return _table(cls).decode(data, 0, len(data), MAX_DEPTH)
    except (DecodeError, IndexError):
        return None


@cache
def _table(cls: type) -> Plan:
    return make_plan(cls, {})


def _memory_per_byte(cls: type[Any], data: bytes) -> float:
    """The most memory that decoding took at any time, beyond small change, per byte of message."""
    message: Any = decode(cls, b"")  # compiles the plan, which is not what is measured
    tracemalloc.start()
    try:
        message = decode(cls, data)
    except DecodeError as exc:
        message = exc
    finally:  # message is kept alive until here
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    del message
    return max(0, peak - _SMALL_CHANGE) / max(1, len(data))
