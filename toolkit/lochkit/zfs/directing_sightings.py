"""Making a view of what is in etcd, step by step. Pure.

What can not be read is put aside with the reason, and counts as unknown; it never stops the rest. A
dataset whose pages are being written is seen as it was until all of them are of one state.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from ..errors import LochkitError
from ..etcd.messages import KeyValue
from ..etcd.model import Origin, Step
from ..etcd.prefix import KeyRange
from .cursor_record import read_cursor
from .directing_view import HostView, View
from .inventory_json import BadInventory, read_dataset
from .layout import CursorKey, InventoryKey, Layout
from .model import Dataset, Inventory
from .publish_record import AgentRecord, read_record

__all__ = ["Sightings"]

_MOST_PAGES: Final = 2000
"""Of a dataset: eight million snapshots."""
_MOST_DATASETS: Final = 100_000
"""Of a host."""
_MOST_JUNK: Final = 1000


class _Host:
    """What is known of a host.

    Attributes:
        record: of its agent; None: it is silent.
        datasets: by name; None: that can not be read, or not yet.
        pages: the values as they are in etcd, by dataset.
        created: the revision that made the agent's key: another one for every lease.
        grown_at: when something was told that had not been before, or the agent came.
        complete: it has told everything.
    """

    __slots__ = ("complete", "created", "datasets", "grown_at", "pages", "record")

    def __init__(self) -> None:
        self.record: AgentRecord | None = None
        self.datasets: dict[str, Dataset | None] = {}
        self.pages: dict[str, dict[int, bytes]] = defaultdict(dict)
        self.created = 0
        self.grown_at = 0.0
        self.complete = False


class Sightings:
    """What is seen; fed with steps of a follower of `ranges`.

    Args:
        layout: of the keys.
        settle: seconds without anything new after which an agent has told everything.
    """

    __slots__ = ("_cursors", "_hosts", "_junk", "_layout", "_settle")

    def __init__(self, layout: Layout, *, settle: float = 15.0) -> None:
        self._layout = layout
        self._settle = settle
        self._hosts: dict[str, _Host] = defaultdict(_Host)
        self._cursors: dict[CursorKey, int] = {}
        self._junk: dict[bytes, str] = {}

    @property
    def ranges(self) -> tuple[KeyRange, ...]:
        """What is to be followed."""
        layout = self._layout
        return (layout.agents(), layout.inventories(), layout.cursors())

    @property
    def junk(self) -> Mapping[bytes, str]:
        """Keys that can not be read, with the reasons."""
        return self._junk

    def apply(self, step: Step, now: float) -> None:
        """Take in a step; `now` in seconds since 1970."""
        listed = step.origin is Origin.LISTED
        touched: set[tuple[str, str]] = set()
        for key, change in step.changes.items():
            self._junk.pop(key, None)
            try:
                self._take(key, change.new, touched, now=now, listed=listed)
            except (LochkitError, ValueError, RecursionError) as exc:
                if change.new is not None:
                    self._put_aside(key, str(exc))
        for host, dataset in touched:
            self._read(host, dataset, now=now, listed=listed)

    def view(self, now: float) -> View:
        """Everything as it is seen now; what is in it does not change any more."""
        hosts = {}
        for name, host in list(self._hosts.items()):
            if host.record is None:
                if not host.pages:
                    del self._hosts[name]
                continue
            host.complete |= bool(host.datasets) and now - host.grown_at >= self._settle
            hosts[name] = _view_of(host, host.record, now)
        return View(hosts=hosts, cursors=dict(self._cursors))

    def settles_at(self) -> float | None:
        """When a host will be complete that is not; seconds since 1970."""
        times = [
            host.grown_at + self._settle
            for host in self._hosts.values()
            if host.record is not None and host.datasets and not host.complete
        ]
        return min(times, default=None)

    def record_of(self, host: str) -> AgentRecord | None:
        """What the agent of a host says of itself; None: it is silent."""
        found = self._hosts.get(host)
        return found.record if found is not None else None

    def _take(
        self,
        key: bytes,
        new: KeyValue | None,
        touched: set[tuple[str, str]],
        *,
        now: float,
        listed: bool,
    ) -> None:
        """Take in a key.

        Raises:
            LochkitError: it can not be read.
            ValueError: likewise.
        """
        layout = self._layout
        if layout.agents().contains(key):
            host = layout.agent_of(key)
            if host is None:
                raise BadInventory("not the key of an agent")
            self._take_agent(host, new, now=now, listed=listed)
        elif layout.cursors().contains(key):
            cursor = layout.cursor_of(key)
            if cursor is None:
                raise BadInventory("not the key of a cursor")
            self._cursors.pop(cursor, None)
            if new is not None:
                self._cursors[cursor] = read_cursor(new.value).guid
        elif layout.inventories().contains(key):
            page = layout.inventory_of(key)
            if page is None or layout.inventory(*page) != key:
                raise BadInventory("not the key of a part of an inventory")
            self._take_page(page, new)
            touched.add((page.host, page.dataset))

    def _take_agent(self, name: str, new: KeyValue | None, *, now: float, listed: bool) -> None:
        host = self._hosts[name]
        host.record = None
        if new is None:
            host.complete, host.created = False, 0
            return
        record = read_record(json.loads(new.value))
        if record.host != name:
            raise BadInventory(f"it says that it is {record.host[:80]!r}")
        host.record = record
        if host.created != new.create_revision:
            host.complete, host.created = False, new.create_revision
            # Of what was there before us we know since when; one that comes has all to tell yet.
            host.grown_at = min(now, record.started) if listed else now

    def _take_page(self, page: InventoryKey, new: KeyValue | None) -> None:
        host = self._hosts[page.host]
        if new is None:
            host.pages[page.dataset].pop(page.page, None)
            return
        is_new = page.dataset not in host.pages
        if page.page >= _MOST_PAGES or (is_new and len(host.pages) >= _MOST_DATASETS):
            raise BadInventory(
                f"more than {_MOST_PAGES} pages of a dataset, or {_MOST_DATASETS} datasets"
            )
        host.pages[page.dataset][page.page] = new.value

    def _read(self, name: str, dataset: str, *, now: float, listed: bool) -> None:
        """Read a dataset anew from its pages."""
        host = self._hosts[name]
        pages = host.pages[dataset]
        if not pages:
            del host.pages[dataset]
            host.datasets.pop(dataset, None)
            return
        if dataset not in host.datasets and not listed:
            host.grown_at = now
        key = self._layout.inventory(name, dataset)
        try:
            found = _together(pages)
            if found is not None and found.name != dataset:
                raise BadInventory(f"it says that it is {found.name[:80]!r}")
        except (LochkitError, ValueError, RecursionError) as exc:
            self._put_aside(key, str(exc))
            host.datasets[dataset] = None
            return
        if found is None:
            host.datasets.setdefault(dataset, None)
            return
        self._junk.pop(key, None)
        host.datasets[dataset] = found

    def _put_aside(self, key: bytes, reason: str) -> None:
        if len(self._junk) < _MOST_JUNK:
            self._junk[key] = reason[:300]


def _together(pages: Mapping[int, bytes]) -> Dataset | None:
    """The dataset that pages tell of; None: more are to come.

    Raises:
        BadInventory: they can not be read.
        ValueError: likewise.
    """
    parsed = [json.loads(pages[number]) for number in sorted(pages)]
    if any(not isinstance(one, dict) for one in parsed):
        raise BadInventory("dataset: not an object")
    stamps = {str(one.get("Stamp")) for one in parsed}
    if 0 not in pages or len(stamps) > 1 or parsed[0].get("Pages", 1) != len(parsed):
        return None
    return read_dataset(parsed)


def _view_of(host: _Host, record: AgentRecord, now: float) -> HostView:
    # Parents first, as whoever reads an inventory expects.
    ordered = sorted(host.datasets.items(), key=lambda item: item[0].split("/"))
    known = {name: dataset for name, dataset in ordered if dataset is not None}
    return HostView(
        record=record,
        inventory=Inventory(datasets=known, at=now),
        complete=host.complete,
        unreadable=frozenset(name for name, one in ordered if one is None),
    )
