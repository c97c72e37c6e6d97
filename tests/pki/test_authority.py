"""An authority, made by the real openssl: who may read what, and nothing is overwritten."""

import ssl
import stat
from pathlib import Path

import pytest

from lochkit.errors import ConfigError
from lochkit.io.peer_tls import Credentials, check_credentials
from lochkit.pki.authority import init_authority, issue_certificate, renew_certificate
from lochkit.pki.looking import look
from lochkit.pki.openssl import OpensslFailed


@pytest.fixture
async def authority(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    await init_authority(directory, title="test", days=30)
    return directory


def credentials(directory: Path, name: str) -> Credentials:
    return Credentials(
        cert=str(directory / f"{name}.crt"),
        key=str(directory / f"{name}.key"),
        ca=str(directory / "ca.crt"),
    )


def content(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_hosts_can_use_what_was_made(authority: Path) -> None:
    made = await issue_certificate(authority, "vault", alternatives=["10.0.0.2"], days=10)
    assert made == authority / "vault"
    assert check_credentials(credentials(made, "vault")) == "vault"
    strict = ssl.create_default_context(cafile=str(made / "ca.crt"))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    assert sorted(content(authority)) == [
        *("ca.crt", "ca.key", "vault/ca.crt", "vault/vault.crt", "vault/vault.key"),
    ]


async def test_keys_and_directories_are_for_their_owner_alone(authority: Path) -> None:
    made = await issue_certificate(authority, "vault", alternatives=[], days=10)
    assert [mode(path) for path in (authority, made)] == [0o700] * 2
    assert [mode(path) for path in (authority / "ca.key", made / "vault.key")] == [0o600] * 2
    assert [mode(path) for path in (authority / "ca.crt", made / "vault.crt")] == [0o644] * 2


async def test_an_authority_is_not_overwritten(authority: Path) -> None:
    before = content(authority)
    with pytest.raises(ConfigError, match="is there already, and nothing in it is overwritten"):
        await init_authority(authority, title="another", days=30)
    assert content(authority) == before


async def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    await init_authority(tmp_path, title="test", days=30)
    assert sorted(content(tmp_path)) == ["ca.crt", "ca.key"]


async def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("")
    with pytest.raises(ConfigError, match="is there already"):
        await init_authority(tmp_path / "pki", title="test", days=30)


async def test_a_host_has_one_certificate(authority: Path) -> None:
    await issue_certificate(authority, "vault", alternatives=[], days=10)
    before = content(authority)
    with pytest.raises(ConfigError, match=r"vault is there already.*--renew"):
        await issue_certificate(authority, "vault", alternatives=[], days=20)
    assert content(authority) == before


async def test_renewing_keeps_the_key(authority: Path) -> None:
    made = await issue_certificate(authority, "vault", alternatives=[], days=10)
    before = content(made)
    await renew_certificate(authority, "vault", alternatives=["attic"], days=20)
    after = content(made)
    assert [name for name in after if after[name] != before.get(name)] == ["vault.crt"]
    assert check_credentials(credentials(made, "vault")) == "vault"
    [_, found] = await look(authority)
    assert found.described.alternatives == ("DNS:vault", "DNS:attic")


async def test_what_is_not_there_can_not_be_renewed(authority: Path) -> None:
    with pytest.raises(ConfigError, match="issue a certificate instead"):
        await renew_certificate(authority, "vault", alternatives=[], days=20)


async def test_without_an_authority_nothing_is_issued(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no ca\.crt"):
        await issue_certificate(tmp_path, "vault", alternatives=[], days=20)
    assert content(tmp_path) == {}


async def test_a_failure_leaves_nothing_behind(authority: Path) -> None:
    (authority / "ca.key").write_text("not a key")
    before = content(authority)
    with pytest.raises(OpensslFailed, match="openssl x509 ended with exit code 1: "):
        await issue_certificate(authority, "vault", alternatives=[], days=20)
    assert content(authority) == before
    assert names(authority) == ["ca.crt", "ca.key"]


async def test_without_the_program_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt install openssl"):
        await init_authority(tmp_path / "pki", title="test", days=30)


async def test_serial_numbers_differ(authority: Path) -> None:
    for name in ("a", "b"):
        await issue_certificate(authority, name, alternatives=[], days=10)
    found = await look(authority)
    assert [one.described.name for one in found] == ["test", "a", "b"]
    assert len({one.described.serial for one in found}) == 3
    assert [one.described.authority for one in found] == [True, False, False]
    assert not any(one.exposed for one in found)
    assert all(one.key for one in found)


async def test_a_key_that_others_can_read_is_seen(authority: Path) -> None:
    (authority / "ca.key").chmod(0o640)
    [found] = await look(authority / "ca.crt")
    assert found.exposed


async def test_what_is_no_certificate_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.crt").write_text("hello")
    with pytest.raises(OpensslFailed, match="openssl x509 ended with"):
        await look(tmp_path / "x.crt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="there is no certificate in"):
        await look(tmp_path / "empty")
