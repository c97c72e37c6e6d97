"""Damage for the decoder: seeded random messages, and ways to spoil them.

Everything comes from one ``random.Random``, so that a seed tells the whole story of a run. The
messages are made of the notes in :mod:`tests.etcd.proto.facts`; neither the codec nor ``protobuf``
is asked.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from tests.etcd.proto.encoding import field, varint
from tests.etcd.proto.facts import MESSAGES, FieldFact

__all__ = ["damaged_messages"]

_EDGES: Final = (0, 1, 127, 128, 2**14, 2**21, 2**28, 2**31, 2**32, 2**63, 2**64 - 1)
_LENGTHS: Final = (0x7F, 0x80, 2**14, 2**21, 2**31, 2**35, 2**63, 2**64 - 1)
_BULK: Final = (
    "RangeResponse",
    "WatchResponse",
)  # what has a fast path


def damaged_messages(random: Random, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield ``count`` messages, most of them damaged, each with the type to read it as."""
    names = sorted(MESSAGES)
    corpus = [(name, _message(random, name, 4)) for name in names * 10 + list(_BULK) * 200]
    for _ in range(count):
        name, raw = random.choice(corpus)
        damaged = bytearray(raw)
        for _ in range(random.randrange(4)):
            _damage(random, damaged, corpus)
        yield (random.choice(names) if random.random() < 0.05 else name), bytes(damaged)


def _damage(random: Random, data: bytearray, corpus: list[tuple[str, bytes]]) -> None:
    """Spoil ``data`` in one of the ways that bytes go wrong."""
    start = random.randrange(len(data) + 1)
    stop = min(len(data), start + random.randrange(1, 16))
    match random.randrange(8):
        case 0:  # one bit
            if data:
                data[start % len(data)] ^= 1 << random.randrange(8)
        case 1:  # one byte
            if data:
                data[start % len(data)] = random.choice(
                    (0, 1, 0x7F, 0x80, 0xFF, random.randrange(256))
                )
        case 2:  # the end is missing
            del data[start:]
        case 3:  # a piece is missing
            del data[start:stop]
        case 4:  # a piece comes again, rarely so often that what it costs adds up
            data[start:start] = data[start:stop] * (500 if random.random() < 0.02 else 1)
        case 5:  # noise
            data[start:start] = random.randbytes(random.randrange(1, 12))
        case 6:  # an announcement of what never comes, or a number without end
            lie = varint(random.choice(_LENGTHS))
            data[start:stop] = random.choice(
                (lie, b"\x12" + lie, b"\xff" * random.randrange(1, 14))
            )
        case _:  # another message goes on in the middle of this one
            data[start:] = random.choice(corpus)[1][random.randrange(8) :]


def _message(random: Random, name: str, depth: int) -> bytes:
    """A message as a server would write it: fields in order, zeros left out."""
    pieces: list[bytes] = []
    for fact in MESSAGES[name]:
        is_message = fact.type in MESSAGES
        if (is_message and not depth) or random.random() < (0.1 if fact.oneof else 0.3):
            continue
        times = random.choice((1, 2, 5)) if fact.repeated else 1
        pieces.extend(_field(random, fact, depth) for _ in range(times))
    return b"".join(pieces)


def _field(random: Random, fact: FieldFact, depth: int) -> bytes:
    if fact.type in MESSAGES:
        return field(fact.number, 2, _message(random, fact.type, depth - 1))
    if fact.type == "bytes":
        size = random.choice(
            (0, 1, 20, 33, 100, 127, 128, 300, 2000 if random.random() < 0.05 else 5)
        )
        return field(fact.number, 2, random.randbytes(size))
    if fact.type == "string":
        return field(
            fact.number, 2, random.choice(("", "m1", "größe", "http://127.0.0.1:2379")).encode()
        )
    if fact.type in ("int64", "uint64"):
        number = random.choice((*_EDGES, random.randrange(10**6), random.randrange(10**6)))
        return field(fact.number, 0, varint(number))
    return field(fact.number, 0, varint(random.choice((0, 1, 1, 2, 7))))
