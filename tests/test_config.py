"""The configuration file: every fault found at once, with file and path, and no coercion."""

from pathlib import Path

import pytest

from lochkit import config
from lochkit.errors import ConfigError
from lochkit.etcd_options import EtcdOptions
from lochkit.logs import LogOptions

from .sample_command import SampleOptions

FILES = Path(__file__).parent / "config"
TABLES = {"log": lambda: LogOptions, "etcd": lambda: EtcdOptions, "sample": lambda: SampleOptions}


@pytest.mark.parametrize("path", sorted((FILES / "valid").glob("*.toml")), ids=lambda p: p.stem)
def test_valid_files_load(path: Path) -> None:
    config.load(str(path), TABLES)


@pytest.mark.parametrize("path", sorted((FILES / "invalid").glob("*.toml")), ids=lambda p: p.stem)
def test_invalid_files_say_everything_that_is_wrong(path: Path) -> None:
    expected = [
        f"{path}: {line.removeprefix('#: ')}"
        for line in path.read_text().splitlines()
        if line.startswith("#: ")
    ]
    with pytest.raises(ConfigError) as caught:
        config.load(str(path), TABLES)
    assert sorted(str(caught.value).splitlines()) == sorted(expected)


def test_what_was_loaded_is_what_was_written() -> None:
    document = config.load(str(FILES / "valid" / "all.toml"), TABLES)
    assert document["sample"]["command"] == ["systemctl", "reload", "a b"]
    assert document["etcd"]["request_timeout"] == 7.5


def test_only_the_tables_that_are_there_are_asked_for() -> None:
    def heavy() -> type[object]:
        raise AssertionError("imported for nothing")

    assert config.check({"log": {}}, TABLES | {"other": heavy}) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a = ", "not valid TOML: Invalid value (at end of document)"),
        (b"[log]\nlevel = 1\nlevel = 2\n", "not valid TOML: Cannot overwrite a value (at line 3"),
        (b"a = '\xff'", "not valid TOML: 'utf-8' codec can't decode"),
    ],
)
def test_what_is_not_toml_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        config.load(str(path), TABLES)
    assert f"{path}: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"), [("missing.toml", "No such file"), (".", "Is a directory")]
)
def test_what_can_not_be_read_is_refused(tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load(str(tmp_path / path), TABLES)


def test_a_password_is_not_repeated() -> None:
    [(where, what)] = config.check({"etcd": {"user": "me:s3cret"}}, TABLES)
    assert where == "etcd.user"
    assert "s3cret" not in what
