"""What a fake host has: datasets, snapshots, bookmarks, holds; and how ZFS lists them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.model import Bookmark, Dataset, Kind, Snapshot
from lochkit.zfs.names import check_dataset, check_snapshot_name, is_within, parents, pool_of

__all__ = ["PLACEHOLDER", "FakeDataset", "FakeSnapshot", "Partial", "State", "failed"]

PLACEHOLDER = "lochkit:placeholder"


def failed(failure: Failure, dataset: str, words: str) -> ZfsError:
    """The error that a fake host raises; the real one adds its command and a hint."""
    return ZfsError(f"{dataset}: {words}", failure=failure, dataset=dataset)


@dataclass(eq=False, kw_only=True)
class FakeSnapshot:
    """A snapshot; `size` is what was written since the one before it."""

    name: str
    guid: int
    txg: int
    creation: int
    size: int = 0
    tags: set[str] = field(default_factory=set)
    deferred: bool = False
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Partial:
    """What ``receive -s`` kept of a stream that was cut."""

    to_guid: int
    to_name: str
    from_guid: int | None
    received: int
    token: str


@dataclass(eq=False, kw_only=True)
class FakeDataset:
    """A filesystem or volume."""

    name: str
    guid: int
    kind: Kind = Kind.FILESYSTEM
    snapshots: list[FakeSnapshot] = field(default_factory=list)
    bookmarks: list[Bookmark] = field(default_factory=list)
    origin: FakeSnapshot | None = None
    written: int = 0
    properties: dict[str, str] = field(default_factory=dict)
    partial: Partial | None = None
    encryption_root: str | None = None
    key_loaded: bool = True
    receiving: bool = False
    made: int = 0

    def at(self, name: str) -> FakeSnapshot | None:
        """The snapshot of that name."""
        return next((one for one in self.snapshots if one.name == name), None)

    def with_guid(self, guid: int) -> FakeSnapshot | None:
        """The snapshot with that guid."""
        return next((one for one in self.snapshots if one.guid == guid), None)


class State:
    """All that a host has; for tests to arrange, and for the fake host to work on.

    Args:
        name: of the host; its guids come of it, so that no two hosts share any by chance.
        pools: names of pools.
        capabilities: what the ZFS can do.

    Attributes:
        now: seconds since 1970; the creation of what is made next.
        datasets: by name.
    """

    def __init__(self, name: str, pools: tuple[str, ...], capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.now = 1_800_000_000
        self.txg = 4
        self.datasets: dict[str, FakeDataset] = {}
        self._dice = random.Random(name)
        for pool in pools:
            self.datasets[pool] = self._fresh(pool)

    def guid(self) -> int:
        """A new guid."""
        return self._dice.getrandbits(63) + 1

    def _fresh(self, name: str) -> FakeDataset:
        return FakeDataset(name=name, guid=self.guid(), made=self.now)

    def make(
        self,
        name: str,
        *,
        kind: Kind = Kind.FILESYSTEM,
        encrypted: bool = False,
        key_loaded: bool = True,
        placeholder: bool = False,
        properties: dict[str, str] | None = None,
    ) -> FakeDataset:
        """Make a dataset, and its parents if need be; one that is there is an error."""
        check_dataset(name)
        if name in self.datasets:
            raise failed(Failure.EXISTS, name, "dataset already exists")
        if pool_of(name) not in self.datasets:
            raise failed(Failure.MISSING, name, "no such pool")
        for above in parents(name):
            self.datasets.setdefault(above, self._fresh(above))
        dataset = self._fresh(name)
        dataset.kind, dataset.key_loaded = kind, key_loaded
        dataset.encryption_root = name if encrypted else None
        dataset.properties = dict(properties or {})
        if placeholder:
            dataset.properties[PLACEHOLDER] = name
        self.datasets[name] = dataset
        return dataset

    def snap(
        self, snapshot: str, size: int = 1000, *, properties: dict[str, str] | None = None
    ) -> int:
        """Write `size` bytes, take ``dataset@name`` and return its guid."""
        dataset, name = self.dataset_of(snapshot)
        dataset.written += size
        return self.take(dataset, name, properties or {}).guid

    def snaps(self, dataset: str, *names: str, size: int = 1000) -> dict[str, int]:
        """Take several snapshots one after the other, a minute apart; return their guids."""
        guids = {}
        for name in names:
            self.now += 60
            guids[name] = self.snap(f"{dataset}@{name}", size)
        return guids

    def take(self, dataset: FakeDataset, name: str, properties: dict[str, str]) -> FakeSnapshot:
        """Take a snapshot of what was written."""
        check_snapshot_name(name)
        if dataset.at(name):
            raise failed(Failure.EXISTS, f"{dataset.name}@{name}", "dataset already exists")
        self.txg += 1
        made = FakeSnapshot(name=name, guid=self.guid(), txg=self.txg, creation=self.now)
        made.size, dataset.written = dataset.written, 0
        made.properties = dict(properties)
        dataset.snapshots.append(made)
        return made

    def write(self, dataset: str, size: int) -> None:
        """Write bytes into a dataset."""
        self.find(dataset).written += size

    def mark(self, snapshot: str, name: str) -> Bookmark:
        """Make the bookmark ``#name`` of ``dataset@snapshot``."""
        dataset, _, of = self.snapshot_of(snapshot)
        made = Bookmark(check_snapshot_name(name), of.guid, of.txg, of.creation)
        dataset.bookmarks.append(made)
        dataset.bookmarks.sort(key=lambda one: one.createtxg)
        return made

    def clone(self, snapshot: str, name: str) -> FakeDataset:
        """Make a clone."""
        _, _, of = self.snapshot_of(snapshot)
        made = self.make(name)
        made.origin = of
        return made

    def remove(self, name: str) -> None:
        """Destroy a dataset and all below it, or one snapshot, whatever holds it."""
        dataset, at, _ = name.partition("@")
        if at:
            self.find(dataset).snapshots.remove(self.snapshot_of(name)[2])
            return
        self.find(dataset)
        for one in [one for one in self.datasets if is_within(one, dataset)]:
            del self.datasets[one]

    def move(self, old: str, new: str) -> None:
        """Rename a dataset with all below it."""
        self.find(old)
        for name in [one for one in self.datasets if is_within(one, old)]:
            dataset = self.datasets.pop(name)
            dataset.name = new + name[len(old) :]
            self.datasets[dataset.name] = dataset

    def find(self, name: str) -> FakeDataset:
        """The dataset of that name, or the error that it is not there."""
        if found := self.datasets.get(name):
            return found
        raise failed(Failure.MISSING, name, "dataset does not exist")

    def dataset_of(self, name: str) -> tuple[FakeDataset, str]:
        """The dataset of ``dataset@name``, and the name."""
        dataset, at, snapshot = name.partition("@")
        assert at, f"{name} is not the name of a snapshot"
        return self.find(dataset), snapshot

    def snapshot_of(self, name: str) -> tuple[FakeDataset, str, FakeSnapshot]:
        """The dataset, the name and the snapshot itself of ``dataset@name``."""
        dataset, short = self.dataset_of(name)
        if found := dataset.at(short):
            return dataset, short, found
        raise failed(Failure.MISSING, name, "dataset does not exist")

    def owner(self, guid: int, *, pool: str | None = None) -> FakeDataset | None:
        """Some dataset that has a snapshot with that guid."""
        for dataset in self.datasets.values():
            if pool in (None, pool_of(dataset.name)) and dataset.with_guid(guid):
                return dataset
        return None

    def names(self, dataset: str) -> list[str]:
        """The names of a dataset's snapshots, oldest first."""
        return [one.name for one in self.find(dataset).snapshots]

    def guids(self, dataset: str) -> list[int]:
        """The guids of a dataset's snapshots, oldest first."""
        return [one.guid for one in self.find(dataset).snapshots]

    def tags(self, snapshot: str) -> set[str]:
        """The tags of the holds on ``dataset@name``."""
        return set(self.snapshot_of(snapshot)[2].tags)

    def walk(self, roots: tuple[str, ...]) -> Iterator[FakeDataset]:
        """The datasets at and below the roots (all: none given), parents first."""
        for name in sorted(self.datasets, key=lambda one: one.split("/")):
            if not roots or any(is_within(name, root) for root in roots):
                yield self.datasets[name]

    def look(self, name: str, properties: tuple[str, ...] = ()) -> Dataset:
        """A dataset as the inventory shows it."""
        one, can = self.find(name), self.capabilities
        known = {"creation": str(one.made), "type": one.kind.value, **one.properties}
        mine = one.properties.get(PLACEHOLDER) == name and not one.snapshots
        return Dataset(
            name=name,
            guid=one.guid,
            kind=one.kind,
            snapshots=tuple(self._seen(snapshot) for snapshot in one.snapshots),
            bookmarks=tuple(one.bookmarks) if can.bookmarks else (),
            origin=self._full_name(one.origin),
            written=one.written if can.written else None,
            used=one.written + sum(snapshot.size for snapshot in one.snapshots),
            resume_token=one.partial.token if one.partial and can.resume else None,
            encryption_root=one.encryption_root if can.encryption else None,
            key_loaded=one.key_loaded,
            placeholder=mine,
            properties={key: known[key] for key in properties if key in known},
        )

    def _full_name(self, snapshot: FakeSnapshot | None) -> str | None:
        for dataset in self.datasets.values():
            if snapshot in dataset.snapshots:
                return f"{dataset.name}@{snapshot.name}"
        return None

    def clones_of(self, snapshot: FakeSnapshot) -> tuple[str, ...]:
        """Names of the clones of a snapshot."""
        return tuple(one.name for one in self.datasets.values() if one.origin is snapshot)

    def _seen(self, one: FakeSnapshot) -> Snapshot:
        return Snapshot(
            name=one.name,
            guid=one.guid,
            createtxg=one.txg,
            creation=one.creation,
            holds=len(one.tags),
            clones=self.clones_of(one),
            written=one.size if self.capabilities.written else None,
            deferred=one.deferred,
        )
