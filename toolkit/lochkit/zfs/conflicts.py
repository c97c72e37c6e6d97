"""What stands in the way of a replication, said so that a person can decide.

Each function makes one kind of `Conflict`. Nothing is sent, and nothing destroyed, because of one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .model import Bookmark, Dataset, Snapshot
from .plan_common import Meeting, orphaned_bookmarks
from .plan_types import MADE_AT, SOURCE_GUID, Conflict, ConflictReason

__all__ = [
    "bad_name",
    "below_conflict",
    "beyond_common",
    "encryption",
    "immovable",
    "modified",
    "names_taken",
    "no_common",
    "not_empty",
    "other_kind",
    "renamed",
    "some",
    "stale_token",
]

_NAMED = 3


def some(snapshots: Sequence[Snapshot]) -> str:
    """Name the first few snapshots, and say how many more there are."""
    names = ", ".join(f"@{one.name}" for one in snapshots[:_NAMED])
    more = len(snapshots) - _NAMED
    return f"{names} and {more} more" if more > 0 else names


def other_kind(source: Dataset, target: Dataset) -> Conflict:
    """One is a filesystem, the other a volume."""
    message = (
        f"{source.name} is a {source.kind.value}, and {target.name} a {target.kind.value}:"
        " rename the target aside, or choose another"
    )
    return _conflict(ConflictReason.KIND, message, source, target)


def stale_token(source: Dataset, target: Dataset, why: str, meeting: Meeting) -> Conflict:
    """An interrupted receive can not go on, and the policy leaves it to a person."""
    message = (
        f"{target.name} has an interrupted receive that can not go on: {why}."
        " Nothing else can be received until it is given up (receive -A)"
    )
    return _conflict(ConflictReason.STALE_TOKEN, message, source, target, meeting)


def encryption(source: Dataset, target: Dataset | None, why: str, meeting: Meeting) -> Conflict:
    """Keys, or raw and not raw streams, do not fit."""
    return _conflict(ConflictReason.ENCRYPTION, why, source, target, meeting)


def not_empty(source: Dataset, target: Dataset) -> Conflict:
    """The target is there without a snapshot, so it can not be told what is in it."""
    size = "" if target.used is None else f" and uses {target.used} bytes"
    message = (
        f"{target.name} is there, has no snapshot{size}: a full stream of {source.name} would"
        " replace what is in it. Rename it aside, choose another target, or allow rollback"
    )
    return _conflict(ConflictReason.TARGET_NOT_EMPTY, message, source, target)


def no_common(source: Dataset, target: Dataset) -> Conflict:
    """The target has snapshots, and the source has none of them, nor a bookmark."""
    count = len(target.snapshots)
    if not source.snapshots and not source.bookmarks:
        message = (
            f"{source.name} has no snapshot, and {target.name} has {count}: the source may have"
            " been made anew, or all its snapshots destroyed. Nothing is sent"
        )
        return _conflict(ConflictReason.NO_SOURCE, message, source, target)
    how = _made_anew(source, target)
    if how:
        message = (
            f"{source.name} is not the dataset that was replicated to {target.name} before: {how}."
            " Rename the target aside to begin with a full stream"
        )
        return _conflict(ConflictReason.RECREATED, message, source, target)
    if target.placeholder:
        why = "the target was made as a mere parent of others, and somebody took snapshots of it"
        cure = "Destroy those, to receive into it"
    else:
        why = (
            "the common ones were destroyed, or the source was made anew, or the target is not its"
            " copy"
        )
        cure = "Rename the target aside to begin with a full stream"
    message = (
        f"{source.name} and {target.name}, with {count} snapshot{'' if count == 1 else 's'}, have"
        f" none in common: {why}."
        f" {cure}"
    )
    return _conflict(ConflictReason.NO_COMMON, message, source, target)


def beyond_common(
    source: Dataset,
    target: Dataset,
    meeting: Meeting,
    waiting: Sequence[Snapshot],
    *,
    rollback: bool,
    held: tuple[Snapshot, ...],
) -> Conflict:
    """The target has snapshots after the newest common one."""
    common = meeting.common
    where = "their newest common snapshot" if common is None else f"@{common.name}"
    found = (
        f"{target.name} has {some(meeting.beyond)} after {where}, which {source.name} does not have"
    )
    if not waiting:
        reason = ConflictReason.RECEIVER_NEWER
        message = (
            f"{found}; {source.name} has nothing newer to send. They were taken there, or received"
            " from elsewhere, or the source was rolled back. Nothing is lost while nothing is done"
        )
    else:
        reason = ConflictReason.DIVERGED
        blocked = f"; a rollback is allowed, and can not be: {_stuck(held)}" if rollback else ""
        message = (
            f"{found}; {some(waiting)} of {source.name} can only be received after a rollback to"
            f" {where}, which would destroy them{blocked}"
        )
    return _conflict(reason, message, source, target, meeting, would_lose=meeting.beyond, held=held)


def modified(source: Dataset, target: Dataset, meeting: Meeting) -> Conflict:
    """The target was written to since its newest snapshot."""
    newest = target.newest.name if target.newest else ""
    message = (
        f"{target.name} was written to since @{newest} ({target.written} bytes). A rollback to it"
        " would discard that; readonly=on there keeps it from happening again"
    )
    return _conflict(ConflictReason.MODIFIED, message, source, target, meeting)


def names_taken(
    source: Dataset, target: Dataset, meeting: Meeting, taken: Sequence[Snapshot]
) -> Conflict:
    """Other snapshots of the target have the names of those that are to be sent."""
    message = (
        f"{target.name} has {some(taken)}, and {source.name} is to send other snapshots of the same"
        " name. Rename those of the target"
    )
    conflict = _conflict(ConflictReason.NAME_TAKEN, message, source, target, meeting)
    return replace(conflict, taken=tuple(taken))


def renamed(source: Dataset, target: Dataset | None, name: str, elsewhere: Dataset) -> Conflict:
    """The copy is there, under another name."""
    message = (
        f"the copy of {source.name} is {elsewhere.name}, and its place is {name} by now: the source"
        f" was renamed, or the job changed. Rename {elsewhere.name} to {name} to go on with it"
    )
    conflict = _conflict(ConflictReason.RENAMED, message, source, target or elsewhere)
    return replace(conflict, elsewhere=elsewhere.name)


def below_conflict(source: Dataset, name: str, above: str, why: str) -> Conflict:
    """The dataset above can not come to the target yet."""
    message = f"{source.name} waits for the one above it: {name} has no place before {above}: {why}"
    return _conflict(ConflictReason.PARENT, message, source, None)


def bad_name(source: Dataset, why: str) -> Conflict:
    """The target can have no dataset of the name this one would get."""
    message = f"{source.name} can not be replicated there: {why}. Choose a shorter target"
    return _conflict(ConflictReason.BAD_NAME, message, source, None)


def immovable(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Those that ZFS will not destroy: they have holds, or clones."""
    return tuple(one for one in snapshots if one.holds or one.clones)


def _stuck(held: Sequence[Snapshot]) -> str:
    clones = [name for one in held for name in one.clones]
    text = f"{some(held)} can not be destroyed"
    return text + (f", with the clones {', '.join(clones[:_NAMED])}" if clones else ", being held")


def _made_anew(source: Dataset, target: Dataset) -> str:
    sent = target.properties.get(SOURCE_GUID, "")
    if sent.isdecimal() and source.guid and int(sent) != source.guid:
        return f"its guid is {source.guid}, and was {sent}"
    made = source.properties.get(MADE_AT, "")
    newest = target.newest
    if made.isdecimal() and newest is not None and int(made) > newest.creation:
        return f"it was made after @{newest.name}, the newest snapshot of the target, was taken"
    return ""


def _conflict(
    reason: ConflictReason,
    message: str,
    source: Dataset,
    target: Dataset | None,
    meeting: Meeting | None = None,
    *,
    would_lose: tuple[Snapshot, ...] = (),
    held: tuple[Snapshot, ...] = (),
) -> Conflict:
    looked_at: tuple[Snapshot | Bookmark, ...] = source.snapshots
    orphans = orphaned_bookmarks(source)
    if orphans:
        looked_at = tuple(sorted((*looked_at, *orphans), key=lambda one: one.createtxg))
    return Conflict(
        reason=reason,
        message=message,
        source=looked_at,
        target=target.snapshots if target is not None else (),
        common=meeting.common if meeting is not None else None,
        would_lose=would_lose,
        held=held,
    )
