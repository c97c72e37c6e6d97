"""``lochkit etcdwatch --etcd embedded`` as an operator starts and stops it: nothing is left."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.servers.kernel import live_processes_in
from tests.servers.workspace import workspace

pytestmark = pytest.mark.real_etcd

STOP_SECONDS = 5.0
SEED = 20


@pytest.fixture
def place() -> Iterator[Path]:
    """Working directory of lochkit; etcd's is ``d`` below it."""
    with workspace() as root:
        yield root
        assert live_processes_in(root) == live_processes_in(root / "d") == []


async def start(place: Path, *command: str) -> trio.Process:
    options = ("--etcd", "embedded", "--data-dir", "d", "--quiet-time", "0")
    return await trio.lowlevel.open_process(
        [sys.executable, "-m", "lochkit", "etcdwatch", *options, "--", *command],
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(place)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


async def existing(path: Path) -> None:
    with trio.fail_after(20):
        while not await trio.Path(path).exists():  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_it_starts_and_stops(place: Path) -> None:
    process = await start(place, "touch", "ran")
    await existing(place / "ran")
    process.terminate()
    with trio.fail_after(STOP_SECONDS):
        assert await process.wait() == 0
    assert names_in(place) == {"d", "ran"}
    assert names_in(place / "d") == {"data", "lock", "version"}


@pytest.mark.slow
async def test_a_stop_at_any_moment_is_complete(place: Path) -> None:
    """One that comes before Python itself has finished starting kills it: there is no child yet."""
    dice = random.Random(SEED)
    for _ in range(15):
        process = await start(place, "sleep", "60")
        await trio.sleep(dice.uniform(0, 1.2))
        process.terminate()
        with trio.fail_after(STOP_SECONDS):
            code = await process.wait()
        assert code in (0, 143, -signal.SIGTERM)  # 143: the command's own
        assert live_processes_in(place) == live_processes_in(place / "d") == []
        assert names_in(place) <= {"d"}


async def test_a_crash_leaves_nobody(place: Path) -> None:
    process = await start(place, "sh", "-c", "touch ran; exec sleep 60")
    await existing(place / "ran")
    process.kill()
    await process.wait()
    with trio.fail_after(STOP_SECONDS):
        while live_processes_in(place) or live_processes_in(place / "d"):  # noqa: ASYNC110
            await trio.sleep(0.02)
