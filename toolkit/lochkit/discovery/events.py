"""What a subscriber is told."""

from dataclasses import dataclass
from enum import Enum

from .host import Host, Infos

__all__ = ["Cause", "Event", "Kind"]


class Kind(Enum):
    """What has happened."""

    NEW = "new"
    """An instance is there that was not, or is there again."""
    DOWN = "down"
    """An instance is gone."""
    CHANGED = "changed"
    """An instance has written its record anew: state, credentials, ports."""
    INFOS = "infos"
    """What the instances have in common has changed, come or gone."""
    STALE = "stale"
    """etcd is away. What was known last still stands; nobody can say more."""
    FRESH = "fresh"
    """etcd is back, and what is known is true again; what changed meanwhile was told before."""


class Cause(Enum):
    """Why an instance is gone."""

    LEFT = "left"
    """It said so before."""
    EXPIRED = "expired"
    """Its lease ended, or its key was deleted, without a word: most likely a crash."""
    REMOVED = "removed"
    """Somebody took it out: its key had no lease that could have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: what it is.
        service: the service; empty for STALE and FRESH of all services.
        uuid: the instance; empty when it is about none.
        host: the record now; of DOWN the last one known. None when it is about no instance.
        previous: the record before, of CHANGED.
        cause: why, of DOWN.
        infos: what is known of the service now, of INFOS; None when that is gone or unreadable.
        revision: the store's revision at which this is true.
        synthetic: found by comparing two states, since the change itself could not be watched.
    """

    kind: Kind
    service: str
    uuid: str = ""
    host: Host | None = None
    previous: Host | None = None
    cause: Cause | None = None
    infos: Infos | None = None
    revision: int = 0
    synthetic: bool = False
