"""However hostile the bytes, only typed errors, and memory in proportion to their number."""

import tracemalloc
from random import Random
from typing import Any

import pytest

from lochkit.etcd.messages import (
    LeaseTimeToLiveResponse,
    Member,
    MemberListResponse,
    RangeResponse,
    TxnRequest,
    TxnResponse,
    WatchCreateRequest,
    WatchResponse,
)
from lochkit.etcd.wire import MAX_DEPTH, DecodeError, Malformed, decode
from tests.etcd.proto.encoding import field, varint
from tests.etcd.proto.fuzzing import MOST_MEMORY_PER_BYTE, check_messages
from tests.etcd.proto.mutation import damaged_messages

LENGTH = 200_000  # bytes: enough for the small change of a decoding not to matter
NESTED = field(3, 2, field(4, 2, field(3, 2, field(4, 2, b"\x10\x00"))))


def peak(cls: type[Any], data: bytes) -> int:
    """The most memory that decoding ``data`` takes at any time."""
    decode(cls, b"")  # compiles the plan, which is not what is measured
    tracemalloc.start()
    try:
        decode(cls, data)
    except DecodeError:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


@pytest.mark.parametrize(
    ("cls", "piece"),
    [
        pytest.param(RangeResponse, b"\x12\x00", id="empty key-values"),
        pytest.param(RangeResponse, field(2, 2, b"\x30\x01"), id="key-values of two bytes"),
        pytest.param(WatchResponse, b"\x5a\x00", id="empty events"),
        pytest.param(WatchResponse, field(11, 2, field(2, 2, b"\x10\x01")), id="tiny events"),
        pytest.param(TxnResponse, b"\x1a\x00", id="empty responses"),
        pytest.param(TxnResponse, field(3, 2, field(4, 2, b"")), id="empty transactions"),
        pytest.param(TxnResponse, NESTED, id="nested transactions"),
        pytest.param(
            TxnResponse, field(3, 2, field(1, 2, field(2, 2, b"\x10\x01"))), id="tiny ranges"
        ),
        pytest.param(TxnRequest, field(2, 2, field(1, 2, b"\x18\x00")), id="requests"),
        pytest.param(TxnRequest, field(1, 2, b"\x20\x00"), id="compares"),
        pytest.param(WatchCreateRequest, field(5, 2, b"\xff\x7f" * 50), id="packed numbers"),
        pytest.param(LeaseTimeToLiveResponse, field(5, 2, b"ab"), id="short keys"),
        pytest.param(MemberListResponse, field(2, 2, field(3, 2, b"")), id="empty texts"),
        pytest.param(Member, field(99, 2, b""), id="unknown fields"),
        pytest.param(TxnResponse, field(1, 2, b"\x18\x01"), id="a header in pieces"),
        pytest.param(
            TxnResponse,
            field(3, 2, field(1, 2, field(2, 2, b"\x10\x01")) * 20),
            id="a sub-message in pieces",
        ),
    ],
)
def test_memory_grows_with_the_bytes_only(cls: type[Any], piece: bytes) -> None:
    data = piece * (LENGTH // len(piece))
    assert peak(cls, data) < MOST_MEMORY_PER_BYTE * len(data)


@pytest.mark.parametrize("size", [2**21, 2**31, 2**35, 2**63, 2**64 - 1])
@pytest.mark.parametrize(
    "before", [b"", b"\x12", b"\x5a", b"\x12\x7f\x0a", b"\x12\x20\x0a\x01k\x18\x01\x20\x01\x2a"]
)
def test_an_announcement_alone_costs_nothing(before: bytes, size: int) -> None:
    data = before + varint(size) + b"x" * 20
    for cls in (RangeResponse, WatchResponse, TxnResponse, Member):
        assert peak(cls, data) < 20_000


def test_nesting_is_bounded() -> None:
    data = b""
    for _ in range(MAX_DEPTH // 2):
        data = field(2, 2, field(4, 2, data))
    decode(TxnRequest, data)
    with pytest.raises(Malformed, match="nest too deep"):
        decode(TxnRequest, field(2, 2, field(4, 2, data)))


def test_nesting_without_end_is_refused_at_once() -> None:
    data = b""
    for _ in range(5_000):
        data = field(2, 2, field(4, 2, data))
    with pytest.raises(Malformed, match="nest too deep"):
        decode(TxnRequest, data)


def test_damaged_messages_give_typed_errors_in_bounded_memory() -> None:
    """The short form of ``scripts/fuzz_codec``."""
    outcomes = check_messages(damaged_messages(Random(20_000), 20_000), measure_every=50)
    assert outcomes["decoded"] > 4_000
    assert outcomes["Truncated"] > 4_000
    assert outcomes["Malformed"] > 4_000
