"""What a source and its copy have in common: decided by guid, ordered by createtxg.

Names decide nothing: a snapshot renamed on either side is the same snapshot, and two that only
share a name are strangers. Times decide nothing either: a clock may have been set back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .model import Bookmark, Dataset, Snapshot

__all__ = ["Meeting", "later", "meet", "orphaned_bookmarks", "pending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Where two histories part.

    Attributes:
        common: the newest that both have, as the source has it: the snapshot, or a bookmark of it
            where the snapshot is gone. None: they have nothing in common.
        at_target: the same, as the target has it.
        beyond: what the target has after it, oldest first; all it has, if nothing is in common.
    """

    common: Snapshot | Bookmark | None = None
    at_target: Snapshot | None = None
    beyond: tuple[Snapshot, ...] = ()


def meet(source: Dataset, target: Dataset | None, *, bookmarks: bool) -> Meeting:
    """Find the newest that both have.

    Args:
        source: the original.
        target: its copy; None: there is none.
        bookmarks: whether bookmarks of the source count.
    """
    if target is None or not target.snapshots:
        return Meeting()
    newest, copy = source.newest, target.snapshots[-1]
    if newest is not None and newest.guid == copy.guid:  # most datasets, most of the time
        return Meeting(common=newest, at_target=copy)
    places = {one.guid: place for place, one in enumerate(target.snapshots)}
    common: Snapshot | Bookmark | None = None
    for one in reversed(source.snapshots):
        if one.guid in places:
            common = one
            break
    if bookmarks:
        for remembered in source.bookmarks:
            newer = common is None or remembered.createtxg > common.createtxg
            if newer and remembered.guid in places:
                common = remembered
    if common is None:
        return Meeting(beyond=target.snapshots)
    place = places[common.guid]
    return Meeting(
        common=common,
        at_target=target.snapshots[place],
        beyond=target.snapshots[place + 1 :],
    )


def pending(
    source: Dataset, base: Snapshot | Bookmark | None, wanted: Callable[[str], bool]
) -> tuple[Snapshot, ...]:
    """The snapshots after `base` (None: all there are) that are to be replicated, oldest first."""
    return tuple(one for one in later(source, base) if wanted(one.name))


def later(source: Dataset, base: Snapshot | Bookmark | None) -> tuple[Snapshot, ...]:
    """The snapshots after `base` (None: all there are), oldest first."""
    every = source.snapshots
    if base is None:
        return every
    count = len(every)
    while count and every[count - 1].createtxg > base.createtxg:
        count -= 1
    return every[count:]


def orphaned_bookmarks(source: Dataset) -> tuple[Bookmark, ...]:
    """The bookmarks whose snapshots are gone, oldest first."""
    if not source.bookmarks:
        return ()
    there = {one.guid for one in source.snapshots}
    return tuple(one for one in source.bookmarks if one.guid not in there)
