"""Strangers in plain text: what they say instead of a banner, how slowly, and how much."""

import logging

import pytest
import trio

from lochkit.io.peer_errors import PeerError, PeerRefused, PeerSilent, ProtocolFault
from lochkit.io.peer_serve import PeerListener, ServeLimits
from lochkit.io.peer_socket import Peer
from lochkit.io.peer_tls import ClientSecurity

from .peering import connect, hello, serving


async def unreachable(peer: Peer) -> None:
    """A handler that must not be called."""
    raise AssertionError(peer.address)


async def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    with trio.fail_after(5):
        while text not in caplog.text:  # noqa: ASYNC110 (the log tells nobody)
            await trio.sleep(0.01)


async def ask(listener: PeerListener, data: bytes) -> bytes:
    """Say something to a server; all that it answers."""
    async with await trio.open_tcp_stream("127.0.0.1", listener.port) as stream:
        await stream.send_all(data)
        answer = b""
        try:
            async for part in stream:
                answer += part
        except trio.BrokenResourceError:
            assert not answer
        return answer


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"lochkit-zfs 1 orders\n", b"this is the port for streams, not for 'orders'"),
        (b"lochkit-zfs 2 streams\n", b"this is version 1 of the protocol, not '2'"),
        (b"GET / HTTP/1.1\r\nHost: vault\r\n\r\n", b"a banner of lochkit was expected"),
        (b"\0" * 100_000, b"a banner of lochkit was expected"),
        (b"lochkit-zfs " + b"x" * 100_000, b"a banner was expected"),
        (b"lochkit-zfs 1 streams" + b" " * 60 + b"\n", b"a banner was expected"),
        (b"\x16\x03\x01\x02\0", b"the other end speaks TLS"),
    ],
)
async def test_what_is_no_banner_gets_one_readable_line(
    caplog: pytest.LogCaptureFixture, data: bytes, said: bytes
) -> None:
    async with serving(unreachable) as listener:
        answer = await ask(listener, data)
        assert answer.startswith(b"lochkit-zfs refused: " + said)
        assert answer.endswith(b"\n")
        assert len(answer) <= 200
        await until_logged(caplog, said.decode())


async def test_who_hangs_up_at_once_is_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(unreachable) as listener:
        await (await trio.open_tcp_stream("127.0.0.1", listener.port)).aclose()
        await until_logged(caplog, "hung up before it asked for anything")


@pytest.mark.parametrize("drip", [b"", b"lochkit-zfs 1 streams"])
async def test_a_banner_has_a_limit_of_time(caplog: pytest.LogCaptureFixture, drip: bytes) -> None:
    async with (
        serving(unreachable, limits=ServeLimits(banner=0.3)) as listener,
        await trio.open_tcp_stream("127.0.0.1", listener.port) as stream,
    ):
        for byte in drip:
            await stream.send_all(bytes((byte,)))
            await trio.sleep(0.01)
        await until_logged(caplog, "asked for nothing within 0.3 s")


async def test_a_hundred_strangers_change_nothing_for_a_friend() -> None:
    async def greet(peer: Peer) -> None:
        await peer.send({"hello": True})

    limits = ServeLimits(pending=200, per_address=200)
    async with serving(greet, limits=limits) as listener, trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(ask, listener, bytes((number,)) * 1000)
        async with await hello(listener) as peer:
            assert await peer.receive(timeout=5) == {"hello": True}


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (b"lochkit-zfs refused: come back later\n", PeerRefused, "refused: come back later"),
        (b"lochkit-zfs refused: " + b"x" * 100_000, PeerRefused, "refused: x{178}$"),
        (b"lochkit-zfs 1 orders\n", ProtocolFault, "this is the port for streams"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ProtocolFault, "a banner of lochkit was expected"),
        (b"", PeerError, "hung up"),
        (None, PeerSilent, "within 0.5 s"),
    ],
)
async def test_servers_that_are_something_else(
    answer: bytes | None, error: type[Exception], said: str
) -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def serve_once() -> None:
        async with await listener.accept() as stream:
            await stream.receive_some()
            if answer is None:
                await trio.sleep_forever()
            else:
                await stream.send_all(answer)
                await stream.send_eof()
                await stream.receive_some()

    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(serve_once)
        port = listener.socket.getsockname()[1]
        with pytest.raises(error, match=said):
            await connect(port, ClientSecurity(), timeout=0.5)
        nursery.cancel_scope.cancel()


async def test_nobody_there_is_told() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(PeerError, match=rf"127\.0\.0\.1:{port} can not be reached"):
        await connect(port, ClientSecurity())
