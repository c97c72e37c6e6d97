"""The holds that a receiver owes: on the newest snapshot received, and no more on those before it.

They are put for many datasets at once, when a session ends: a command each would cost more than a
small stream. A receiver that dies before that leaves the hold one snapshot behind until the next.
"""

from collections.abc import Iterator
from typing import Final

from .model import Dataset

__all__ = ["OwedHolds"]

_AT_ONCE: Final = 200  # names in one command


class OwedHolds:
    """Collects what is to be held and released."""

    def __init__(self) -> None:
        self._owed: dict[tuple[str, str], Dataset] = {}

    def add(self, tag: str, dataset: Dataset) -> None:
        """The newest snapshot of a dataset is to have a tag, and none of its others.

        Args:
            tag: of the hold.
            dataset: as it is after it was received into.
        """
        self._owed[tag, dataset.name] = dataset

    def clear(self) -> None:
        """All has been done."""
        self._owed.clear()

    def to_hold(self) -> Iterator[tuple[str, list[str]]]:
        """Tags, and snapshots by their whole names that are to have them."""
        return self._portions(
            (tag, f"{dataset.name}@{dataset.snapshots[-1].name}")
            for (tag, _), dataset in self._owed.items()
            if dataset.snapshots
        )

    def to_release(self) -> Iterator[tuple[str, list[str]]]:
        """Tags, and snapshots by their whole names that may have them, and are not to."""
        return self._portions(
            (tag, f"{dataset.name}@{one.name}")
            for (tag, _), dataset in self._owed.items()
            for one in dataset.snapshots[:-1]
            if one.holds
        )

    @staticmethod
    def _portions(wanted: Iterator[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
        by_tag: dict[str, list[str]] = {}
        for tag, name in wanted:
            by_tag.setdefault(tag, []).append(name)
        for tag, names in by_tag.items():
            for at in range(0, len(names), _AT_ONCE):
                yield tag, names[at : at + _AT_ONCE]
