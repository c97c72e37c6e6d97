"""Read ``zfs get -Hp -o name,property,value``: a row for each property of each dataset.

This is for ZFS without ``list -p``. The rows of one dataset or snapshot follow each other. Which
datasets are clones of a snapshot is not told: it is read from the origins of all of them.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from .errors import ZfsError
from .model import Dataset, Snapshot
from .parse_drafts import PLACEHOLDER, Drafts, number_or_none, unreadable
from .parse_list import MOST_ROWS

__all__ = ["GetParser", "get_properties", "parse_origins"]

_PROPERTIES: Final = (
    *("type", "guid", "createtxg", "creation", "userrefs", "defer_destroy", "used", "origin"),
    PLACEHOLDER,
)


def get_properties(properties: Sequence[str] = ()) -> tuple[str, ...]:
    """The properties to ask for.

    Args:
        properties: further properties of datasets.
    """
    return (*_PROPERTIES, *(one for one in dict.fromkeys(properties) if one not in _PROPERTIES))


def parse_origins(text: str) -> dict[str, str]:
    """Read ``zfs list -H -o name,origin``: what datasets are clones of, by their names.

    Raises:
        ZfsError: it makes no sense.
    """
    found = {}
    for row in text.splitlines():
        name, tab, origin = row.partition("\t")
        if not tab:
            raise unreadable(row, "columns")
        if origin != "-":
            found[name] = origin
    return found


class GetParser:
    """Reads rows as they come.

    Args:
        only: the only datasets that are wanted; None: all.
        properties: further properties that were asked for.
        most_rows: more are an error.
    """

    def __init__(
        self,
        *,
        only: frozenset[str] | None = None,
        properties: Sequence[str] = (),
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._drafts = Drafts(only)
        self._asked = tuple(properties)
        self._left = most_rows
        self._name = ""
        self._told: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def feed(self, rows: Iterable[str]) -> None:
        """Read some rows.

        Raises:
            ZfsError: they make no sense, or are too many.
        """
        for row in rows:
            name, tab, rest = row.partition("\t")
            key, second, value = rest.partition("\t")
            if not (tab and second):
                raise unreadable(row, "columns")
            if name != self._name:
                self._take()
                self._name, self._told = name, {}
            self._told[key] = value
            self._left -= 1
        if self._left < 0:
            raise ZfsError("zfs has more snapshots than are read at once; name the datasets")

    def finish(self, origins: dict[str, str]) -> dict[str, Dataset]:
        """The datasets by name, parents first.

        Args:
            origins: what datasets are clones of, of the whole pools.

        Raises:
            ZfsError: the last rows make no sense.
        """
        self._take()
        return self._drafts.finish(origins)

    def _take(self) -> None:
        if not self._name:
            return
        try:
            self._taken(self._name, self._told)
        except (KeyError, ValueError):
            raise unreadable(self._name, "its properties") from None

    def _taken(self, name: str, told: dict[str, str]) -> None:
        dataset, at, short = name.partition("@")
        if at:
            made = Snapshot(
                name=self._names.setdefault(short, short),
                guid=int(told["guid"]),
                createtxg=int(told["createtxg"]),
                creation=int(told["creation"]),
                holds=number_or_none(told["userrefs"]) or 0,
                deferred=told["defer_destroy"] == "on",
            )
            self._drafts.snapshots(dataset).append(made)
            return
        self._drafts.dataset(name, told, self._asked)
