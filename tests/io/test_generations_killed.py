"""Whatever interrupts an install, and wherever: the old set is in force, or the new one."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "toolkit"
STEPS = Path(__file__).with_name("install_steps.py")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A directory where to sync takes no time: a thousand installs are made in it."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="lochkit-test-", dir=shared) as path:
        yield Path(path)


def run(directory: Path, how: str, what: str) -> str:
    """Run the experiment in a process of its own, which may fork."""
    done = subprocess.run(
        [sys.executable, str(STEPS), str(directory), how, what],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"},
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.slow
def test_200_kills_at_random_moments_leave_a_whole_set(tmp_path: Path) -> None:
    assert "200 kills" in run(tmp_path, "random", "200")


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["adopt", "again", "readopt", "prune"])
def test_a_kill_before_any_step_leaves_a_whole_set(memory: Path, scenario: str) -> None:
    assert "steps" in run(memory, "kill", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["adopt", "again", "readopt", "prune"])
def test_any_step_may_fail_once(memory: Path, scenario: str) -> None:
    assert "steps" in run(memory, "fail", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["adopt", "again", "readopt", "prune"])
def test_everything_may_fail_from_any_step_on(memory: Path, scenario: str) -> None:
    assert "steps" in run(memory, "break", scenario)
