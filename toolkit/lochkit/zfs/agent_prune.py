"""What destinations need of a source, and a source of them, when either is pruned. Pure.

The newest snapshot that both ends have is where the next stream begins: it stays at both. What a
destination has is known from the cursors (see `tags`) and from what it has confirmed to us.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .model import Bookmark, Dataset, Snapshot
from .tags import newest_cursor, parse_cursor

__all__ = ["Needs", "needs_of_source", "needs_of_target", "newest_cursors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What `plan_pruning` has to know of others.

    Attributes:
        protected: reasons by guid.
        replicated: by replication, the createtxg of the newest snapshot that is confirmed.
    """

    protected: Mapping[int, str] = field(default_factory=dict)
    replicated: Mapping[str, int | None] = field(default_factory=dict)


def newest_cursors(dataset: Dataset) -> Mapping[str, Bookmark]:
    """The newest cursor of every replication that has one on this dataset."""
    parsed = (parse_cursor(mark.name) for mark in dataset.bookmarks)
    names = {one.replication for one in parsed if one is not None}
    found = {name: newest_cursor(dataset, name) for name in names}
    return {name: mark for name, mark in found.items() if mark is not None}


def needs_of_source(
    dataset: Dataset, replications: Iterable[str], known: Mapping[str, Mapping[str, int]]
) -> Needs:
    """What the destinations of a dataset need of it.

    Args:
        dataset: of the source.
        replications: of its job, by name.
        known: by replication, the guid of the newest confirmed snapshot by dataset.
    """
    protected: dict[int, str] = {}
    replicated: dict[str, int | None] = {}
    marks = newest_cursors(dataset)
    for name, mark in marks.items():
        protected[mark.guid] = f"the newest that {name} has confirmed"
    there: dict[int, Snapshot | Bookmark] = {one.guid: one for one in dataset.bookmarks}
    there |= {one.guid: one for one in dataset.snapshots}
    for name in replications:
        confirmed = there.get(known.get(name, {}).get(dataset.name, -1))
        reached = [one.createtxg for one in (confirmed, marks.get(name)) if one is not None]
        replicated[name] = max(reached, default=None)
        if confirmed is not None:
            protected.setdefault(confirmed.guid, f"the newest that {name} has confirmed")
    return Needs(protected=protected, replicated=replicated)


def needs_of_target(source: Dataset | None, target: Dataset) -> Needs | None:
    """What a source needs of its copy.

    Returns:
        None if the two have nothing in common: then nobody knows what the copy is, and nothing of
        it may be destroyed.
    """
    if source is None:
        return None
    known = {one.guid for one in source.snapshots} | {one.guid for one in source.bookmarks}
    common = [one for one in target.snapshots if one.guid in known]
    if not common:
        return None
    newest = max(common, key=lambda one: one.createtxg)
    return Needs(protected={newest.guid: "the newest that its source has as well"})
