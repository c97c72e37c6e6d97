"""A TCP proxy that is the bad network between a client and a server.

async with CutProxy.run("127.0.0.1", server.port) as proxy:
    client_talks_to(proxy.url)
    proxy.cut()
"""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from functools import partial

import trio

__all__ = ["CutProxy"]

CHUNK_BYTES = 64 * 1024


class _Mode(Enum):
    PASS = "pass"
    REFUSE = "refuse"
    SILENT = "silent"


class CutProxy:
    """Passes connections on to one server, until told to misbehave. All verbs are synchronous.

    Attributes:
        port: where it listens, on 127.0.0.1.
        accepted: connections taken so far.
        bytes_in: bytes passed from servers to clients.
        bytes_out: bytes passed from clients to servers.
        blocks: a silent mode for some only: called with the client's port, True is swallowed. It is
            asked once for every connection, and again by :meth:`recheck`: to answer may be costly.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._mode = _Mode.PASS
        self._changed = trio.Event()
        self._delay = 0.0
        self._allowance = math.inf
        self._open: dict[trio.CancelScope, int] = {}
        self._answers: dict[int, tuple[Callable[[int], bool], bool]] = {}
        self.port = 0
        self.accepted = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.blocks: Callable[[int], bool] = lambda _port: False

    @property
    def url(self) -> str:
        """The URL of a server without TLS behind it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._open)

    @classmethod
    @asynccontextmanager
    async def run(cls, host: str, port: int, *, listen: int = 0) -> AsyncIterator["CutProxy"]:
        """A proxy for as long as the block runs.

        Args:
            host: of the server.
            port: of the server.
            listen: the proxy's own port, 0 for a free one.
        """
        proxy = cls(host, port)
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(proxy.serve, listen=listen))
            try:
                yield proxy
            finally:
                nursery.cancel_scope.cancel()

    async def serve(
        self, *, listen: int = 0, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; started when listening."""
        [listener] = await trio.open_tcp_listeners(listen, host="127.0.0.1")
        self.port = int(listener.socket.getsockname()[1])
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(trio.serve_listeners, self._handle, [listener]))
            task_status.started()

    def cut(self) -> None:
        """Close all connections with a reset; new ones are welcome."""
        for scope in list(self._open):
            scope.cancel()

    def refuse(self) -> None:
        """Close all connections, and new ones as soon as they come."""
        self._set(_Mode.REFUSE)
        self.cut()

    def black_hole(self) -> None:
        """Pass nothing on any more, in either direction; connections stay open, new ones too."""
        self._set(_Mode.SILENT)

    def heal(self) -> None:
        """Be a good network again. Bytes that were held back arrive now; a connection that was made
        meanwhile is served now."""
        self._delay = 0.0
        self._allowance = math.inf
        self.blocks = lambda _port: False
        self._set(_Mode.PASS)

    def delay(self, seconds: float) -> None:
        """Hold every chunk back for so long, in both directions."""
        self._delay = seconds

    def cut_after(self, count: int) -> None:
        """Cut all connections when ``count`` more bytes have come from the server, not one later;
        once."""
        self._allowance = count

    def recheck(self) -> None:
        """Ask :attr:`blocks` again about held connections."""
        self._answers.clear()
        self._set(self._mode)

    def _set(self, mode: _Mode) -> None:
        self._mode = mode
        self._changed.set()
        self._changed = trio.Event()

    async def _clear(self, port: int) -> None:
        while self._mode is _Mode.SILENT or self._is_blocked(port):
            await self._changed.wait()

    def _is_blocked(self, port: int) -> bool:
        asked, answer = self._answers.get(port, (None, False))
        if asked is not self.blocks:
            answer = self.blocks(port)
            self._answers[port] = self.blocks, answer
        return answer

    async def _handle(self, client: trio.SocketStream) -> None:
        self.accepted += 1
        if self._mode is _Mode.REFUSE:
            _reset(client)
            return
        with trio.CancelScope() as scope:
            try:
                port = int(client.socket.getpeername()[1])
                self._open[scope] = port
                self._answers.pop(port, None)  # of a connection before this one
                await self._clear(port)
                server = await trio.open_tcp_stream(*self._target)
                async with server, trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump, client, server, port, False)
                    await self._pump(server, client, port, True)
                    nursery.cancel_scope.cancel()
            except* OSError:  # the server refuses, or the client left before it was served
                pass
            except* trio.BrokenResourceError:
                pass
            finally:
                self._open.pop(scope, None)
                _reset(client)

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, port: int, inward: bool
    ) -> None:
        async for chunk in source:
            if self._delay:
                await trio.sleep(self._delay)
            await self._clear(port)
            if inward and self._allowance <= len(chunk):
                await sink.send_all(chunk[: int(self._allowance)])
                self._allowance = math.inf
                self.cut()
                await trio.lowlevel.checkpoint()
            if inward:
                self._allowance -= len(chunk)
                self.bytes_in += len(chunk)
            else:
                self.bytes_out += len(chunk)
            await sink.send_all(chunk)
        if not inward:
            await sink.send_eof()


def _reset(stream: trio.SocketStream) -> None:
    # Not a polite end: what was cut looks cut, and bytes still in the kernel's buffers are gone.
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.socket.close()
