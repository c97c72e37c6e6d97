"""The codec against the ``protobuf`` package: the same bytes must mean the same thing to both."""

from typing import Any

import pytest
from google.protobuf import message as protobuf
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lochkit.etcd import messages
from lochkit.etcd.messages import Message
from lochkit.etcd.wire import DecodeError, Malformed, decode, encode
from tests.etcd.proto.encoding import field, varint
from tests.etcd.proto.facts import ENUMS, MESSAGES, FieldFact
from tests.etcd.proto.reference import OURS, THEIRS, from_theirs
from tests.etcd.proto.strategies import any_name, wire, wire_near_etcd

# What we refuse on purpose and protobuf lets pass: a known field of a foreign wire type, a group,
# and (which its C implementation overlooks, but the format forbids) a field with the number 0.
STRICTER = ("wire type", "number 0")

# No time limits: a busy machine is no reason to fail.
thorough = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

near_etcd = st.sampled_from(["RangeResponse", "WatchResponse"])


def judged(name: str, data: bytes) -> Any:
    """What protobuf makes of the bytes, as our message; ``None`` if it refuses them."""
    theirs = THEIRS[name]()
    try:
        theirs.ParseFromString(data)
    except protobuf.DecodeError:
        return None
    return from_theirs(name, theirs)


def decoded(name: str, data: bytes) -> Any:
    """What the codec makes of the bytes; ``None`` if it refuses them."""
    try:
        return decode(OURS[name], data)
    except DecodeError:
        return None


def assert_agreement(name: str, data: bytes) -> None:
    """Both refuse, or both read the same; only strictness that we chose is let pass."""
    found = None
    try:
        found = decode(OURS[name], data)
    except DecodeError as exc:
        if isinstance(exc, Malformed) and any(text in exc.reason for text in STRICTER):
            return
    assert found == judged(name, data)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_the_notes_and_the_class_have_the_same_fields(name: str) -> None:
    assert tuple(OURS[name].__annotations__) == tuple(fact.name for fact in MESSAGES[name])


def test_every_message_and_enum_is_in_the_notes() -> None:
    kinds = [getattr(messages, name) for name in messages.__all__]
    ours = {kind.__name__ for kind in kinds if isinstance(kind, type) and kind is not Message}
    assert ours == {*MESSAGES, *ENUMS}


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_the_notes_and_the_enum_have_the_same_members(name: str) -> None:
    assert [member.name for member in getattr(messages, name)] == list(ENUMS[name])
    assert [member.value for member in getattr(messages, name)] == list(range(len(ENUMS[name])))


NUMBERS = [0, 1, 127, 128, 2**31 - 1, 2**31, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        pytest.param(name, fact, id=f"{name}.{fact.name}")
        for name, facts in MESSAGES.items()
        for fact in facts
    ],
)
def test_every_field_alone_means_the_same(name: str, fact: FieldFact) -> None:
    """No field is left to the luck of the draw: a slip in any number or type shows here."""
    if fact.type in ("bytes", "string"):
        cases = [field(fact.number, 2, payload) for payload in (b"", b"x", b"\xc3\xb6")]
    elif fact.type in MESSAGES:
        cases = [field(fact.number, 2, payload) for payload in (b"", field(99, 0, b"\x01"))]
    else:
        cases = [field(fact.number, 0, varint(number)) for number in NUMBERS]
    for raw in cases:
        expected = judged(name, raw)
        assert decode(OURS[name], raw) == expected
        assert judged(name, encode(expected)) == expected
        assert judged(name, raw + raw) == decode(OURS[name], raw + raw)
    if fact.type not in MESSAGES:
        said = decode(OURS[name], cases[-1])
        assert getattr(said, fact.name) != getattr(OURS[name](), fact.name)


@thorough
@given(st.data())
def test_bytes_in_any_disguise_mean_the_same(data: st.DataObject) -> None:
    name = data.draw(any_name)
    raw = data.draw(wire(name))
    expected = judged(name, raw)
    assert expected is not None
    assert decode(OURS[name], raw) == expected


@thorough
@given(st.data())
def test_bytes_much_like_those_of_etcd_mean_the_same(data: st.DataObject) -> None:
    name = data.draw(near_etcd)
    raw = data.draw(wire_near_etcd(name))
    expected = judged(name, raw)
    assert expected is not None
    assert decode(OURS[name], raw) == expected


@thorough
@given(st.data())
def test_protobuf_reads_what_we_write(data: st.DataObject) -> None:
    name = data.draw(any_name)
    ours = judged(name, data.draw(wire(name)))
    raw = encode(ours)
    theirs = THEIRS[name]()
    theirs.ParseFromString(raw)
    assert from_theirs(name, theirs) == ours
    assert len(UnknownFieldSet(theirs)) == 0
    # Nothing is written that need not be: protobuf's own form is no shorter.
    assert len(raw) <= theirs.ByteSize()
    assert decode(OURS[name], raw) == ours


@thorough
@given(st.data())
def test_every_truncation_is_judged_the_same(data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        name = data.draw(any_name)
        raw = data.draw(wire(name, depth=2))
    else:
        name = data.draw(near_etcd)
        raw = data.draw(wire_near_etcd(name))
    cuts = range(len(raw)) if len(raw) < 400 else range(0, len(raw), len(raw) // 200)
    for cut in cuts:
        assert decoded(name, raw[:cut]) == judged(name, raw[:cut])


@thorough
@given(st.data())
def test_damaged_bytes_are_judged_the_same(data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        name = data.draw(any_name)
        raw = bytearray(data.draw(wire(name)))
    else:
        name = data.draw(near_etcd)
        raw = bytearray(data.draw(wire_near_etcd(name)))
    for _ in range(data.draw(st.integers(1, 3))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert_agreement(name, bytes(raw))


@thorough
@given(any_name, st.binary(max_size=60))
def test_noise_is_judged_the_same(name: str, noise: bytes) -> None:
    assert_agreement(name, noise)


@pytest.mark.parametrize("size", range(1, 13))
@pytest.mark.parametrize("last", [0x00, 0x01, 0x02, 0x7E, 0x7F])
def test_numbers_of_any_length_are_judged_the_same(size: int, last: int) -> None:
    number = b"\xff" * (size - 1) + bytes([last])
    for name, tag in (("LeaseRevokeRequest", 1), ("Member", 1), ("WatchCreateRequest", 4)):
        assert_agreement(name, field(tag, 0, number))
    assert_agreement("WatchCreateRequest", field(5, 0, number))
    assert_agreement("WatchCreateRequest", field(5, 2, number))
    assert_agreement("LeaseRevokeRequest", number + b"\x00" * 20)


@pytest.mark.parametrize("nested", [1, 48, 49, 50, 51, 200])
def test_nesting_is_judged_the_same(nested: int) -> None:
    raw = b""
    for _ in range(nested):
        raw = field(2, 2, field(4, 2, raw))
    assert decoded("TxnRequest", raw) == judged("TxnRequest", raw)
