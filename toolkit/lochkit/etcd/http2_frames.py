"""HTTP/2 frames (RFC 9113, section 4.1): a byte stream cut into them, without looking inside."""

import struct
from typing import Final

from .errors import ProtocolError

__all__ = ["FrameCutter", "make_frame", "window_update"]

MAX_FRAME: Final = 1 << 14
"""The smallest maximum a client can announce, and all that etcd's server ever uses."""

_HEADER: Final = struct.Struct(">BHBBI")  # the length in two parts, type, flags, stream
_HEADER_BYTES: Final = _HEADER.size


class FrameCutter:
    """Bytes cut anywhere in, whole frames out; holds less than one frame."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """The frames that `data` completes, as (type, flags, stream id, payload).

        Raises:
            ProtocolError: a frame is longer than we allow.
        """
        if self._rest:
            data = self._rest + data
        frames: list[tuple[int, int, int, bytes]] = []
        start = 0
        size = len(data)
        while size - start >= _HEADER_BYTES:
            high, low, kind, flags, stream_id = _HEADER.unpack_from(data, start)
            length = high << 16 | low
            if length > MAX_FRAME:
                raise ProtocolError(f"the server sent a frame of {length} bytes, over {MAX_FRAME}")
            payload = start + _HEADER_BYTES
            end = payload + length
            if end > size:
                break
            frames.append((kind, flags, stream_id & 0x7FFF_FFFF, data[payload:end]))
            start = end
        self._rest = data[start:]
        return frames


def make_frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """A whole frame; stream 0 is the connection."""
    size = len(payload)
    return _HEADER.pack(size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload


def window_update(stream_id: int, credit: int) -> bytes:
    """A WINDOW_UPDATE frame. `credit` is in bytes, 1 to 2**31 - 1."""
    return make_frame(0x8, 0, stream_id, credit.to_bytes(4, "big"))
