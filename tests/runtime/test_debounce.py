"""Debouncer: quiet time, maximum wait, merging while the consumer is busy, and losing nothing."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from lochkit.runtime.debounce import Debouncer, Pending

Numbers = tuple[int, ...]
Clock = trio.testing.MockClock


def join(earlier: Numbers, later: Numbers) -> Numbers:
    return earlier + later


class Bench:
    """A running Debouncer of tuples with both ends at hand."""

    def __init__(self, *, quiet: float, limit: float) -> None:
        self.put, source = trio.open_memory_channel[Numbers](0)
        sink, self.out = trio.open_memory_channel[Numbers](0)
        self.sink = sink
        self.debouncer = Debouncer(source, sink, quiet=quiet, limit=limit, merge=join)
        self.got: list[tuple[float, Numbers]] = []

    async def consume(self, *, busy: float = 0) -> None:
        async for numbers in self.out:
            self.got.append((trio.current_time(), numbers))
            await trio.sleep(busy)

    async def work(self) -> None:
        await self.debouncer.run()
        self.sink.close()

    async def at(self, *times: float) -> None:
        """Put 0, 1, 2... in at the given times, and end."""
        with self.put:
            for number, moment in enumerate(times):
                await trio.sleep_until(moment)
                await self.put.send((number,))


@asynccontextmanager
async def running(bench: Bench, *, busy: float = 0) -> AsyncIterator[Bench]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.work)
        nursery.start_soon(lambda: bench.consume(busy=busy))
        yield bench


async def test_a_burst_is_handed_over_once_it_is_quiet(autojump_clock: Clock) -> None:
    async with running(Bench(quiet=1, limit=100)) as bench:
        await bench.at(0, 0.5, 1.2, 5, 5.9, 20)
    assert bench.got == [(2.2, (0, 1, 2)), (6.9, (3, 4)), (20, (5,))]


async def test_endless_change_is_handed_over_at_the_limit(autojump_clock: Clock) -> None:
    async with running(Bench(quiet=1, limit=3.2)) as bench:
        await bench.at(*(n * 0.5 for n in range(17)))
    assert bench.got == [
        (3.2, tuple(range(7))),
        (3.5 + 3.2, tuple(range(7, 14))),
        (8, tuple(range(14, 17))),
    ]


async def test_no_quiet_time_hands_over_at_once(autojump_clock: Clock) -> None:
    async with running(Bench(quiet=0, limit=10)) as bench:
        await bench.at(0, 0.1, 0.2)
    assert bench.got == [(0, (0,)), (0.1, (1,)), (0.2, (2,))]


async def test_a_busy_consumer_holds_up_nobody_and_gets_the_rest_merged(
    autojump_clock: Clock,
) -> None:
    async with running(Bench(quiet=1, limit=5), busy=100) as bench:
        await bench.at(*range(0, 40, 2))
        assert trio.current_time() == 38  # the producer was never made to wait
    assert bench.got == [(1, (0,)), (101, tuple(range(1, 20)))]


async def test_changes_during_a_busy_time_get_their_quiet_time(autojump_clock: Clock) -> None:
    async with running(Bench(quiet=1, limit=50), busy=10) as bench:
        await bench.at(0, 5, 10.9, 11.5, 30)
    assert bench.got[1] == (12.5, (1, 2, 3))


async def test_with_the_limit_long_past_it_does_not_wait_for_quiet(autojump_clock: Clock) -> None:
    async with running(Bench(quiet=1, limit=2), busy=10) as bench:
        await bench.at(0, 5, 10.9, 11.5, 30)
    assert bench.got[1] == (11, (1, 2))


async def test_the_end_hands_over_at_once(autojump_clock: Clock) -> None:
    async with running(Bench(quiet=50, limit=100)) as bench:
        await bench.at(0, 1)
    assert bench.got == [(1, (0, 1))]


async def test_the_end_during_a_busy_time_loses_nothing(autojump_clock: Clock) -> None:
    async with running(Bench(quiet=0, limit=0), busy=10) as bench:
        await bench.at(0, 1, 2)
    assert bench.got == [(0, (0,)), (10, (1, 2))]


async def test_nothing_in_nothing_out() -> None:
    async with running(Bench(quiet=0, limit=0)) as bench:
        bench.put.close()
    assert bench.got == []


@pytest.mark.parametrize("cut_at", [0.5, 1.5, 2.0])
async def test_what_was_received_survives_a_restart(autojump_clock: Clock, cut_at: float) -> None:
    bench = Bench(quiet=1, limit=5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: bench.at(0, 1, 1.9))
        with trio.move_on_after(cut_at):
            await bench.debouncer.run()  # nobody takes what it offers
        nursery.start_soon(bench.work)
        await bench.consume()
    assert [numbers for _, numbers in bench.got] == [(0, 1, 2)]


async def test_a_consumer_that_is_gone_is_an_error_and_nothing_is_lost(
    autojump_clock: Clock,
) -> None:
    bench = Bench(quiet=0, limit=5)
    bench.out.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: bench.at(0))
        with pytest.RaisesGroup(trio.BrokenResourceError):
            await bench.debouncer.run()
    assert bench.debouncer._pending.merged() == (0,)


async def test_by_default_the_latest_wins(autojump_clock: Clock) -> None:
    put, source = trio.open_memory_channel[str](0)
    sink, out = trio.open_memory_channel[str](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Debouncer(source, sink, quiet=1, limit=5).run)
        for word in ("old", "older", "new"):
            await put.send(word)
        assert await out.receive() == "new"
        put.close()


@pytest.mark.parametrize(("quiet", "limit"), [(-1, 1), (2, 1), (float("nan"), 1)])
def test_waits_that_make_no_sense_are_refused(quiet: float, limit: float) -> None:
    with pytest.raises(ValueError, match="must hold"):
        Bench(quiet=quiet, limit=limit)


@pytest.mark.parametrize("seed", range(100))
async def test_whatever_the_timing_all_arrives_once_and_in_order(
    autojump_clock: Clock, seed: int
) -> None:
    dice = random.Random(seed)
    ticks = [0.0, 0.5, 1.0]  # few and shared, so that many things happen in one tick
    bench = Bench(quiet=dice.choice(ticks), limit=1 + dice.choice(ticks))
    times, now = [], 0.0
    for _ in range(30):
        now += dice.choice(ticks)
        times.append(now)

    async def consume() -> None:
        async for numbers in bench.out:
            bench.got.append((trio.current_time(), numbers))
            await trio.sleep(dice.choice(ticks))

    async def work() -> None:
        ended = False
        while not ended:  # cut at random and run again, as by a supervisor
            with trio.move_on_after(dice.choice([0.5, 1.0, 3.0])) as scope:
                await bench.debouncer.run()
            ended = not scope.cancelled_caught
        bench.sink.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        nursery.start_soon(work)
        await bench.at(*times)
    assert [n for _, numbers in bench.got for n in numbers] == list(range(30))


@given(st.lists(st.booleans(), max_size=200))
def test_pending_merges_everything_in_order(asked: list[bool]) -> None:
    pending = Pending(join)
    for number, ask in enumerate(asked):
        pending.add((number,))
        if ask:
            assert pending.merged() == tuple(range(number + 1))
    assert bool(pending) is bool(asked)
    if asked:
        assert pending.merged() == tuple(range(len(asked)))
    pending.clear()
    assert not pending


def test_a_large_first_message_is_seldom_copied() -> None:
    large_merges = 0

    def merge(earlier: int, later: int) -> int:
        nonlocal large_merges
        large_merges += earlier >= 1_000_000
        return earlier + later

    counting: Callable[[int, int], int] = merge
    pending = Pending(counting)
    pending.add(1_000_000)
    for _ in range(1000):
        pending.add(1)
        assert len(pending._runs) <= 11  # and few are held
    assert pending.merged() == 1_001_000
    assert large_merges <= 11  # log2(1000) and the last one
