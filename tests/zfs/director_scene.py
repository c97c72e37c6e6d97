"""Hosts in memory that tell a store of themselves, and agents that do what they are ordered."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from lochkit.etcd.errors import Unavailable
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import (
    KeyValue,
    LeaseGrantResponse,
    RangeRequest,
    RangeResponse,
    ResponseHeader,
    WatchCreateRequest,
    WatchResponse,
)
from lochkit.etcd.prefix import KeyRange
from lochkit.etcd.showing import Ahead
from lochkit.zfs.directing_work import Plan
from lochkit.zfs.director import Director
from lochkit.zfs.director_rule import RuleSettings
from lochkit.zfs.election_record import Candidate
from lochkit.zfs.errors import Failure, StreamLost
from lochkit.zfs.layout import Layout
from lochkit.zfs.model import Dataset, Inventory, Snapshot
from lochkit.zfs.order_client import Destination, OnProgress
from lochkit.zfs.order_json import order_message, read_order
from lochkit.zfs.orders import Action, Order, OrderResult, OrderStatus
from lochkit.zfs.policy_types import Job, Policy
from lochkit.zfs.publish_plan import keys_of
from lochkit.zfs.publish_record import AgentRecord, record_document
from tests.fakes.lease_state import FakeWatch
from tests.fakes.lease_store import LeaseStore

NOON = 1_800_014_400  # 2027-01-15 12:00:00 UTC
LAYOUT = Layout("/z")


class RangeStore(LeaseStore):
    """A `LeaseStore` with ranges, as a director needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.ranged: list[tuple[KeyRange, FakeWatch]] = []
        self._last_lease = 0

    async def get(self, key: bytes) -> KeyValue | None:
        """One key."""
        answer = await self.range(RangeRequest(key=key))
        return answer.kvs[0] if answer.kvs else None

    async def range(
        self, request: RangeRequest, *, timeout: float | None = None, persist: bool = True
    ) -> RangeResponse:
        """All keys of a range."""
        wanted = KeyRange(request.key, request.range_end)
        return await self._serve(
            "range", lambda: RangeResponse(header=self.header(), kvs=tuple(self.within(wanted)))
        )

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        """See `Store`."""
        answer = await self.range(RangeRequest(key=wanted.key, range_end=wanted.range_end))
        return Listing(header=answer.header, revision=answer.header.revision, kvs=list(answer.kvs))

    async def verify(self) -> ResponseHeader:
        """See `Store`."""
        return (await self.range(RangeRequest(key=b"\0"))).header

    async def grant(
        self, ttl: int, *, lease_id: int = 0, timeout: float | None = None
    ) -> LeaseGrantResponse:
        """A lease, with an id of the store's own if the caller has none."""
        self._last_lease += 1
        return await super().grant(ttl, lease_id=lease_id or self._last_lease, timeout=timeout)

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator[FakeWatch]:
        """A range, from a revision on."""
        await trio.lowlevel.checkpoint()
        if self._down:
            raise Unavailable("the store is down")
        wanted, watch = KeyRange(request.key, request.range_end), FakeWatch(self.header())
        for event in self.history:
            in_time = 0 < request.start_revision <= event.kv.mod_revision
            if in_time and wanted.contains(event.kv.key):
                watch.inbox.append(WatchResponse(header=self.header(), events=(event,)))
        entry = (wanted, watch)
        self.ranged.append(entry)
        try:
            yield watch
        finally:
            if entry in self.ranged:
                self.ranged.remove(entry)

    def go_down(self) -> None:
        """See `LeaseStore`."""
        super().go_down()
        for _, watch in self.ranged:
            watch.error = Unavailable("the store is down")
            watch.news.set()
        self.ranged.clear()

    def commit(self, puts: Sequence[tuple[bytes, bytes, int]], deletes: Sequence[bytes]) -> None:
        """See `LeaseState`."""
        before = len(self.history)
        super().commit(puts, deletes)
        events = self.history[before:]
        for wanted, watch in self.ranged:
            mine = tuple(event for event in events if wanted.contains(event.kv.key))
            if mine:
                watch.inbox.append(WatchResponse(header=self.header(), events=mine))
                watch.news.set()

    def within(self, wanted: KeyRange) -> list[KeyValue]:
        """The keys of a range."""
        return [kv for key, kv in sorted(self.state.items()) if wanted.contains(key)]


class World:
    """Hosts, their snapshots, and agents that carry out orders: each uuid once.

    Attributes:
        hosts: datasets of each host, with their snapshots.
        given: every order that came to an agent, with its host.
        effects: uuids of orders that were carried out.
        before: awaited before an order is carried out.
        fails: failures of the next orders of an action.
        speechless: agents that carry out orders, and whose answers get lost.
    """

    def __init__(self, store: RangeStore) -> None:
        self.store = store
        self.offset = NOON - trio.current_time()
        self.hosts: dict[str, dict[str, list[Snapshot]]] = defaultdict(dict)
        self.given: list[tuple[str, Order]] = []
        self.effects: list[str] = []
        self.fails: list[tuple[Action, Failure]] = []
        self.speechless: set[str] = set()
        self.before: Callable[[Order], object] | None = None
        self._done: dict[str, OrderResult] = {}
        self._told: dict[str, dict[bytes, bytes]] = defaultdict(dict)
        self._txg = 100
        self._instances = 0

    def clock(self) -> float:
        """Seconds since 1970."""
        return trio.current_time() + self.offset

    # -- hosts

    def make(self, host: str, dataset: str, *names: str, age: int = 3600) -> None:
        """A dataset with snapshots, a minute apart, the first `age` seconds old."""
        made = self.hosts[host].setdefault(dataset, [])
        for number, name in enumerate(names):
            made.append(self._snapshot(name, int(self.clock()) - age + 60 * number))

    def names(self, host: str, dataset: str) -> list[str]:
        """The snapshots of a dataset."""
        return [one.name for one in self.hosts[host].get(dataset, ())]

    def live(self, host: str) -> None:
        """An agent begins to tell of its host."""
        self._instances += 1
        record = AgentRecord(
            host=host, address=host, instance=str(self._instances), started=self.clock() - 3600
        )
        value = json.dumps(record_document(record)).encode()
        self.store.put_by_hand(LAYOUT.agent(host), value)
        self.tell(host)

    def die(self, host: str) -> None:
        """An agent falls silent."""
        keys = [LAYOUT.agent(host), *self._told.pop(host, {})]
        self.store.commit([], keys)

    def tell(self, host: str) -> None:
        """What a host has, as its agent tells it."""
        datasets = {
            name: Dataset(name=name, guid=hash((host, name)) & 0xFFFF, snapshots=tuple(snapshots))
            for name, snapshots in sorted(self.hosts[host].items())
        }
        wanted, there = keys_of(Inventory(datasets=datasets), LAYOUT, host), self._told[host]
        gone = [key for key in there if key not in wanted]
        news = [(key, value, 0) for key, value in wanted.items() if there.get(key) != value]
        self.store.commit(news, gone)
        self._told[host] = dict(wanted)

    # -- agents

    async def give(
        self,
        order: Order,
        to: Destination,
        *,
        timeout: float,
        on_progress: OnProgress | None = None,
    ) -> OrderResult:
        """See `Giver`."""
        order = read_order(order_message(order))  # as it comes over the wire
        self.given.append((to.host, order))
        if order.uuid not in self._done:
            waiting = self.before(order) if self.before is not None else None
            if isinstance(waiting, trio.Event):
                with trio.move_on_after(timeout):
                    await waiting.wait()
            await trio.sleep(0.1)
            self.effects.append(order.uuid)
            self._done[order.uuid] = self._carry_out(order, to.host)
        if to.host in self.speechless:
            await trio.sleep(timeout)
            raise StreamLost("no answer", failure=Failure.TIMEOUT)
        return self._done[order.uuid]

    def _carry_out(self, order: Order, host: str) -> OrderResult:
        for fault in self.fails:
            if fault[0] is order.action:
                self.fails.remove(fault)
                error = StreamLost("it did not go well", failure=fault[1])
                return OrderResult.failed(order.uuid, error)
        doing = {Action.TAKE: self._take, Action.SEND: self._send, Action.DESTROY: self._destroy}
        details = doing[order.action](order, host)
        self.tell(host)
        return OrderResult(
            uuid=order.uuid, is_success=True, status=OrderStatus.DONE, details=details
        )

    def _datasets(self, host: str, root: str, *, recursive: bool) -> list[str]:
        return [
            name
            for name in self.hosts[host]
            if name == root or (recursive and name.startswith(root + "/"))
        ]

    def _take(self, order: Order, host: str) -> dict[str, object]:
        for name in self._datasets(host, order.dataset, recursive=order.recursive):
            if order.snapshot_name not in self.names(host, name):
                taken = self._snapshot(order.snapshot_name, int(self.clock()))
                self.hosts[host][name].append(taken)
        return {}

    def _send(self, order: Order, host: str) -> dict[str, object]:
        assert order.replication is not None
        to, rows = order.replication.to, []
        for name in self._datasets(host, order.source_dataset, recursive=order.recursive):
            target = order.dataset + name.removeprefix(order.source_dataset)
            copy = self.hosts[to].setdefault(target, [])
            have = {one.guid for one in copy}
            source = self.hosts[host][name]
            copy += (one for one in source if one.guid not in have)
            newest = source[-1]
            rows.append(
                {
                    "Dataset": name,
                    "Target": target,
                    "Outcome": "sent",
                    "Newest": {"Name": "@" + newest.name, "Guid": str(newest.guid)},
                }
            )
        self.tell(to)
        return {"Datasets": rows}

    def _destroy(self, order: Order, host: str) -> dict[str, object]:
        doomed = {one.guid for one in order.snapshots}
        there = self.hosts[host][order.dataset]
        self.hosts[host][order.dataset] = [one for one in there if one.guid not in doomed]
        return {}

    def _snapshot(self, name: str, creation: int) -> Snapshot:
        self._txg += 1
        return Snapshot(name, 1_000_000 + self._txg, self._txg, creation)

    # -- what was ordered

    def orders(self, action: Action | None = None) -> list[Order]:
        """The orders that were carried out, in their order."""
        found = {order.uuid: order for _, order in self.given}
        return [found[one] for one in self.effects if action in (None, found[one].action)]


class Feed:
    """A policy that a test changes."""

    source = "test"
    ranges: tuple[KeyRange, ...] = ()

    def __init__(self, *jobs: Job) -> None:
        self.policy = Policy(jobs=tuple(jobs))
        self.error = ""

    async def load(self) -> None:
        """See `PolicyFeed`."""
        await trio.lowlevel.checkpoint()

    def apply(self, step: object) -> bool:
        """See `PolicyFeed`."""
        return False


async def at_once(work: Callable[[], Plan]) -> Plan:
    """Plan in the loop: a thread would be outside of the clock."""
    await trio.lowlevel.checkpoint()
    return work()


def director_of(world: World, feed: object, name: str = "d1", *, ttl: int = 5) -> Director:
    """A director of that world."""
    settings = RuleSettings(layout=LAYOUT, name=name, interval=60, settle=5)
    return Director(
        settings,
        Candidate(name=name, instance=name),
        world.store,  # type: ignore[arg-type]
        feed,  # type: ignore[arg-type]
        world,
        ttl=ttl,
        clock=world.clock,
        jitter=lambda: 0.5,
        think=at_once,
    )


@asynccontextmanager
async def directing(world: World, feed: object, name: str = "d1") -> AsyncIterator[Director]:
    """A director at work for as long as the block."""
    director = director_of(world, feed, name)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(director.run)  # noqa: ASYNC113 (it never says that it has started)
        yield director
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """A store whose time passes, and nothing else yet."""
    async with RangeStore.run() as store:
        yield World(store)


def hosted(job: Job, host: str = "web1") -> Job:
    """The same job, of that host."""
    return replace(job, host=host)
