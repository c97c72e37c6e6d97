"""A charge and scripted commands, on a clock that jumps."""

from itertools import pairwise
from signal import SIGABRT, SIGHUP, SIGKILL, SIGTERM

import pytest
import trio
from trio.testing import MockClock

from lochkit.discovery.child import ChildPhase, ChildPlan, Restart
from lochkit.discovery.child_plan import wants_restart
from lochkit.io.guardian import Guardian
from lochkit.io.process import CommandNotFound, CommandNotStarted, Exit

from .charges import Act, Log, Run, ScriptedOpener, charge_of

STARTING, RUNNING, LEAVING = ChildPhase.STARTING, ChildPhase.RUNNING, ChildPhase.LEAVING
STOPPED, ENDED = ChildPhase.STOPPED, ChildPhase.ENDED
READY = Act(1, "READY=1")


@pytest.fixture
def log() -> Log:
    return Log()


async def test_up_once_it_runs_and_its_exit_is_kept(autojump_clock: MockClock, log: Log) -> None:
    charge = charge_of(ScriptedOpener(Run(lasts=5, status=3)), log)
    await charge.run()
    assert log.statuses[0].exit is None
    assert log.phases == [STARTING, RUNNING, STOPPED, ENDED]
    assert charge.exit == Exit(status=3)
    assert trio.current_time() == 5


async def test_up_once_it_has_settled(autojump_clock: MockClock, log: Log) -> None:
    opener = ScriptedOpener(Run(lasts=1, status=1), Run(lasts=9))
    charge = charge_of(opener, log, settle=2, restart=Restart.ON_FAILURE)
    await charge.run()
    assert log.phases == [STARTING, STOPPED, STARTING, RUNNING, STOPPED, ENDED]


async def test_ready_and_stopping_are_what_it_says(autojump_clock: MockClock, log: Log) -> None:
    acts = [Act(1, "STATUS=loading"), Act(9, "READY=1\nSTATUS=up"), Act(5, "STOPPING=1")]
    run = Run(acts=acts, lasts=100)
    charge = charge_of(ScriptedOpener(run), log, notify=True)
    await charge.run()
    assert log.phases == [STARTING, RUNNING, LEAVING, STOPPED, ENDED]
    texts = [status.text for status in log.statuses]
    assert list(dict.fromkeys(texts)) == ["", "loading", "up"]
    assert "WATCHDOG_USEC" not in run.env


@pytest.mark.parametrize("word", ["READY=0", "RELOADING=1", "STATUS=READY=1", "MAINPID=7"])
async def test_what_is_not_ready(autojump_clock: MockClock, log: Log, word: str) -> None:
    charge = charge_of(ScriptedOpener(Run(acts=[Act(1, word)], lasts=5)), log, notify=True)
    await charge.run()
    assert log.phases == [STARTING, STOPPED, ENDED]


async def test_reloading_is_still_up_and_ready_after_stopping_is_not(
    autojump_clock: MockClock, log: Log
) -> None:
    acts = [READY, Act(1, "RELOADING=1"), READY, Act(1, "STOPPING=1"), READY]
    await charge_of(ScriptedOpener(Run(acts=acts, lasts=9)), log, notify=True).run()
    assert log.phases == [STARTING, RUNNING, LEAVING, STOPPED, ENDED]


async def test_what_is_never_ready_is_killed(autojump_clock: MockClock, log: Log) -> None:
    run = Run()
    charge = charge_of(ScriptedOpener(run), log, notify=True, start_timeout=20)
    await charge.run()
    assert trio.current_time() == 20
    assert [plan.signal for plan in run.stops] == [SIGABRT]
    assert charge.exit == Exit(status=-SIGABRT)
    assert charge.status.reason == "it did not say in time that it is ready"


async def test_a_slow_start_can_ask_for_more_time(autojump_clock: MockClock, log: Log) -> None:
    acts = [Act(15, "EXTEND_TIMEOUT_USEC=30000000"), Act(25, "READY=1")]
    charge = charge_of(ScriptedOpener(Run(acts=acts, lasts=50)), log, notify=True, start_timeout=20)
    await charge.run()
    assert RUNNING in log.phases
    assert charge.exit == Exit(status=0)


async def test_silence_is_a_failure(autojump_clock: MockClock, log: Log) -> None:
    """From READY on; each sign of life counts anew."""
    acts = [Act(30, "READY=1"), Act(9, "WATCHDOG=1"), Act(9, "WATCHDOG=1")]
    hung, other = Run(acts=acts, dies=False), Run(acts=[READY], lasts=5)
    opener = ScriptedOpener(hung, other)
    charge = charge_of(opener, log, notify=True, watchdog=10, restart=Restart.ON_FAILURE)
    await charge.run()
    assert hung.env["WATCHDOG_USEC"] == "10000000"
    assert log.phases[:5] == [STARTING, RUNNING, LEAVING, STOPPED, STARTING]
    first = next(status for status in log.statuses if status.phase is STOPPED)
    assert first.reason == "it gave no sign of life in time"
    assert first.exit == Exit(status=-SIGKILL)
    assert other.began == pytest.approx(48 + 10 + 2 + 1)  # silent, killed, retried
    assert charge.status.reason == ""


async def test_a_watchdog_does_not_watch_one_that_leaves(
    autojump_clock: MockClock, log: Log
) -> None:
    run = Run(acts=[READY, Act(1, "STOPPING=1")], lasts=100)
    charge = charge_of(ScriptedOpener(run), log, notify=True, watchdog=10)
    await charge.run()
    assert trio.current_time() == 100


async def test_a_command_can_change_its_watchdog_or_give_up(
    autojump_clock: MockClock, log: Log
) -> None:
    longer = [READY, Act(1, "WATCHDOG_USEC=50000000"), Act(40, "WATCHDOG=trigger")]
    charge = charge_of(ScriptedOpener(Run(acts=longer)), log, notify=True, watchdog=10)
    await charge.run()
    assert trio.current_time() == pytest.approx(42)
    assert charge.status.reason == "it asked to be taken for one that hangs"


@pytest.mark.parametrize(
    ("restart", "status", "failed", "again"),
    [
        (Restart.NO, 1, True, False),
        (Restart.ALWAYS, 0, False, True),
        (Restart.ON_FAILURE, 0, False, False),
        (Restart.ON_FAILURE, 0, True, True),
        (Restart.ON_FAILURE, 1, False, True),
        (Restart.ON_FAILURE, -SIGTERM, False, False),
        (Restart.ON_FAILURE, -SIGKILL, False, True),
    ],
)
def test_when_it_is_started_again(restart: Restart, status: int, failed: bool, again: bool) -> None:
    assert wants_restart(restart, status, failed=failed) is again


async def test_waits_grow_and_are_forgotten_after_good_service(
    autojump_clock: MockClock, log: Log
) -> None:
    lasts = (1, 1, 1, 100, 1)
    runs = [Run(lasts=seconds, status=1) for seconds in lasts] + [Run(lasts=1)]
    charge = charge_of(ScriptedOpener(*runs), log, restart=Restart.ON_FAILURE)
    await charge.run()
    gaps = [round(later.began - run.began - run.lasts) for run, later in pairwise(runs)]
    assert gaps == [1, 2, 4, 1, 2]
    assert charge.status.starts == 6


async def test_a_command_that_is_not_there(autojump_clock: MockClock, log: Log) -> None:
    charge = charge_of(ScriptedOpener(CommandNotFound("x: none")), log, restart=Restart.ALWAYS)
    with pytest.raises(CommandNotFound):
        await charge.run()


async def test_a_command_that_goes_away_is_waited_for(autojump_clock: MockClock, log: Log) -> None:
    opener = ScriptedOpener(Run(lasts=1, status=1), CommandNotFound("x: none"), Run(lasts=1))
    await charge_of(opener, log, restart=Restart.ON_FAILURE).run()
    stopped = [status for status in log.statuses if status.phase is STOPPED]
    assert Exit(status=127) in [status.exit for status in stopped]
    assert "x: none" in [status.reason for status in stopped]


async def test_a_host_out_of_processes(autojump_clock: MockClock, log: Log) -> None:
    def opener() -> ScriptedOpener:
        return ScriptedOpener(CommandNotStarted("x: later"), Run(lasts=1))

    charge = charge_of(opener(), log, restart=Restart.ON_FAILURE)
    await charge.run()
    assert charge.exit == Exit(status=0)
    with pytest.raises(CommandNotStarted):
        await charge_of(opener(), log).run()


async def test_finish_stops_it_in_order(
    autojump_clock: MockClock, log: Log, nursery: trio.Nursery
) -> None:
    run = Run()
    charge = charge_of(ScriptedOpener(run), log, restart=Restart.ALWAYS)
    nursery.start_soon(charge.run)
    await log.until(RUNNING)
    charge.finish()
    await log.until(ENDED)
    assert log.phases == [STARTING, RUNNING, LEAVING, STOPPED, ENDED]
    assert [plan.signal for plan in run.stops] == [SIGTERM]
    assert charge.status.reason == ""


@pytest.mark.parametrize("when", ["before", "starting", "between"])
async def test_finish_at_any_time(
    autojump_clock: MockClock, log: Log, nursery: trio.Nursery, when: str
) -> None:
    opener = ScriptedOpener(Run(lasts=1, status=1), Run(), takes=1)
    charge = charge_of(opener, log, restart=Restart.ALWAYS)
    if when == "before":
        charge.finish()
    nursery.start_soon(charge.run)
    await trio.sleep({"before": 0, "starting": 0.5, "between": 2.5}[when])
    charge.finish()
    await log.until(ENDED, starts=0)
    assert trio.current_time() == {"before": 0, "starting": 1, "between": 2.5}[when]
    assert charge.status.starts == (when != "before")


async def test_signals_are_passed_on(
    autojump_clock: MockClock, log: Log, nursery: trio.Nursery
) -> None:
    run = Run(lasts=10)
    charge = charge_of(ScriptedOpener(run, takes=1), log)
    assert not charge.signal(SIGHUP)
    nursery.start_soon(charge.run)
    await trio.sleep(0.5)
    assert charge.signal(SIGHUP)  # it is just being started
    await trio.sleep(1)
    assert run.signals == [SIGHUP]
    assert charge.signal(SIGTERM)
    assert run.signals == [SIGHUP, SIGTERM]
    charge.kill_now()
    assert run.signals[-1] == SIGKILL
    await log.until(ENDED)
    assert not charge.signal(SIGHUP)


async def test_being_cancelled_stops_it(autojump_clock: MockClock, log: Log) -> None:
    run = Run(acts=[READY], dies=False)
    charge = charge_of(ScriptedOpener(run), log, notify=True)
    with trio.move_on_after(5):
        await charge.run()
    assert trio.current_time() == 7
    assert log.phases == [STARTING, RUNNING, LEAVING, STOPPED]
    assert charge.exit == Exit(status=-SIGKILL)


async def test_what_is_meant_for_us_is_not_passed_on(autojump_clock: MockClock, log: Log) -> None:
    run = Run(lasts=1)
    ours = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_PID": "1", "WATCHDOG_USEC": "1", "PATH": "/bin"}
    await charge_of(ScriptedOpener(run), log, environ=ours).run()
    assert set(run.env) == {"PATH", "LOCHKIT_RUN_ID"}


class RecordingGuardian(Guardian):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.told: list[str] = []

    def _tell(self, line: str) -> None:
        self.told.append(line)


async def test_the_guardian_knows_of_each_run(autojump_clock: MockClock, log: Log) -> None:
    first, other = Run(lasts=1, status=1), Run(lasts=1)
    guardian = RecordingGuardian()
    opener = ScriptedOpener(first, CommandNotFound("x"), other)
    charge = charge_of(opener, log, guardian=guardian, restart=Restart.ON_FAILURE)
    await charge.run()
    marks = [f"mark LOCHKIT_RUN_ID={run.env['LOCHKIT_RUN_ID']}" for run in (first, other)]
    told = guardian.told
    assert told[:3] == [marks[0], "group 101", "none"]
    assert told[4:] == ["none", marks[1], "group 102", "none"]
    assert marks[0] != marks[1]


async def test_another_main_process_is_told_of_once(
    autojump_clock: MockClock, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    acts = [Act(1, "MAINPID=101"), Act(1, "MAINPID=7"), Act(1, "MAINPID=8")]
    await charge_of(ScriptedOpener(Run(acts=acts, lasts=5)), log, notify=True).run()
    assert caplog.text.count("another main process") == 1


def test_plans_that_make_no_sense() -> None:
    for wrong in ({"watchdog": 5}, {"settle": -1}, {"notify": True, "start_timeout": 0}):
        with pytest.raises(ValueError, match=r"must|needs"):
            ChildPlan(**wrong)  # type: ignore[arg-type]
