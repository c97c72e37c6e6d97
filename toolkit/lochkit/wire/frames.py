"""Frames: one byte of kind, four of length (big endian), and that many bytes. Without any I/O.

`FrameReader` says into which memory it wants how many bytes, and is told how many have come. So it
never takes more than one frame from the connection, the bytes of a chunk of a stream can go
elsewhere without passing through it, and what has come of a frame survives a cancelled read.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

from .control import MESSAGE_LIMIT
from .faults import WireFault

__all__ = [
    "CHUNK_LIMIT",
    "HEADER_SIZE",
    "TRAILER_LIMIT",
    "Frame",
    "FrameReader",
    "Kind",
    "encode_header",
]


CHUNK_LIMIT: Final = 1 << 20
TRAILER_LIMIT: Final = 1 << 16

_HEADER: Final = struct.Struct(">cI")
HEADER_SIZE: Final = _HEADER.size
_PIECE: Final = 1 << 16
"""Memory for a payload is taken in pieces of this size, as it comes: a length alone is cheap."""


class Kind(enum.Enum):
    """What a frame is."""

    MESSAGE = b"J"  # a JSON object
    CHUNK = b"D"  # bytes of a stream
    TRAILER = b"T"  # the sender's verdict on its stream
    HEARTBEAT = b"H"  # nothing, but from somebody who lives


_KINDS: Final = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame that has come, or of a chunk its header.

    Attributes:
        kind: of it.
        length: of its payload, in bytes.
        payload: all of it; empty for a chunk, whose bytes are still to be read by whoever wants
            them, before the reader is asked for anything else.
    """

    kind: Kind
    length: int
    payload: bytes = b""


def encode_header(kind: Kind, length: int) -> bytes:
    """The header of a frame."""
    return _HEADER.pack(kind.value, length)


class FrameReader:
    """Reads frames out of bytes that come in any portions.

    Attributes:
        message_limit: bytes that a message may have; looked at when its header is complete.
    """

    def __init__(self) -> None:
        self.message_limit = MESSAGE_LIMIT
        self._header = bytearray(HEADER_SIZE)
        self._kind: Kind | None = None  # None: the header is not complete
        self._length = 0
        self._pieces: list[bytearray] = []
        self._got = 0  # bytes of the header, or of the payload

    @property
    def begun(self) -> bool:
        """Whether part of a frame has come."""
        return self._kind is not None or self._got > 0

    def wanted(self) -> memoryview:
        """Memory for the next bytes, never empty; the same until `advance`."""
        if self._kind is None:
            return memoryview(self._header)[self._got :]
        if self._got == len(self._pieces) * _PIECE:
            self._pieces.append(bytearray(min(_PIECE, self._length - self._got)))
        return memoryview(self._pieces[-1])[self._got % _PIECE :]

    def advance(self, count: int) -> Frame | None:
        """Take note of bytes that were put into the memory wanted last.

        Args:
            count: how many; at least 1.

        Returns:
            The frame that they completed.

        Raises:
            WireFault: it is none of ours, or too long; the connection can not be used any more.
        """
        self._got += count
        if self._kind is None:
            if self._got < HEADER_SIZE:
                return None
            self._kind, self._got = self._read_header(), 0
            if self._kind is not Kind.CHUNK and self._length > 0:
                return None
        elif self._got < self._length:
            return None
        return self._finish()

    def _read_header(self) -> Kind:
        word, self._length = _HEADER.unpack(self._header)
        kind = _KINDS.get(word)
        if kind is None:
            raise WireFault(f"a frame began with {bytes(self._header)!r}")
        limit = self.message_limit if kind is Kind.MESSAGE else _LIMITS[kind]
        if self._length > limit:
            what = kind.name.lower()
            raise WireFault(f"a {what} of {self._length} bytes came; it may have {limit}")
        if self._length == 0 and kind is not Kind.HEARTBEAT:
            raise WireFault(f"an empty {kind.name.lower()} came")
        return kind

    def _finish(self) -> Frame:
        assert self._kind is not None
        frame = Frame(kind=self._kind, length=self._length, payload=b"".join(self._pieces))
        self._kind, self._length, self._got, self._pieces = None, 0, 0, []
        return frame


_LIMITS: Final = {Kind.CHUNK: CHUNK_LIMIT, Kind.TRAILER: TRAILER_LIMIT, Kind.HEARTBEAT: 0}
