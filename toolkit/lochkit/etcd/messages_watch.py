"""Watches: what is asked for on the watch stream, and the events that come back."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, NamedTuple

from .messages_header import NO_HEADER, ResponseHeader
from .messages_kv import KeyValue
from .wire_schema import Message, Tag

__all__ = [
    "Event",
    "EventType",
    "FilterType",
    "WatchCancelRequest",
    "WatchCreateRequest",
    "WatchProgressRequest",
    "WatchRequest",
    "WatchResponse",
]


class EventType(IntEnum):
    """What happened to a key. The end of its lease is a DELETE, too."""

    PUT = 0
    DELETE = 1


class Event(NamedTuple):
    """One change of one key.

    Attributes:
        kv: the key as written; of a deleted key, only ``key`` and ``mod_revision`` are set.
        prev_kv: what it was before, when asked for, when it was there and not yet compacted.
    """

    type: Annotated[EventType | int, Tag(1)] = EventType.PUT
    kv: Annotated[KeyValue, Tag(2)] = KeyValue()
    prev_kv: Annotated[KeyValue | None, Tag(3)] = None


class FilterType(IntEnum):
    """Events the server is to keep to itself."""

    NOPUT = 0
    NODELETE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCreateRequest(Message):
    """Watch the keys in ``[key, range_end)``: one key when ``range_end`` is empty.

    Attributes:
        start_revision: the first revision of interest, 0 for what comes after now.
        progress_notify: send an empty response now and then while nothing happens.
        watch_id: the id the client wants, 0 to be given one.
        fragment: large revisions may come in several responses.
    """

    key: Annotated[bytes, Tag(1)] = b""
    range_end: Annotated[bytes, Tag(2)] = b""
    start_revision: Annotated[int, Tag(3)] = 0
    progress_notify: Annotated[bool, Tag(4)] = False
    filters: Annotated[tuple[FilterType | int, ...], Tag(5)] = ()
    prev_kv: Annotated[bool, Tag(6)] = False
    watch_id: Annotated[int, Tag(7)] = 0
    fragment: Annotated[bool, Tag(8)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCancelRequest(Message):
    """Send no more events to this watch."""

    watch_id: Annotated[int, Tag(1)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchProgressRequest(Message):
    """Say soon how far the watches of this stream have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest(Message):
    """What is sent on the watch stream: exactly one of these."""

    create_request: Annotated[WatchCreateRequest | None, Tag(1, oneof="request_union")] = None
    cancel_request: Annotated[WatchCancelRequest | None, Tag(2, oneof="request_union")] = None
    progress_request: Annotated[WatchProgressRequest | None, Tag(3, oneof="request_union")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResponse(Message):
    """What comes back on the watch stream, for one watch.

    Attributes:
        watch_id: the watch; -1 when it speaks for all watches of the stream (progress), or for one
            that never came to be.
        created: the watch now exists.
        canceled: the watch is no more; nothing else follows for it.
        compact_revision: when not 0, the watch asked for history that is gone before this revision.
        fragment: more of the same revision follows in the next response.
    """

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    watch_id: Annotated[int, Tag(2)] = 0
    created: Annotated[bool, Tag(3)] = False
    canceled: Annotated[bool, Tag(4)] = False
    compact_revision: Annotated[int, Tag(5)] = 0
    cancel_reason: Annotated[str, Tag(6)] = ""
    fragment: Annotated[bool, Tag(7)] = False
    events: Annotated[tuple[Event, ...], Tag(11)] = ()
