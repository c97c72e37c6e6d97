"""What tests of connections between hosts need: certificates, pipes, and a server."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from lochkit.io.peer_connect import connect_peer
from lochkit.io.peer_serve import PeerListener, ServeLimits, open_listener, serve_peers
from lochkit.io.peer_socket import Peer
from lochkit.io.peer_tls import ClientSecurity, Credentials, ServerSecurity

from ..servers.certificates import Certificates

__all__ = [
    "Hosts",
    "Pipe",
    "connect",
    "hello",
    "joined",
    "open_pipe",
    "read_to_end",
    "serving",
    "write_all",
]

SERVICE = "streams"


@dataclass(slots=True)
class Hosts:
    """An authority, and hosts that it knows.

    Attributes:
        certificates: makes them.
    """

    directory: Path
    certificates: Certificates = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.certificates = Certificates(self.directory)

    def credentials(self, name: str) -> Credentials:
        """Those of a host; made anew."""
        pair = self.certificates.client(name)
        return Credentials(cert=pair.cert, key=pair.key, ca=self.certificates.cacert)

    def server(self, name: str = "vault") -> ServerSecurity:
        """How a host serves."""
        return ServerSecurity(credentials=self.credentials(name))

    def client(self, name: str = "web1", *, expect: str = "vault") -> ClientSecurity:
        """How a host connects."""
        return ClientSecurity(credentials=self.credentials(name), expected_name=expect)


@asynccontextmanager
async def serving(
    handler: Callable[[Peer], Awaitable[None]],
    *,
    security: ServerSecurity | None = None,
    limits: ServeLimits | None = None,
) -> AsyncIterator[PeerListener]:
    """A server on a port of its own, until the block is left."""
    listener = await open_listener("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        serve = partial(
            serve_peers,
            handler,
            listener,
            service=SERVICE,
            security=security or ServerSecurity(),
            limits=limits,
        )
        await nursery.start(serve)
        with trio.fail_after(20):  # noqa: ASYNC100 (the test's)
            yield listener
        nursery.cancel_scope.cancel()


async def hello(listener: PeerListener, security: ClientSecurity | None = None) -> Peer:
    """Connect to a server of `serving`."""
    return await connect(listener.port, security or ClientSecurity())


async def connect(port: int, security: ClientSecurity, *, timeout: float = 5.0) -> Peer:
    """Connect to anybody."""
    return await connect_peer(
        "127.0.0.1", port, service=SERVICE, security=security, timeout=timeout
    )


@asynccontextmanager
async def joined(hosts: Hosts | None) -> AsyncIterator[tuple[Peer, Peer]]:
    """Both ends of a connection over TCP: client and server; in TLS if there are hosts."""
    send, receive = trio.open_memory_channel[Peer](1)

    async def hand_over(peer: Peer) -> None:
        send.send_nowait(peer)
        await trio.sleep_forever()

    server = hosts.server() if hosts else ServerSecurity()
    client = hosts.client() if hosts else ClientSecurity()
    async with serving(hand_over, security=server) as listener:
        left = await hello(listener, client)
        try:
            yield left, await receive.receive()
        finally:
            left.cut()  # it does not wait for the other's goodbye
            await left.aclose()  # noqa: ASYNC102 (at once)


@dataclass(slots=True)
class Pipe:
    """Both ends of a pipe, closed with the block at the latest."""

    out: int
    into: int

    def close_out(self) -> None:
        """Read it no more."""
        with suppress(OSError):
            os.close(self.out)
        self.out = -1

    def close_into(self) -> None:
        """Write to it no more."""
        with suppress(OSError):
            os.close(self.into)
        self.into = -1


@contextmanager
def open_pipe() -> Iterator[Pipe]:
    """A pipe, blocking at both ends."""
    pipe = Pipe(*os.pipe())
    try:
        yield pipe
    finally:
        pipe.close_out()
        pipe.close_into()


async def write_all(pipe: Pipe, data: bytes, *, at_once: int = 1 << 16) -> None:
    """Write from a thread, as a program does, and close."""

    def write() -> None:
        rest = memoryview(data)
        with suppress(BrokenPipeError):
            while rest:
                rest = rest[os.write(pipe.into, rest[:at_once]) :]
        pipe.close_into()

    await trio.to_thread.run_sync(write)


async def read_to_end(pipe: Pipe) -> bytes:
    """Read from a thread, as a program does."""

    def read() -> bytes:
        return b"".join(iter(partial(os.read, pipe.out, 1 << 16), b""))

    return await trio.to_thread.run_sync(read)
