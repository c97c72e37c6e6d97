"""Passwords come from files and descriptors, and go to files that nobody else can read."""

import json
import os
import stat
from pathlib import Path

import pytest

from lochkit.commands.service_secrets import (
    generated_password,
    read_password,
    write_credentials,
)
from lochkit.discovery.host import Credentials
from lochkit.errors import ConfigError, LochkitError


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b" with spaces \n", " with spaces "),
        ("pässwörd\n".encode(), "pässwörd"),
    ],
)
def test_a_password_from_a_file(tmp_path: Path, content: bytes, password: str) -> None:
    (tmp_path / "p").write_bytes(content)
    assert read_password(str(tmp_path / "p"), None) == password


def test_a_password_from_a_descriptor() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"secret\n")
    os.close(write_end)
    assert read_password(None, read_end) == "secret"
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(read_end)  # it is closed: nobody else is to read it


def test_no_password() -> None:
    assert read_password(None, None) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff\xfe", b"x" * 5000, b"a\0b"])
def test_what_is_no_password_is_refused_and_not_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(ConfigError) as told:
        read_password(str(tmp_path / "p"), None)
    assert "xxxx" not in str(told.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_password(str(tmp_path / "p"), None)
    with pytest.raises(ConfigError, match="descriptor 987"):
        read_password(None, 987)


def test_made_up_passwords_are_long_and_differ() -> None:
    one, other = generated_password(), generated_password()
    assert one != other
    assert len(one) >= 32


def test_a_file_of_credentials(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    write_credentials(path, Credentials("u", "p"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"user": "u", "password": "p"}
    path.chmod(0o640)
    write_credentials(path, Credentials("u", "q"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert json.loads(path.read_text())["password"] == "q"
    assert os.listdir(tmp_path) == ["credentials"]


def test_a_file_that_everybody_could_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.touch(0o644)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="everybody"):
        write_credentials(path, Credentials("u", "p"))
    assert path.read_text() == ""
    with pytest.raises(LochkitError):
        write_credentials(tmp_path / "missing" / "c", Credentials("u", "p"))
