"""Finding the copy of a dataset under another name: datasets are renamed, and jobs are changed."""

from collections.abc import Iterable

from .mapping import is_aside, source_name
from .model import Bookmark, Dataset, Inventory, Snapshot
from .policy_types import Selection

__all__ = ["Strays", "find_renamed"]


def find_renamed(source: Dataset, targets: Iterable[Dataset]) -> Dataset | None:
    """The one of `targets` that holds the newest snapshot of the source that any of them has.

    A snapshot of which the source has only a bookmark left counts as well.
    """
    return _holder(source, _holders(targets))


class Strays:
    """The datasets at a target that are nobody's copy by their names, looked at when need be.

    Args:
        selection: what is replicated.
        source: the inventory it is replicated from.
        target: the inventory it is replicated to.
        root: the target of the replication; nothing outside of it counts, since another
            replication may have its copies there.
    """

    def __init__(
        self, selection: Selection, source: Inventory, target: Inventory, root: str
    ) -> None:
        self._selection = selection
        self._source = source
        self._target = target
        self._root = root
        self._by_guid: dict[int, Dataset] | None = None

    def copy_of(self, source: Dataset) -> Dataset | None:
        """The copy of a dataset that has none in its place."""
        if self._by_guid is None:
            self._by_guid = _holders(
                one for one in self._target.below(self._root) if self._is_stray(one.name)
            )
        return _holder(source, self._by_guid)

    def _is_stray(self, name: str) -> bool:
        if is_aside(name):  # somebody made room there for a new copy
            return False
        original = source_name(name, self._selection, self._root)
        return original is None or original not in self._source.datasets


def _holders(targets: Iterable[Dataset]) -> dict[int, Dataset]:
    return {snapshot.guid: target for target in targets for snapshot in target.snapshots}


def _holder(source: Dataset, by_guid: dict[int, Dataset]) -> Dataset | None:
    if not by_guid:
        return None
    newest: Snapshot | Bookmark | None = None
    every: list[Snapshot | Bookmark] = [*source.bookmarks, *source.snapshots]
    for one in every:
        if one.guid in by_guid and (newest is None or one.createtxg >= newest.createtxg):
            newest = one
    return by_guid[newest.guid] if newest is not None else None
