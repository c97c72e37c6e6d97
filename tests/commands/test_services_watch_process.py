"""``lochkit services watch -- CMD`` as a process: whatever ends it, it leaves nothing behind.

Its command starts a process of its own, so there is always a grandchild to forget. All carry a mark
in their environment, and the guardian has one among its arguments.
"""

import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.commands.left_behind import left_behind
from tests.commands.servicing import RegistryBench
from tests.etcd.real import until
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
LIMIT = 30
SLEEPER = ("sh", "-c", "echo >started; sleep 60 & wait")
STUBBORN = ("sh", "-c", "trap '' TERM INT HUP; echo >started; while :; do sleep 0.01; done")
ORDERLY = ("sh", "-c", "trap 'exit 7' TERM; echo >started; while :; do sleep 0.01; done")


class Driven:
    """One such process.

    Attributes:
        process: the process.
        stop_timeout: unlike anybody else's, so that it marks the guardian.
    """

    def __init__(self, process: trio.Process, mark: str, stop_timeout: str) -> None:
        self.process = process
        self.stop_timeout = stop_timeout
        self._mark = mark

    def left(self) -> set[int]:
        """The ids of the processes that are still there, but its own."""
        return left_behind(self._mark, self.stop_timeout, self.process.pid)

    async def stop(self, number: signal.Signals) -> tuple[int, float]:
        """Send a signal; the exit code, and the seconds it took."""
        began = trio.current_time()
        self.process.send_signal(number)
        with trio.fail_after(LIMIT):
            code = await self.process.wait()
        return code, trio.current_time() - began


@asynccontextmanager
async def driven(server: EtcdServer, directory: Path, *words: str) -> AsyncIterator[Driven]:
    registry = RegistryBench(server.endpoint)
    mark = uuid.uuid4().hex
    stop_timeout = f"1.{int(mark[:8], 16)}1"
    process = await trio.lowlevel.open_process(
        registry.argv("watch", "--stop-timeout", stop_timeout, *words),
        env={**registry.environ, "DRIVEN": mark},
        cwd=directory,
        stdin=-3,
        stdout=-3,
        stderr=-3,
        start_new_session=True,
    )
    it = Driven(process, mark, stop_timeout)
    try:
        yield it
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
        for pid in it.left():
            os.kill(pid, signal.SIGKILL)


async def started(directory: Path) -> None:
    await until(LIMIT, (directory / "started").exists)
    assert (directory / "started").exists()


@pytest.mark.parametrize(
    ("number", "command", "code"),
    [
        (signal.SIGTERM, SLEEPER, 143),
        (signal.SIGINT, SLEEPER, 130),
        (signal.SIGHUP, SLEEPER, 143),
        (signal.SIGTERM, ORDERLY, 7),
        (signal.SIGTERM, STUBBORN, 137),
    ],
    ids=["TERM", "INT", "HUP", "orderly", "stubborn"],
)
async def test_signal_in_a_run_stops_the_command_and_tells_how(
    one_etcd: EtcdServer,
    tmp_path: Path,
    number: signal.Signals,
    command: tuple[str, ...],
    code: int,
) -> None:
    async with driven(one_etcd, tmp_path, "--", *command) as it:
        await started(tmp_path)
        ended, seconds = await it.stop(number)
        assert (ended, seconds < 5) == (code, True)
        assert it.left() == set()


async def test_term_between_runs_is_0(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with driven(one_etcd, tmp_path, "web", "--", "sh", "-c", "echo >started") as it:
        await started(tmp_path)
        await trio.sleep(0.5)
        assert (await it.stop(signal.SIGTERM))[0] == 0
        assert it.left() == set()


async def test_a_second_term_ends_at_once_and_leaves_nothing(
    one_etcd: EtcdServer, tmp_path: Path
) -> None:
    words = ("--stop-timeout", "60", "--", *STUBBORN)
    async with driven(one_etcd, tmp_path, *words) as it:
        await started(tmp_path)
        it.process.send_signal(signal.SIGTERM)
        await trio.sleep(0.7)
        code, seconds = await it.stop(signal.SIGTERM)
        assert (code, seconds < 2) == (143, True)
        await until(LIMIT, lambda: it.left() == set())
        assert it.left() == set()


async def test_a_run_that_takes_too_long_leaves_nothing(
    one_etcd: EtcdServer, tmp_path: Path
) -> None:
    async with driven(one_etcd, tmp_path, "--once", "--timeout", "1", "--", *SLEEPER) as it:
        with trio.fail_after(LIMIT):
            assert await it.process.wait() == 124
        assert it.left() == set()


@pytest.mark.parametrize("milliseconds", [0, 3, 200])
async def test_a_crash_leaves_nothing(
    one_etcd: EtcdServer, tmp_path: Path, milliseconds: int
) -> None:
    async with driven(one_etcd, tmp_path, "--", *SLEEPER) as it:
        await started(tmp_path)
        await trio.sleep(milliseconds / 1000)
        it.process.kill()
        await it.process.wait()
        await until(LIMIT, lambda: it.left() == set())
        assert it.left() == set()
