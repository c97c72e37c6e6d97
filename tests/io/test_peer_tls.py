"""Who is not let in, on either side; and files that can not be used."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from lochkit.errors import ConfigError
from lochkit.io.peer_errors import PeerClosed, PeerError, PeerRefused, PeerSilent, ProtocolFault
from lochkit.io.peer_serve import PeerListener, ServeLimits
from lochkit.io.peer_socket import Peer
from lochkit.io.peer_tls import ClientSecurity, Credentials, ServerSecurity, check_credentials

from .peering import Hosts, connect, hello, serving


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path / "pki")


@pytest.fixture
def strangers(tmp_path: Path) -> Hosts:
    """With another authority."""
    return Hosts(tmp_path / "others")


async def unreachable(peer: Peer) -> None:
    """A handler that must not be called."""
    raise AssertionError(peer.name)


async def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    with trio.fail_after(5):
        while text not in caplog.text:  # noqa: ASYNC110 (the log tells nobody)
            await trio.sleep(0.01)


@asynccontextmanager
async def bare(
    listener: PeerListener, context: ssl.SSLContext
) -> AsyncIterator[trio.SSLStream[trio.SocketStream]]:
    """A client that is not ours."""
    async with await trio.open_tcp_stream("127.0.0.1", listener.port) as stream:
        yield trio.SSLStream(stream, context, server_hostname="localhost")


def foreign_context(hosts: Hosts) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=hosts.certificates.cacert)
    context.check_hostname = False
    return context


async def test_a_client_without_certificate_is_refused(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(unreachable, security=hosts.server()) as listener:
        async with bare(listener, foreign_context(hosts)) as stream:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
        assert "CERTIFICATE_REQUIRED" in str(caught.value.__cause__)
        await until_logged(caplog, "showed no certificate")


async def test_a_client_of_another_authority_is_refused_and_told(
    hosts: Hosts, strangers: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = replace(strangers.credentials("web1"), ca=hosts.certificates.cacert)
    async with serving(unreachable, security=hosts.server()) as listener:
        with pytest.raises(PeerRefused, match="refuses our certificate"):
            await hello(listener, ClientSecurity(credentials=theirs, expected_name="vault"))
        await until_logged(caplog, "its certificate is refused: ")


async def test_a_server_of_another_authority_is_refused(
    hosts: Hosts, strangers: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(unreachable, security=strangers.server()) as listener:
        with pytest.raises(PeerRefused, match=r"its certificate is refused: .*self.signed|unable"):
            await hello(listener, hosts.client())
        await until_logged(caplog, "refuses our certificate")


async def test_a_server_of_another_name_is_refused(hosts: Hosts) -> None:
    async with serving(unreachable, security=hosts.server("attic")) as listener:
        with pytest.raises(PeerRefused, match="is 'attic', and not 'vault'"):
            await hello(listener, hosts.client(expect="vault"))


async def test_an_older_tls_is_refused(hosts: Hosts, caplog: pytest.LogCaptureFixture) -> None:
    context = foreign_context(hosts)
    pair = hosts.certificates.client("web1")
    context.load_cert_chain(pair.cert, pair.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(unreachable, security=hosts.server()) as listener:
        async with bare(listener, context) as stream:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.do_handshake()
        assert "PROTOCOL_VERSION" in str(caught.value.__cause__)
        await until_logged(caplog, "does not speak TLS 1.3")


async def test_an_older_server_is_refused(hosts: Hosts) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = hosts.certificates.client("vault")
    context.load_cert_chain(pair.cert, pair.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve_once() -> None:
            sock, _ = listening.accept()
            with sock, pytest.raises(ssl.SSLError):
                context.wrap_socket(sock, server_side=True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, serve_once)
            with pytest.raises(PeerRefused, match=r"does not speak TLS 1\.3"):
                await connect(listening.getsockname()[1], hosts.client())


async def test_plain_text_on_a_port_for_tls(hosts: Hosts, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(unreachable, security=hosts.server()) as listener:
        with pytest.raises(PeerClosed, match="perhaps it wants TLS"):
            await hello(listener)
        await until_logged(caplog, "does not speak TLS")


async def test_tls_on_a_port_for_plain_text(hosts: Hosts, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(unreachable) as listener:
        with pytest.raises(ProtocolFault, match="does not speak TLS; is it set up for plain"):
            await hello(listener, hosts.client())
        await until_logged(caplog, "the other end speaks TLS, and this one plain text")


@pytest.mark.parametrize("drip", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(99)])
async def test_a_handshake_has_a_limit_of_time(
    hosts: Hosts, caplog: pytest.LogCaptureFixture, drip: bytes
) -> None:
    limits = ServeLimits(handshake=0.4)
    async with serving(unreachable, security=hosts.server(), limits=limits) as listener:
        stream = await trio.open_tcp_stream("127.0.0.1", listener.port)

        async def send_slowly() -> None:
            for byte in drip:
                try:
                    await stream.send_all(bytes((byte,)))
                except trio.BrokenResourceError:
                    return
                await trio.sleep(0.02)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_slowly)
            await until_logged(caplog, "did not finish TLS's handshake within 0.4 s")
            nursery.cancel_scope.cancel()
        await stream.aclose()


async def test_a_server_that_never_shakes_hands_is_given_up(hosts: Hosts) -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    with pytest.raises(PeerSilent, match=r"no connection with 127\.0\.0\.1:\d+ within 0\.3 s"):
        await connect(port, hosts.client(), timeout=0.3)
    await listener.aclose()


async def test_bytes_that_were_changed_on_the_way_are_noticed(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    connected = trio.Event()

    async def echo(peer: Peer) -> None:
        await peer.send(await peer.receive(timeout=5))

    async with serving(echo, security=hosts.server()) as listener:
        [tampering] = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def relay(source: trio.SocketStream, sink: trio.SocketStream) -> None:
            async for data in source:
                await sink.send_all(bytes((*data[:-1], data[-1] ^ connected.is_set())))
            await sink.send_eof()

        async def tamper() -> None:
            inside = await tampering.accept()
            outside = await trio.open_tcp_stream("127.0.0.1", listener.port)
            async with inside, outside, trio.open_nursery() as nursery:
                nursery.start_soon(relay, inside, outside)
                nursery.start_soon(relay, outside, inside)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tamper)
            port = tampering.socket.getsockname()[1]
            async with await connect(port, hosts.client()) as peer:
                connected.set()
                await peer.send({"a": 1})
                with pytest.raises(PeerError):
                    await peer.receive(timeout=5)
            nursery.cancel_scope.cancel()
        assert "BAD_RECORD_MAC" in caplog.text
        await tampering.aclose()


# -- files


def test_good_files_tell_our_name(hosts: Hosts) -> None:
    assert check_credentials(hosts.credentials("vault")) == "vault"


def test_a_certificate_of_another_authority_is_told(hosts: Hosts, strangers: Hosts) -> None:
    mixed = replace(hosts.credentials("vault"), ca=strangers.certificates.cacert)
    with pytest.raises(ConfigError, match=r"is not valid with .*others"):
        check_credentials(mixed)


def test_a_key_that_does_not_fit_is_told(hosts: Hosts) -> None:
    mixed = replace(hosts.credentials("vault"), key=hosts.credentials("web1").key)
    with pytest.raises(ConfigError, match=r"client-vault\.pem with key .*web1\.key"):
        check_credentials(mixed)


def test_a_key_that_everybody_can_read_is_refused(hosts: Hosts) -> None:
    credentials = hosts.credentials("vault")
    Path(credentials.key).chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        check_credentials(credentials)


@pytest.mark.parametrize("which", ["cert", "key", "ca"])
@pytest.mark.parametrize("content", [None, b"", b"not PEM\n"])
def test_files_that_are_missing_or_something_else_are_told(
    hosts: Hosts, which: str, content: bytes | None
) -> None:
    credentials = hosts.credentials("vault")
    path = Path(getattr(credentials, which))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(ConfigError, match=str(path)):
        check_credentials(credentials)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(hosts: Hosts) -> None:
    from cryptography.hazmat.primitives import serialization as forms

    credentials = hosts.credentials("vault")
    path = Path(credentials.key)
    key = forms.load_pem_private_key(path.read_bytes(), None)
    secret = forms.BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, secret))
    with pytest.raises(ConfigError, match="has a password"):
        check_credentials(credentials)


def test_a_name_is_expected_exactly_with_certificates(hosts: Hosts) -> None:
    with pytest.raises(ValueError, match="expected exactly"):
        ClientSecurity(credentials=hosts.credentials("a"))
    with pytest.raises(ValueError, match="expected exactly"):
        ClientSecurity(expected_name="vault")
    ServerSecurity(credentials=Credentials(cert="a", key="b", ca="c"))
