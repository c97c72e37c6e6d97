"""Who starts and who ends the one daemon of zfs-fuse, on programs that only pretend."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import zfs_fuse
from .kernel import is_gone
from .zfs_commands import ZfsFailed, zpool

# Both keep their pools in the file "pools", one name a line; without it no daemon answers.
ZPOOL = """#!/bin/sh
cd {place} || exit
[ -e pools ] || exit 1
case $1 in
list) cat pools ;;
destroy) grep -v "^$2$" pools >left; mv left pools ;;
esac
"""
DAEMON = """#!/bin/sh
cd {place} || exit
echo $$ >>started
: >pools
exec sleep 60
"""


class Machine:
    """A place with the programs, and what they have done."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.pools = place / "pools"

    def install(self, name: str, text: str) -> None:
        program = self.place / name
        program.write_text(text.format(place=self.place))
        program.chmod(0o755)

    @property
    def daemons(self) -> list[int]:
        """The daemons that were ever started."""
        started = self.place / "started"
        return [int(word) for word in started.read_text().split()] if started.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    machine.install("zpool", ZPOOL)
    machine.install("zfs-fuse", DAEMON)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(zfs_fuse, "TURNSTILE", tmp_path / "turnstile")
    monkeypatch.setattr(zfs_fuse, "REGISTER", tmp_path / "register")
    monkeypatch.setattr(zfs_fuse, "_check_host", lambda: None)
    yield machine
    for pid in machine.daemons:
        if not is_gone(pid):
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def test_the_last_user_ends_what_the_first_has_started(machine: Machine) -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(zfs_fuse.daemon())
    second.enter_context(zfs_fuse.daemon())
    (pid,) = machine.daemons
    first.close()
    assert not is_gone(pid)
    second.close()
    assert is_gone(pid)


def test_the_next_user_starts_another(machine: Machine) -> None:
    for _ in range(2):
        with zfs_fuse.daemon():
            pass
        machine.pools.unlink()  # as nobody answers any more
    assert len(machine.daemons) == 2


def test_a_daemon_of_somebody_else_is_left_alone(machine: Machine) -> None:
    machine.pools.write_text("tank\n")
    with zfs_fuse.daemon():
        pass
    assert machine.daemons == []
    assert machine.pools.read_text() == "tank\n"


def test_a_daemon_with_somebodys_pool_is_left_running(machine: Machine) -> None:
    with zfs_fuse.daemon():
        machine.pools.write_text("tank\n")
    (pid,) = machine.daemons
    assert not is_gone(pid)
    machine.pools.write_text("")
    with zfs_fuse.daemon():
        pass
    assert is_gone(pid)


def test_only_an_only_user_destroys_what_was_left_behind(machine: Machine) -> None:
    machine.pools.write_text("tank\nlktest1\nlktest2\n")
    with zfs_fuse.daemon():
        assert zpool("list").split() == ["tank"]
        machine.pools.write_text("tank\nlktest3\n")
        with zfs_fuse.daemon():
            assert zpool("list").split() == ["tank", "lktest3"]


def test_one_that_does_not_start_says_why(machine: Machine) -> None:
    machine.install("zfs-fuse", "#!/bin/sh\necho no fuse for {place}\nexit 3\n")
    with pytest.raises(ZfsFailed, match=f"does not start: no fuse for {machine.place}"):
        zfs_fuse.daemon().__enter__()


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        pytest.param(lambda m: m.setattr("os.geteuid", lambda: 1000), "need root", id="not root"),
        pytest.param(
            lambda m: m.setattr("os.access", lambda path, mode: False), "/dev/fuse", id="no fuse"
        ),
        pytest.param(
            lambda m: m.setattr("shutil.which", lambda name, path: None),
            "zfs-fuse is not installed: .*scripts/servers",
            id="no program",
        ),
    ],
)
def test_what_a_host_lacks_is_named(
    break_it: Callable[[pytest.MonkeyPatch], None], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: f"/sbin/{name}")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.access", lambda path, mode: True)
    break_it(monkeypatch)
    with pytest.raises(ZfsFailed, match=complaint):
        zfs_fuse.daemon().__enter__()
