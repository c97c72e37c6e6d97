"""Subscriptions: entered when all is known, from then on nothing is lost, whatever happens."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from lochkit.discovery.directory import Directory
from lochkit.discovery.errors import DirectoryStopped
from lochkit.discovery.events import Cause, Kind
from lochkit.discovery.lookup import service_of
from lochkit.discovery.subscription import (
    follow,
    subscribe,
    subscribe_changed,
    subscribe_down,
    subscribe_new,
)
from lochkit.discovery.watching import Subscription
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import KeyValue, RangeRequest, RangeResponse, WatchResponse
from lochkit.etcd.prefix import KeyRange
from tests.discovery.fake_registry import FakeRegistry
from tests.discovery.registry_words import Kept, host_key, host_value, infos_key, words
from tests.fakes.faulty_store import FaultyStore, FaultyWatch

A, B = host_key("web/a"), host_key("web/b")


async def told(events: Subscription, count: int) -> list[str]:
    """The next so many events."""
    with trio.fail_after(60):
        await trio.lowlevel.checkpoint()
        return words([await anext(events) for _ in range(count)])


async def test_from_now_on(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    async with subscribe(store, "web") as events:
        store.put(B, host_value())  # before anybody listens
        store.put(host_key("web2/c"), host_value())
        store.put(A, host_value("other"))
        store.put(infos_key("web"), b"{}")
        store.delete(A)
        seen = await told(events, 4)
        assert [word for word in seen if "infos" not in word] == [
            *("new web/b", "changed web/a", "down web/a expired")
        ]
        assert "infos web" in seen


async def test_what_is_present_first(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    for name in ("web/z", "web/a", "db/1"):
        store.put(host_key(name), host_value())
    store.put(infos_key("web"), b"{}")
    async with subscribe(store, "web", present=True) as events:
        assert await told(events, 3) == ["infos web ~", "new web/z ~", "new web/a ~"]
        store.delete(A)
        assert await told(events, 1) == ["down web/a expired"]
    async with subscribe(store, present=True) as events:
        assert await told(events, 3) == ["new db/1 ~", "infos web ~", "new web/z ~"]


async def test_hosts_that_come_events_of_those_that_go_and_change(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    store.put(A, host_value("old"))
    async with (
        follow(store) as directory,
        subscribe_new(directory, "web") as hosts,
        subscribe_down(directory, "web") as downs,
        subscribe_changed(store, "web") as changes,
    ):
        store.put(A, host_value("new"))
        store.delete(A)
        store.put(B, host_value("come"))
        with trio.fail_after(10):
            assert (await anext(hosts)).name == "come"
            down, change = await anext(downs), await anext(changes)
        assert down.cause is Cause.EXPIRED
        assert down.host is not None
        assert down.host.name == "new"
        assert change.previous is not None
        assert change.previous.name == "old"
    async with subscribe_new(store, "web", present=True) as hosts:
        assert (await anext(hosts)).name == "come"


async def test_one_reading_for_however_many(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    async with follow(store) as directory:
        async with trio.open_nursery() as nursery:
            seen: list[Any] = []

            async def run(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
                async with directory.subscribe("web") as events:
                    task_status.started()
                    seen.append(await anext(events))

            for _ in range(50):
                await nursery.start(run)
            store.put(A, host_value())
        assert store.lists == store.watches == 2
        assert len({id(event) for event in seen}) == 1
        assert len(seen) == 50


async def test_who_comes_in_an_outage_is_told_of_it(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    async with follow(store) as directory:
        store.cut(away=True)
        await trio.sleep(5)
        async with directory.subscribe("web", present=True) as events:
            assert await told(events, 2) == ["new web/a ~", "stale"]
            store.heal()
            assert await told(events, 1) == ["fresh"]


async def test_it_is_entered_only_once_all_is_known(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    store.cut(away=True)

    async def arrive() -> None:
        await trio.sleep(50)
        store.put(A, host_value())
        store.heal()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(arrive)
        async with subscribe(store, "web", kinds=(Kind.NEW, Kind.DOWN)) as events:
            assert trio.current_time() >= 50
            store.delete(A)
            assert await told(events, 1) == ["down web/a expired"]


async def test_a_slow_subscriber_hears_the_sum(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    async with follow(store) as directory, directory.subscribe("web", room=3) as events:
        for number in range(500):
            store.put(host_key(f"web/{number}"), host_value())
            store.delete(host_key(f"web/{number}"))
        store.put(A, host_value())
        await trio.sleep(1)
        assert events.merged == 2 * 498
        assert await told(events, 5) == [
            *("new web/0", "down web/0 expired", "new web/1"),
            *("down web/1 expired", "new web/a"),
        ]
        assert events.waiting == 0


async def test_closing_ends_the_iteration(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    async with follow(store) as directory:
        async with trio.open_nursery() as nursery, directory.subscribe("web") as events:

            async def close() -> None:
                await trio.sleep(1)
                store.put(A, host_value())
                events.close()

            nursery.start_soon(close)
            async for event in events:
                pytest.fail(f"{event} after the end")
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        with pytest.raises(RuntimeError):
            await events.__aenter__()
        with pytest.raises(RuntimeError):
            await anext(directory.subscribe("web"))


async def test_the_end_of_the_directory_is_never_silent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    async with trio.open_nursery() as nursery:
        directory = Directory(store)
        await nursery.start(directory.run)
        async with directory.subscribe("web") as events:
            store.put(A, host_value())
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                assert await told(events, 1) == ["new web/a"]
                with pytest.raises(DirectoryStopped):
                    await anext(events)


async def test_cancelling_the_wait_loses_no_event(autojump_clock: trio.testing.MockClock) -> None:
    store = FakeRegistry()
    async with subscribe(store, "web") as events:
        for number in range(10):
            with trio.move_on_after(0):
                await anext(events)
                pytest.fail("cancelled, and yet taken")
            store.put(host_key(f"web/{number}"), host_value())
            await trio.sleep(0.1)
        assert await told(events, 10) == [f"new web/{number}" for number in range(10)]


VALUES = {b"0": host_value("x"), b"1": host_value("y", lochkit={"state": "leaving"}), b"2": b"junk"}
KEYS = [host_key(f"{name}/{number}") for name in ("web", "db") for number in range(6)]


def readable(kv: KeyValue) -> KeyValue:
    return kv._replace(value=VALUES[kv.value]) if kv.value else kv


class FaultyRegistry(FaultyStore):
    """A cluster with lagging members, elections, compactions, a restore, and hosts for values."""

    @property
    def kv(self) -> "FaultyRegistry":
        return self

    async def list_range(self, wanted: KeyRange, **rest: Any) -> Listing:
        found = await super().list_range(wanted, **rest)
        kvs = [readable(kv) for kv in found.kvs]
        return Listing(header=found.header, revision=found.revision, kvs=kvs)

    async def range(
        self, request: RangeRequest, *, timeout: float | None = None, persist: bool = True
    ) -> RangeResponse:
        await self._something_happens()
        wanted, life = KeyRange(request.key, request.range_end), self.cluster.life
        kvs = list(life.view((wanted,), life.revision).values())
        newest = max(kvs, key=lambda kv: kv.mod_revision, default=None)
        found = () if newest is None else (newest,)
        return RangeResponse(header=self.cluster.truth(), kvs=found, count=len(kvs))

    @asynccontextmanager
    async def watch(self, request: Any) -> AsyncIterator["FaultyWatch"]:
        async with super().watch(request) as watch:
            take = watch.receive_nowait

            def translated() -> WatchResponse | None:
                response = take()
                if response is None:
                    return None
                events = tuple(event._replace(kv=readable(event.kv)) for event in response.events)
                return WatchResponse(
                    header=response.header,
                    watch_id=response.watch_id,
                    events=events,
                    fragment=response.fragment,
                )

            watch.receive_nowait = translated  # type: ignore[method-assign]
            yield watch


@pytest.mark.parametrize("seed", range(12))
async def test_any_subscriber_ends_with_the_truth_after_any_faults(
    autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    rng = random.Random(seed)
    store = FaultyRegistry(rng, KEYS)
    async with follow(store) as directory, trio.open_nursery() as nursery:
        kept = [Kept() for _ in range(4)]

        async def listen(one: Kept, room: int, pause: float) -> None:
            await trio.sleep(rng.random() * 20)
            async with directory.subscribe(present=True, room=room) as events:
                async for event in events:
                    one.take(event)
                    await trio.sleep(rng.random() * pause)

        for one, (room, pause) in zip(kept, ((1, 2), (5, 9), (1000, 0), (3, 0.1)), strict=True):
            nursery.start_soon(listen, one, room, pause)
        await trio.sleep(300)
        store.calm()
        await trio.sleep(600)
        life = store.cluster.life
        state = [readable(kv) for kv in life.states[life.revision].values()]
        assert not directory.stale
        known: dict[tuple[str, str], object] = {}
        for name in ("web", "db"):
            service = directory.service(name)
            truth = service_of(name, None, state, 0)
            assert sorted(service.faults) == sorted(truth.faults)
            hosts = {one.uuid: one for one in service.instances}
            for instance in truth.instances:
                assert hosts[instance.uuid] == instance
            present = {kv.key for kv in state}
            assert all(host_key(f"{name}/{uuid}") in present for uuid in hosts)
            known |= {(name, uuid): one.host for uuid, one in hosts.items()}
        for one in kept:
            assert one.hosts == known
            assert not one.stale
        nursery.cancel_scope.cancel()
