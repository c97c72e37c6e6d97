"""The commands of a fake host that are not streams: snapshots, holds, bookmarks, datasets."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import trio

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host_types import SendSpec
from lochkit.zfs.model import Inventory
from lochkit.zfs.plan_types import ResumeToken

from .zfs_host_state import PLACEHOLDER, State, failed
from .zfs_host_stream import read_token, stream_of

__all__ = ["OPENZFS", "Call", "Commands", "Fault", "fault_error"]

OPENZFS = Capabilities.everything("zfs-2.3.2")


class Call(NamedTuple):
    """Something that was asked of a host.

    Attributes:
        what: the method.
        dataset: that it is about, or the first of them; empty for an inventory of everything.
        words: its arguments.
    """

    what: str
    dataset: str
    words: tuple[object, ...]


@dataclass(eq=False, kw_only=True)
class Fault:
    """A failure on purpose, to come."""

    what: str
    failure: Failure
    message: str | None
    after: int | None
    times: int
    on: str | None


class Commands:
    """A host in memory, but for its streams.

    Args:
        name: of the host; two hosts of a test need two names.
        pools: names of its pools.
        capabilities: what its ZFS can do.

    Attributes:
        state: what it has.
        calls: what was asked of it.
        before: see the top of zfs_host.
    """

    def __init__(
        self,
        name: str = "host",
        *,
        pools: tuple[str, ...] = ("tank",),
        capabilities: Capabilities = OPENZFS,
    ) -> None:
        self.name = name
        self.state = State(name, pools, capabilities)
        self.calls: list[Call] = []
        self.before: Callable[[Call], Awaitable[None]] | None = None
        self._faults: list[Fault] = []

    @property
    def capabilities(self) -> Capabilities:
        """What its ZFS can do; may be changed in `state`."""
        return self.state.capabilities

    @capabilities.setter
    def capabilities(self, value: Capabilities) -> None:
        self.state.capabilities = value

    def asked(self, what: str) -> list[Call]:
        """The calls of one method."""
        return [call for call in self.calls if call.what == what]

    def fail_next(
        self,
        what: str,
        failure: Failure,
        *,
        message: str | None = None,
        after: int | None = None,
        times: int = 1,
        on: str | None = None,
    ) -> None:
        """Have the next call of a method fail.

        Args:
            what: the method.
            failure: how.
            message: the words; None: some.
            after: of send and receive: bytes of snapshots that get through before.
            times: that many calls.
            on: only calls about this dataset.
        """
        self._faults.append(Fault(what=what, failure=failure, message=message, after=after,
                                   times=times, on=on))  # fmt: skip

    async def inventory(
        self, roots: Sequence[str] = (), *, properties: Sequence[str] = ()
    ) -> Inventory:
        """See ZfsHost."""
        await self._begin("inventory", roots[0] if roots else "", tuple(roots), tuple(properties))
        found = self.state.walk(tuple(roots))
        shown = {one.name: self.state.look(one.name, tuple(properties)) for one in found}
        return Inventory(datasets=shown, at=float(self.state.now))

    async def dataset(self, *names: str, properties: Sequence[str] = ()) -> Inventory:
        """See ZfsHost."""
        await self._begin("dataset", names[0], tuple(properties), *names[1:])
        there = [name for name in names if name in self.state.datasets]
        shown = {name: self.state.look(name, tuple(properties)) for name in there}
        return Inventory(datasets=shown, at=float(self.state.now))

    async def take(
        self, snapshots: Sequence[str], *, properties: Mapping[str, str] | None = None
    ) -> None:
        """See ZfsHost."""
        await self._begin("take", _of(snapshots), tuple(snapshots), dict(properties or {}))
        todo = [self.state.dataset_of(one) for one in snapshots]
        if self.capabilities.many_snapshots:  # all of them or none
            for dataset, name in todo:
                if dataset.at(name):
                    raise failed(Failure.EXISTS, f"{dataset.name}@{name}", "already exists")
        for dataset, name in todo:
            self.state.take(dataset, name, dict(properties or {}))

    async def destroy(self, dataset: str, names: Sequence[str], *, defer: bool = False) -> None:
        """See ZfsHost."""
        await self._begin("destroy", dataset, tuple(names), defer)
        if dataset not in self.state.datasets:
            return
        there = self.state.find(dataset)
        for name in names:
            snapshot = there.at(name)
            if snapshot is None:
                continue
            clones = self.state.clones_of(snapshot)
            if snapshot.tags or clones:
                if not defer:
                    failure = Failure.HELD if snapshot.tags else Failure.HAS_CLONES
                    raise failed(failure, dataset, f"cannot destroy {name}: {failure.value}")
                snapshot.deferred = True
                continue
            there.snapshots.remove(snapshot)

    async def bookmark(self, snapshot: str, name: str) -> None:
        """See ZfsHost."""
        await self._begin("bookmark", _of([snapshot]), snapshot, name)
        self.capabilities.need("bookmarks", snapshot)
        dataset, _, of = self.state.snapshot_of(snapshot)
        same = [one for one in dataset.bookmarks if one.name == name]
        if any(one.guid != of.guid for one in same):
            raise failed(Failure.EXISTS, f"{dataset.name}#{name}", "bookmark exists")
        if not same:
            self.state.mark(snapshot, name)

    async def destroy_bookmark(self, bookmark: str) -> None:
        """See ZfsHost."""
        dataset, _, name = bookmark.partition("#")
        await self._begin("destroy_bookmark", dataset, bookmark)
        if there := self.state.datasets.get(dataset):
            there.bookmarks = [one for one in there.bookmarks if one.name != name]

    async def hold(self, tag: str, snapshots: Sequence[str]) -> None:
        """See ZfsHost."""
        await self._begin("hold", _of(snapshots), tag, *snapshots)
        for one in [self.state.snapshot_of(name)[2] for name in snapshots]:
            one.tags.add(tag)

    async def release(self, tag: str, snapshots: Sequence[str]) -> None:
        """See ZfsHost."""
        await self._begin("release", _of(snapshots), tag, *snapshots)
        for name in snapshots:
            dataset, _, short = name.partition("@")
            there = self.state.datasets.get(dataset)
            one = there.at(short) if there else None
            if there is not None and one is not None:
                one.tags.discard(tag)
                if one.deferred and not one.tags and not self.state.clones_of(one):
                    there.snapshots.remove(one)

    async def holds(self, snapshots: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """See ZfsHost."""
        await self._begin("holds", _of(snapshots), *snapshots)
        self.capabilities.need("list_holds")
        return {name: tuple(sorted(self.state.tags(name))) for name in snapshots}

    async def rollback(self, snapshot: str, *, destroy_newer: bool = False) -> None:
        """See ZfsHost."""
        await self._begin("rollback", _of([snapshot]), snapshot, destroy_newer)
        dataset, _, to = self.state.snapshot_of(snapshot)
        newer = [one for one in dataset.snapshots if one.txg > to.txg]
        if newer and not destroy_newer:
            raise failed(Failure.EXISTS, snapshot, "more recent snapshots exist")
        if any(one.tags for one in newer):
            raise failed(Failure.HELD, snapshot, "a more recent snapshot is held")
        if any(self.state.clones_of(one) for one in newer):
            raise failed(Failure.HAS_CLONES, snapshot, "clones of previous snapshots exist")
        dataset.snapshots = [one for one in dataset.snapshots if one not in newer]
        dataset.bookmarks = [one for one in dataset.bookmarks if one.createtxg <= to.txg]
        dataset.written = 0

    async def create(self, dataset: str, properties: Mapping[str, str]) -> None:
        """See ZfsHost."""
        await self._begin("create", dataset, dict(properties))
        above = dataset.rpartition("/")[0]
        if above not in self.state.datasets:
            raise failed(Failure.MISSING, dataset, "parent does not exist")
        given = {key: value for key, value in properties.items() if key != PLACEHOLDER}
        self.state.make(dataset, placeholder=PLACEHOLDER in properties, properties=given)

    async def rename(self, snapshot: str, name: str) -> None:
        """See ZfsHost."""
        await self._begin("rename", _of([snapshot]), snapshot, name)
        dataset, _, one = self.state.snapshot_of(snapshot)
        if dataset.at(name):
            raise failed(Failure.EXISTS, snapshot, "dataset already exists")
        one.name = name

    async def rename_dataset(self, dataset: str, name: str) -> None:
        """See ZfsHost."""
        await self._begin("rename_dataset", dataset, dataset, name)
        if name in self.state.datasets:
            raise failed(Failure.EXISTS, name, "dataset already exists")
        if name.rpartition("/")[0] not in self.state.datasets:
            raise failed(Failure.MISSING, name, "parent does not exist")
        self.state.move(dataset, name)

    async def abort_receive(self, dataset: str) -> None:
        """See ZfsHost."""
        await self._begin("abort_receive", dataset)
        self.capabilities.need("resume", dataset)
        there = self.state.datasets.get(dataset)
        if there is None or there.partial is None:
            return
        whole = there.partial.from_guid is None and not there.snapshots
        there.partial = None
        if whole and PLACEHOLDER not in there.properties:
            self.state.remove(dataset)  # nothing else was there

    async def read_token(self, token: str) -> ResumeToken:
        """See ZfsHost."""
        await self._begin("read_token", "", token)
        return read_token(self.state, token)

    async def estimate(self, spec: SendSpec) -> int | None:
        """See ZfsHost."""
        await self._begin("estimate", spec.dataset, spec)
        return stream_of(self.state, spec).size if self.capabilities.estimate else None

    async def _begin(self, what: str, dataset: str, *words: object) -> None:
        if fault := await self.begin(what, dataset, *words):
            raise fault_error(fault, dataset)

    async def begin(self, what: str, dataset: str, *words: object) -> Fault | None:
        """Note a call, and return the failure it is to have."""
        call = Call(what, dataset, words)
        self.calls.append(call)
        await trio.lowlevel.checkpoint()
        if self.before:
            await self.before(call)
        for fault in self._faults:
            if fault.what == what and fault.on in (None, dataset):
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                return fault
        return None


def fault_error(fault: Fault, dataset: str) -> ZfsError:
    """The error of a failure on purpose."""
    words = fault.message or f"{fault.what} fails on purpose: {fault.failure.value}"
    return failed(fault.failure, dataset, words)


def _of(snapshots: Sequence[str]) -> str:
    return snapshots[0].partition("@")[0] if snapshots else ""
