"""TLS, client certificates, logins, expiring tokens and changing passwords, on real servers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from lochkit.errors import ConfigError, leaves
from lochkit.etcd.client import open_client
from lochkit.etcd.config import Credentials, EtcdConfig, TlsConfig
from lochkit.etcd.errors import (
    AuthFailed,
    DeadlineExceeded,
    PermissionDenied,
    Unauthenticated,
)
from lochkit.etcd.messages import PermissionType, WatchCreateRequest
from lochkit.etcd.prefix import KeyRange
from tests.etcd.real import config_of, following
from tests.servers.binaries import VARIANTS, Binaries, binaries
from tests.servers.certificates import Certificates
from tests.servers.etcd_server import ROOT_PASSWORD, EtcdServer, ServerOptions

pytestmark = pytest.mark.real_etcd
LIMIT = 60
ROOT = Credentials(user="root", password=ROOT_PASSWORD)


@pytest.fixture(params=VARIANTS)
def programs(request: pytest.FixtureRequest) -> Binaries:
    return binaries(request.param)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
async def guarded(programs: Binaries) -> AsyncIterator[EtcdServer]:
    """A server with logins, whose tokens die after 2 idle seconds."""
    async with EtcdServer.run(programs, ServerOptions(auth=True, token_ttl=2)) as server:
        yield server


async def get(config: EtcdConfig, key: bytes = b"/a") -> bytes | None:
    with trio.fail_after(LIMIT):
        async with open_client(config) as etcd:
            found = await etcd.kv.get(key)
            return None if found is None else found.value


def cause(group: pytest.ExceptionInfo[BaseExceptionGroup[BaseException]]) -> str:
    return "; ".join(str(leaf) for leaf in leaves(group.value))


async def test_tls(programs: Binaries, certificates: Certificates) -> None:
    async with EtcdServer.run(programs, ServerOptions(certificates=certificates)) as server:
        await server.ctl("put", "/a", "1")
        good = config_of(server.endpoint, tls=TlsConfig(cacert=certificates.cacert))
        assert await get(good) == b"1"
        named = TlsConfig(cacert=certificates.cacert, server_name="localhost")
        assert await get(replace(good, tls=named)) == b"1"
        careless = replace(good, tls=TlsConfig(verify=False))
        assert await get(careless) == b"1"
        for bad, words in (
            (TlsConfig(), "certificate is not accepted"),
            (TlsConfig(cacert=certificates.cacert, server_name="else.where"), "not accepted"),
        ):
            with pytest.RaisesGroup(DeadlineExceeded) as caught:
                await get(replace(good, tls=bad, request_timeout=1))
            assert words in cause(caught)


async def test_a_plain_client_of_a_tls_server_hears_of_it_in_time(
    programs: Binaries, certificates: Certificates
) -> None:
    async with EtcdServer.run(programs, ServerOptions(certificates=certificates)) as server:
        plain = config_of(server.endpoint.replace("https", "http"), request_timeout=1)
        with pytest.RaisesGroup(DeadlineExceeded):
            await get(plain)


async def test_the_common_name_of_a_client_certificate_is_the_user(
    programs: Binaries, certificates: Certificates
) -> None:
    options = ServerOptions(certificates=certificates, client_certificates=True, auth=True)
    async with EtcdServer.run(programs, options) as server:
        await server.ctl("put", "/a", "1")
        await server.ctl("put", "/mine/a", "2")
        await server.add_user("watcher", "unused", "/mine/")

        def named(name: str) -> EtcdConfig:
            pair = certificates.client(name)
            tls = TlsConfig(cacert=certificates.cacert, cert=pair.cert, key=pair.key)
            return config_of(server.endpoint, tls=tls)

        assert await get(named("root")) == b"1"
        assert await get(named("watcher"), b"/mine/a") == b"2"
        with pytest.RaisesGroup(PermissionDenied):
            await get(named("watcher"))
        anonymous = config_of(
            server.endpoint, tls=TlsConfig(cacert=certificates.cacert), request_timeout=1
        )
        with pytest.RaisesGroup(DeadlineExceeded):
            await get(anonymous)


async def test_files_that_cannot_be_used_are_named_at_the_start(
    tmp_path: Path, certificates: Certificates
) -> None:
    missing = str(tmp_path / "missing")
    empty = tmp_path / "empty"
    empty.touch()
    pair = certificates.client("me")
    url = "https://127.0.0.1:1"
    for config in (
        config_of(url, tls=TlsConfig(cacert=missing)),
        config_of(url, tls=TlsConfig(cert=missing, key=pair.key)),
        config_of(url, credentials=Credentials(user="u", password_file=missing)),
    ):
        with pytest.raises(ConfigError, match=r"missing.*No such file"):
            await get(config)
    with pytest.raises(ConfigError, match="empty"):
        await get(config_of(url, credentials=Credentials(user="u", password_file=str(empty))))


async def test_logins(guarded: EtcdServer) -> None:
    await guarded.ctl("put", "/a", "1")
    await guarded.add_user("reader", "pw", "/mine/")
    assert await get(config_of(guarded.endpoint, credentials=ROOT)) == b"1"
    reader = config_of(guarded.endpoint, credentials=Credentials(user="reader", password="pw"))
    assert await get(reader, b"/mine/a") is None
    with pytest.RaisesGroup(PermissionDenied):
        await get(reader)
    wrong = Credentials(user="reader", password="wr0ng")
    with pytest.RaisesGroup(AuthFailed) as caught:
        await get(config_of(guarded.endpoint, credentials=wrong))
    assert "wr0ng" not in cause(caught)
    with pytest.RaisesGroup(Unauthenticated):
        await get(config_of(guarded.endpoint))


@pytest.mark.slow
async def test_tokens_that_expire_are_renewed_for_calls_and_for_watches(
    guarded: EtcdServer,
) -> None:
    with trio.fail_after(LIMIT):
        async with open_client(config_of(guarded.endpoint, credentials=ROOT)) as etcd:
            request = WatchCreateRequest(key=b"/a")
            async with etcd.watch(request) as old:
                await trio.sleep(5)
                async with etcd.watch(
                    request
                ) as new:  # refused under the old token, and again asked
                    await etcd.kv.put(b"/a", b"1")
                    assert (await new.receive()).events
                assert (await old.receive()).events
            await trio.sleep(5)
            assert await etcd.kv.get(b"/a") is not None


async def test_a_password_that_changes_is_taken_from_its_file(
    guarded: EtcdServer, tmp_path: Path
) -> None:
    await guarded.add_user("reader", "first", "/mine/")
    secret = tmp_path / "password"
    secret.write_text("first\n")
    credentials = Credentials(user="reader", password_file=str(secret))
    mine = (KeyRange.prefix(b"/mine/"),)
    config = config_of(guarded.endpoint, credentials=credentials)
    with trio.fail_after(LIMIT):
        async with following(config, mine) as (follower, seen):
            await guarded.ctl("put", "/mine/a", "1")
            await seen.reaches({b"/mine/a": b"1"})
            await guarded.ctl("user", "passwd", "--interactive=false", "reader", stdin=b"second\n")
            guarded.kill()
            await guarded.start()
            await guarded.ctl("put", "/mine/a", "2")
            await trio.sleep(1)  # wrong password by now: it is said, and tried again
            secret.write_text("second\n")
            await seen.reaches({b"/mine/a": b"2"})
            assert follower.connected


async def test_a_range_that_may_not_be_read_is_named_at_the_start(guarded: EtcdServer) -> None:
    await guarded.add_user("reader", "pw", "/mine/")
    credentials = Credentials(user="reader", password="pw")
    refused = pytest.RaisesGroup(PermissionDenied, flatten_subgroups=True)
    with refused as caught, trio.fail_after(LIMIT):
        async with following(config_of(guarded.endpoint, credentials=credentials)):
            await trio.sleep_forever()
    assert "begin with '/'" in cause(caught)


async def test_users_roles_and_permissions_are_made(programs: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with EtcdServer.run(programs) as server:
            async with open_client(config_of(server.endpoint)) as etcd:
                access = etcd.access
                await access.add_user("root", "pw")
                await access.grant_role("root", "root")
                await access.add_role("guests")
                guests = KeyRange.prefix(b"/guests/")
                await access.grant("guests", PermissionType.READWRITE, guests)
                await access.add_user("guest", "one")
                await access.grant_role("guest", "guests")
                await access.enable()
            root = Credentials(user="root", password="pw")
            async with open_client(config_of(server.endpoint, credentials=root)) as etcd:
                await etcd.access.change_password("guest", "two")
            guest = Credentials(user="guest", password="two")
            async with open_client(config_of(server.endpoint, credentials=guest)) as etcd:
                await etcd.kv.put(b"/guests/1", b"")
                with pytest.raises(PermissionDenied):
                    await etcd.kv.put(b"/other", b"")
            async with open_client(config_of(server.endpoint, credentials=root)) as etcd:
                await etcd.access.disable()
            assert await get(config_of(server.endpoint), b"/guests/1") == b""
