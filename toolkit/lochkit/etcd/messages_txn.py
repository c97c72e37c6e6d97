"""Transactions: compares, operations, and their answers, which may nest."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from .messages_header import NO_HEADER, ResponseHeader
from .messages_kv import (
    DeleteRangeRequest,
    DeleteRangeResponse,
    PutRequest,
    PutResponse,
    RangeRequest,
    RangeResponse,
)
from .wire_schema import Message, Tag

__all__ = [
    "Compare",
    "CompareResult",
    "CompareTarget",
    "RequestOp",
    "ResponseOp",
    "TxnRequest",
    "TxnResponse",
]


class CompareResult(IntEnum):
    """How the store's side must stand to ours for a compare to hold."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class CompareTarget(IntEnum):
    """Which property of the key is compared."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Message):
    """One condition of a transaction, on one key or on every key in ``[key, range_end)``.

    Exactly one of ``version``, ``create_revision``, ``mod_revision``, ``value`` and ``lease`` is
    set: the one ``target`` names. 0 and ``b""`` are values here; ``None`` is not set.
    """

    result: Annotated[CompareResult | int, Tag(1)] = CompareResult.EQUAL
    target: Annotated[CompareTarget | int, Tag(2)] = CompareTarget.VERSION
    key: Annotated[bytes, Tag(3)] = b""
    version: Annotated[int | None, Tag(4, oneof="target_union")] = None
    create_revision: Annotated[int | None, Tag(5, oneof="target_union")] = None
    mod_revision: Annotated[int | None, Tag(6, oneof="target_union")] = None
    value: Annotated[bytes | None, Tag(7, oneof="target_union")] = None
    lease: Annotated[int | None, Tag(8, oneof="target_union")] = None
    range_end: Annotated[bytes, Tag(64)] = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOp(Message):
    """One operation of a transaction: exactly one of these."""

    request_range: Annotated[RangeRequest | None, Tag(1, oneof="request")] = None
    request_put: Annotated[PutRequest | None, Tag(2, oneof="request")] = None
    request_delete_range: Annotated[DeleteRangeRequest | None, Tag(3, oneof="request")] = None
    request_txn: Annotated["TxnRequest | None", Tag(4, oneof="request")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOp(Message):
    """The answer to one operation: the member that answers the operation's."""

    response_range: Annotated[RangeResponse | None, Tag(1, oneof="response")] = None
    response_put: Annotated[PutResponse | None, Tag(2, oneof="response")] = None
    response_delete_range: Annotated[DeleteRangeResponse | None, Tag(3, oneof="response")] = None
    response_txn: Annotated["TxnResponse | None", Tag(4, oneof="response")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TxnRequest(Message):
    """Do ``success`` if every compare holds, else ``failure``, as one revision."""

    compare: Annotated[tuple[Compare, ...], Tag(1)] = ()
    success: Annotated[tuple[RequestOp, ...], Tag(2)] = ()
    failure: Annotated[tuple[RequestOp, ...], Tag(3)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TxnResponse(Message):
    """Which branch was taken, and the answers to its operations in their order."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    succeeded: Annotated[bool, Tag(2)] = False
    responses: Annotated[tuple[ResponseOp, ...], Tag(3)] = ()
