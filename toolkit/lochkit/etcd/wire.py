"""The codec: etcd's messages as bytes, and bytes as etcd's messages.

Pure Python and table-driven: what is known about a message stands in its class
(:mod:`lochkit.etcd.wire_schema`) and is compiled once, at first use, into a plan
(:mod:`lochkit.etcd.wire_plan`). Key-values, events and headers in the layout etcd gives them take a
short cut (:mod:`lochkit.etcd.wire_keyvalues`). The meaning is that of proto3, with two things
refused that a protobuf library would let pass, because no etcd sends them: a known field with a
wire type that is not its own, and groups.
"""

from typing import Final, TypeVar

from .messages_kv import KeyValue
from .messages_watch import Event
from .wire_compile import plan_of
from .wire_errors import DecodeError, Malformed, TooLarge, Truncated
from .wire_schema import Message

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_DEPTH",
    "DecodeError",
    "Malformed",
    "TooLarge",
    "Truncated",
    "decode",
    "encode",
]

DEFAULT_LIMIT: Final = 256 * 1024 * 1024
"""Bytes. etcd answers a range in one message, however long; a watch without fragments, too."""

MAX_DEPTH: Final = 100
"""How deep messages may nest, as in protobuf's own libraries; only transactions nest at all."""

M = TypeVar("M", bound=Message | KeyValue | Event)


def encode(message: Message | KeyValue | Event) -> bytes:
    """The bytes of a message. Fields with default values are left out.

    Raises:
        ValueError: a field cannot hold its value, or two members of a oneof are set: a mistake of
        the
            caller, not of the world.
    """
    return bytes(plan_of(type(message)).encode(message))


def decode(cls: type[M], data: bytes, *, limit: int = DEFAULT_LIMIT) -> M:
    """The message of type ``cls`` that ``data`` is. Fields this client does not know are skipped.

    Args:
        data: the whole message; a ``bytearray`` or ``memoryview`` is copied first.
        limit: the longest message accepted, in bytes.

    Raises:
        TooLarge: ``data`` is longer than ``limit``.
        Truncated: it ends, or a message in it ends, within a field.
        Malformed: it is no protobuf, or not of this type.
    """
    size = len(data)
    if size > limit:
        raise TooLarge(f"it has {size} bytes, {limit} are allowed", cls.__name__)
    if type(data) is not bytes:
        data = bytes(data)
    try:
        message: M = plan_of(cls).decode(data, 0, size, MAX_DEPTH)
    except IndexError as exc:
        # Only data[pos] is indexed by what the peer says: a number went on behind the last byte.
        raise Truncated(f"a number is cut off at its end, byte {size}", cls.__name__) from exc
    except DecodeError as exc:
        exc.message_type = cls.__name__
        raise
    return message
