"""A server of peers: who is let in, how many, and what ends it."""

import errno
import logging
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from shutil import copy

import pytest
import trio
import trio.testing

from lochkit.errors import ConfigError, LochkitError
from lochkit.io.peer_errors import PeerError, PeerRefused
from lochkit.io.peer_listen import Visitor
from lochkit.io.peer_serve import PeerListener, ServeLimits, open_listener, serve_peers
from lochkit.io.peer_socket import Peer
from lochkit.io.peer_tls import ClientSecurity, Credentials, ServerSecurity

from .peering import Hosts, hello, serving


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path / "pki")


async def echo(peer: Peer) -> None:
    """Say who it is, and send back what comes."""
    await peer.send({"name": peer.name})
    while True:
        await peer.send(await peer.receive(timeout=5))


async def guest(stack: AsyncExitStack, listener: PeerListener) -> Peer:
    """One who is let in, until the end."""
    peer = await stack.enter_async_context(await hello(listener))
    stack.callback(peer.cut)  # without a goodbye
    await peer.receive(timeout=2)
    return peer


async def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    with trio.fail_after(5):
        while text not in caplog.text:  # noqa: ASYNC110 (the log tells nobody)
            await trio.sleep(0.01)


async def test_both_ends_know_who_the_other_is(hosts: Hosts) -> None:
    async with (
        serving(echo, security=hosts.server("vault")) as listener,
        await hello(listener, hosts.client("web1", expect="vault")) as peer,
    ):
        assert peer.name == "vault"
        assert peer.address == f"127.0.0.1:{listener.port}"
        assert await peer.receive(timeout=2) == {"name": "web1"}


async def test_plain_text_has_no_names_and_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(echo) as listener:
        assert "streams are served in plain text" in caplog.text
        async with await hello(listener) as peer:
            assert peer.name is None
            assert await peer.receive(timeout=2) == {"name": None}


async def test_an_error_of_ours_in_a_handler_ends_that_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(peer: Peer) -> None:
        message = await peer.receive(timeout=5)
        if message["fail"]:
            async with trio.open_nursery():
                raise LochkitError("no such dataset")
        await peer.send({"well": True})

    async with serving(fail) as listener, await hello(listener) as other:
        async with await hello(listener) as peer:
            await peer.send({"fail": True})
            with pytest.raises(PeerError, match="closed"):
                await peer.receive(timeout=2)
        await other.send({"fail": False})
        assert await other.receive(timeout=2) == {"well": True}
    assert "no such dataset" in caplog.text


async def test_a_bug_in_a_handler_ends_the_server() -> None:
    async def bug(peer: Peer) -> None:
        raise ZeroDivisionError

    listener = await open_listener("127.0.0.1", 0)
    serve = partial(serve_peers, bug, listener, service="streams", security=ServerSecurity())
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve)
            async with await hello(listener):
                await trio.sleep_forever()
    with pytest.raises(PeerError, match="can not be reached"):
        await hello(listener)


async def test_connections_of_one_address_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(serving(echo, limits=ServeLimits(per_address=2)))
        first = await guest(stack, listener)
        await guest(stack, listener)
        with pytest.raises(PeerError):
            await hello(listener)
        await until_logged(caplog, "there are 2 connections from this address")
        first.cut()
        await until_logged(caplog, "closed the connection")
        async with await hello(listener):
            pass


async def test_connections_in_all_are_limited_and_told_so() -> None:
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(serving(echo, limits=ServeLimits(connections=2)))
        for _ in range(2):
            await guest(stack, listener)
        with pytest.raises(PeerRefused, match="there are 2 connections"):
            await hello(listener)


async def test_who_says_nothing_keeps_nobody_out_for_long() -> None:
    limits = ServeLimits(pending=3, banner=0.3)
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(serving(echo, limits=limits))
        quiet = [await trio.open_tcp_stream("127.0.0.1", listener.port) for _ in range(3)]
        with pytest.raises(PeerError, match=r"hung up|broke"):
            await hello(listener)
        for stream in quiet:
            assert await stream.receive_some() == b""
            await stream.aclose()
        async with await hello(listener):
            pass


class ScriptedListener:
    """Raises or hands out what it is given, one after the other, and then waits for ever."""

    def __init__(self, *script: OSError) -> None:
        self.script = list(script)
        self.times: list[float] = []
        self.closed = False

    async def accept(self) -> Visitor:
        await trio.lowlevel.checkpoint()
        self.times.append(trio.current_time())
        if self.script:
            raise self.script.pop(0)
        await trio.sleep_forever()
        raise AssertionError

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED]
)
async def test_a_failing_accept_is_tried_again(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    listener = ScriptedListener(*[OSError(number, "not now")] * 5)
    with trio.move_on_after(10):
        await serve_peers(echo, listener, service="streams", security=ServerSecurity())
    waits = [round(at - listener.times[0], 3) for at in listener.times]
    assert waits == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert caplog.text.count("could not be accepted") == 5
    assert listener.closed


async def test_an_accept_that_can_never_work_is_a_bug() -> None:
    listener = ScriptedListener(OSError(errno.EBADF, "bad file"))
    with pytest.RaisesGroup(OSError):
        await serve_peers(echo, listener, service="streams", security=ServerSecurity())
    assert listener.closed


async def test_a_port_that_is_taken_is_told() -> None:
    listener = await open_listener("127.0.0.1", 0)
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1 port {listener.port}: .*in use"):
        await open_listener("127.0.0.1", listener.port)
    listener.close()


async def test_an_address_of_another_host_is_told() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1 port 0"):
        await open_listener("192.0.2.1", 0)


@pytest.mark.parametrize("allowed", [False, True])
async def test_plain_text_stays_in_ones_own_networks(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    real = Visitor.__init__

    def from_afar(self: Visitor, sock: object, host: str, port: int) -> None:
        real(self, sock, "8.8.8.8", port)  # type: ignore[arg-type]

    monkeypatch.setattr(Visitor, "__init__", from_afar)
    async with serving(echo, security=ServerSecurity(allow_public=allowed)) as listener:
        assert ("from any address" in caplog.text) is allowed
        if allowed:
            async with await hello(listener):
                pass
        else:
            with pytest.raises(PeerError):
                await hello(listener)
            assert "8.8.8.8 is not a private address" in caplog.text


@pytest.mark.parametrize("allowed", [False, True])
async def test_plain_text_does_not_go_to_other_networks(
    monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    monkeypatch.setattr("lochkit.io.peer_connect.is_own_network", lambda _: False)
    async with serving(echo) as listener:
        if allowed:
            async with await hello(listener, ClientSecurity(allow_public=True)):
                pass
        else:
            with pytest.raises(PeerRefused, match="not a private address"):
                await hello(listener)


async def test_renewed_certificates_need_no_restart(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    used = hosts.credentials("vault")
    async with serving(echo, security=ServerSecurity(credentials=used)) as listener:
        async with await hello(listener, hosts.client(expect="vault")):
            pass
        new = hosts.credentials("attic")
        copy(new.cert, used.cert)  # and not yet its key
        async with await hello(listener, hosts.client(expect="vault")):
            pass
        assert "the old certificates stay in use" in caplog.text
        copy(new.key, used.key)
        async with await hello(listener, hosts.client(expect="attic")):
            pass
        assert "certificates have been read again" in caplog.text


async def test_files_that_can_not_be_used_are_told_at_the_start(hosts: Hosts) -> None:
    good = hosts.credentials("vault")
    missing = Credentials(cert=good.cert, key="/nonexistent/key", ca=good.ca)
    listener = await open_listener("127.0.0.1", 0)
    with pytest.raises(ConfigError, match="private key /nonexistent/key: No such file"):
        await serve_peers(
            echo, listener, service="streams", security=ServerSecurity(credentials=missing)
        )
