"""Damaged conversations, for fuzzing: the same for the same seed."""

from collections import Counter
from collections.abc import Iterator
from random import Random

from lochkit.wire.control import decode_message, encode_message
from lochkit.wire.faults import WireFault
from lochkit.wire.frames import FrameReader, Kind
from lochkit.wire.trailer import Trailer, decode_trailer, encode_trailer

from .feeding import feed, frame

__all__ = ["damaged", "outcomes"]

VERDICT = Trailer(ok=True, bytes=40)
WHOLE = tuple(
    b"".join(frames)
    for frames in (
        [frame(Kind.MESSAGE, encode_message({"Type": "bye"})), frame(Kind.HEARTBEAT)],
        [frame(Kind.MESSAGE, encode_message({"Type": "offer", "Between": ["1", 2, None]}))],
        [frame(Kind.CHUNK, b"\0" * 40), frame(Kind.TRAILER, encode_trailer(VERDICT))],
        [frame(Kind.HEARTBEAT), frame(Kind.MESSAGE, '{"é":[{"a":{"b":[1.5e3]}}]}'.encode())],
        [frame(Kind.MESSAGE, b'{"a":"\\u00e9\\ud83d\\ude00"}'), frame(Kind.CHUNK, b"JDTH")],
    )
)  # fmt: skip
INTERESTING = b'\0\xff\x7fJDTH{}[]",:\\u0n-1e9'


def damaged(random: Random, count: int) -> Iterator[bytes]:
    """Conversations with a few bytes changed, put in, taken out, or with their end cut off."""
    draw, below = random.random, random.randrange
    for _ in range(count):
        data = bytearray(WHOLE[below(len(WHOLE))])
        for _ in range(1 + (draw() < 0.3)):
            at, how = below(len(data)), draw()
            value = INTERESTING[below(len(INTERESTING))] if draw() < 0.5 else below(256)
            if how < 0.6:
                data[at] = value
            elif how < 0.75:
                data.insert(at, value)
            elif how < 0.9:
                del data[at : at + 1 + below(4)]
            else:
                del data[at + 1 :]
            if not data:
                break
        yield bytes(data)


def outcomes(conversations: Iterator[bytes]) -> Counter[str]:
    """Read them all; count how each ended, in words.

    Raises:
        Exception: anything but a `WireFault`.
    """
    found: Counter[str] = Counter()
    for data in conversations:
        found[_outcome(data)] += 1
    return found


def _outcome(data: bytes) -> str:
    reader = FrameReader()
    try:
        for one in feed(reader, (data,)):
            if one.kind is Kind.MESSAGE:
                decode_message(one.payload)
            elif one.kind is Kind.TRAILER:
                decode_trailer(one.payload)
    except WireFault:
        return "refused"
    return "not whole" if reader.begun else "taken"
