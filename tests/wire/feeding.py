"""Feeding a frame reader with bytes in given portions."""

from collections.abc import Iterable, Iterator

from lochkit.wire.frames import Frame, FrameReader, Kind, encode_header

__all__ = ["feed", "frame", "portions"]

MOST_AHEAD = 1 << 16
"""Bytes of memory that a reader may have beyond what has come."""


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return encode_header(kind, len(payload)) + payload


def portions(data: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes into portions of one size."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def feed(reader: FrameReader, parts: Iterable[bytes]) -> Iterator[Frame]:
    """Yield the frames that complete; the bytes of chunks are skipped, as a relay takes them."""
    skipped = 0
    for part in parts:
        rest = part
        while rest:
            if skipped:
                rest, skipped = rest[skipped:], max(0, skipped - len(rest))
                continue
            assert len(reader.wanted()) == len(reader.wanted())
            memory = reader.wanted()
            assert 0 < len(memory) <= MOST_AHEAD
            count = min(len(memory), len(rest))
            memory[:count], rest = rest[:count], rest[count:]
            found = reader.advance(count)
            if found is not None:
                skipped = found.length if found.kind is Kind.CHUNK else 0
                yield found
