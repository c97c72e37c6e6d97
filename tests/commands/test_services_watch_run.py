"""When the command of ``lochkit services watch`` runs, and what follows when it fails."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lochkit.commands.services_news import Batch, News
from lochkit.commands.services_watch_run import TIMED_OUT, CommandRunner, Job, RunPolicy
from lochkit.discovery.events import Event, Kind
from lochkit.errors import CommandFailed
from lochkit.io.process import CommandNotFound, CommandNotStarted, Exit
from lochkit.runtime.backoff import Backoff
from lochkit.runtime.supervisor import start, supervise

RETRY = Backoff(base=1.0, factor=2.0, maximum=8.0)


class FakeRun:
    """A command that runs for some seconds, and ends with some status."""

    def __init__(self, seconds: float, status: int) -> None:
        self._seconds, self._status = seconds, status
        self.exit: Exit | None = None

    async def wait(self) -> Exit:
        await trio.sleep(self._seconds)
        self.exit = Exit(status=self._status)
        return self.exit


class FakeLauncher:
    """Writes down when it was asked to start what.

    Attributes:
        ends: how the runs end, one after the other: seconds and status, or the error; well and at
            once when there are no more.
    """

    def __init__(self) -> None:
        self.ends: list[tuple[float, int] | Exception] = []
        self.started: list[tuple[float, str]] = []
        self.running = 0

    @asynccontextmanager
    async def launch(self, job: Job) -> AsyncIterator[FakeRun]:
        self.started.append((trio.current_time(), job.content.decode()))
        assert self.running == 0
        end = self.ends.pop(0) if self.ends else (0.0, 0)
        if isinstance(end, Exception):
            raise end
        run = FakeRun(*end)
        self.running += 1
        try:
            yield run
        finally:
            self.running -= 1
            run.exit = run.exit or Exit(status=-15)

    @property
    def told(self) -> list[str]:
        return [content for _, content in self.started]


def named(batch: Batch) -> Job:
    """A job whose content is the names of what happened."""
    words = ["start"] * batch.start + [event.uuid for event in batch.events]
    return Job(content=" ".join(words).encode(), variables={})


class Bench:
    """A runner at work."""

    def __init__(self, policy: RunPolicy, *, start: bool) -> None:
        self.launcher = FakeLauncher()
        self.news = News(start=start)
        self.runner = CommandRunner(self.news, named, self.launcher, policy, jitter=lambda: 0.999)

    def happens(self, uuid: str) -> None:
        self.news.add(Event(kind=Kind.NEW, service="web", uuid=uuid))
        self.runner.arrived()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            await start(nursery, self.runner)
            yield
            nursery.cancel_scope.cancel()


def bench(*, start: bool = True, **facts: object) -> Bench:
    return Bench(RunPolicy(retry=RETRY, **facts), start=start)  # type: ignore[arg-type]


async def test_runs_at_the_start_and_at_events(autojump_clock: MockClock) -> None:
    it = bench()
    async with it.at_work():
        await trio.sleep(1)
        it.happens("a")
        await trio.sleep(1)
        assert it.launcher.told == ["start", "a"]


async def test_not_at_the_start_if_not_wanted(autojump_clock: MockClock) -> None:
    it = bench(start=False)
    async with it.at_work():
        await trio.sleep(1)
        assert it.launcher.told == []
        it.happens("a")
        await trio.sleep(1)
        assert it.launcher.told == ["a"]


async def test_what_happens_in_a_run_is_told_after_it_at_once(autojump_clock: MockClock) -> None:
    it = bench()
    it.launcher.ends = [(5, 0)]
    async with it.at_work():
        for uuid in "abc":
            await trio.sleep(1)
            it.happens(uuid)
        await trio.sleep(10)
        assert it.launcher.told == ["start", "a b c"]
        assert it.launcher.started[1][0] == 5


async def test_a_failed_run_is_done_again_with_growing_waits(autojump_clock: MockClock) -> None:
    it = bench()
    it.launcher.ends = [(0, 1)] * 5
    async with it.at_work():
        await trio.sleep(60)
        times = [round(when) for when, _ in it.launcher.started]
        assert times == [0, 1, 3, 7, 15, 23]
        assert set(it.launcher.told) == {"start"}


async def test_news_shorten_the_wait_and_are_told_with_the_rest(autojump_clock: MockClock) -> None:
    it = bench()
    it.launcher.ends = [(0, 1)] * 4
    async with it.at_work():
        await trio.sleep(10)
        assert len(it.launcher.started) == 4  # the next one at 15
        it.happens("a")
        await trio.sleep(0.1)
        assert it.launcher.told[4:] == ["start a"]


async def test_a_failing_command_rests_though_things_go_on(autojump_clock: MockClock) -> None:
    it = bench()
    it.launcher.ends = [(0, 1)] * 1000
    async with it.at_work():
        for number in range(1000):
            it.happens(str(number))
            await trio.sleep(0.01)
        assert len(it.launcher.started) <= 12


async def test_after_a_success_the_waits_begin_anew(autojump_clock: MockClock) -> None:
    it = bench()
    it.launcher.ends = [(0, 1), (0, 1), (0, 0), (0, 1)]
    async with it.at_work():
        await trio.sleep(10)
        it.happens("a")
        await trio.sleep(10)
        assert [round(when) for when, _ in it.launcher.started] == [0, 1, 3, 10, 11]
        assert it.launcher.told[2:] == ["start", "a", "a"]


async def test_a_run_that_takes_too_long_has_failed(autojump_clock: MockClock) -> None:
    it = bench(timeout=2.0)
    it.launcher.ends = [(math.inf, 0)]
    async with it.at_work():
        await trio.sleep(10)
        assert [round(when) for when, _ in it.launcher.started] == [0, 3]
        assert it.launcher.told == ["start", "start"]


async def test_quiet_time(autojump_clock: MockClock) -> None:
    it = bench(start=False, quiet=1.0)
    async with it.at_work():
        for uuid in "abc":
            it.happens(uuid)
            await trio.sleep(0.6)
        await trio.sleep(5)
        assert it.launcher.told == ["a b c"]
        assert it.launcher.started[0][0] == pytest.approx(2.2)


async def test_quiet_time_has_an_end(autojump_clock: MockClock) -> None:
    it = bench(start=False, quiet=1.0)
    async with it.at_work():
        for number in range(20):
            it.happens(str(number))
            await trio.sleep(0.5)
        first = it.launcher.started[0][0]
        assert first == pytest.approx(4.0)


ONCE = ((0, 0, 0), (0, 3, 3), (0, -9, 137))


@pytest.mark.parametrize(("seconds", "status", "code"), ONCE)
async def test_once(autojump_clock: MockClock, seconds: float, status: int, code: int) -> None:
    it = bench(once=True)
    it.launcher.ends = [(seconds, status)]
    if not code:
        await it.runner.run()
    else:
        with pytest.raises(CommandFailed) as caught:
            await it.runner.run()
        assert caught.value.exit_code == code
    assert it.launcher.told == ["start"]


async def test_once_and_too_long(autojump_clock: MockClock) -> None:
    it = bench(once=True, timeout=2.0)
    it.launcher.ends = [(math.inf, 0)]
    with pytest.raises(CommandFailed) as caught:
        await it.runner.run()
    assert caught.value.exit_code == TIMED_OUT


async def test_a_command_that_is_not_there_ends_us_the_first_time(
    autojump_clock: MockClock,
) -> None:
    it = bench()
    it.launcher.ends = [CommandNotFound("x: not there")]
    with pytest.raises(CommandNotFound):
        await supervise(it.runner)


async def test_later_it_is_waited_for(autojump_clock: MockClock) -> None:
    it = bench()
    it.launcher.ends = [(0, 0), CommandNotFound("x: being replaced")]
    async with it.at_work():
        await trio.sleep(1)
        it.happens("a")
        await trio.sleep(5)
        assert it.launcher.told == ["start", "a", "a"]


@pytest.mark.parametrize("once", [False, True])
async def test_a_host_that_is_out_of_processes_is_waited_for(
    autojump_clock: MockClock, once: bool
) -> None:
    it = bench(once=once)
    it.launcher.ends = [CommandNotStarted("x: no more processes")]
    async with it.at_work():
        await trio.sleep(5)
        assert it.launcher.told == ["start", "start"]


async def test_cancelled_in_a_run_it_tells_how_that_ended(autojump_clock: MockClock) -> None:
    it = bench()
    it.launcher.ends = [(math.inf, 0)]
    async with it.at_work():
        await wait_all_tasks_blocked()
    assert it.runner.busy
    assert it.runner.last_exit == Exit(status=-15)
    assert it.news.take() == Batch(start=True)
