"""What a replication planner answers: one of five verdicts on a dataset and its copy."""

import enum
from dataclasses import dataclass
from typing import Final, TypeAlias

from .model import Bookmark, Snapshot

__all__ = [
    "MADE_AT",
    "PLACEHOLDER_BYTES",
    "SOURCE_GUID",
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

SOURCE_GUID: Final = "lochkit:source"
"""Property of a target: the guid, in decimal, of the dataset that was sent to it in full."""

PLACEHOLDER_BYTES: Final = 1024 * 1024
"""A placeholder that was written more than this to has been put to use, and is none any more."""

MADE_AT: Final = "creation"
"""Property of a source: when the dataset itself was made, in seconds since 1970."""


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
    """The target has nothing of this dataset: the first step is a full stream.

    Attributes:
        steps: in the order they are sent.
        raw: they are sent raw (``-w``).
        rollback: the target is there, without snapshots, and the first step replaces what is in it
            (``receive -F``): nothing, in a placeholder; otherwise only where the policy allows
            rollback.
        abort_receive: an interrupted receive of the target, which can not go on, is to be forgotten
            first (``receive -A``).
    """

    steps: tuple[Step, ...]
    raw: bool = False
    rollback: bool = False
    abort_receive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental:
    """The target lacks the newer snapshots only.

    Attributes:
        steps: in the order they are sent.
        raw: they are sent raw (``-w``).
        rollback: the first step takes the target back to its base (``receive -F``).
        would_lose: snapshots of the target that this destroys, oldest first.
        written: bytes written to the target since its newest snapshot, which this discards; None:
            not known.
        abort_receive: as in `Full`.
    """

    steps: tuple[Step, ...]
    raw: bool = False
    rollback: bool = False
    would_lose: tuple[Snapshot, ...] = ()
    written: int | None = 0
    abort_receive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """An interrupted receive goes on, and after it these steps.

    Attributes:
        token: of the target, and not stale.
        to: the snapshot that the target then has.
        steps: what follows.
        raw: what follows is sent raw (``-w``).
        rollback: the stream that goes on takes the target back to its base (``receive -F``).
        written: as in `Incremental`.
    """

    token: ResumeToken
    to: Snapshot
    steps: tuple[Step, ...] = ()
    raw: bool = False
    rollback: bool = False
    written: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpToDate:
    """The target has the newest snapshot that is to be replicated, or there is none.

    Attributes:
        newest: the newest they have in common, as the source has it; None: the source has no
            snapshot that is to be replicated, and the target has none either.
        renamed_to: how the target calls it, if otherwise.
        abort_receive: as in `Full`.
    """

    newest: Snapshot | Bookmark | None = None
    renamed_to: str | None = None
    abort_receive: bool = False


class ConflictReason(enum.Enum):
    """Why nothing can be sent without losing something, or without a person."""

    NO_COMMON = "no-common"  # both have snapshots, and none in common
    DIVERGED = "diverged"  # the target has snapshots newer than the newest common one
    RECEIVER_NEWER = "receiver-newer"  # as DIVERGED, and the source has nothing newer to send
    MODIFIED = "modified"  # the target was written to since its newest snapshot
    TARGET_NOT_EMPTY = "target-not-empty"  # the target has no snapshots, and may hold data
    RECREATED = "recreated"  # the source was made anew under the old name
    RENAMED = "renamed"  # the copy of the source is at the target, under another name
    STALE_TOKEN = "stale-token"  # an interrupted receive can not go on
    ENCRYPTION = "encryption"  # a key that is not loaded; raw onto not raw, or the other way round
    NO_SOURCE = "no-source"  # the source has no snapshots, and the target has
    KIND = "kind"  # a filesystem here, a volume there
    NAME_TAKEN = "name-taken"  # another snapshot of the target has the name of one to be sent
    PARENT = "parent"  # the dataset above it is in conflict, and is not at the target yet
    BAD_NAME = "bad-name"  # nothing at the target can have the name this would get


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Nothing is sent, and nothing destroyed, until somebody has decided.

    Attributes:
        reason: why.
        message: the same for a person, in a sentence or two: what was found, and what to do.
        source: the snapshots of the source that were looked at, oldest first, and with them the
            bookmarks whose snapshots are gone.
        target: the snapshots of the target, oldest first.
        common: the newest they have in common, as the source has it.
        would_lose: snapshots of the target that a rollback to `common` would destroy.
        held: those of them that ZFS will not destroy: they have holds, or clones.
        taken: snapshots of the target that have the names of others to be sent, for NAME_TAKEN.
        elsewhere: the dataset that is the copy, for RENAMED.
    """

    reason: ConflictReason
    message: str
    source: tuple[Snapshot | Bookmark, ...] = ()
    target: tuple[Snapshot, ...] = ()
    common: Snapshot | Bookmark | None = None
    would_lose: tuple[Snapshot, ...] = ()
    held: tuple[Snapshot, ...] = ()
    taken: tuple[Snapshot, ...] = ()
    elsewhere: str | None = None


Verdict: TypeAlias = Full | Incremental | Resume | UpToDate | Conflict
