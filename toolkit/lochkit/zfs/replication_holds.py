"""Which snapshots of the source are held for a replication, and which cursors it keeps.

While a dataset is being sent, the base and the ends of its streams are held, so that what is
interrupted can go on. Afterwards a bookmark, the cursor, remembers the newest snapshot that the
target has confirmed; where ZFS has no bookmarks that snapshot stays held instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .capabilities import Capabilities
from .model import Bookmark, Dataset, Snapshot
from .plan_types import Step
from .policy_types import Guarantee
from .replication_shipments import expected_size
from .tags import cursor_name, cursors

__all__ = ["SMALL", "Settlement", "may_be_ours", "settle", "step_holds"]

SMALL: Final = 16 * 1024 * 1024
"""Bytes that are sent anew rather than held while they are sent."""


def step_holds(source: Dataset, steps: Sequence[Step], replication: str) -> tuple[str, ...]:
    """The snapshots, by their whole names, that are to be held while steps are under way.

    Both ends of each step. None where that would take longer than to begin anew: if all of it is
    small, and the cursor remembers the base; while it is being sent ZFS itself keeps it.

    Args:
        source: as it was seen.
        steps: that are to be sent.
        replication: whose.
    """
    base = steps[0].base if steps else None
    remembered = isinstance(base, Bookmark) or any(
        base is not None and one.guid == base.guid for one in cursors(source, replication)
    )
    sizes = [expected_size(step) for step in steps]
    if remembered and None not in sizes and sum(one or 0 for one in sizes) < SMALL:
        return ()
    found: dict[str, None] = {}
    for step in steps:
        for one in (step.base, step.to):
            if isinstance(one, Snapshot):
                found[f"{source.name}@{one.name}"] = None
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is to be done at the source once the target has confirmed a snapshot.

    In this order: nothing is let go of before something else keeps its place.

    Attributes:
        hold: snapshots, by their whole names.
        bookmark: the snapshot to remember, and the name of the bookmark; None: none is made.
        forget: bookmarks of ours, by their whole names, that are of no use any more.
        release: snapshots, by their whole names, whose hold of ours has no use any more.
    """

    hold: tuple[str, ...] = ()
    bookmark: tuple[str, str] | None = None
    forget: tuple[str, ...] = ()
    release: tuple[str, ...] = ()


def settle(
    source: Dataset,
    confirmed: Snapshot | Bookmark,
    *,
    replication: str,
    guarantee: Guarantee,
    capabilities: Capabilities,
    held: Iterable[str],
) -> Settlement:
    """What is to be done at the source.

    Args:
        source: as it was seen.
        confirmed: the newest snapshot that the target has, as the source has it.
        replication: its name.
        guarantee: what is kept.
        capabilities: of the source.
        held: snapshots, by their whole names, with a hold of ours, or that may have one.
    """
    here = f"{source.name}@{confirmed.name}" if isinstance(confirmed, Snapshot) else None
    keeps = guarantee is not Guarantee.NOTHING
    stays = (here,) if here and keeps and not capabilities.bookmarks else ()
    held = tuple(dict.fromkeys(held))
    ours = cursors(source, replication) if capabilities.bookmarks else ()
    at_it = [one for one in ours if one.guid == confirmed.guid] if keeps else []
    makes = keeps and capabilities.bookmarks and here is not None and not at_it
    return Settlement(
        hold=tuple(one for one in stays if not _is_held(source, one, held)),
        bookmark=(here, cursor_name(replication, confirmed.guid)) if makes and here else None,
        # Without a newer one the old cursor is the only memory there is.
        forget=tuple(
            f"{source.name}#{one.name}"
            for one in ours
            if one not in at_it and (makes or at_it or not keeps)
        ),
        release=tuple(one for one in held if one not in stays),
    )


def _is_held(source: Dataset, name: str, held: Iterable[str]) -> bool:
    return name in held or any(
        one.holds and f"{source.name}@{one.name}" == name for one in source.snapshots
    )


def may_be_ours(source: Dataset, tags: Mapping[str, tuple[str, ...]] | None, tag: str) -> list[str]:
    """The held snapshots of a dataset, by their whole names, that have our tag.

    Args:
        source: as it was seen.
        tags: of its held snapshots; None: ZFS can not tell, so that each may have it.
        tag: ours.
    """
    held = [f"{source.name}@{one.name}" for one in source.snapshots if one.holds]
    return held if tags is None else [one for one in held if tag in tags.get(one, ())]
