"""The follower tells when it is back: once for each outage, after what had to be listed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from lochkit.etcd.errors import Compacted, EtcdError, Unavailable
from lochkit.etcd.follow import Follower
from lochkit.etcd.model import Step
from lochkit.etcd.prefix import KeyRange
from lochkit.runtime.backoff import Backoff
from tests.fakes.scripted_store import ScriptedStore


class Watched:
    """A follower at work, and what it told in the order in which it did."""

    def __init__(self) -> None:
        self.store = ScriptedStore()
        self.told: list[str] = []
        self.sink, self.steps = trio.open_memory_channel[Step](0)
        self.follower = Follower(
            self.store,
            (KeyRange.prefix(b"/"),),
            self.sink,
            backoff=Backoff(base=1, factor=2, maximum=8, reset_after=100),
            jitter=lambda: 1.0,
            on_outage=self._lost,
            on_return=self._returned,
        )

    def _lost(self, error: EtcdError) -> None:
        self.told.append("lost")

    def _returned(self) -> None:
        assert self.follower.connected
        self.told.append(f"back at {self.follower.revision}")

    async def _take(self) -> None:
        async for step in self.steps:
            self.told.append(f"{step.origin.value} {step.revision}")

    @classmethod
    @asynccontextmanager
    async def at_work(cls, *away: EtcdError) -> AsyncIterator["Watched"]:
        watched = cls()
        watched.store.list_faults.extend(away)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched._take)
            await nursery.start(watched.follower.run)
            await trio.sleep(20)
            yield watched
            nursery.cancel_scope.cancel()


async def test_a_first_watch_is_no_return(autojump_clock: trio.testing.MockClock) -> None:
    async with Watched.at_work() as watched:
        assert watched.told == ["listed 1"]


async def test_a_start_that_had_to_wait_is_a_return(autojump_clock: trio.testing.MockClock) -> None:
    async with Watched.at_work(Unavailable("x"), Unavailable("x")) as watched:
        assert watched.told == ["lost", "lost", "listed 1", "back at 1"]


async def test_each_outage_has_one_return_however_often_it_was_tried(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with Watched.at_work() as watched:
        watched.told.clear()
        for _ in range(2):
            watched.store.away = Unavailable("nobody home")
            watched.store.cut()
            await trio.sleep(4)
            watched.store.put(b"meanwhile")
            watched.store.away = None
            await trio.sleep(200)
        # The change of the meantime is still on its way when the watch stands again.
        assert watched.told == [
            *("lost", "lost", "lost", "back at 1", "watched 2"),
            *("lost", "lost", "lost", "back at 2", "watched 3"),
        ]


async def test_what_had_to_be_listed_is_told_before(autojump_clock: trio.testing.MockClock) -> None:
    async with Watched.at_work() as watched:
        watched.told.clear()
        watched.store.watch_faults.append(Compacted("gone"))
        watched.store.cut()
        watched.store.put(b"meanwhile")
        await trio.sleep(20)
        assert watched.told == ["lost", "resynced 2", "back at 2"]


async def test_a_compaction_alone_is_neither_an_outage_nor_a_return(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with Watched.at_work() as watched:
        watched.told.clear()
        watched.store.cut(Compacted("gone"))
        watched.store.put(b"x")
        await trio.sleep(20)
        assert watched.told == ["resynced 2"]
