"""Leases: keys that live only as long as someone keeps them alive. All times are in seconds."""

from dataclasses import dataclass
from typing import Annotated

from .messages_header import NO_HEADER, ResponseHeader
from .wire_schema import Message, Tag

__all__ = [
    "LeaseGrantRequest",
    "LeaseGrantResponse",
    "LeaseKeepAliveRequest",
    "LeaseKeepAliveResponse",
    "LeaseLeasesRequest",
    "LeaseLeasesResponse",
    "LeaseRevokeRequest",
    "LeaseRevokeResponse",
    "LeaseStatus",
    "LeaseTimeToLiveRequest",
    "LeaseTimeToLiveResponse",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGrantRequest(Message):
    """Make a lease of ``TTL`` seconds; ``ID`` 0 lets the server choose one."""

    TTL: Annotated[int, Tag(1)] = 0
    ID: Annotated[int, Tag(2)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGrantResponse(Message):
    """The lease, with the ``TTL`` the server chose."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    ID: Annotated[int, Tag(2)] = 0
    TTL: Annotated[int, Tag(3)] = 0
    error: Annotated[str, Tag(4)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRevokeRequest(Message):
    """End a lease now, and with it its keys."""

    ID: Annotated[int, Tag(1)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRevokeResponse(Message):
    """The lease is gone."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseKeepAliveRequest(Message):
    """Let a lease live another ``TTL``."""

    ID: Annotated[int, Tag(1)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseKeepAliveResponse(Message):
    """``TTL`` is what the lease now has left; 0 when there is no such lease any more."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    ID: Annotated[int, Tag(2)] = 0
    TTL: Annotated[int, Tag(3)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimeToLiveRequest(Message):
    """Ask how long a lease has left, and with ``keys`` which keys it holds."""

    ID: Annotated[int, Tag(1)] = 0
    keys: Annotated[bool, Tag(2)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimeToLiveResponse(Message):
    """``TTL`` is what is left of ``grantedTTL``; -1 when there is no such lease any more."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    ID: Annotated[int, Tag(2)] = 0
    TTL: Annotated[int, Tag(3)] = 0
    grantedTTL: Annotated[int, Tag(4)] = 0
    keys: Annotated[tuple[bytes, ...], Tag(5)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLeasesRequest(Message):
    """List all leases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseStatus(Message):
    """One lease of the list."""

    ID: Annotated[int, Tag(1)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLeasesResponse(Message):
    """All leases."""

    header: Annotated[ResponseHeader, Tag(1)] = NO_HEADER
    leases: Annotated[tuple[LeaseStatus, ...], Tag(2)] = ()
