"""Inventories over a connection: datasets one after another, in pages, and an end."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from .inventory_json import BadInventory, DatasetReader, dataset_pages
from .model import Dataset, Inventory
from .names import is_within
from .offers import InventoryEnd, InventoryRequest
from .offers_answers import answer_message, read_answer
from .offers_fields import BadMessage

__all__ = ["InventoryReader", "inventory_messages"]

_DATASETS_MOST: Final = 200_000
_ROWS_MOST: Final = 5_000_000  # snapshots and bookmarks, of all datasets


def inventory_messages(inventory: Inventory) -> Iterator[dict[str, object]]:
    """The messages that tell of an inventory; clones and origins, which may be anybody's, are left
    out."""
    for dataset in inventory.datasets.values():
        yield from dataset_pages(_without_clones(dataset))
    yield answer_message(InventoryEnd(at=inventory.at))


def _without_clones(dataset: Dataset) -> Dataset:
    if dataset.origin is None and not any(one.clones for one in dataset.snapshots):
        return dataset
    return dataclasses.replace(
        dataset,
        origin=None,
        snapshots=tuple(one._replace(clones=()) for one in dataset.snapshots),
    )


class InventoryReader:
    """Puts an inventory together from messages.

    Args:
        request: what was asked for; datasets that were not are refused.

    Attributes:
        finished: the inventory, when its end has come.
    """

    def __init__(self, request: InventoryRequest) -> None:
        self._request = request
        self._reader = DatasetReader()
        self._found: dict[str, Dataset] = {}
        self._rows = 0
        self.finished: Inventory | None = None

    def add(self, message: Mapping[str, object]) -> None:
        """Take the next message.

        Raises:
            BadMessage: it is none of an inventory, tells of what was not asked for, or of too much.
        """
        if message.get("Type") != "dataset":
            end = read_answer(message)
            if not isinstance(end, InventoryEnd) or not self._reader.complete:
                raise BadMessage("an inventory without its end")
            self.finished = Inventory(datasets=self._found, at=end.at)
            return
        try:
            dataset = self._reader.add(message)
        except BadInventory as exc:
            raise BadMessage(str(exc)) from exc
        if dataset is None:
            return
        self._rows += len(dataset.snapshots) + len(dataset.bookmarks)
        if len(self._found) >= _DATASETS_MOST or self._rows > _ROWS_MOST:
            raise BadMessage("an inventory beyond all measure")
        if not any(is_within(dataset.name, root) for root in self._request.datasets):
            raise BadMessage(f"{dataset.name} was not asked for")
        self._found[dataset.name] = dataset
