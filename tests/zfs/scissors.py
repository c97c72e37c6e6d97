"""A TCP relay that cuts a connection when so many bytes have gone from the client to the server."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import trio

__all__ = ["Scissors"]


class Scissors:
    """Relays connections to a port of this host.

    Args:
        cuts: for each connection, in order, the bytes after which it is cut; those that come after
            them are not.

    Attributes:
        passed: bytes passed from clients to the server.
        connections: how many there were.
    """

    def __init__(self, cuts: Iterator[int]) -> None:
        self._cuts = cuts
        self.passed = 0
        self.connections = 0

    @asynccontextmanager
    async def through(self, port: int) -> AsyncIterator[int]:
        """Relay to `port` for as long as the block; its value is the port to connect to."""

        async def handle(client: trio.SocketStream) -> None:
            self.connections += 1
            server = await trio.open_tcp_stream("127.0.0.1", port)
            async with client, server, trio.open_nursery() as nursery:
                nursery.start_soon(_back, server, client)
                await self._forth(client, server, next(self._cuts, None))
                nursery.cancel_scope.cancel()

        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, handle, [listener])
            yield int(listener.socket.getsockname()[1])
            nursery.cancel_scope.cancel()

    async def _forth(
        self, client: trio.SocketStream, server: trio.SocketStream, left: int | None
    ) -> None:
        try:
            async for chunk in client:
                part = chunk if left is None else chunk[:left]
                await server.send_all(part)
                self.passed += len(part)
                if left is not None:
                    left -= len(part)
                    if not left:
                        return
        except trio.BrokenResourceError:
            return


async def _back(server: trio.SocketStream, client: trio.SocketStream) -> None:
    try:
        async for chunk in server:
            await client.send_all(chunk)
        await client.send_eof()
    except trio.BrokenResourceError:
        return
