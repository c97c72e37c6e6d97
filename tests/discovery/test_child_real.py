"""A charge and real commands on the real clock: what they say, and that none is left behind."""

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1

import pytest
import trio

from lochkit.discovery.child import ChildPhase, Restart
from lochkit.io.process import CommandNotFound, Exit
from lochkit.runtime.backoff import Backoff
from tests.io.test_guardian import eventually
from tests.io.test_process import is_running, lines_in

from .charges import Log, charge_of

CEILING = 15

# What every scripted service begins with.
SPEAK = """
import os, signal, socket, subprocess, sys, time
def say(text):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = os.environ["NOTIFY_SOCKET"]
    sender.sendto(text.encode(), "\\0" + address[1:] if address[0] == "@" else address)
    sender.close()
"""


def service(script: str, *words: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", SPEAK + script, *words]


@pytest.fixture
def log() -> Log:
    return Log()


async def test_ready_then_stopped(log: Log, nursery: trio.Nursery) -> None:
    charge = charge_of(service("say('READY=1\\nSTATUS=up'); time.sleep(60)"), log, notify=True)
    nursery.start_soon(charge.run)
    with trio.fail_after(CEILING):
        status = await log.until(ChildPhase.RUNNING)
        assert status.pid is not None
        assert status.text == "up"
        charge.finish()
        await log.until(ChildPhase.ENDED)
    assert charge.exit == Exit(status=-SIGTERM)
    assert not is_running(status.pid)


async def test_its_last_words_are_heard(log: Log) -> None:
    words = "say('READY=1'); say('STATUS=out of luck'); sys.exit(9)"
    charge = charge_of(service(words), log, notify=True)
    with trio.fail_after(CEILING):
        await charge.run()
    assert charge.exit == Exit(status=9)
    assert charge.status.text == "out of luck"
    assert charge.status.phase is ChildPhase.ENDED


async def test_a_service_that_gave_up_its_rights_is_heard(log: Log) -> None:
    script = """
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
say('READY=1'); time.sleep(0.2)
"""
    charge = charge_of(service(script), log, notify=True)
    with trio.fail_after(CEILING):
        await charge.run()
    assert ChildPhase.RUNNING in log.phases


async def test_what_it_has_started_may_speak_for_it(log: Log) -> None:
    script = """
if len(sys.argv) == 1:
    argv = [sys.executable, "-I", "-S", "-c", sys.orig_argv[4], "worker"]
    subprocess.run(argv)
    time.sleep(0.2)
else:
    say('READY=1')
"""
    charge = charge_of(service(script), log, notify=True)
    with trio.fail_after(CEILING):
        await charge.run()
    assert ChildPhase.RUNNING in log.phases


async def test_a_hang_is_seen_and_the_command_started_again(log: Log, tmp_path: Path) -> None:
    script = """
first = not os.path.exists(sys.argv[1]); open(sys.argv[1], "a").close()
say('READY=1')
if first:
    signal.signal(signal.SIGABRT, lambda *_: (say('STATUS=aborted'), os._exit(0)))
    time.sleep(60)
for _ in range(6):
    time.sleep(0.2); say('WATCHDOG=1')
"""
    charge = charge_of(
        service(script, str(tmp_path / "been")),
        log,
        notify=True,
        watchdog=1.0,
        restart=Restart.ON_FAILURE,
        backoff=Backoff(base=0.05, maximum=0.1),
    )
    with trio.fail_after(CEILING):
        await charge.run()
    assert charge.status.starts >= 2
    assert charge.exit == Exit(status=0)
    stopped = next(status for status in log.statuses if status.phase is ChildPhase.STOPPED)
    assert (stopped.text, stopped.exit) == ("aborted", Exit(status=0))


async def test_each_run_has_a_socket_of_its_own_and_none_is_left(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    heard = tmp_path / "heard"
    script = "print(os.environ['NOTIFY_SOCKET'], file=open(sys.argv[1], 'a')); sys.exit(1)"
    charge = charge_of(
        service(script, str(heard)),
        log,
        notify=True,
        restart=Restart.ALWAYS,
        backoff=Backoff(base=0.01, maximum=0.02),
    )
    with trio.move_on_after(CEILING) as ceiling:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(charge.run)
            await log.until(ChildPhase.STARTING, starts=3)
            charge.finish()
    assert not ceiling.cancelled_caught
    addresses = heard.read_text().split()
    assert len(set(addresses)) == len(addresses) >= 2
    assert os.listdir(tmp_path) == [heard.name]


async def test_what_a_command_leaves_behind_is_stopped(log: Log, tmp_path: Path) -> None:
    """Else it would still hold the port when the command is started again."""
    pids = tmp_path / "pids"
    charge = charge_of(["sh", "-c", f"sleep 60 & echo $! >{pids}; exit 4"], log)
    with trio.fail_after(CEILING):
        await charge.run()
    assert charge.exit == Exit(status=4)
    assert not is_running(int(pids.read_text()))


async def test_being_cancelled_stops_all_of_it(log: Log, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    charge = charge_of(["sh", "-c", f"sleep 60 & echo $! $$ >{pids}; wait"], log)
    with trio.fail_after(CEILING):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(charge.run)
            started = await lines_in(pids, 2)
            nursery.cancel_scope.cancel()
    assert not any(map(is_running, started))


async def test_signals_reach_the_command(log: Log, nursery: trio.Nursery) -> None:
    script = "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(6)); say('READY=1'); time.sleep(60)"
    charge = charge_of(service(script), log, notify=True)
    nursery.start_soon(charge.run)
    with trio.fail_after(CEILING):
        await log.until(ChildPhase.RUNNING)
        assert charge.signal(SIGUSR1)
        await log.until(ChildPhase.ENDED)
    assert charge.exit == Exit(status=6)


async def test_killed_from_outside(log: Log) -> None:
    charge = charge_of(["sh", "-c", "kill -9 $$"], log)
    with trio.fail_after(CEILING):
        await charge.run()
    assert charge.exit == Exit(status=-SIGKILL)
    assert charge.exit.code == 137


async def test_no_such_command(log: Log, tmp_path: Path) -> None:
    charge = charge_of([str(tmp_path / "missing")], log, restart=Restart.ALWAYS)
    with trio.fail_after(CEILING), pytest.raises(CommandNotFound):
        await charge.run()
    assert charge.status.phase is ChildPhase.STOPPED
    assert not charge.signal(SIGTERM)


DRIVER = """
import os, sys, trio
from lochkit.discovery.child import Charge, ChildPlan
from lochkit.io.guardian import open_guardian
from lochkit.io.process import StopPlan

def told(status):
    if status.phase.is_up:
        print("up", flush=True)

async def main(*argv):
    stop = StopPlan(timeout=0.5)
    async with open_guardian(stop_signal=15, stop_timeout=0.5) as guardian:
        plan = ChildPlan()
        await Charge(argv, plan=plan, stop=stop, guardian=guardian, on_change=told).run()

trio.run(main, *sys.argv[1:])
"""


def test_killed_ourselves_we_leave_nothing_behind(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! $$ >{pids}; wait"
    argv = [sys.executable, "-c", DRIVER, "sh", "-c", script]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environ
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"up\n"
        assert eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        driver.kill()
    started = [int(word) for word in pids.read_text().split()]
    assert eventually(lambda: not any(map(is_running, started)))
