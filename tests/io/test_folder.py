"""A directory with many small files of ours, and some of others."""

import errno
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.errors import ConfigError
from lochkit.io import folder
from lochkit.io.faults import InstallError
from lochkit.io.folder import FileFolder, FolderChange

from .hostile_disk import LIMIT, own_disk, read_only, small_disk


def ours(name: str) -> bool:
    return re.fullmatch(r"host-[0-9]+", name) is not None


def read(path: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in path.iterdir()}


def test_the_directory_holds_what_is_wanted_and_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "host-1").write_bytes(b"same")
    (tmp_path / "host-2").write_bytes(b"old")
    (tmp_path / "host-3").write_bytes(b"to go")
    (tmp_path / "README").write_bytes(b"theirs")
    (tmp_path / ".host-9.lochkit-0123").write_bytes(b"of a killed process")
    before = (tmp_path / "host-1").stat()
    change = FileFolder(tmp_path, ours).sync({"host-1": b"same", "host-2": b"new", "host-4": b"4"})
    assert change == FolderChange(
        written=2,
        removed=1,
        undo={"host-2": b"old", "host-3": b"to go", "host-4": None},
        foreign=("README",),
    )
    assert read(tmp_path) == {
        "host-1": b"same",
        "host-2": b"new",
        "host-4": b"4",
        "README": b"theirs",
    }
    assert os.path.samestat(before, (tmp_path / "host-1").stat()), "not written again"


def test_our_files_are_counted(tmp_path: Path) -> None:
    files = FileFolder(tmp_path, ours)
    (tmp_path / "README").write_bytes(b"theirs")
    (tmp_path / ".host-9.lochkit-0123").write_bytes(b"of a killed process")
    assert files.count() == 0
    files.sync({"host-1": b"1", "host-2": b"2"})
    assert files.count() == 2
    with pytest.raises(InstallError, match="create the directory"):
        FileFolder(tmp_path / "later", ours).count()


def test_a_change_can_be_undone(tmp_path: Path) -> None:
    files = FileFolder(tmp_path, ours)
    files.sync({"host-1": b"1", "host-2": b"2"})
    before = read(tmp_path)
    change = files.apply({"host-1": b"one", "host-2": None, "host-3": b"3", "host-4": None})
    assert (change.written, change.removed) == (2, 1)
    assert read(tmp_path) == {"host-1": b"one", "host-3": b"3"}
    files.apply(change.undo)
    assert read(tmp_path) == before


def test_what_is_as_wanted_is_not_touched(tmp_path: Path) -> None:
    files = FileFolder(tmp_path, ours)
    files.apply({"host-1": b"1"})
    before = tmp_path.stat().st_mtime_ns
    assert files.apply({"host-1": b"1", "host-2": None}) == FolderChange()
    assert tmp_path.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["README", "host-1/../x", ".host-1", "", "host-x"])
def test_what_is_not_ours_can_not_be_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / "README").write_bytes(b"theirs")
    with pytest.raises(ValueError, match="not the name of one of our files"):
        FileFolder(tmp_path, ours).apply({"host-1": b"x", name: None})
    assert read(tmp_path) == {"README": b"theirs"}


def test_a_name_with_a_slash_or_a_dot_is_never_ours(tmp_path: Path) -> None:
    for name in ("a/b", ".hidden"):
        with pytest.raises(ValueError, match="not the name"):
            FileFolder(tmp_path, lambda _: True).apply({name: b"x"})


def test_mode_and_owner_are_kept(tmp_path: Path) -> None:
    files = FileFolder(tmp_path, ours, 0o640)
    files.apply({"host-1": b"1", "host-2": b"2"})
    (tmp_path / "host-1").chmod(0o600)
    files.apply({"host-1": b"one", "host-2": b"two"})
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("host-1", "host-2")]
    assert modes == [0o600, 0o640]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "host-1").symlink_to("elsewhere")
    FileFolder(tmp_path, ours).apply({"host-1": b"1"})
    assert not (tmp_path / "host-1").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "host-1").symlink_to("elsewhere")
    (tmp_path / "host-2").symlink_to("nowhere")
    FileFolder(tmp_path, ours).sync({})
    assert sorted(os.listdir(tmp_path)) == ["elsewhere"]


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_something_else_under_our_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "host-1"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(ConfigError, match="what is there is no file"):
        FileFolder(tmp_path, ours).apply({"host-1": b"1", "host-2": b"2"})
    assert os.listdir(tmp_path) == ["host-1"]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    files = FileFolder(tmp_path / "later", ours)
    for changes in ({"host-1": b"x"}, {"host-1": None}):
        with pytest.raises(InstallError, match="create the directory"):
            files.apply(changes)
    with pytest.raises(InstallError, match="create the directory"):
        files.sync({})


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        files = FileFolder(disk, ours)
        files.sync({"host-1": b"1", "host-2": b"2"})
        with pytest.raises(InstallError):
            files.apply({"host-1": b"one", "host-2": None, "host-3": b"x" * (LIMIT + 1)})
        assert read(disk) == {"host-1": b"1", "host-2": b"2"}


def test_a_read_only_directory_changes_nothing(tmp_path: Path) -> None:
    with own_disk(tmp_path / "disk") as disk:
        files = FileFolder(disk, ours)
        files.sync({"host-1": b"1", "host-2": b"2"})
        with read_only(disk):
            for changes in ({"host-1": b"one"}, {"host-2": None}):
                with pytest.raises(InstallError):
                    files.apply(changes)
        assert read(disk) == {"host-1": b"1", "host-2": b"2"}


@pytest.mark.parametrize("failing", range(1, 5))
def test_a_change_that_fails_half_way_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    files = FileFolder(tmp_path, ours)
    files.sync({"host-1": b"1", "host-2": b"2", "host-3": b"3"})
    calls = [0]

    def counted(function: object) -> object:
        def call(*args: object, **more: object) -> object:
            calls[0] += 1
            if calls[0] == failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return function(*args, **more)  # type: ignore[operator]

        return call

    monkeypatch.setattr(os, "unlink", counted(os.unlink))
    monkeypatch.setattr(os, "replace", counted(os.replace))
    with pytest.raises(InstallError, match="Input/output"):
        files.apply({"host-1": None, "host-2": b"two", "host-3": None, "host-4": b"4"})
    assert read(tmp_path) == {"host-1": b"1", "host-2": b"2", "host-3": b"3"}


@pytest.mark.parametrize("has_syncfs", [True, False])
def test_many_files_are_synced_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_syncfs: bool
) -> None:
    if not has_syncfs:
        monkeypatch.setattr("ctypes.CDLL", lambda *args, **more: object())
        monkeypatch.setattr(os, "sync", lambda: None)
    wanted = {f"host-{number}": b"%d" % number for number in range(3 * folder._FEW)}
    files = FileFolder(tmp_path, ours)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    assert files.sync(wanted).written == len(wanted)
    assert len(synced) == 1, "the directory"
    assert read(tmp_path) == wanted
    assert files.sync({}).removed == len(wanted)


def test_a_file_system_that_can_not_be_synced(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        folder._sync_file_system(-1)


CONTENTS = st.dictionaries(
    st.integers(1, 6).map("host-{}".format), st.none() | st.binary(max_size=3), max_size=6
)


@given(st.lists(CONTENTS, max_size=6), st.booleans())
def test_any_changes(
    tmp_path_factory: pytest.TempPathFactory,
    rounds: list[Mapping[str, bytes | None]],
    at_once: bool,
) -> None:
    path = tmp_path_factory.mktemp("any")
    files, wanted = FileFolder(path, ours), dict[str, bytes]()
    for changes in rounds:
        before = read(path)
        for name, content in changes.items():
            wanted.pop(name, None)
            if content is not None:
                wanted[name] = content
        change = files.sync(wanted) if at_once else files.apply(changes)
        assert read(path) == wanted
        files.apply(change.undo)
        assert read(path) == before
        files.apply(changes)


@pytest.mark.slow
def test_a_change_costs_the_same_among_many_files(tmp_path: Path) -> None:
    def cost(count: int) -> float:
        path = tmp_path / str(count)
        path.mkdir()
        for number in range(count):
            (path / f"host-{number}").touch()
        files = FileFolder(path, ours)
        took = []
        for number in range(40):
            began = perf_counter()
            files.apply({f"host-{number}": b"x"})
            took.append(perf_counter() - began)
        return sorted(took)[5]

    few, many = cost(100), cost(10_000)
    assert many < 5 * few + 0.002
