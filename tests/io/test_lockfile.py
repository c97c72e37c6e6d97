"""One process at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lochkit.io.faults import InstallError
from lochkit.io.lockfile import LockFile, LockHeld

HOLDER = """
import sys, time
from pathlib import Path
from lochkit.io.lockfile import LockFile
lock = LockFile(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_who_has_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    mine, other = LockFile(path), LockFile(path)
    mine.acquire()
    assert mine.held
    with pytest.raises(LockHeld, match=f"locked by process {os.getpid()}") as caught:
        other.acquire()
    assert caught.value.pid == os.getpid()
    assert not other.held
    mine.release()
    mine.release()
    other.acquire()
    other.release()
    assert path.read_text() == f"{os.getpid()}\n"


def test_it_is_taken_once(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "lock")
    lock.acquire()
    with pytest.raises(RuntimeError, match="ours already"):
        lock.acquire()
    lock.release()


@pytest.mark.parametrize("content", ["", "12 monkeys", "-3"])
def test_a_holder_that_does_not_say_who_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock"
    lock = LockFile(path)
    lock.acquire()
    path.write_text(content)
    with pytest.raises(LockHeld, match="another process") as caught:
        LockFile(path).acquire()
    assert caught.value.pid is None
    lock.release()


def test_it_ends_with_a_killed_holder_and_children_do_not_have_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "toolkit")}
    argv = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(LockHeld) as caught:
                LockFile(path).acquire()
            assert caught.value.pid == holder.pid
        finally:
            holder.kill()
    lock = LockFile(path)
    lock.acquire()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        try:
            lock.release()
            LockFile(path).acquire()
        finally:
            child.kill()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("elsewhere")
    with pytest.raises(Exception, match="can not lock"):
        LockFile(tmp_path / "lock").acquire()
    assert not (tmp_path / "elsewhere").exists()


def test_its_directory_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="create the directory"):
        LockFile(tmp_path / "none" / "lock").acquire()
