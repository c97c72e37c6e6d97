"""The embedded etcd's decisions: where it lives, what it may see, and what of its log matters."""

import logging
import os
from pathlib import Path

import pytest

from lochkit.errors import ConfigError
from lochkit.etcd.embedded_binary import parse_version
from lochkit.etcd.embedded_log import LastWords, parse_line
from lochkit.etcd.embedded_place import default_directory, prepare_place
from lochkit.etcd.embedded_server import child_environment


@pytest.mark.parametrize(
    ("environ", "uid", "expected"),
    [
        ({}, 0, "/var/lib/lochkit/etcd"),
        ({}, 1000, "/home/amy/.local/state/lochkit/etcd"),
        ({"XDG_STATE_HOME": "/state"}, 1000, "/state/lochkit/etcd"),
        ({"XDG_STATE_HOME": "state"}, 1000, "/home/amy/.local/state/lochkit/etcd"),
        ({"XDG_STATE_HOME": "/state"}, 0, "/var/lib/lochkit/etcd"),
        ({"STATE_DIRECTORY": "/var/lib/x:/var/lib/y"}, 0, "/var/lib/x/etcd"),
        ({"STATE_DIRECTORY": "/var/lib/x"}, 1000, "/var/lib/x/etcd"),
    ],
)
def test_where_it_lives(environ: dict[str, str], uid: int, expected: str) -> None:
    assert default_directory(environ, uid=uid, home=Path("/home/amy")) == Path(expected)


def test_without_a_home_a_directory_must_be_named() -> None:
    with pytest.raises(ConfigError, match="--data-dir"):
        default_directory({}, uid=1000, home=None)


def test_a_new_directory_is_private(tmp_path: Path) -> None:
    place = prepare_place(str(tmp_path / "a/b"))
    assert place.directory.stat().st_mode & 0o777 == 0o700
    assert place.endpoint == f"unix://{tmp_path}/a/b/client:0"


def test_a_relative_directory_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare_place("d").directory == tmp_path / "d"


def test_the_default_directory_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert prepare_place(None).directory == tmp_path / "etcd"
    assert (tmp_path / "etcd").is_dir()


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match="others may write"):
        prepare_place(str(tmp_path))


def test_somebody_elses_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="another user"):
        prepare_place(str(tmp_path))


def test_a_file_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(ConfigError, match="File exists"):
        prepare_place(str(tmp_path / "f"))


@pytest.mark.parametrize(("length", "fits"), [(98, True), (99, False)])
def test_a_name_must_leave_room_for_a_socket(length: int, fits: bool) -> None:
    # 107 bytes hold the directory, a slash and "client:0".
    name = "/dev/null/" + "x" * (length - 10)
    with pytest.raises(ConfigError) as caught:  # either way nothing is made under /dev/null
        prepare_place(name)
    assert ("too long" in str(caught.value)) is not fits


def test_a_comma_would_make_two_endpoints(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="comma"):
        prepare_place(str(tmp_path / "a,b"))


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.5.1\n", (3, 5, 1)), ("3.5.1", None), ("", None), ("\n", None), ("3.x.1\n", None)],
)
def test_the_datas_version_is_known_or_not(
    tmp_path: Path, text: str, version: tuple[int, int, int] | None
) -> None:
    place = prepare_place(str(tmp_path / "d"))
    assert place.written_by() is None
    (place.directory / "version").write_text(text)
    assert place.written_by() == version
    place.record_version("3.4.23")
    assert place.written_by() == (3, 4, 23)


def test_one_lock_holder_at_a_time(tmp_path: Path) -> None:
    place = prepare_place(str(tmp_path / "d"))
    with place.try_lock() as first:
        assert first is not None
        with place.try_lock() as second:
            assert second is None
        heir = os.dup(first)  # as a child has it
    with place.try_lock() as third:
        assert third is None
    os.close(heir)
    with place.try_lock() as fourth:
        assert fourth is not None


def test_a_child_sees_neither_secrets_nor_orders() -> None:
    ours = {
        "PATH": "/bin",
        "ETCD_LISTEN_CLIENT_URLS": "http://0.0.0.0:2379",
        "ETCDCTL_PASSWORD": "secret",
        "LOCHKIT_ETCD": "embedded",
        "NOTIFY_SOCKET": "/run/systemd/notify",
    }
    assert child_environment(ours, machine="x86_64") == {"PATH": "/bin"}
    assert child_environment({}, machine="aarch64") == {"ETCD_UNSUPPORTED_ARCH": "arm64"}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("etcd Version: 3.4.23\nGit SHA: x\n", (3, 4, 23)),
        ("etcd Version: 3.6.0-rc.2\n", (3, 6, 0)),
        ("warning\netcd Version: 3.5.1\n", (3, 5, 1)),
        ("etcd Version: new\n", None),
        ("", None),
    ],
)
def test_versions(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        (b'{"level":"info","msg":"serving"}\n', logging.DEBUG, "serving"),
        (b'{"level":"warn","msg":"slow"}', logging.WARNING, "slow"),
        (b'{"level":"fatal","msg":"no","error":"disk"}', logging.ERROR, "no: disk"),
        (b'{"level":"odd","msg":"x"}', logging.DEBUG, "x"),
        (b"panic: oh", logging.INFO, "panic: oh"),
        (b"[1]", logging.INFO, "[1]"),
        (b"\xff{", logging.INFO, "\ufffd{"),
        (b"", logging.INFO, ""),
        (b"x" * 1000, logging.INFO, "x" * 400),
        (b"[" * 60_000, logging.INFO, "[" * 400),
    ],
)
def test_lines(line: bytes, level: int, message: str) -> None:
    assert parse_line(line)[:2] == (level, message)


def test_noise_is_a_detail() -> None:
    line = b'{"level":"warn","msg":"simple token is not cryptographically signed"}'
    assert parse_line(line).level == logging.DEBUG


def test_last_words_prefer_complaints_and_are_few() -> None:
    words = LastWords()
    assert str(words) == "it said nothing"
    for number in range(100):
        words.hear(parse_line(b'{"level":"info","msg":"line %d"}' % number))
    assert words.complaints == ""
    assert str(words) == " | ".join(f"line {number}" for number in range(94, 100))
    words.hear(parse_line(b'{"level":"fatal","msg":"no room"}'))
    words.hear(parse_line(b'{"level":"info","msg":"bye"}'))
    assert words.complaints == str(words) == "no room"
