"""Messages as they might come: bytes that protobuf would accept, in every disguise it allows.

A message is a pile of fields in any order. The same field may come again (the last counts, or they
merge, or they add up), unknown fields lie in between, repeated numbers are packed or not, numbers
are padded to more bytes than they need. Nothing here calls the codec under test.
"""

from hypothesis import strategies as st

from tests.etcd.proto.encoding import field, varint
from tests.etcd.proto.facts import ENUMS, MESSAGES, FieldFact

__all__ = ["any_name", "wire", "wire_near_etcd"]

_EDGES = [0, 1, 2, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28, 2**31, 2**32, 2**63, 2**64 - 1]
_NUMBERS = st.one_of(st.sampled_from(_EDGES), st.integers(0, 2**64 - 1), st.integers(0, 300))
_UNKNOWN = [15, 16, 17, 2000, 2**29 - 1]

any_name = st.sampled_from(sorted(MESSAGES))


@st.composite
def _number(draw: st.DrawFn) -> bytes:
    plain = varint(draw(_NUMBERS))
    if len(plain) < 9 and draw(st.integers(0, 9)) == 0:
        return plain[:-1] + varint(plain[-1], padding=draw(st.integers(1, 9 - len(plain))))
    return plain


@st.composite
def _known_field(draw: st.DrawFn, fact: FieldFact, depth: int) -> bytes:
    if fact.type == "bytes":
        return field(fact.number, 2, draw(st.binary(max_size=200)))
    if fact.type == "string":
        return field(fact.number, 2, draw(st.text(max_size=20)).encode())
    if fact.type in MESSAGES:
        return field(fact.number, 2, draw(wire(fact.type, depth=depth - 1)))
    if fact.repeated and draw(st.booleans()):
        return field(fact.number, 2, b"".join(draw(st.lists(_number(), max_size=4))))
    small = fact.type in ENUMS or fact.type == "bool"
    return field(fact.number, 0, varint(draw(st.integers(0, 4))) if small else draw(_number()))


@st.composite
def _unknown_field(draw: st.DrawFn) -> bytes:
    number = draw(st.sampled_from(_UNKNOWN))
    kind = draw(st.sampled_from([0, 1, 2, 5]))
    if kind == 0:
        return field(number, 0, draw(_number()))
    size = {1: 8, 5: 4}.get(kind, draw(st.integers(0, 20)))
    return field(number, kind, draw(st.binary(min_size=size, max_size=size)))


@st.composite
def wire(draw: st.DrawFn, name: str, depth: int = 4) -> bytes:
    """Bytes of the message ``name``, in any disguise."""
    facts = [fact for fact in MESSAGES[name] if depth or fact.type not in MESSAGES]
    pieces = []
    for _ in range(draw(st.integers(0, 6))):
        if facts and draw(st.integers(0, 7)) > 0:
            fact: FieldFact = draw(st.sampled_from(facts))
            pieces.append(draw(_known_field(fact, depth)))
        else:
            pieces.append(draw(_unknown_field()))
    return b"".join(pieces)


@st.composite
def _etcd_key_value(draw: st.DrawFn) -> bytes:
    """A key-value in one of the layouts of etcd, or in one that is a field short or long of it."""
    numbers = st.sampled_from([1, 5, 127, 128, 20_000, 3_000_000, 2**27, 2**28, 2**40, 2**63])
    revision = varint(draw(numbers))
    parts = [
        field(1, 2, draw(st.binary(max_size=40) | st.binary(min_size=120, max_size=140))),
        field(2, 0, revision),
        field(3, 0, revision if draw(st.booleans()) else varint(draw(numbers))),
        field(4, 0, varint(draw(numbers))),
        field(5, 2, draw(st.binary(max_size=150) | st.just(b"x" * 20_000))),
        field(6, 0, varint(draw(numbers))),
    ]
    shown = draw(st.sampled_from([parts, parts[:5], parts[:4], [parts[0], parts[2]], parts[1:]]))
    if draw(st.integers(0, 5)) == 0:
        shown = draw(st.permutations(shown))
    return b"".join(shown)


@st.composite
def _etcd_event(draw: st.DrawFn) -> bytes:
    parts = [field(1, 0, varint(draw(st.integers(0, 2)))), field(2, 2, draw(_etcd_key_value()))]
    if draw(st.booleans()):
        parts.pop(0)
    if draw(st.booleans()):
        parts.append(field(3, 2, draw(_etcd_key_value())))
    return b"".join(parts)


@st.composite
def wire_near_etcd(draw: st.DrawFn, name: str) -> bytes:
    """A range or watch response much as etcd sends it, which is what the straight line is for."""
    ids = st.sampled_from([1, 127, 2**63, 2**64 - 1])
    header = [field(number, 0, varint(draw(ids))) for number in (1, 2, 3, 4)]
    if draw(st.integers(0, 5)) == 0:
        header.pop(draw(st.integers(0, 3)))
    number, item = (2, _etcd_key_value()) if name == "RangeResponse" else (11, _etcd_event())
    items = [field(number, 2, one) for one in draw(st.lists(item, max_size=4))]
    middle = [field(3, 0, b"\x01"), field(4, 0, varint(draw(ids)))]
    if draw(st.booleans()):
        middle = []
    order = [field(1, 2, b"".join(header)), *middle, *items]
    return b"".join(draw(st.permutations(order)) if draw(st.integers(0, 5)) == 0 else order)
