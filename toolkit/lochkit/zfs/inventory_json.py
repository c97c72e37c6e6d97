"""Datasets as JSON objects, in pages that fit a control message and a value in etcd.

The first page says all of a dataset but its snapshots and bookmarks; those follow from there,
oldest first, over all pages::

    {"Type": "dataset", "Name": "ssd/pgdata", "Page": 0, "Pages": 1, "Stamp": "0f3c...",
     "Guid": "1234", "Kind": "filesystem", ...
     "Snapshots": [["hot_2026-01-01T00:00:00Z", "5678", 42, 1767225600, {"holds": 1}], ...],
     "Bookmarks": [["lochkit_pgdata_000000000000162e", "5678", 42, 1767225600], ...]}

A row is name, guid, createtxg and creation, and an object of the rest where there is any. The stamp
is the same on all pages of one state of a dataset, so that pages of two are never put together.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from ..errors import ConfigError, LochkitError
from .message_fields import Fields
from .model import Bookmark, Dataset, Kind, Snapshot
from .names import check_bookmark, check_dataset, check_snapshot_name

__all__ = ["BadInventory", "DatasetReader", "dataset_pages", "encode_page", "read_dataset"]

MOST_ROWS: Final = 4000
MOST_BYTES: Final = 512 * 1024
MOST_PAGES: Final = 10_000

Row = list[object]


class BadInventory(LochkitError):
    """What another host, or etcd, says of a dataset can not be read."""


def encode_page(page: Mapping[str, object]) -> bytes:
    """A page as a value in etcd: the same state gives the same bytes."""
    return json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()


def dataset_pages(
    dataset: Dataset,
    *,
    volatile: bool = True,
    most_rows: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
) -> list[dict[str, object]]:
    """A dataset in pages.

    Args:
        dataset: what to tell.
        volatile: with what changes all the time: the bytes used, and written since the newest
            snapshot.
        most_rows: of a page, snapshots and bookmarks together.
        most_bytes: of the rows of a page.
    """
    head = _head(dataset, volatile=volatile)
    rows = _rows(dataset)
    stamp = hashlib.sha256(encode_page(head))
    pages: list[dict[str, object]] = []
    for snapshots, bookmarks in _shared_out(rows, most_rows, most_bytes):
        page: dict[str, object] = {"Type": "dataset", "Name": dataset.name, "Page": len(pages)}
        page["Snapshots"], page["Bookmarks"] = snapshots, bookmarks
        stamp.update(encode_page(page))
        pages.append(page)
    for page in pages:
        page["Pages"], page["Stamp"] = len(pages), stamp.hexdigest()[:24]
    pages[0].update(head)
    return pages


def read_dataset(pages: Iterable[Mapping[str, object]]) -> Dataset:
    """The dataset that the pages tell of, in the order of their numbers.

    Raises:
        BadInventory: they can not be read, are not all of it, or not all of one state.
    """
    reader = DatasetReader()
    found: Dataset | None = None
    for page in pages:
        if found is not None:
            raise BadInventory(f"dataset {found.name}: more pages than there are")
        found = reader.add(page)
    if found is None:
        raise BadInventory("dataset: pages are missing")
    return found


class DatasetReader:
    """Puts datasets together from pages that come one after another, those of one in order."""

    __slots__ = ("_bookmarks", "_first", "_snapshots", "_taken")

    def __init__(self) -> None:
        self._first: Mapping[str, object] = {}
        self._snapshots: list[Snapshot] = []
        self._bookmarks: list[Bookmark] = []
        self._taken = 0

    @property
    def complete(self) -> bool:
        """Whether it is between two datasets, and not within one."""
        return self._taken == 0

    def add(self, page: Mapping[str, object]) -> Dataset | None:
        """Take a page; the dataset if that was its last one.

        Raises:
            BadInventory: it can not be read, or does not follow the page before it.
        """
        fields = Fields(page, BadInventory, "dataset")
        number, pages = fields.number("Page"), fields.number("Pages", 1, least=1, most=MOST_PAGES)
        if number != self._taken:
            raise fields.wrong("Page", f"{number} where {self._taken} was to come")
        if not number:
            self._first = page
        elif any(page.get(name) != self._first.get(name) for name in ("Name", "Stamp", "Pages")):
            raise fields.wrong("Stamp", "a page of another state than the first")
        try:
            self._snapshots += (_snapshot(row) for row in fields.items("Snapshots"))
            self._bookmarks += (_bookmark(row) for row in fields.items("Bookmarks"))
            self._taken += 1
            return self._finished() if self._taken == pages else None
        except ConfigError as exc:
            raise BadInventory(f"dataset: {exc}") from exc

    def _finished(self) -> Dataset:
        fields = Fields(self._first, BadInventory, "dataset")
        kind = fields.text("Kind", Kind.FILESYSTEM.value, longest=20)
        if kind not in (Kind.FILESYSTEM.value, Kind.VOLUME.value):
            raise fields.wrong("Kind", f"{kind!r} is unknown")
        properties = fields.table("Properties") or {}
        found = Dataset(
            name=check_dataset(fields.text("Name")),
            guid=fields.guid("Guid"),
            kind=Kind(kind),
            snapshots=tuple(self._snapshots),
            bookmarks=tuple(self._bookmarks),
            origin=fields.text("Origin") or None,
            written=fields.maybe_number("Written"),
            used=fields.maybe_number("Used"),
            resume_token=fields.text("ResumeToken", longest=65536) or None,
            encryption_root=fields.text("EncryptionRoot") or None,
            key_loaded=fields.flag("KeyLoaded", default=True),
            placeholder=fields.flag("Placeholder"),
            properties={
                name: Fields(properties, BadInventory, "properties").text(name, longest=65536)
                for name in properties
            },
        )
        self._first, self._snapshots, self._bookmarks, self._taken = {}, [], [], 0
        return found


def _head(dataset: Dataset, *, volatile: bool) -> dict[str, object]:
    head: dict[str, object] = {"Guid": str(dataset.guid), "Kind": dataset.kind.value}
    others: dict[str, object] = {
        "Origin": dataset.origin,
        "ResumeToken": dataset.resume_token,
        "EncryptionRoot": dataset.encryption_root,
        "KeyLoaded": None if dataset.key_loaded else False,
        "Placeholder": dataset.placeholder or None,
        "Properties": dict(dataset.properties) or None,
    }
    if volatile:
        others |= {"Written": dataset.written, "Used": dataset.used}
    return head | {name: value for name, value in others.items() if value is not None}


def _rows(dataset: Dataset) -> Iterator[tuple[bool, Row]]:
    """Rows, and whether each is a snapshot's."""
    for one in dataset.snapshots:
        row: Row = [one.name, str(one.guid), one.createtxg, one.creation]
        more: dict[str, object] = {}
        if one.holds:
            more["holds"] = one.holds
        if one.clones:
            more["clones"] = list(one.clones)
        if one.written is not None:
            more["written"] = one.written
        if one.deferred:
            more["deferred"] = True
        yield True, [*row, more] if more else row
    for mark in dataset.bookmarks:
        yield False, [mark.name, str(mark.guid), mark.createtxg, mark.creation]


def _shared_out(
    rows: Iterable[tuple[bool, Row]], most_rows: int, most_bytes: int
) -> Iterator[tuple[list[Row], list[Row]]]:
    """The rows of each page, snapshots and bookmarks; at least one page."""
    snapshots: list[Row] = []
    bookmarks: list[Row] = []
    size = 0
    for is_snapshot, row in rows:
        length = _length(row)
        count = len(snapshots) + len(bookmarks)
        if count and (count >= most_rows or size + length > most_bytes):
            yield snapshots, bookmarks
            snapshots, bookmarks, size = [], [], 0
        (snapshots if is_snapshot else bookmarks).append(row)
        size += length
    yield snapshots, bookmarks


def _length(row: Row) -> int:
    """About how many bytes a row takes; never less, and cheaper than to encode it twice."""
    more = row[4] if len(row) > 4 else None
    clones = more.get("clones", ()) if isinstance(more, dict) else ()
    return 3 * len(str(row[0])) + 120 + sum(3 * len(one) + 3 for one in clones)


def _snapshot(row: object) -> Snapshot:
    name, guid, createtxg, creation = _start(row)
    more = row[4] if isinstance(row, Sequence) and len(row) > 4 else None
    if more is None:
        return Snapshot(check_snapshot_name(name), guid, createtxg, creation)
    fields = Fields(more, BadInventory, "snapshot")
    return Snapshot(
        check_snapshot_name(name),
        guid,
        createtxg,
        creation,
        holds=fields.number("holds"),
        clones=fields.texts("clones"),
        written=fields.maybe_number("written"),
        deferred=fields.flag("deferred"),
    )


def _bookmark(row: object) -> Bookmark:
    name, guid, createtxg, creation = _start(row)
    return Bookmark(check_bookmark(name), guid, createtxg, creation)


def _start(row: object) -> tuple[str, int, int, int]:
    """The four that every row has. By hand: there are hundreds of thousands of rows."""
    if isinstance(row, list) and len(row) >= 4:
        name, guid, createtxg, creation = row[:4]
        if (
            type(name) is str
            and type(guid) is str
            and type(createtxg) is int
            and type(creation) is int
            and guid.isascii()
            and guid.isdigit()
            and len(guid) <= 20
            and 0 <= createtxg < 2**64
            and 0 <= creation < 2**63
        ):
            return name, int(guid), createtxg, creation
    raise BadInventory("dataset: a row that is not name, guid, createtxg, creation")
