"""What the two ends of a replication say to each other before and after a stream.

The one that sends is the client. It gives one `Offer` for each stream; the receiver looks at what
is there, and answers `Accept` or `Refuse`, or `Received` at once if it has that snapshot already.
After the stream it answers `Received` or `Failed`. How they look on the wire
is said in `offers_requests` and `offers_answers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .capabilities import Capabilities
from .errors import Failure
from .model import Kind

__all__ = [
    "BETWEEN_MOST",
    "RELEASABLE_MOST",
    "AbortReceive",
    "Accept",
    "Answer",
    "Base",
    "Bye",
    "Done",
    "Failed",
    "Greeting",
    "InventoryEnd",
    "InventoryRequest",
    "Offer",
    "Received",
    "Refuse",
    "Releasable",
    "ReleasableRequest",
    "Request",
    "SnapshotId",
]

BETWEEN_MOST = 4000
"""How many of the snapshots that a stream carries besides its last are named in an offer."""

RELEASABLE_MOST = 10_000
"""How many snapshots are told to be releasable; others stop a rollback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotId:
    """A snapshot of the source.

    Attributes:
        guid: what it is known by.
        name: what follows the ``@`` at the source.
    """

    guid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a stream begins from.

    Attributes:
        guid: of the snapshot that the target must have.
        name: what follows the ``@`` or ``#`` at the source.
        bookmark: whether the source has a bookmark of it only.
    """

    guid: int
    name: str
    bookmark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One stream that could be sent.

    Attributes:
        order: the order that it belongs to; for the log.
        replication: its name; part of the tag of the hold.
        source: the dataset at the source; for the log.
        dataset: the target.
        kind: filesystem or volume.
        to: the snapshot that the target then has, as its newest.
        base: what it begins from; None: a full stream.
        token: the resume token of the target, when an interrupted receive is to go on.
        between: the snapshots it carries besides, oldest first, `BETWEEN_MOST` at most.
        raw: encrypted data is sent as it is.
        properties: the stream carries the properties of the dataset (``send -p``).
        size: bytes the stream will have, about; None: not known.
        compression: what it is compressed with on the wire: none, zstd, lz4, gzip.
        set_properties: to be set at the target (``receive -o``).
        exclude_properties: not to be taken from the stream (``receive -x``).
        resumable: what arrives of a stream that is cut is to be kept.
        rollback: the target may have to be rolled back, or a placeholder replaced (``-F``).
        would_lose: the snapshots of the target that are then destroyed: these and no others.
        placeholders: datasets above the target to be made if they are missing, outermost first.
        hold_tag: of the hold to be put on the newest snapshot received; None: none.
    """

    replication: str
    dataset: str
    to: SnapshotId
    kind: Kind = Kind.FILESYSTEM
    order: str = ""
    source: str = ""
    base: Base | None = None
    token: str | None = None
    between: tuple[int, ...] = ()
    raw: bool = False
    properties: bool = False
    size: int | None = None
    compression: str = "none"
    set_properties: Mapping[str, str] = field(default_factory=dict)
    exclude_properties: tuple[str, ...] = ()
    resumable: bool = False
    rollback: bool = False
    would_lose: tuple[int, ...] = ()
    placeholders: tuple[str, ...] = ()
    hold_tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRequest:
    """Asks what there is at and below some datasets.

    Attributes:
        datasets: the roots.
        recursive: with what is below them.
        properties: further properties to read.
    """

    datasets: tuple[str, ...]
    recursive: bool = True
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasableRequest:
    """Asks which snapshots are held by this replication only, so that a rollback may destroy them.

    Attributes:
        datasets: of the target.
        replication: whose holds do not count.
    """

    datasets: tuple[str, ...]
    replication: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortReceive:
    """Asks that an interrupted receive be forgotten.

    Attributes:
        dataset: the target.
        token: what the client believes its resume token to be; another one is left alone.
    """

    dataset: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """Ends the connection; the receiver puts the holds it owes, and says it too."""


Request: TypeAlias = Offer | InventoryRequest | ReleasableRequest | AbortReceive | Bye


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """The receiver's first words.

    Attributes:
        capabilities: what its ZFS can do.
        compressions: what it can decompress.
        rollback: whether this client may have snapshots destroyed.
        properties: whether this client may send properties.
    """

    capabilities: Capabilities
    compressions: tuple[str, ...] = ()
    rollback: bool = False
    properties: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEnd:
    """All datasets have been told.

    Attributes:
        at: seconds since 1970, by the receiver's clock, when they were looked at.
    """

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Releasable:
    """The snapshots that were asked for.

    Attributes:
        guids: of snapshots whose every hold is that replication's own.
    """

    guids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """The stream may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nothing was done, and nothing will be.

    Attributes:
        failure: why.
        message: the same for a person.
    """

    failure: Failure
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The target has the snapshot as its newest; this was looked at, not concluded.

    Attributes:
        guid: of the snapshot.
        bytes: of the stream; 0 if it was there before.
        snapshots: how many were received.
        warning: what ``zfs receive`` complained about all the same.
    """

    guid: int
    bytes: int = 0
    snapshots: int = 0
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The target does not have the snapshot as its newest.

    Attributes:
        failure: why.
        message: the same for a person.
        token: with which the receive may go on.
        bytes: of the stream that arrived.
    """

    failure: Failure
    message: str
    token: str | None = None
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was asked has been done."""


Answer: TypeAlias = (
    Accept | Refuse | Received | Failed | Done | Bye | Greeting | InventoryEnd | Releasable
)
