"""The runner against a command that takes as long as the test says, on a clock that jumps."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import Signals
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from lochkit.errors import CommandFailed, leaves
from lochkit.etcd.model import Step
from lochkit.etcdwatch.desk import Desk
from lochkit.etcdwatch.formats import Format
from lochkit.etcdwatch.guards import Guards
from lochkit.etcdwatch.policy import OnBusy, OnFailure, RunPolicy
from lochkit.etcdwatch.runner import Runner
from lochkit.etcdwatch.selection import Selection
from lochkit.io.process import CommandNotFound
from lochkit.runtime.backoff import Backoff
from lochkit.runtime.supervisor import start, supervise

from .scripted import STOPPED, ScriptedLauncher
from .steps import MiniStore

RETRY = Backoff(base=1, factor=2, maximum=8)


class Bench:
    """A runner, the channel to it, and what it runs."""

    def __init__(
        self,
        launcher: ScriptedLauncher,
        *,
        guards: Guards | None = None,
        wanted: Format = Format.JSON,
        run_unchanged: bool = False,
        **policy: Any,
    ) -> None:
        self.store = MiniStore(a="0")
        self.send, receive = trio.open_memory_channel[Step](0)
        self.launcher = launcher
        selection = Selection(paths=("/",))
        desk = Desk(selection, wanted, guards=guards, run_unchanged=run_unchanged)
        self.runner = Runner(
            receive, desk, launcher, RunPolicy(retry=RETRY, **policy), jitter=lambda: 1.0
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the runner while the body plays; the first state has been sent."""
        async with trio.open_nursery() as nursery:
            await start(nursery, self.runner)
            await self.send.send(self.store.listed())
            yield
            nursery.cancel_scope.cancel()

    async def put(self, value: str, key: str = "/a") -> None:
        await self.send.send(self.store.put(key, value))

    async def finish(self) -> None:
        """Play the first state and the end of the channel."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, self.runner)
            await self.send.send(self.store.listed())
            self.send.close()


def bench(*script: tuple[float, int] | Exception, **options: Any) -> Bench:
    return Bench(ScriptedLauncher(*script), **options)


async def test_first_state_is_run_at_once_and_then_every_change(autojump_clock: MockClock) -> None:
    it = bench()
    async with it.running():
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(1)
        await it.put("1")  # the same again
        await trio.sleep(1)
    assert it.launcher.states == [{"a": "0"}, {"a": "1"}]
    assert it.launcher.began == [0.0, 1.0]


@pytest.mark.parametrize("on_busy", list(OnBusy))
async def test_same_state_is_run_again_when_asked_for(
    on_busy: OnBusy, autojump_clock: MockClock
) -> None:
    """Once for every step, and not in a loop."""
    it = bench((0.1, 0), on_busy=on_busy, rest=1.0, run_unchanged=True)
    async with it.running():
        for _ in range(3):
            await trio.sleep(10)
            await it.put("0")
        await trio.sleep(100)
    assert it.launcher.states == [{"a": "0"}] * 4


async def test_end_of_the_steps_is_the_end_once_the_last_state_has_been_run(
    autojump_clock: MockClock,
) -> None:
    it = bench((5, 0))
    await it.finish()
    assert it.launcher.states == [{"a": "0"}]
    assert it.launcher.ended == [5.0]


async def test_queue_runs_once_more_with_the_newest_state(autojump_clock: MockClock) -> None:
    """A6: three changes while the command runs make one more run."""
    it = bench((10, 0))
    async with it.running():
        for second in range(3):
            await trio.sleep(1)
            await it.put(str(second))
        await trio.sleep(30)
    assert it.launcher.states == [{"a": "0"}, {"a": "2"}]
    assert it.launcher.began == [0.0, 10.0]


async def test_queue_runs_nothing_when_the_state_is_back_at_the_end(
    autojump_clock: MockClock,
) -> None:
    it = bench((10, 0))
    async with it.running():
        await trio.sleep(1)
        await it.put("1")
        await it.put("0")
        await trio.sleep(30)
    assert it.launcher.states == [{"a": "0"}]


async def test_restart_stops_the_command_first(autojump_clock: MockClock) -> None:
    it = bench((10, 0), on_busy=OnBusy.RESTART)
    it.launcher.stop_seconds = 2
    async with it.running():
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(1)
        await it.put("2")  # while it is being stopped
        await trio.sleep(30)
    assert it.launcher.states == [{"a": "0"}, {"a": "2"}]
    assert it.launcher.began == [0.0, 3.0]
    assert it.launcher.most_at_once == 1
    changes = it.launcher.runs[1].job.changes
    assert [(c.old, c.new and c.new.value) for c in changes] == [(None, b"2")]


@pytest.mark.parametrize("on_busy", [OnBusy.RESTART, OnBusy.SIGNAL])
async def test_running_command_is_left_alone_when_nothing_differs_for_it(
    autojump_clock: MockClock, on_busy: OnBusy
) -> None:
    it = bench((10, 0), on_busy=on_busy)
    async with it.running():
        await trio.sleep(1)
        await it.put("0")
        await trio.sleep(30)
    assert it.launcher.began == [0.0]
    assert it.launcher.runs[0].signals == []


async def test_refused_state_does_not_restart(autojump_clock: MockClock) -> None:
    it = bench((10, 0), on_busy=OnBusy.RESTART, guards=Guards(min_keys=1))
    async with it.running():
        await trio.sleep(1)
        await it.send.send(it.store.delete("/a"))
        await trio.sleep(30)
    assert it.launcher.began == [0.0]


async def test_signal_is_sent_and_the_state_follows_at_the_end(autojump_clock: MockClock) -> None:
    it = bench((10, 0), on_busy=OnBusy.SIGNAL, busy_signal=Signals.SIGUSR1)
    async with it.running():
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(1)
        await it.put("1")  # nothing new: no signal
        await trio.sleep(1)
        await it.put("2")
        await trio.sleep(30)
    assert it.launcher.runs[0].signals == [Signals.SIGUSR1, Signals.SIGUSR1]
    assert it.launcher.states == [{"a": "0"}, {"a": "2"}]
    assert it.launcher.began == [0.0, 10.0]


async def test_ignore_waits_for_the_next_change(autojump_clock: MockClock) -> None:
    it = bench((10, 0), on_busy=OnBusy.IGNORE, rest=100)
    async with it.running():
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(29)
        await it.put("x", "/b")
        await trio.sleep(5)
    assert it.launcher.states == [{"a": "0"}, {"a": "1", "b": "x"}]
    assert it.launcher.began == [0.0, 30.0]


async def test_ignore_never_loses_the_last_state(autojump_clock: MockClock) -> None:
    it = bench((10, 0), on_busy=OnBusy.IGNORE, rest=100)
    async with it.running():
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(200)
    assert it.launcher.states == [{"a": "0"}, {"a": "1"}]
    assert it.launcher.began == [0.0, 110.0]


@pytest.mark.parametrize("on_busy", list(OnBusy))
async def test_last_state_is_always_seen_and_two_never_run_at_once(
    autojump_clock: MockClock, on_busy: OnBusy
) -> None:
    it = bench((0.7, 0), on_busy=on_busy, rest=3)
    async with it.running():
        for number in range(20):
            await it.put(str(number))
            await trio.sleep(0.3 * (number % 4))
        await trio.sleep(10)
    assert it.launcher.states[-1] == {"a": "19"}
    assert it.launcher.most_at_once == 1


async def test_failure_is_ignored(autojump_clock: MockClock) -> None:
    it = bench((0, 3))
    async with it.running():
        await trio.sleep(100)
        await it.put("1")
        await trio.sleep(1)
    assert it.launcher.began == [0.0, 100.0]


async def test_failure_is_retried_with_growing_waits(autojump_clock: MockClock) -> None:
    it = bench((0, 3), (0, 3), (0, 3), (0, 0), on_failure=OnFailure.RETRY)
    async with it.running():
        await trio.sleep(100)
    assert it.launcher.began == [0.0, 1.0, 3.0, 7.0]
    assert it.launcher.states == [{"a": "0"}] * 4
    assert all(len(run.job.changes) == 1 for run in it.launcher.runs)


async def test_newer_state_does_not_wait_for_the_retry(autojump_clock: MockClock) -> None:
    it = bench((0, 3), (0, 3), (0, 3), (0, 0), on_failure=OnFailure.RETRY)
    async with it.running():
        await trio.sleep(2)  # two failures
        await it.put("1")
        await trio.sleep(100)
    assert it.launcher.began == [0.0, 1.0, 2.0, 3.0]  # and its failures count anew
    assert it.launcher.states[2:] == [{"a": "1"}, {"a": "1"}]


async def test_state_that_came_during_the_failed_run_does_not_wait_either(
    autojump_clock: MockClock,
) -> None:
    it = bench((10, 3), (0, 0), on_failure=OnFailure.RETRY)
    async with it.running():
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(100)
    assert it.launcher.began == [0.0, 10.0]


async def test_failure_ends_us_with_its_code(autojump_clock: MockClock) -> None:
    it = bench((0, 0), (0, 3), on_failure=OnFailure.EXIT)
    with pytest.RaisesGroup(CommandFailed, flatten_subgroups=True) as caught:
        async with it.running():
            await trio.sleep(1)
            await it.put("1")
            await trio.sleep(100)
    (failure,) = leaves(caught.value)
    assert isinstance(failure, CommandFailed)
    assert failure.exit_code == 3


async def test_death_by_signal_ends_us_as_a_shell_would_say(autojump_clock: MockClock) -> None:
    it = bench((0, -9), on_failure=OnFailure.EXIT)
    with pytest.RaisesGroup(CommandFailed, flatten_subgroups=True) as caught:
        await it.finish()
    (failure,) = leaves(caught.value)
    assert isinstance(failure, CommandFailed)
    assert failure.exit_code == 137


async def test_run_that_takes_too_long_is_stopped_and_has_failed(autojump_clock: MockClock) -> None:
    it = bench((math.inf, 0), on_failure=OnFailure.EXIT, timeout=5)
    with pytest.RaisesGroup(CommandFailed, flatten_subgroups=True) as caught:
        await it.finish()
    (failure,) = leaves(caught.value)
    assert isinstance(failure, CommandFailed)
    assert failure.exit_code == 124
    assert it.launcher.ended == [5.0]
    assert it.runner.last_exit == STOPPED


@pytest.mark.parametrize("status", [0, 3])
async def test_once_is_one_run_with_its_code(autojump_clock: MockClock, status: int) -> None:
    """A7.2: the original went on for ever."""
    it = bench((5, status), once=True, on_busy=OnBusy.RESTART)
    async with trio.open_nursery() as nursery:
        codes: list[int] = []

        async def run() -> None:
            try:
                await it.runner.run()
            except* CommandFailed as group:
                codes.extend(
                    exc.exit_code for exc in leaves(group) if isinstance(exc, CommandFailed)
                )
            nursery.cancel_scope.cancel()

        nursery.start_soon(run)
        await it.send.send(it.store.listed())
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(100)
    assert it.launcher.states == [{"a": "0"}]
    assert it.launcher.ended == [5.0]
    assert codes == ([status] if status else [])


async def test_once_waits_for_a_state_that_is_not_refused(autojump_clock: MockClock) -> None:
    it = bench(once=True, guards=Guards(min_keys=2))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.runner.run)
        await it.send.send(it.store.listed())
        await trio.sleep(10)
        await it.put("1", "/b")
    assert it.launcher.states == [{"a": "0", "b": "1"}]


async def test_once_with_retry_ends_at_the_first_success(autojump_clock: MockClock) -> None:
    it = bench((0, 3), (0, 3), (0, 0), once=True, on_failure=OnFailure.RETRY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.runner.run)
        await it.send.send(it.store.listed())
    assert it.launcher.began == [0.0, 1.0, 3.0]


async def test_each_step_is_a_run_in_order(autojump_clock: MockClock) -> None:
    """A7.1 and A5: the documented meaning of --no-stable, and no hot loop."""
    it = bench((10, 0), each_step=True)
    async with it.running():
        for number in range(1, 4):
            await it.put(str(number))
        await trio.sleep(1000)
    assert it.launcher.states == [{"a": str(number)} for number in range(4)]
    assert it.launcher.began == [0.0, 10.0, 20.0, 30.0]


async def test_each_step_with_retry_keeps_the_order(autojump_clock: MockClock) -> None:
    it = bench((0, 3), (0, 0), each_step=True, on_failure=OnFailure.RETRY)
    async with it.running():
        await it.put("1")
        await trio.sleep(100)
    assert it.launcher.states == [{"a": "0"}, {"a": "0"}, {"a": "1"}]


async def test_refusal_is_reported_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    it = bench(guards=Guards(min_keys=3))
    with caplog.at_level("INFO"):
        async with it.running():
            await trio.sleep(1)
            await it.put("1")
            await it.put("2")
            await trio.sleep(1)
            await it.put("1", "/b")
            await trio.sleep(1)
            await it.put("1", "/c")
            await trio.sleep(1)
    assert [r.message for r in caplog.records if "accepted" in r.message] == [
        "state accepted again"
    ]
    assert [r.levelname for r in caplog.records if "refused" in r.message] == ["WARNING"]
    assert it.launcher.states == [{"a": "2", "b": "1", "c": "1"}]


async def test_keys_left_out_are_reported_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    it = bench(wanted=Format.ENV)
    async with it.running():
        await trio.sleep(1)
        await it.put("x", "/PATH")
        await trio.sleep(1)
        await it.put("1")
        await trio.sleep(1)
    assert len([r for r in caplog.records if "left out" in r.message]) == 1


async def test_command_that_can_not_be_started_ends_us_at_first(autojump_clock: MockClock) -> None:
    it = bench(CommandNotFound("x: not found"))
    with pytest.RaisesGroup(CommandNotFound, flatten_subgroups=True):
        await it.finish()


async def test_command_that_vanishes_later_has_failed(autojump_clock: MockClock) -> None:
    it = bench((0, 0), CommandNotFound("x: not found"), (0, 0))
    async with it.running():
        for value in "12":
            await trio.sleep(1)
            await it.put(value)
        await trio.sleep(1)
    assert it.launcher.states == [{"a": "0"}, {"a": "2"}]


async def test_failure_of_ours_is_a_restart_and_the_job_is_done_again(
    autojump_clock: MockClock,
) -> None:
    it = bench(OSError(28, "No space left on device"), (0, 0))
    async with it.running():
        await trio.sleep(60)
    assert it.launcher.states == [{"a": "0"}]
    assert len(it.launcher.runs[0].job.changes) == 1


async def test_hang_up_is_for_the_running_command(autojump_clock: MockClock) -> None:
    it = bench((10, 0))
    async with it.running():
        await trio.sleep(1)
        it.runner.hang_up()
        await trio.sleep(30)
        it.runner.hang_up()  # nothing is running
    assert it.launcher.runs[0].signals == [Signals.SIGHUP]


async def test_hang_up_is_for_the_command_that_is_being_started(autojump_clock: MockClock) -> None:
    it = bench((10, 0))
    it.launcher.start_seconds = 2.0
    async with it.running():
        await trio.sleep(1)
        it.runner.hang_up()
        await trio.sleep(30)
    assert it.launcher.runs[0].signals == [Signals.SIGHUP]


@pytest.mark.parametrize("on_busy", list(OnBusy))
async def test_cancelled_in_a_run_it_stops_the_command(
    autojump_clock: MockClock, on_busy: OnBusy
) -> None:
    it = bench((10, 0), on_busy=on_busy)
    async with it.running():
        await trio.sleep(1)
    assert it.runner.busy
    assert it.runner.last_exit == STOPPED
    assert it.launcher.at_once == 0


async def test_cancelled_between_runs_it_is_not_busy(autojump_clock: MockClock) -> None:
    it = bench((1, 0))
    async with it.running():
        await trio.sleep(2)
    assert not it.runner.busy


async def test_steps_are_taken_in_while_the_command_runs(autojump_clock: MockClock) -> None:
    """The watcher is never held up by a slow command."""
    it = bench((1000, 0))
    async with it.running():
        await trio.sleep(1)
        for number in range(100):
            await it.put(str(number))
        assert trio.current_time() == 1.0
