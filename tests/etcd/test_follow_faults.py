"""The follower under seeded schedules of faults, restarts and a slow consumer.

What `test_resume_faults` shows of the state machine is shown here of the actor around it: calls
fail at any point, a restore may come between two calls, the actor is cancelled and run again, and
what it sends is held against the history of the store. A schedule that fails says its seed.
"""

import random

import pytest
import trio
import trio.testing

from lochkit.etcd.follow import Follower
from lochkit.etcd.model import Keyspace, Origin, Step
from lochkit.etcd.prefix import KeyRange
from lochkit.runtime.backoff import Backoff
from tests.etcd.test_resume_faults import KEYS, RANGES
from tests.fakes.faulty_store import FaultyStore
from tests.fakes.store import Life

SCHEDULES = 200
CHUNKS = 4


class Consumer:
    """Takes steps, and finds for each the life of the store that it tells of."""

    def __init__(self, lives: list[Life], ranges: tuple[KeyRange, ...]) -> None:
        self.keyspace = Keyspace()
        self.steps: list[Step] = []
        self._ranges = ranges
        self._lives = lives
        self._number = 0

    def take(self, step: Step) -> None:
        keyspace = self.keyspace
        for key, change in step.changes.items():
            assert keyspace.entries.get(key) == change.old
            assert change.old != change.new
        assert step.changes or not self.steps, "a step for nothing"
        assert (step.origin is Origin.LISTED) == (not self.steps)
        if self.steps and step.revision <= keyspace.revision:
            self._number += 1  # only a restore goes back
        keyspace.apply(step)
        self.steps.append(step)
        # A list after a restore that finds nothing changed is not told, so that an event may be the
        # first that is heard of another life.
        while not self._agrees(step.revision):
            self._number += 1

    def _agrees(self, revision: int) -> bool:
        assert self._number < len(self._lives), "a state that never was"
        life = self._lives[self._number]
        return (
            revision in life.states and life.view(self._ranges, revision) == self.keyspace.entries
        )


async def follow_through(seed: int) -> None:
    rng = random.Random(seed)
    store = FaultyStore(rng, KEYS)
    ranges = RANGES[seed % len(RANGES)]
    sink, steps = trio.open_memory_channel[Step](0)
    follower = Follower(
        store,
        ranges,
        sink,
        per_revision=seed % 3 == 0,
        resync_interval=rng.choice((0, 3)),
        backoff=Backoff(base=0.1, maximum=1, reset_after=1),
        jitter=rng.random,
    )
    consumer = Consumer(store.lives, ranges)

    async def consume() -> None:
        async for step in steps:
            await trio.sleep(rng.choice((0, 0, 0.1, 1)) if store.odd else 0)
            consumer.take(step)

    async def supervise() -> None:
        while True:
            with trio.move_on_after(rng.expovariate(1 / 3) if store.odd else float("inf")):
                await follower.run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        nursery.start_soon(supervise)
        await trio.sleep(rng.uniform(2, 20))
        store.calm()
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    life = store.cluster.life
    assert consumer.keyspace.entries == life.view(ranges, life.revision)
    assert len(consumer.steps) > 0


@pytest.mark.parametrize("chunk", range(CHUNKS))
async def test_schedules(autojump_clock: trio.testing.MockClock, chunk: int) -> None:
    for seed in range(chunk, SCHEDULES, CHUNKS):
        try:
            await follow_through(seed)
        except Exception as error:
            error.add_note(f"schedule {seed} fails: follow_through({seed})")
            raise
