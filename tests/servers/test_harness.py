"""The servers the other tests stand on: they are real, they break as told, and nothing is left."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trio

from .binaries import VARIANTS, WHEEL, Binaries, binaries
from .certificates import Certificates
from .etcd_cluster import EtcdCluster
from .etcd_server import EtcdServer, ServerOptions, version_of
from .kernel import is_gone
from .process import ServerFailed

pytestmark = pytest.mark.real_etcd


def test_the_variants_are_different_releases() -> None:
    # Else all that runs on both would run twice on one, as when a 3.5 is the first on PATH.
    versions = {version_of(binaries(variant))[:4] for variant in VARIANTS}
    assert len(versions) == len(VARIANTS)


async def test_both_releases_serve(etcd_binary: Binaries) -> None:
    assert version_of(etcd_binary)[:4] in ("3.4.", "3.5.")
    with trio.fail_after(30):
        async with EtcdServer.run(etcd_binary) as server:
            await server.ctl("put", "/a", "1")
            await server.ctl("put", "/b", stdin=b"\0\xff")
            assert await server.dump("/") == {b"/a": b"1", b"/b": b"\0\xff"}
            assert await server.revision() == 3
    assert is_gone(server.process.pid)
    assert not server.directory.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "unix"])
async def test_data_survives_a_kill(etcd_binary: Binaries, host: str) -> None:
    with trio.fail_after(30):
        async with EtcdServer.run(etcd_binary, ServerOptions(host=host)) as server:
            await server.ctl("put", "/a", "1")
            server.kill()
            assert not server.process.running
            await server.start()
            await server.restart()
            assert await server.dump("/") == {b"/a": b"1"}


async def test_a_paused_server_is_silent(debian_etcd: Binaries) -> None:
    with trio.fail_after(30):
        async with EtcdServer.run(debian_etcd) as server:
            server.pause()
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            async with stream:
                await stream.send_all(b"GET /version HTTP/1.0\r\n\r\n")
                with trio.move_on_after(0.3) as waiting:
                    await stream.receive_some()
                assert waiting.cancelled_caught
                server.resume()
                assert (await stream.receive_some()).startswith(b"HTTP/1.0 200")


async def test_tls_needs_the_authority(etcd_binary: Binaries, certificates: Certificates) -> None:
    options = ServerOptions(certificates=certificates)
    with trio.fail_after(30):
        async with EtcdServer.run(etcd_binary, options) as server:
            assert server.endpoint.startswith("https://")
            await server.ctl("put", "/a", "1")
            stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", server.port)
            with pytest.raises(trio.BrokenResourceError):
                await stream.do_handshake()
            await trio.aclose_forcefully(stream)


async def test_a_certificates_name_is_the_user(
    etcd_binary: Binaries, certificates: Certificates
) -> None:
    options = ServerOptions(certificates=certificates, client_certificates=True, auth=True)
    with trio.fail_after(30):
        async with EtcdServer.run(etcd_binary, options) as server:
            await server.ctl("put", "/a", "1")  # as root, by certificate
            assert await server.dump("/") == {b"/a": b"1"}


async def test_users_have_their_prefixes(etcd_binary: Binaries) -> None:
    with trio.fail_after(30):
        async with EtcdServer.run(etcd_binary, ServerOptions(auth=True, token_ttl=2)) as server:
            await server.add_user("amy", "secret", "/amy/")
            await server.ctl("put", "/amy/x", "1", user="amy:secret")
            with pytest.raises(AssertionError, match="permission denied"):
                await server.ctl("put", "/bob/x", "1", user="amy:secret")
            await server.restart()
            assert await server.dump("/amy/") == {b"/amy/x": b"1"}


async def test_a_server_that_can_not_start_shows_its_log(debian_etcd: Binaries) -> None:
    with pytest.raises(ServerFailed, match="no-such-flag"):
        async with EtcdServer.run(debian_etcd, ServerOptions(extra=("--no-such-flag",))):
            raise AssertionError("it started")


def test_a_missing_binary_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCHKIT_ETCD_BIN", "/nowhere")
    with pytest.raises(FileNotFoundError, match="/nowhere/etcd"):
        binaries("debian")
    assert binaries(WHEEL).etcd.endswith("etcdbin/etcd")


def test_shared_server_serves(shared_etcd: EtcdServer) -> None:
    assert shared_etcd.process.running


def test_servers_die_with_the_tests(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from tests.servers.binaries import binaries
        from tests.servers.etcd_server import EtcdServer

        server = EtcdServer(binaries("debian"), Path(sys.argv[1]))
        server.start_sync()
        print(server.process.pid, flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "toolkit"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        assert not is_gone(pid)
        tests.send_signal(signal.SIGKILL)
        tests.wait()
    for _ in range(200):
        if is_gone(pid):
            return
        subprocess.run(["sleep", "0.02"], check=True)
    raise AssertionError("etcd outlived the process that started it")


async def test_a_cluster_elects_again(etcd_binary: Binaries) -> None:
    with trio.fail_after(50):
        async with EtcdCluster.run(etcd_binary) as cluster:
            first = await cluster.leader()
            await first.ctl("put", "/a", "1")
            first.kill()
            second = await cluster.leader()
            assert second is not first
            await second.ctl("put", "/b", "2")
            await first.start()
            assert await first.dump("/") == {b"/a": b"1", b"/b": b"2"}


@pytest.mark.slow
async def test_an_isolated_leader_is_replaced(etcd_binary: Binaries) -> None:
    with trio.fail_after(50):
        async with EtcdCluster.run(etcd_binary) as cluster:
            old = await cluster.leader()
            cluster.isolate(old)
            new = await cluster.leader()
            assert new is not old
            await new.ctl("put", "/a", "1")
            # Clients reach it still, and it tells them an old truth if they insist.
            stale = await old.ctl("get", "/a", "--consistency=s")
            assert stale == b""
            cluster.heal()
            await old.healthy()
            assert await old.dump("/") == {b"/a": b"1"}
