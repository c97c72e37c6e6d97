"""The follower beside a scripted store: outages, backoff, restarts, refusals, cancellation."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from lochkit.errors import TransientError
from lochkit.etcd.errors import (
    Compacted,
    ConnectionLost,
    EtcdError,
    PermissionDenied,
    ProtocolError,
    Unavailable,
)
from lochkit.etcd.follow import Follower
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import (
    Event,
    KeyValue,
    ResponseHeader,
    WatchCreateRequest,
    WatchResponse,
)
from lochkit.etcd.model import Origin, Step
from lochkit.etcd.prefix import KeyRange
from lochkit.runtime.backoff import Backoff

ALL = KeyRange.prefix(b"/")
DENIED = PermissionDenied(7, "etcdserver: permission denied")


class ScriptedStore:
    """A store of one key whose every put is an event; fails as told, in the order told."""

    def __init__(self) -> None:
        self.revision = 1
        self.cluster = 1
        self.values: list[tuple[int, bytes]] = []
        self.list_faults: deque[EtcdError] = deque()
        self.watch_faults: deque[EtcdError] = deque()
        self.away: EtcdError | None = None
        self.attempts: list[float] = []
        self.lists = 0
        self.verified = 0
        self.lag = 0
        self.started_at: list[int] = []
        self.watches: list[ScriptedWatch] = []

    def header(self) -> ResponseHeader:
        return ResponseHeader(cluster_id=self.cluster, revision=self.revision, raft_term=2)

    def put(self, value: bytes) -> None:
        self.revision += 1
        self.values.append((self.revision, value))
        for watch in self.watches:
            watch.changed.set()

    def cut(self, error: EtcdError | None = None) -> None:
        for watch in self.watches:
            watch.error = error or ConnectionLost("cut")
            watch.changed.set()
        self.watches.clear()

    async def list_range(self, wanted: KeyRange, *, revision: int = 0) -> Listing:
        await trio.lowlevel.checkpoint()
        self.attempts.append(trio.current_time())
        if self.list_faults:
            raise self.list_faults.popleft()
        if self.away is not None:
            raise self.away
        self.lists += 1
        kvs = [self.kv(*self.values[-1])] if self.values else []
        return Listing(header=self.header(), revision=revision or self.revision, kvs=kvs)

    @staticmethod
    def kv(revision: int, value: bytes) -> KeyValue:
        return KeyValue(key=b"/k", create_revision=2, mod_revision=revision, value=value)

    async def verify(self) -> ResponseHeader:
        await trio.lowlevel.checkpoint()
        self.verified += 1
        return self.header()

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator["ScriptedWatch"]:
        await trio.lowlevel.checkpoint()
        self.attempts.append(trio.current_time())
        if self.watch_faults:
            raise self.watch_faults.popleft()
        if self.away is not None:
            raise self.away
        self.started_at.append(request.start_revision)
        watch = ScriptedWatch(self, request.start_revision)
        self.watches.append(watch)
        try:
            yield watch
        finally:
            if watch in self.watches:
                self.watches.remove(watch)


class ScriptedWatch:
    def __init__(self, store: ScriptedStore, start: int) -> None:
        self.store = store
        self.next = start
        self.header = store.header()
        if store.lag:
            self.header = ResponseHeader(
                cluster_id=store.cluster, revision=store.revision - store.lag, raft_term=2
            )
        self.error: EtcdError | None = None
        self.changed = trio.Event()

    async def receive(self) -> WatchResponse:
        await trio.lowlevel.checkpoint_if_cancelled()
        while (response := self.receive_nowait()) is None:
            if self.error is not None:
                raise self.error
            self.changed = trio.Event()
            await self.changed.wait()
        return response

    def receive_nowait(self) -> WatchResponse | None:
        for revision, value in self.store.values:
            if revision >= self.next and self.error is None:
                self.next = revision + 1
                event = Event(kv=self.store.kv(revision, value))
                return WatchResponse(header=self.store.header(), events=(event,))
        return None


class Rig:
    """A follower at work on a scripted store."""

    def __init__(self, nursery: trio.Nursery, **options: Any) -> None:
        self.nursery = nursery
        self.store = ScriptedStore()
        self.sink, self.steps = trio.open_memory_channel[Step](0)
        self.follower = Follower(
            self.store,
            [ALL],
            self.sink,
            backoff=Backoff(base=1, factor=2, maximum=8),
            jitter=lambda: 1.0,
            **options,
        )
        self.scope = trio.CancelScope()

    async def start(self) -> None:
        """Run the follower in a scope of its own, as a supervisor that may restart it does."""
        self.scope = trio.CancelScope()
        self.nursery.start_soon(self._run)
        await trio.lowlevel.checkpoint()

    async def _run(self) -> None:
        with self.scope:
            await self.follower.run()

    async def value(self, seconds: float = 60) -> bytes | None:
        """The value in the next step."""
        with trio.fail_after(seconds):
            step = await self.steps.receive()
        if not step.changes:
            return None
        new = step.changes[b"/k"].new
        return None if new is None else new.value


async def test_everything_first_and_then_every_change(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    await rig.start()
    assert await rig.value() is None  # an empty store is a state, too
    for value in (b"1", b"2", b"3"):
        rig.store.put(value)
        assert await rig.value() == value
    assert rig.follower.connected
    assert rig.follower.revision == 4


@pytest.mark.parametrize(
    ("per_revision", "expected"), [(False, [b"3"]), (True, [b"1", b"2", b"3"])]
)
async def test_what_came_in_together_is_one_step_unless_each_is_wanted(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    per_revision: bool,
    expected: list[bytes],
) -> None:
    rig = Rig(nursery, per_revision=per_revision)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    for value in (b"1", b"2", b"3"):
        rig.store.put(value)
    assert [await rig.value() for _ in expected] == expected


async def test_an_outage_is_waited_out_with_growing_waits_and_said_once(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "lochkit")
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    rig.store.away = Unavailable("nobody home")
    rig.store.attempts.clear()
    began = trio.current_time()
    rig.store.cut()
    await trio.sleep(33)
    assert not rig.follower.connected
    assert isinstance(rig.follower.last_error, Unavailable)
    waited = [round(attempt - began, 3) for attempt in rig.store.attempts]
    assert waited == [1, 3, 7, 15, 23, 31]
    rig.store.put(b"meanwhile")
    rig.store.away = None
    assert await rig.value() == b"meanwhile"
    assert rig.store.lists == 1  # the watch went on where it was
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "etcd is back" in caplog.text


@pytest.mark.parametrize(
    "fault", [Unavailable("x"), ConnectionLost("x"), ProtocolError("x"), Compacted("x")]
)
@pytest.mark.parametrize("where", ["list_faults", "watch_faults"])
async def test_every_fault_that_time_heals_is_tried_again(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, fault: EtcdError, where: str
) -> None:
    rig = Rig(nursery)
    getattr(rig.store, where).extend([fault, fault])
    rig.store.put(b"1")
    await rig.start()
    assert await rig.value() == b"1"
    rig.store.put(b"2")
    assert await rig.value() == b"2"


async def test_a_refusal_ends_the_start_and_names_the_range() -> None:
    async with trio.open_nursery() as nursery:
        rig = Rig(nursery)
        rig.store.list_faults.append(DENIED)
        with pytest.raises(PermissionDenied, match="keys that begin with '/'"):
            await rig.follower.run()


async def test_a_refusal_never_ends_what_has_once_worked(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    rig.store.watch_faults.extend([DENIED] * 5)
    rig.store.cut()
    rig.store.put(b"1")
    assert await rig.value() == b"1"


async def test_a_bug_is_not_hidden(nursery: trio.Nursery) -> None:
    rig = Rig(nursery)

    async def broken(wanted: KeyRange, *, revision: int = 0) -> Listing:
        raise TypeError("a bug")

    rig.store.list_range = broken  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        await rig.follower.run()


async def test_giving_up_is_the_callers_decision(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    class Enough(Exception):
        pass

    def give_up(error: EtcdError) -> None:
        raise Enough

    rig = Rig(nursery, on_outage=give_up)
    rig.store.away = Unavailable("nobody home")
    with pytest.raises(Enough):
        await rig.follower.run()


async def test_a_compaction_becomes_a_list_and_a_difference(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    rig.store.watch_faults.append(Compacted("gone", 9))
    rig.store.cut()
    rig.store.put(b"1")
    step = await rig.steps.receive()
    assert step.origin is Origin.RESYNCED
    assert rig.store.lists == 2
    await trio.testing.wait_all_tasks_blocked()
    assert rig.store.started_at[-1] == rig.store.revision + 1


async def test_a_member_that_lags_is_no_restore(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    rig.store.put(b"1")
    await rig.start()
    await rig.value()
    rig.store.lag = 1
    rig.store.cut()
    await trio.sleep(5)
    assert (rig.store.verified, rig.store.lists) == (1, 1)
    rig.store.put(b"2")
    assert await rig.value() == b"2"


async def test_another_cluster_is_read_anew(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    rig.store.put(b"1")
    await rig.start()
    await rig.value()
    rig.store.cluster = 2
    rig.store.values = [(2, b"restored")]
    rig.store.cut()
    assert await rig.value() == b"restored"
    assert rig.store.lists == 2


async def test_a_resync_finds_what_no_watch_has_told(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery, resync_interval=100)
    rig.store.put(b"1")
    await rig.start()
    await rig.value()
    rig.store.values[-1] = (2, b"changed behind our back")
    assert await rig.value(150) == b"changed behind our back"
    await trio.sleep(450)
    assert rig.store.lists == 6  # and nothing is sent while nothing differs


async def test_a_step_in_hand_survives_a_restart(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Cancelled while nobody takes the step, at any time: the next run sends it, and it alone."""
    rig = Rig(nursery)
    await rig.start()
    assert await rig.value() is None
    for number in range(30):
        rig.store.put(b"%d" % number)
        for _ in range(number % 7):
            await trio.lowlevel.checkpoint()
        rig.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        await rig.start()
        assert await rig.value() == b"%d" % number
    assert rig.store.lists == 1


def test_what_is_transient_is_known_to_the_supervisor() -> None:
    kinds: list[Callable[[str], EtcdError]] = [Unavailable, ConnectionLost]
    assert all(isinstance(kind("x"), TransientError) for kind in kinds)
