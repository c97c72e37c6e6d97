"""Servers that a health check may meet: each does what its name says to every connection."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

__all__ = ["answers", "drips", "never_answers", "redirects", "serving", "speaks_without_end"]

Handler = Callable[[trio.abc.Stream], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a port of 127.0.0.1, which is yielded."""

    async def handle(stream: trio.abc.Stream) -> None:
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            await handler(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, handle, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def answers(data: bytes) -> Handler:
    """Reads a request, and says that."""

    async def handler(stream: trio.abc.Stream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(data)

    return handler


async def redirects(stream: trio.abc.Stream) -> None:
    """Sends everybody to a port where nobody should go."""
    await answers(b"HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")(
        stream
    )


async def never_answers(stream: trio.abc.Stream) -> None:
    """Reads, and says nothing."""
    while await stream.receive_some(4096):
        pass


async def drips(stream: trio.abc.Stream) -> None:
    """Says one letter at a time, for ever."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(0.02)


async def speaks_without_end(stream: trio.abc.Stream) -> None:
    """Says as much as anybody takes."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 65536)
