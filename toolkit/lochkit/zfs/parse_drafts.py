"""Datasets being put together while the rows about them are read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from .errors import ZfsError
from .model import Bookmark, Dataset, Kind, Snapshot

__all__ = ["PLACEHOLDER", "Drafts", "number_or_none", "unreadable"]

PLACEHOLDER: Final = "lochkit:placeholder"
"""Property of a placeholder; its value is the dataset's own name.

Datasets inherit the properties of those above them, and ``zfs list`` does not tell whether they
did: a value that is another dataset's name says that this one is no placeholder.
"""


def unreadable(row: str, why: str) -> ZfsError:
    """The error for a row that ``zfs`` would not print."""
    return ZfsError(f"zfs printed a row that makes no sense ({why}): {row[:200]!r}")


def number_or_none(text: str) -> int | None:
    """A number, or None for ``-``, which ZFS prints where there is none."""
    return None if text in ("-", "") else int(text)


class Drafts:
    """Collects datasets, in the order of their rows.

    Args:
        only: the names of the only datasets that are wanted; None: all.
    """

    def __init__(self, only: frozenset[str] | None = None) -> None:
        self._only = only
        self._fields: dict[str, Mapping[str, str]] = {}
        self._properties: dict[str, Mapping[str, str]] = {}
        self._snapshots: dict[str, list[Snapshot]] = {}
        self._bookmarks: dict[str, list[Bookmark]] = {}

    def dataset(self, name: str, fields: Mapping[str, str], asked: Sequence[str] = ()) -> None:
        """Add a filesystem or volume.

        Args:
            name: its name.
            fields: its properties, ``-`` for none.
            asked: those that go into `Dataset.properties`.

        Raises:
            ZfsError: there was one of that name already, or it is of no kind we know.
        """
        if name in self._fields:
            raise unreadable(name, "twice the same dataset")
        if fields["type"] not in ("filesystem", "volume"):
            raise unreadable(name, f"it is a {fields['type']}")
        if self._only is None or name in self._only:
            self._fields[name] = {key: fields[key] for key in _OURS if key in fields}
            told = {key: fields[key] for key in asked}
            self._properties[name] = {key: value for key, value in told.items() if value != "-"}

    def snapshots(self, dataset: str) -> list[Snapshot]:
        """The list to append a dataset's snapshots to."""
        return self._snapshots.setdefault(dataset, [])

    def bookmarks(self, dataset: str) -> list[Bookmark]:
        """The list to append a dataset's bookmarks to."""
        return self._bookmarks.setdefault(dataset, [])

    def finish(self, origins: Mapping[str, str] | None = None) -> dict[str, Dataset]:
        """The datasets by name, parents first.

        Args:
            origins: the ``dataset@snapshot`` that datasets are clones of, by the clone's name,
                where ZFS does not tell a snapshot's clones.

        Raises:
            ZfsError: what a dataset's row says makes no sense.
        """
        clones: dict[str, list[str]] = {}
        for clone, origin in (origins or {}).items():
            clones.setdefault(origin, []).append(clone)
        found: dict[str, Dataset] = {}
        for name in sorted(self._fields, key=lambda one: one.split("/")):
            try:
                found[name] = self._made(name, self._fields[name], clones)
            except ValueError:
                raise unreadable(name, "its numbers") from None
        return found

    def _made(
        self, name: str, fields: Mapping[str, str], clones: Mapping[str, list[str]]
    ) -> Dataset:
        snapshots = self._snapshots.pop(name, [])
        snapshots.sort(key=_age)
        if clones:
            snapshots = list(_with_clones(name, snapshots, clones))
        known = {**_ABSENT, **{key: value for key, value in fields.items() if value != "-"}}
        return Dataset(
            name=name,
            guid=int(known["guid"] or 0),
            kind=Kind(known["type"]),
            snapshots=tuple(snapshots),
            bookmarks=tuple(sorted(self._bookmarks.pop(name, []), key=_age)),
            origin=known["origin"] or None,
            written=number_or_none(known["written"]),
            used=number_or_none(known["used"]),
            resume_token=known["receive_resume_token"] or None,
            encryption_root=known["encryptionroot"] or None,
            key_loaded=known["keystatus"] != "unavailable",
            placeholder=known[PLACEHOLDER] == name and not snapshots,
            properties=self._properties[name],
        )


_OURS: Final = (
    *("guid", "type", "origin", "written", "used", "receive_resume_token"),
    *("encryptionroot", "keystatus", PLACEHOLDER),
)
_ABSENT: Final = dict.fromkeys(_OURS, "")


def _age(one: Snapshot | Bookmark) -> int:
    return one.createtxg


def _with_clones(
    dataset: str, snapshots: list[Snapshot], clones: Mapping[str, list[str]]
) -> Iterator[Snapshot]:
    for one in snapshots:
        made = clones.get(f"{dataset}@{one.name}")
        yield one._replace(clones=tuple(made)) if made else one
