"""Cutting a byte stream into HTTP/2 frames (RFC 9113, section 4.1), without looking inside."""

from typing import Final

from .errors import ProtocolError

__all__ = ["FrameCutter", "window_update"]

HEADER_BYTES: Final = 9
MAX_FRAME: Final = 1 << 14
"""The smallest maximum a client can announce, and all that etcd's server ever uses."""


class FrameCutter:
    """Bytes cut anywhere in, whole frames out; holds less than one frame."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """The frames that `data` completes, as (type, flags, stream id, the whole frame).

        Raises:
            ProtocolError: a frame is longer than we allow.
        """
        if self._rest:
            data = self._rest + data
        frames: list[tuple[int, int, int, bytes]] = []
        start = 0
        size = len(data)
        while size - start >= HEADER_BYTES:
            length = int.from_bytes(data[start : start + 3], "big")
            if length > MAX_FRAME:
                raise ProtocolError(f"the server sent a frame of {length} bytes, over {MAX_FRAME}")
            end = start + HEADER_BYTES + length
            if end > size:
                break
            stream_id = int.from_bytes(data[start + 5 : start + HEADER_BYTES], "big") & 0x7FFF_FFFF
            frames.append((data[start + 3], data[start + 4], stream_id, data[start:end]))
            start = end
        self._rest = data[start:]
        return frames


def window_update(stream_id: int, credit: int) -> bytes:
    """A WINDOW_UPDATE frame; stream 0 is the connection. `credit` is in bytes, 1 to 2**31 - 1."""
    return b"\0\0\4\x08\0" + stream_id.to_bytes(4, "big") + credit.to_bytes(4, "big")
