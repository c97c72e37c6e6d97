"""The codec by example: what is written, what is read, what is refused and how that is said."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from lochkit.errors import LochkitError
from lochkit.etcd.messages import (
    Compare,
    CompareResult,
    Event,
    EventType,
    FilterType,
    KeyValue,
    LeaseGrantRequest,
    LeaseKeepAliveResponse,
    LeaseStatus,
    Member,
    Message,
    PutRequest,
    PutResponse,
    RangeRequest,
    RangeResponse,
    RequestOp,
    ResponseHeader,
    TxnRequest,
    WatchCancelRequest,
    WatchCreateRequest,
    WatchProgressRequest,
    WatchRequest,
    WatchResponse,
)
from lochkit.etcd.wire import DecodeError, Malformed, TooLarge, Truncated, decode, encode
from lochkit.etcd.wire_compile import plan_of
from tests.etcd.proto.encoding import field, varint

HEADER = ResponseHeader(cluster_id=2**64 - 1, member_id=2**63, revision=123_456, raft_term=7)


@pytest.mark.parametrize(
    ("message", "raw"),
    [
        (PutRequest(key=b"k", value=b"v"), b"\x0a\x01k\x12\x01v"),
        (RangeRequest(key=b"\0", range_end=b"\0", limit=300), b"\x0a\x01\0\x12\x01\0\x18\xac\x02"),
        (WatchRequest(progress_request=WatchProgressRequest()), b"\x1a\x00"),
        (WatchCreateRequest(filters=(FilterType.NODELETE, FilterType.NOPUT)), b"\x2a\x02\x01\x00"),
        (WatchResponse(watch_id=-1), b"\x10" + b"\xff" * 9 + b"\x01"),
        (Compare(result=CompareResult.LESS, version=0), b"\x08\x02\x20\x00"),
        (Compare(range_end=b"z"), b"\x82\x04\x01z"),
        (Member(peerURLs=("a", "ö")), b"\x1a\x01a\x1a\x02\xc3\xb6"),
        (Event(type=EventType.DELETE, kv=KeyValue(key=b"k")), b"\x08\x01\x12\x03\x0a\x01k"),
        (RangeRequest(), b""),
    ],
)
def test_bytes_of_a_message(message: Any, raw: bytes) -> None:
    assert encode(message) == raw
    assert decode(type(message), raw) == message


def test_a_sub_message_that_is_empty_but_there_stays_there() -> None:
    for message in (PutResponse(prev_kv=KeyValue()), RequestOp(request_txn=TxnRequest())):
        assert decode(type(message), encode(message)) == message


def test_unknown_fields_are_skipped() -> None:
    unknown = (
        field(99, 0, varint(5))
        + field(98, 1, b"8" * 8)
        + field(97, 2, b"?")
        + field(96, 5, b"4" * 4)
    )
    key_value = unknown + field(1, 2, b"k") + unknown + field(3, 0, varint(9)) + unknown
    raw = unknown + field(2, 2, key_value) + unknown + field(4, 0, varint(1)) + unknown
    assert decode(RangeResponse, raw) == RangeResponse(
        kvs=(KeyValue(key=b"k", mod_revision=9),), count=1
    )


def test_an_enum_number_from_the_future_stays_a_number() -> None:
    event = decode(Event, b"\x08\x07")
    assert event.type == 7
    assert not isinstance(event.type, EventType)
    assert isinstance(decode(Event, b"\x08\x01").type, EventType)
    assert encode(event) == b"\x08\x07"


def test_of_a_oneof_the_last_counts() -> None:
    create = field(1, 2, b"\x0a\x01k")
    cancel = field(2, 2, b"\x08\x05")
    assert decode(WatchRequest, create + cancel) == WatchRequest(
        cancel_request=WatchCancelRequest(watch_id=5)
    )
    assert decode(WatchRequest, cancel + create) == WatchRequest(
        create_request=WatchCreateRequest(key=b"k")
    )


def test_pieces_of_a_sub_message_are_merged() -> None:
    first = field(1, 2, field(1, 0, b"\x05") + field(2, 0, b"\x06") + field(3, 0, b"\x07"))
    second = field(1, 2, field(3, 0, b"\x08") + field(4, 0, b"\x09"))
    assert decode(PutResponse, first + second).header == ResponseHeader(
        cluster_id=5, member_id=6, revision=8, raft_term=9
    )


def test_a_header_keeps_nothing_of_the_one_before() -> None:
    whole = PutResponse(header=HEADER)
    assert decode(PutResponse, encode(whole)) == whole
    for header in (
        ResponseHeader(revision=1, raft_term=2),
        ResponseHeader(cluster_id=2**64 - 1, revision=1, raft_term=2),
        ResponseHeader(cluster_id=5, member_id=2**63, revision=1, raft_term=2),
        ResponseHeader(cluster_id=2**64 - 1, member_id=2**63, raft_term=2),
    ):
        other = PutResponse(header=header)
        assert decode(PutResponse, encode(other)) == other
        assert decode(PutResponse, encode(whole)) == whole


def test_equal_revisions_are_one_object() -> None:
    page = RangeResponse(kvs=(KeyValue(b"k", 1_000_000, 1_000_000, 1, b"v"),))
    (key_value,) = decode(RangeResponse, encode(page)).kvs
    assert key_value.create_revision is key_value.mod_revision


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_are_read(kind: type[Any]) -> None:
    raw = encode(PutRequest(key=b"k", value=b"v"))
    message = decode(PutRequest, kind(raw))
    assert message == PutRequest(key=b"k", value=b"v")
    assert type(message.key) is bytes


def test_the_limit_is_looked_at_before_the_bytes() -> None:
    raw = b"\xff" * 100
    with pytest.raises(TooLarge, match="PutRequest: it has 100 bytes, 99 are allowed"):
        decode(PutRequest, raw, limit=99)
    with pytest.raises(Malformed):
        decode(PutRequest, raw, limit=100)


@pytest.mark.parametrize(
    ("cls", "raw", "error", "words"),
    [
        (LeaseStatus, b"\x08", Truncated, "cut off"),
        (LeaseStatus, b"\x08\x80", Truncated, "cut off"),
        (LeaseStatus, b"\x08" + b"\x80" * 10 + b"\x01", Malformed, "longer than 10 bytes"),
        (LeaseStatus, b"\x80\x80\x80\x80\x80\x00\x01", Malformed, "number is too high"),
        (LeaseStatus, b"\x00\x00", Malformed, "number 0"),
        (LeaseStatus, b"\x0a\x01x", Malformed, "field 1 has wire type 2"),
        (LeaseStatus, b"\x0b\x0c", Malformed, "field 1 has wire type 3"),
        (LeaseStatus, b"\x7b\x7c", Malformed, "field 15 has wire type 3"),
        (LeaseStatus, b"\x7a\x05abcd", Truncated, "field 15 is cut off"),
        (LeaseStatus, b"\x79\x01\x02", Truncated, "field 15 is cut off"),
        (PutRequest, b"\x0a\x05abcd", Truncated, "5 bytes are announced"),
        (PutRequest, b"\x0a" + b"\xff" * 9 + b"\x01", Truncated, "announced"),
        (RangeResponse, b"\x12\x04\x0a\x09ab\x18\x01", Truncated, "9 bytes are announced"),
        (RangeResponse, b"\x12\x02\x10\x80\x01\x18\x01", Truncated, "behind its message"),
        (WatchCreateRequest, b"\x2a\x01\x80\x01\x00", Truncated, "packed number"),
        (LeaseKeepAliveResponse, b"\x0a\x01\x18\x01", Truncated, "behind its message"),
        (Member, b"\x12\x02\xc3\x28", Malformed, "not UTF-8"),
        (Member, b"\x12\x03\xed\xa0\x80", Malformed, "not UTF-8"),
    ],
)
def test_bad_bytes_are_refused_by_name(
    cls: type[Message], raw: bytes, error: type[DecodeError], words: str
) -> None:
    with pytest.raises(error, match=f"cannot decode {cls.__name__}: .*{words}") as caught:
        decode(cls, raw)
    assert isinstance(caught.value, LochkitError)
    assert caught.value.message_type == cls.__name__


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (LeaseGrantRequest(ID=2**63), "LeaseGrantRequest.ID"),
        (LeaseGrantRequest(ID=-(2**63) - 1), "LeaseGrantRequest.ID"),
        (ResponseHeader(cluster_id=-1), "ResponseHeader.cluster_id"),
        (ResponseHeader(cluster_id=2**64), "ResponseHeader.cluster_id"),
        (RangeRequest(sort_order=2**31), "RangeRequest.sort_order"),
        (Member(name="\ud800"), "Member.name"),
        (RangeResponse(kvs=(KeyValue(lease=2**63),)), "RangeResponse.kvs"),
    ],
)
def test_a_value_its_field_cannot_hold_is_a_mistake_of_ours(message: Message, where: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the notes say more than the text)
        encode(message)
    assert f"in {where}" in caught.value.__notes__
    assert not isinstance(caught.value, LochkitError)


def test_two_members_of_a_oneof_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match=r"Compare may have only one of version, .*, value"):
        encode(Compare(version=0, value=b""))


def test_what_is_no_message_has_no_plan() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Untagged(Message):
        number: Annotated[int, "no tag"] = 0

    with pytest.raises(TypeError, match="int is not a message"):
        plan_of(int)
    with pytest.raises(TypeError, match=r"Untagged\.number has no tag"):
        plan_of(Untagged)
