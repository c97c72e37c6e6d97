"""Single files: whole under their name or not there, and errors that say what to do."""

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.errors import ConfigError
from lochkit.io import durable
from lochkit.io.durable import (
    Access,
    access_of,
    chunks,
    forget,
    forget_begun,
    holds,
    replace_file,
    replace_link,
    write_new,
)
from lochkit.io.faults import InstallError, install_error

from .hostile_disk import LIMIT, own_disk, read_only, small_disk


def test_a_file_is_written_with_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "file"
    umask = os.umask(0o777)
    try:
        found = write_new(path, [b"some", b"", b"thing"], Access(0o604))
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"something"
    assert (stat.S_IMODE(found.st_mode), found.st_size) == (0o604, 9)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(InstallError, match="File exists"):
        write_new(path, [b"new"], Access(0o644))
    assert path.read_bytes() == b"old"


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=60),
    most=st.integers(1, 50),
    batch=st.integers(1, 9),
)
def test_what_the_kernel_takes_in_parts_is_written_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], most: int, batch: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "in-parts"
    path.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "writev", lambda fd, parts: os.write(fd, b"".join(parts)[:most]))
        patch.setattr(durable, "_AT_ONCE", batch)
        write_new(path, pieces, Access(0o644), sync=False)
    assert path.read_bytes() == b"".join(pieces)
    assert holds(path, pieces)
    assert holds(path, [b"".join(pieces)])
    assert not holds(path, [*pieces, b"x"])
    if any(pieces):
        assert not holds(path, [bytes(byte ^ 1 for byte in b"".join(pieces))])


def test_more_pieces_than_the_kernel_takes_at_once(tmp_path: Path) -> None:
    write_new(tmp_path / "file", [b"%d," % number for number in range(5000)], Access(0o644))
    assert (tmp_path / "file").read_bytes().count(b",") == 5000


def test_nothing_is_left_of_a_file_that_does_not_fit(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(InstallError, match=r"make room|raise the limit"):
            write_new(disk / "file", [b"x" * LIMIT, b"x" * LIMIT], Access(0o644))
        assert list(disk.iterdir()) == []


def test_a_file_is_replaced_as_a_whole_with_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, [b"one"], Access(0o600))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    before = path.open("rb")
    with before:
        replace_file(path, [b"two"])
        assert before.read() == b"one", "who had it open reads on"
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    with own_disk(tmp_path / "disk") as disk:
        replace_file(disk / "file", [b"one"])
        with read_only(disk), pytest.raises(InstallError):
            replace_file(disk / "file", [b"two"])
        assert (disk / "file").read_bytes() == b"one"
        assert [found.name for found in disk.iterdir()] == ["file"]


def test_a_directory_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="a directory is in the way"):
        replace_file(tmp_path / "there", [b"x"])
    with pytest.raises(ConfigError, match="a directory is in the way"):
        replace_link(tmp_path / "there", "elsewhere")
    assert [found.name for found in tmp_path.iterdir()] == ["there"]


def test_a_link_takes_the_place_of_anything_else(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"x")
    replace_link(tmp_path / "name", "one")
    replace_link(tmp_path / "name", "two")
    assert os.readlink(tmp_path / "name") == "two"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert not holds(tmp_path / "none", [])
    assert access_of(tmp_path / "none") is None
    assert list(chunks(tmp_path / "none")) == []
    assert forget(tmp_path / "none")


def test_a_file_that_shrinks_while_it_is_compared(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "read", lambda fd, size: b"")
        assert not holds(tmp_path / "file", [b"abc"])


def test_what_can_not_be_removed_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not forget(tmp_path)
    assert "can not remove" in caplog.text


@pytest.mark.parametrize(
    ("number", "kind", "advice"),
    [
        (errno.ENOSPC, InstallError, "No space left on device; make room"),
        (errno.EDQUOT, InstallError, "quota"),
        (errno.EFBIG, InstallError, "LimitFSIZE"),
        (errno.EROFS, InstallError, "mount it writable"),
        (errno.ENOENT, InstallError, "create the directory"),
        (errno.EIO, InstallError, "the disk is failing"),
        (errno.EACCES, InstallError, r"give user \d+ the right to write in /etc/dhcp"),
        (errno.EPERM, InstallError, r"give user \d+"),
        (errno.EMFILE, InstallError, "LimitNOFILE"),
        (errno.EBUSY, InstallError, "busy$"),
        (errno.EISDIR, ConfigError, "a directory is in the way"),
        (errno.ENOTDIR, ConfigError, "not a directory"),
        (errno.ELOOP, ConfigError, "circle"),
        (errno.ENAMETOOLONG, ConfigError, "too long"),
    ],
)
def test_an_error_says_where_what_and_what_to_do(
    number: int, kind: type[Exception], advice: str
) -> None:
    error = install_error(OSError(number, "x"), "can not write", Path("/etc/dhcp/guests.conf"))
    with pytest.raises(kind, match="can not write /etc/dhcp/guests.conf: .*" + advice):
        raise error


def test_an_error_without_a_number_keeps_its_text() -> None:
    error = install_error(OSError("odd"), "can not write", Path("x"))
    assert str(error) == "can not write x: odd"


def test_what_was_begun_of_a_file_is_forgotten(tmp_path: Path) -> None:
    (path := tmp_path / "a[b].json").touch()
    others = [tmp_path / name for name in (".other.lochkit-1", ".ab.json.lochkit-1", ".a[b].json")]
    for other in (*others, tmp_path / f".{path.name}.lochkit-12", tmp_path / ".a[b].json.lochkit-"):
        other.touch()
    forget_begun(path)
    assert set(tmp_path.iterdir()) == {path, *others}
    forget_begun(tmp_path / "missing" / "x")
