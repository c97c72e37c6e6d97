"""What both ends of every replication need of a dataset that is to be pruned. Pure.

The newest snapshot that both ends have stays at both: the next stream begins there. Where it can
not be told which that is, nothing is destroyed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .agent_prune import Needs, needs_of_target, newest_cursors
from .directing_ties import Tie, Ties
from .directing_view import View
from .layout import CursorKey
from .model import Bookmark, Dataset, Snapshot
from .tags import newest_cursor

__all__ = ["Unsure", "needs_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsure:
    """Nothing may be destroyed of a dataset.

    Attributes:
        reason: for a person.
    """

    reason: str


def needs_of(view: View, ties: Ties, host: str, dataset: Dataset) -> Needs | Unsure:
    """What others need of a dataset.

    Args:
        view: of all hosts.
        ties: all copies.
        host: where the dataset is.
        dataset: as it is known.
    """
    protected: dict[int, str] = {
        mark.guid: f"the newest that {name} has confirmed"
        for name, mark in newest_cursors(dataset).items()
    }
    replicated: dict[str, int | None] = {}
    for tie in ties.of_source(host, dataset.name):
        found = _confirmed(view, tie, dataset)
        if isinstance(found, Unsure):
            return found
        for one in found:
            protected.setdefault(one.guid, f"the newest that {tie.replication} has confirmed")
        replicated[tie.replication] = max((one.createtxg for one in found), default=None)
    for tie in ties.of_target(host, dataset.name):
        needs = _of_source(view, tie, dataset)
        if isinstance(needs, Unsure):
            return needs
        for guid, reason in needs.protected.items():
            protected.setdefault(guid, reason)
    return Needs(protected=protected, replicated=replicated)


def _confirmed(view: View, tie: Tie, source: Dataset) -> tuple[Snapshot | Bookmark, ...] | Unsure:
    """What of the source a copy is known to have: the newest that can be told, in several ways."""
    key = CursorKey(tie.replication, tie.source_host, tie.target_host, tie.source)
    known = _with_guids(source, (view.cursors.get(key),))
    mark = newest_cursor(source, tie.replication)
    if mark is not None:
        known += (mark,)
    there = view.hosts.get(tie.target_host)
    target = there.get(tie.target) if there is not None else None
    if target is not None:
        return (*known, *_newest_common(source, target))
    if known or (there is not None and there.lacks(tie.target)):
        return known
    return Unsure(
        reason=f"it is not known what {tie.target_host} has of it ({tie.replication}), and thus"
        " what the next stream begins with"
    )


def _of_source(view: View, tie: Tie, target: Dataset) -> Needs | Unsure:
    there = view.hosts.get(tie.source_host)
    needs = needs_of_target(there.get(tie.source), target) if there is not None else None
    if needs is None:
        return Unsure(
            reason=f"nothing is known that it has in common with {tie.source_host}:{tie.source}"
            f" ({tie.replication})"
        )
    return needs


def _newest_common(source: Dataset, target: Dataset) -> tuple[Snapshot | Bookmark, ...]:
    guids = {one.guid for one in target.snapshots}
    common: list[Snapshot | Bookmark] = [one for one in source.snapshots if one.guid in guids]
    common += (one for one in source.bookmarks if one.guid in guids)
    return (max(common, key=lambda one: one.createtxg),) if common else ()


def _with_guids(dataset: Dataset, wanted: Iterable[int | None]) -> tuple[Snapshot | Bookmark, ...]:
    guids = set(wanted)
    snapshots = tuple(one for one in dataset.snapshots if one.guid in guids)
    return snapshots or tuple(one for one in dataset.bookmarks if one.guid in guids)
