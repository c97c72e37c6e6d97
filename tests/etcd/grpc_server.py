"""A gRPC server for tests, on h2's server side and a memory stream: says exactly what a test tells
it to.

No etcd in here: bodies are plain bytes. What real servers do is tested against real servers.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import trio
import trio.testing

from lochkit.etcd.connection import Connection, Pulse
from lochkit.etcd.grpc_frames import frame_message
from lochkit.etcd.http2 import GrpcCore

ANSWER_HEADERS = ((":status", "200"), ("content-type", "application/grpc"))


@dataclass
class Call:
    """One call as the server sees it."""

    server: "GrpcServer"
    stream_id: int
    path: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False

    async def answer(self, *messages: bytes, status: int = 0, message: str = "") -> None:
        """Headers, messages and trailers."""
        await self.begin()
        for body in messages:
            await self.send(body)
        await self.end(status, message)

    async def begin(self) -> None:
        """The headers of an answer."""
        self.server.h2.send_headers(self.stream_id, ANSWER_HEADERS)
        await self.server.flush()

    async def send(self, body: bytes) -> None:
        """One message, cut into frames as the client's windows allow."""
        data = frame_message(body)
        while data:
            room = min(
                self.server.h2.local_flow_control_window(self.stream_id),
                self.server.h2.max_outbound_frame_size,
            )
            if room <= 0:
                await self.server.window_opened()
                continue
            self.server.h2.send_data(self.stream_id, data[:room])
            data = data[room:]
            await self.server.flush()

    async def end(self, status: int = 0, message: str = "") -> None:
        """The trailers."""
        trailers = (("grpc-status", str(status)), ("grpc-message", message))
        self.server.h2.send_headers(self.stream_id, trailers, end_stream=True)
        await self.server.flush()


Handler = Callable[[Call], Awaitable[None]]


class GrpcServer:
    """Serves one memory stream; every call that is whole goes to `handler` in a task of its own."""

    def __init__(self, stream: trio.abc.Stream, handler: Handler, *, whole: bool = True) -> None:
        self.stream = stream
        self.handler = handler
        self.whole = whole
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self.calls: dict[int, Call] = {}
        self.resets: list[int] = []
        self.pings = 0
        self._opened = trio.Event()
        self._sending = trio.Lock()

    async def window_opened(self) -> None:
        """Wait for a WINDOW_UPDATE."""
        self._opened = trio.Event()
        await self._opened.wait()

    async def flush(self) -> None:
        """Send what h2 has to send."""
        async with self._sending:
            if data := self.h2.data_to_send():
                await self.stream.send_all(data)

    async def run(self) -> None:
        """Serve until the client closes."""
        self.h2.initiate_connection()
        await self.flush()
        async with trio.open_nursery() as nursery:
            while data := await self.stream.receive_some(1 << 16):
                for event in self.h2.receive_data(data):
                    self._event(event, nursery)
                await self.flush()
            nursery.cancel_scope.cancel()

    async def _handle(self, call: Call) -> None:
        # The client may reset a call while it is being answered.
        with contextlib.suppress(h2.exceptions.StreamClosedError):
            await self.handler(call)

    def _event(self, event: h2.events.Event, nursery: trio.Nursery) -> None:
        match event:
            case h2.events.RequestReceived():
                headers = {str(name): str(value) for name, value in event.headers}
                call = Call(self, event.stream_id, headers[":path"], headers)
                self.calls[event.stream_id] = call
                if not self.whole:
                    nursery.start_soon(self._handle, call)
            case h2.events.DataReceived():
                self.calls[event.stream_id].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.calls[event.stream_id].ended = True
                if self.whole:
                    nursery.start_soon(self._handle, self.calls[event.stream_id])
            case h2.events.StreamReset():
                self.resets.append(event.stream_id)
            case h2.events.PingReceived():
                self.pings += 1
            case h2.events.WindowUpdated():
                self._opened.set()
            case _:
                pass


def connect(
    nursery: trio.Nursery,
    handler: Handler,
    *,
    whole: bool = True,
    limit: int = 1 << 26,
    pulse: Pulse | None = None,
) -> tuple[Connection, GrpcServer]:
    """A running connection and the running server at its other end."""
    ours, theirs = trio.testing.memory_stream_pair()
    server = GrpcServer(theirs, handler, whole=whole)
    core = GrpcCore("etcd.test:2379", "http", max_message_bytes=limit)
    connection = Connection(ours, core, name="http://etcd.test:2379", pulse=pulse or Pulse())
    nursery.start_soon(connection.run)
    nursery.start_soon(_serve_until_broken, server)
    return connection, server


async def _serve_until_broken(server: GrpcServer) -> None:
    try:
        await server.run()
    except* (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the client closed with our answer under way
