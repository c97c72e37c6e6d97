"""The cluster itself: its members, and the state of one member."""

from dataclasses import dataclass
from typing import Annotated

from .messages_header import NO_HEADER, ResponseHeader
from .wire_schema import Message, Tag

__all__ = [
    "DowngradeInfo",
    "Member",
    "MemberListRequest",
    "MemberListResponse",
    "StatusRequest",
    "StatusResponse",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Message):
    """One member. ``name`` and ``clientURLs`` are empty while it has never started."""

    ID: Annotated[int, Tag(1, unsigned=True)] = 0
    name: Annotated[str, Tag(2)] = ""
    peerURLs: Annotated[tuple[str, ...], Tag(3)] = ()
    clientURLs: Annotated[tuple[str, ...], Tag(4)] = ()
    isLearner: Annotated[bool, Tag(5)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberListRequest(Message):
    """List the members; ``linearizable`` asks the leader for the truth (etcd 3.5 and later)."""

    linearizable: Annotated[bool, Tag(1)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberListResponse(Message):
    """All members."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    members: Annotated[tuple[Member, ...], Tag(2)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest(Message):
    """Ask the member at the other end how it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DowngradeInfo(Message):
    """Whether the cluster is being taken to an older version, and to which (etcd 3.6)."""

    enabled: Annotated[bool, Tag(1)] = False
    targetVersion: Annotated[str, Tag(2)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResponse(Message):
    """How one member is.

    Attributes:
        dbSize: bytes of its database on disk; ``dbSizeInUse`` of those, ``dbSizeQuota`` at most.
        leader: the member it takes for the leader, 0 when it knows none.
        errors: its alarms, in words.
        storageVersion: since etcd 3.6, like ``dbSizeQuota`` and ``downgradeInfo``.
    """

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    version: Annotated[str, Tag(2)] = ""
    dbSize: Annotated[int, Tag(3)] = 0
    leader: Annotated[int, Tag(4, unsigned=True)] = 0
    raftIndex: Annotated[int, Tag(5, unsigned=True)] = 0
    raftTerm: Annotated[int, Tag(6, unsigned=True)] = 0
    raftAppliedIndex: Annotated[int, Tag(7, unsigned=True)] = 0
    errors: Annotated[tuple[str, ...], Tag(8)] = ()
    dbSizeInUse: Annotated[int, Tag(9)] = 0
    isLearner: Annotated[bool, Tag(10)] = False
    storageVersion: Annotated[str, Tag(11)] = ""
    dbSizeQuota: Annotated[int, Tag(12)] = 0
    downgradeInfo: Annotated[DowngradeInfo | None, Tag(13)] = None
