"""What a replication planner answers: one of five verdicts on a dataset and its copy."""

import enum
from dataclasses import dataclass
from typing import TypeAlias

from .model import Bookmark, Snapshot

__all__ = [
    "Conflict",
    "ConflictReason",
    "Full",
    "Incremental",
    "Resume",
    "ResumeToken",
    "Step",
    "UpToDate",
    "Verdict",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stream to be sent.

    Attributes:
        to: the snapshot the target has afterwards.
        base: the snapshot or bookmark of the source that the target has already; None: a full
            stream.
        intermediates: whether the stream carries the snapshots between as well (``-I``). Only from
            a snapshot: a bookmark can not be the source of such a stream.
        between: the snapshots between, oldest first, that an ``-I`` stream carries.
    """

    to: Snapshot
    base: Snapshot | Bookmark | None = None
    intermediates: bool = False
    between: tuple[Snapshot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeToken:
    """What a resume token says; ``zfs send -nvt TOKEN`` tells.

    Attributes:
        token: itself, an opaque word.
        to_guid: of the snapshot that was being received.
        to_name: ``dataset@snapshot`` of the source, as it was called then.
        from_guid: of the base; None for a full stream.
        received: bytes received so far; None: not told.
        raw: the interrupted stream was raw.
        compressed: the interrupted stream was compressed (``-c``).
        large_blocks: the interrupted stream had large blocks (``-L``).
        embedded: the interrupted stream had embedded blocks (``-e``).
    """

    token: str
    to_guid: int
    to_name: str
    from_guid: int | None = None
    received: int | None = None
    raw: bool = False
    compressed: bool = False
    large_blocks: bool = False
    embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """The target has nothing of this dataset: the first step is a full stream."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental:
    """The target lacks the newer snapshots only."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """An interrupted receive goes on, and after it these steps.

    Attributes:
        token: of the target, and not stale.
        to: the snapshot that the target then has.
        steps: what follows.
    """

    token: ResumeToken
    to: Snapshot
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpToDate:
    """The target has the newest snapshot that is to be replicated.

    Attributes:
        newest: that snapshot; None: the source has none that is to be replicated.
        renamed_to: how the target calls it, if otherwise.
    """

    newest: Snapshot | None = None
    renamed_to: str | None = None


class ConflictReason(enum.Enum):
    """Why nothing can be sent without losing something, or without a person."""

    NO_COMMON = "no-common"  # both have snapshots, and none in common
    DIVERGED = "diverged"  # the target has snapshots newer than the newest common one
    RECEIVER_NEWER = "receiver-newer"  # the target has snapshots of the source's future
    MODIFIED = "modified"  # the target was written to since its newest snapshot
    TARGET_NOT_EMPTY = "target-not-empty"  # the target has no snapshots, and holds data
    RECREATED = "recreated"  # the source was made anew under the old name
    STALE_TOKEN = "stale-token"  # the source no longer has what an interrupted receive wants
    ENCRYPTION = "encryption"  # raw onto not raw, or the other way round
    NO_SOURCE = "no-source"  # the source has no snapshot to send
    KIND = "kind"  # a filesystem here, a volume there


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Nothing is sent, and nothing destroyed, until somebody has decided.

    Attributes:
        reason: why.
        message: the same for a person, in a sentence or two: what was found, and what to do.
        source: the snapshots of the source that were looked at, oldest first.
        target: the snapshots of the target, oldest first.
        common: the newest they have in common, as the source has it.
        would_lose: snapshots of the target that a rollback to `common` would destroy.
    """

    reason: ConflictReason
    message: str
    source: tuple[Snapshot | Bookmark, ...] = ()
    target: tuple[Snapshot, ...] = ()
    common: Snapshot | Bookmark | None = None
    would_lose: tuple[Snapshot, ...] = ()


Verdict: TypeAlias = Full | Incremental | Resume | UpToDate | Conflict
