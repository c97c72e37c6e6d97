"""``lochkit etcdwatch`` as a process: stopped at many moments, by many signals, it leaves nothing.

A driver process is the real program but for etcd, in whose place it has a store that changes all
the time. Its command starts a process of its own, so there is always a grandchild to forget. All
carry a mark in their environment, and the guardian has one among its arguments.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands.left_behind import left_behind

ROOT = Path(__file__).parents[2]
CEILING = 15

DRIVER = """
import sys
from contextlib import asynccontextmanager
import trio
from lochkit.__main__ import main
from lochkit.commands import etcdwatch
from tests.commands.playing_store import PlayingStore

@asynccontextmanager
async def open_store(options):
    store = PlayingStore({"/a": "0", "/b": "x" * 1000})
    async def change():
        number = 0
        while True:
            number += 1
            store.put("/a", str(number))
            await trio.sleep(0.02)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(change)
        yield store
        nursery.cancel_scope.cancel()

etcdwatch.open_store = open_store
sys.exit(main())
"""

# Its stop timeout is in the guardian's arguments, and so tells it from others. It ends in a
# one because a number's last zeros are not written again.
STOP_TIMEOUT = "1.{}1"


class Driven:
    """One such process."""

    def __init__(
        self, directory: Path, *argv: str, before: tuple[str, ...] = (), stdin: int | None = None
    ) -> None:
        self.mark = uuid.uuid4().hex
        self.stop_timeout = STOP_TIMEOUT.format(int(self.mark[:8], 16))
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        environ = os.environ | {
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "toolkit"), str(ROOT), *filter(None, sys.path)]
            ),
            "DRIVEN": self.mark,
            "TMPDIR": str(self.temporary),
        }
        words = [sys.executable, "-c", DRIVER, "etcdwatch", "--stop-timeout", self.stop_timeout]
        self.process = subprocess.Popen(
            [*before, *words, *argv],
            env=environ,
            cwd=directory,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def left(self) -> set[int]:
        """Return the ids of the processes that are still there, but the driver's own."""
        return left_behind(self.mark, self.stop_timeout, self.process.pid)

    def stop(self, number: signal.Signals) -> tuple[int, float]:
        """Send a signal; return the exit code, and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(CEILING), time.monotonic() - began


@contextmanager
def driven(
    directory: Path, *argv: str, before: tuple[str, ...] = (), stdin: int | None = None
) -> Iterator[Driven]:
    it = Driven(directory, *argv, before=before, stdin=stdin)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.wait()
        for pid in it.left():
            os.kill(pid, signal.SIGKILL)


def eventually(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + CEILING
    while time.monotonic() < give_up:
        if condition():
            return True
        time.sleep(0.005)
    return False


SLEEPER = ["sh", "-c", "echo >started; sleep 60 & wait"]
QUICK = ["sh", "-c", "echo >started; cat >/dev/null & wait"]


# Moments of the start, counted in hundredths of a second, and of the middle of many short runs.
@pytest.mark.slow
@pytest.mark.parametrize("command", [SLEEPER, QUICK], ids=["sleeper", "quick"])
@pytest.mark.parametrize(
    "hundredths", [0, 10, 20, 30, 35, 40, 45, 50, 55, 60, 65, 70, 80, 100, 133, 166]
)
def test_term_at_any_moment_leaves_nothing(
    hundredths: int, command: list[str], tmp_path: Path
) -> None:
    with driven(tmp_path, "--quiet-time", "0", "--on-busy", "restart", "--", *command) as it:
        time.sleep(hundredths / 100)
        _, seconds = it.stop(signal.SIGTERM)
        assert seconds < 5
        assert it.left() == set()
        assert list(it.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130)],
)
def test_signal_in_a_run_stops_the_command_and_tells_how(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with driven(tmp_path, "--quiet-time", "0", "--", *SLEEPER) as it:
        assert eventually((tmp_path / "started").exists)
        ended, seconds = it.stop(number)
        assert (ended, seconds < 5) == (code, True)
        assert it.left() == set()


def test_command_that_stops_orderly_gives_its_own_code(tmp_path: Path) -> None:
    script = "trap 'exit 7' TERM; echo >started; while :; do sleep 0.01; done"
    with driven(tmp_path, "--quiet-time", "0", "--", "sh", "-c", script) as it:
        assert eventually((tmp_path / "started").exists)
        assert it.stop(signal.SIGTERM)[0] == 7


def test_term_between_runs_is_0(tmp_path: Path) -> None:
    argv = ["--quiet-time", "0", "--wait-index", "1000000", "--", *QUICK]
    with driven(tmp_path, *argv) as it:
        assert eventually(lambda: bool(it.left()))  # the guardian
        time.sleep(0.3)
        assert it.stop(signal.SIGTERM)[0] == 0
        assert it.left() == set()


def test_command_that_ignores_everything_is_killed_in_time(tmp_path: Path) -> None:
    script = "trap '' TERM INT HUP; echo >started; while :; do sleep 0.01; done"
    with driven(tmp_path, "--quiet-time", "0", "--", "sh", "-c", script) as it:
        assert eventually((tmp_path / "started").exists)
        code, seconds = it.stop(signal.SIGTERM)
        assert (code, seconds < 5) == (137, True)
        assert it.left() == set()


def test_second_term_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    script = "trap '' TERM; echo >started; while :; do sleep 0.01; done"
    argv = ["--quiet-time", "0", "--stop-timeout", "60", "--", "sh", "-c", script]
    with driven(tmp_path, *argv) as it:
        assert eventually((tmp_path / "started").exists)
        it.process.send_signal(signal.SIGTERM)
        time.sleep(0.7)
        code, seconds = it.stop(signal.SIGTERM)
        assert (code, seconds < 2) == (143, True)
        assert eventually(lambda: it.left() == set())


def test_hang_up_without_a_terminal_is_for_the_command(tmp_path: Path) -> None:
    script = "trap 'echo >hup' HUP; echo >started; while :; do sleep 0.01; done"
    with driven(tmp_path, "--quiet-time", "0", "--", "sh", "-c", script) as it:
        assert eventually((tmp_path / "started").exists)
        it.process.send_signal(signal.SIGHUP)
        assert eventually((tmp_path / "hup").exists)
        assert it.process.poll() is None


TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_closed_terminal_is_the_end(tmp_path: Path) -> None:
    master, slave = os.openpty()
    before = (sys.executable, "-c", TAKE_TERMINAL)
    with driven(tmp_path, "--quiet-time", "0", "--", *SLEEPER, before=before, stdin=slave) as it:
        os.close(slave)
        assert eventually((tmp_path / "started").exists)
        assert it.process.poll() is None
        os.close(master)
        assert it.process.wait(CEILING) == 143
        assert it.left() == set()


@pytest.mark.parametrize("milliseconds", [0, 3, 50, 200])
def test_crash_leaves_nothing(milliseconds: int, tmp_path: Path) -> None:
    with driven(tmp_path, "--quiet-time", "0", "--on-busy", "restart", "--", *SLEEPER) as it:
        assert eventually((tmp_path / "started").exists)
        time.sleep(milliseconds / 1000)
        it.process.kill()
        it.process.wait(CEILING)
        assert eventually(lambda: it.left() == set())
        assert list(it.temporary.iterdir()) == []
