"""Read ``zfs list -Hp -o …``: a row for each dataset, snapshot and bookmark, columns between tabs.

Hosts have hundreds of thousands of snapshots, so this is written to be fast (half a million rows
take 1 to 2 seconds) and lean: snapshots taken together share their names and times.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from .capabilities import Capabilities
from .errors import ZfsError
from .model import Bookmark, Dataset, Snapshot
from .parse_drafts import PLACEHOLDER, Drafts, unreadable

__all__ = ["MOST_ROWS", "ListParser", "list_columns"]

MOST_ROWS: Final = 20_000_000

# Those of a snapshot come first: the rest of its row is then not even divided.
_SNAPSHOT_COLUMNS: Final = (
    *("name", "guid", "createtxg", "creation", "userrefs", "clones", "written", "defer_destroy"),
)
_HEAD: Final = len(_SNAPSHOT_COLUMNS)
_REMEMBERED: Final = 10_000  # times of creation


def list_columns(capabilities: Capabilities, properties: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns to ask for, in the order the parser wants them.

    Args:
        capabilities: of the host; `Capabilities.parsable_list` is taken for granted.
        properties: further properties of datasets.
    """
    columns = [*_SNAPSHOT_COLUMNS, "type", "used", "origin"]
    if capabilities.resume:
        columns.append("receive_resume_token")
    if capabilities.encryption:
        columns += ["encryptionroot", "keystatus"]
    columns.append(PLACEHOLDER)
    return (*columns, *(one for one in dict.fromkeys(properties) if one not in columns))


class ListParser:
    """Reads rows as they come.

    Args:
        columns: as made by `list_columns`.
        only: the only datasets that are wanted; None: all.
        properties: further properties that were asked for; those that are columns anyway are
            taken into `Dataset.properties` as well.
        most_rows: more are an error.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        *,
        only: frozenset[str] | None = None,
        properties: Sequence[str] = (),
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._columns = columns
        self._drafts = Drafts(only)
        self._asked = tuple(properties)
        self._left = most_rows
        # Of the dataset whose snapshots are being read.
        self._prefix = "\t"  # no row begins with it
        self._snapshots: list[Snapshot] = []
        self._names: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    def feed(self, rows: Iterable[str]) -> None:
        """Read some rows.

        Raises:
            ZfsError: they make no sense, or are too many.
        """
        names, numbers, new = self._names, self._numbers, tuple.__new__
        prefix, snapshots = self._prefix, self._snapshots
        count = 0
        row = ""
        try:
            for row in rows:
                count += 1
                if not row.startswith(prefix):
                    if not self._other(row):
                        continue
                    prefix, snapshots = self._prefix, self._snapshots
                (name, guid, txg, creation, holds, clones, written, deferred, _) = row.split(
                    "\t", _HEAD
                )
                name = name[len(prefix) :]
                # Its neighbour, or the same of the dataset before, often has the same.
                if (made := numbers.get(creation)) is None:
                    if len(numbers) > _REMEMBERED:
                        numbers.clear()
                    made = numbers[creation] = int(creation)
                snapshots.append(
                    new(
                        Snapshot,
                        (
                            names.setdefault(name, name),
                            int(guid),
                            int(txg),
                            made,
                            0 if holds in ("0", "-") else int(holds),
                            () if clones == "-" or not clones else tuple(clones.split(",")),
                            int(written) if written != "-" else None,
                            deferred == "on",
                        ),
                    )
                )
        except ValueError:
            raise unreadable(row, "columns") from None
        self._left -= count
        if self._left < 0:
            raise ZfsError("zfs has more snapshots than are read at once; name the datasets")

    def finish(self) -> dict[str, Dataset]:
        """The datasets by name, parents first."""
        return self._drafts.finish()

    def _other(self, row: str) -> bool:
        """Whether it is a snapshot of another dataset than the last; everything else is read."""
        name = row.partition("\t")[0]
        dataset, at, _ = name.partition("@")
        if at:
            self._prefix = dataset + "@"
            self._snapshots = self._drafts.snapshots(dataset)
            return True
        values = row.split("\t")
        if len(values) != len(self._columns):
            raise unreadable(row, "columns")
        dataset, mark, short = name.partition("#")
        if mark:
            guid, txg, creation = (int(value) for value in values[1:4])
            self._drafts.bookmarks(dataset).append(Bookmark(short, guid, txg, creation))
            return False
        self._drafts.dataset(name, dict(zip(self._columns, values, strict=True)), self._asked)
        return False
