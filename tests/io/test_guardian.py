"""The guardian against real crashes: a driver process starts a command, and is killed with -9."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from lochkit.io.guardian import MARK_VARIABLE, open_guardian

from .test_process import is_running

CEILING = 10

DRIVER = """
import os, sys, trio
from lochkit.io.guardian import MARK_VARIABLE, open_guardian
from lochkit.io.process import StopPlan, open_child

async def main(stage, *argv):
    async with open_guardian(stop_signal=15, stop_timeout=0.5) as guardian:
        guardian.expect("the-mark")
        env = dict(os.environ) | {MARK_VARIABLE: "the-mark"}
        async with open_child(argv, stdin=0, env=env, stop=StopPlan(timeout=0.5)) as child:
            if stage == "running":
                guardian.watch(child.pid)
            elif stage == "finished":
                guardian.watch(child.pid)
                await child.wait()
                guardian.withdraw()
            print("ready", flush=True)
            await trio.sleep_forever()

trio.run(main, *sys.argv[1:])
"""


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pids"
    yield path
    for word in path.read_text().split() if path.exists() else ():
        if is_running(int(word)):
            os.kill(int(word), signal.SIGKILL)


def crash(stage: str, script: str, pids: Path, count: int) -> list[int]:
    """Run the driver up to ``stage``, kill it, and return the ids that the command had written."""
    argv = [sys.executable, "-c", DRIVER, stage, "sh", "-c", script]
    path = os.pathsep.join(filter(None, sys.path))
    environ = os.environ | {"PYTHONPATH": path}
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environ
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"ready\n"
        assert eventually(lambda: pids.exists() and len(pids.read_text().split()) == count)
        driver.kill()
        driver.stdout.close()
    return [int(word) for word in pids.read_text().split()]


def eventually(condition: object) -> bool:
    give_up = time.monotonic() + CEILING
    while time.monotonic() < give_up:
        if callable(condition) and condition():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("stage", ["running", "just started"])
def test_crash_stops_the_command_and_what_it_started(stage: str, pids: Path) -> None:
    started = crash(stage, f"sleep 60 & echo $! $$ >{pids}; wait", pids, 2)
    assert eventually(lambda: not any(map(is_running, started)))


def test_crash_kills_a_command_that_ignores_the_signal(pids: Path) -> None:
    started = crash("running", f"trap '' TERM; sleep 60 & echo $! $$ >{pids}; wait", pids, 2)
    assert eventually(lambda: not any(map(is_running, started)))


def test_crash_leaves_alone_what_a_finished_command_left_running(pids: Path) -> None:
    (left,) = crash("finished", f"sleep 60 >/dev/null 2>&1 & echo $! >{pids}", pids, 1)
    time.sleep(0.3)
    assert is_running(left)


def children() -> set[int]:
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
            found.add(int(name))
    return found


async def test_guardian_ends_with_its_context() -> None:
    before = children()
    with trio.fail_after(CEILING):
        async with open_guardian(stop_signal=signal.SIGTERM, stop_timeout=1) as guardian:
            guardian.expect("x")
            guardian.watch(2**22 + 1)  # no such group
            guardian.withdraw()
            assert len(children() - before) == 1
    assert children() == before


async def test_signals_for_the_group_are_not_for_the_guardian() -> None:
    before = children()
    with trio.fail_after(CEILING):
        async with open_guardian(stop_signal=signal.SIGTERM, stop_timeout=1):
            (pid,) = children() - before
            await trio.sleep(0.2)  # for its handlers
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
            await trio.sleep(0.1)
            assert is_running(pid)
            assert os.getsid(pid) != os.getsid(0)


async def test_loss_of_the_guardian_is_logged_and_survived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = children()
    with trio.fail_after(CEILING):
        async with open_guardian(stop_signal=signal.SIGTERM, stop_timeout=1) as guardian:
            (pid,) = children() - before
            os.kill(pid, signal.SIGKILL)
            while is_running(pid):  # noqa: ASYNC110
                await trio.sleep(0.01)
            guardian.expect("x")
            guardian.withdraw()
    assert [record.message for record in caplog.records] == [
        "the guardian is gone: a crash would leave the command running"
    ]


async def test_without_an_interpreter_there_is_no_guardian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    async with open_guardian(stop_signal=15, stop_timeout=1) as guardian:
        guardian.expect("x")


def test_mark_is_a_variable_of_ours() -> None:
    assert MARK_VARIABLE.startswith("LOCHKIT_")
