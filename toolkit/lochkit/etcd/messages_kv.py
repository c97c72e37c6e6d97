"""Keys and values: range, put, delete range, compaction (``mvccpb`` and ``etcdserverpb``)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, NamedTuple

from .messages_header import NO_HEADER, ResponseHeader
from .wire_schema import Message, Tag

__all__ = [
    "CompactionRequest",
    "CompactionResponse",
    "DeleteRangeRequest",
    "DeleteRangeResponse",
    "KeyValue",
    "PutRequest",
    "PutResponse",
    "RangeRequest",
    "RangeResponse",
    "SortOrder",
    "SortTarget",
]


class KeyValue(NamedTuple):
    """One key as it stood at one revision. A tuple, because a load makes hundreds of thousands.

    Attributes:
        create_revision: when the key was last created.
        mod_revision: when it was last written; in a delete event, when it was deleted.
        version: writes since its creation, 1 for a new key, 0 in a delete event.
        lease: the lease it dies with, 0 for none.
    """

    key: Annotated[bytes, Tag(1)] = b""
    create_revision: Annotated[int, Tag(2)] = 0
    mod_revision: Annotated[int, Tag(3)] = 0
    version: Annotated[int, Tag(4)] = 0
    value: Annotated[bytes, Tag(5)] = b""
    lease: Annotated[int, Tag(6)] = 0


class SortOrder(IntEnum):
    """The order of a range's keys."""

    NONE = 0
    ASCEND = 1
    DESCEND = 2


class SortTarget(IntEnum):
    """What a range is sorted by."""

    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRequest(Message):
    """Read the keys in ``[key, range_end)``: one key when ``range_end`` is empty.

    Attributes:
        limit: at most so many keys, 0 for all.
        revision: read as of this revision, 0 for the latest.
        serializable: this member's own view will do, which may lag.
    """

    key: Annotated[bytes, Tag(1)] = b""
    range_end: Annotated[bytes, Tag(2)] = b""
    limit: Annotated[int, Tag(3)] = 0
    revision: Annotated[int, Tag(4)] = 0
    sort_order: Annotated[SortOrder | int, Tag(5)] = SortOrder.NONE
    sort_target: Annotated[SortTarget | int, Tag(6)] = SortTarget.KEY
    serializable: Annotated[bool, Tag(7)] = False
    keys_only: Annotated[bool, Tag(8)] = False
    count_only: Annotated[bool, Tag(9)] = False
    min_mod_revision: Annotated[int, Tag(10)] = 0
    max_mod_revision: Annotated[int, Tag(11)] = 0
    min_create_revision: Annotated[int, Tag(12)] = 0
    max_create_revision: Annotated[int, Tag(13)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeResponse(Message):
    """The keys found.

    Attributes:
        more: the limit cut the answer short.
        count: how many keys the whole range holds, whatever the limit.
    """

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    kvs: Annotated[tuple[KeyValue, ...], Tag(2)] = ()
    more: Annotated[bool, Tag(3)] = False
    count: Annotated[int, Tag(4)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRequest(Message):
    """Write one key.

    Attributes:
        lease: the lease to bind the key to, 0 for none.
        prev_kv: answer with what the key was before.
        ignore_value: keep the key's value (``value`` must be empty); the key must exist.
        ignore_lease: keep the key's lease (``lease`` must be 0); the key must exist.
    """

    key: Annotated[bytes, Tag(1)] = b""
    value: Annotated[bytes, Tag(2)] = b""
    lease: Annotated[int, Tag(3)] = 0
    prev_kv: Annotated[bool, Tag(4)] = False
    ignore_value: Annotated[bool, Tag(5)] = False
    ignore_lease: Annotated[bool, Tag(6)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResponse(Message):
    """The key was written; ``prev_kv`` is what it was, when asked for and when it was there."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    prev_kv: Annotated[KeyValue | None, Tag(2)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRangeRequest(Message):
    """Delete the keys in ``[key, range_end)``: one key when ``range_end`` is empty."""

    key: Annotated[bytes, Tag(1)] = b""
    range_end: Annotated[bytes, Tag(2)] = b""
    prev_kv: Annotated[bool, Tag(3)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRangeResponse(Message):
    """How many keys went, and, when asked for, what they were."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    deleted: Annotated[int, Tag(2)] = 0
    prev_kvs: Annotated[tuple[KeyValue, ...], Tag(3)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionRequest(Message):
    """Forget the history before ``revision``; ``physical`` answers only once it is off the disk."""

    revision: Annotated[int, Tag(1)] = 0
    physical: Annotated[bool, Tag(2)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionResponse(Message):
    """The history is gone."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
