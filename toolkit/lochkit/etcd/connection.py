"""One live connection to one etcd endpoint: `GrpcCore` on a Trio stream.

Three tasks share it: a reader, a writer and a watchdog. Callers never touch the socket: they change
the core, synchronously, and wake the writer. A caller that is cancelled therefore leaves whole
frames or none, and its cleanup (a reset) needs no await: a connection is usable or closed, never
half.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from .calls import RpcStream, UnaryCall
from .errors import ConnectionLost, EtcdError, ProtocolError
from .http2 import GrpcCore
from .http2_stream import GrpcStream

__all__ = ["Connection", "Metadata", "Pulse"]

log = logging.getLogger(__name__)

Metadata = Sequence[tuple[str, str]]
"""gRPC metadata: lower-case names and their values."""

_READ_BYTES: Final = 1 << 18
_PATIENCE: Final = 0.02
"""Seconds between looks while nobody waits: many small answers then cost one wake, not one each."""

_MAX_UNSENT: Final = 16 << 20
"""Requests wait for the server's windows; only answers to pings and settings can pile up so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How a dead peer is told from a quiet one.

    etcd takes pings more often than every 5 s (``--grpc-keepalive-min-time``) for an attack and
    closes the connection, and any ping while no call is open; so there is none then.

    Attributes:
        interval: seconds of silence, while a call is open, after which the server is pinged.
        timeout: seconds the answer may take.
    """

    interval: float = 6.0
    timeout: float = 4.0


class Connection:
    """gRPC calls over one stream, which it owns from construction on and closes when `run` ends.

    Args:
        stream: a connected transport, TLS already agreed.
        core: the protocol state for it.
        name: the endpoint, for messages.
        pulse: when to ping.

    Attributes:
        error: why the connection is over, None while it lives.
        settled: set once the server has spoken HTTP/2, or the connection is over.
        closed: set when `run` has ended and the stream is closed.
    """

    def __init__(self, stream: trio.abc.Stream, core: GrpcCore, *, name: str, pulse: Pulse) -> None:
        self._stream = stream
        self._core = core
        self._pulse = pulse
        self._outgoing = bytearray()
        self._wake_writer = trio.Event()
        self._wake_watchdog = trio.Event()
        self._room = trio.Event()
        self._hurry = trio.Event()
        self._patient: list[RpcStream] = []
        self._last_received = trio.current_time()
        self._scope = trio.CancelScope()
        self.name = name
        self.error: EtcdError | None = None
        self.settled = trio.Event()
        self.closed = trio.Event()

    @property
    def usable(self) -> bool:
        """Whether a new call may be opened here."""
        return self.error is None and self._core.draining is None

    @property
    def open_calls(self) -> int:
        """How many calls and streams are under way."""
        return self._core.open_streams

    async def run(self) -> None:
        """Serve the connection until it breaks, drains or `close` is called.

        Never raises for anything that the network or the server does: calls get the error, `error`
        keeps it.
        """
        error: EtcdError = ConnectionLost(f"the connection to {self.name} was closed on our side")
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._watch_pulse)
                    self._flush()
                    error = await self._read()
                    nursery.cancel_scope.cancel()
        finally:
            self.error = self.error or error
            self._core.fail_all(self.error)
            self._room.set()
            self.settled.set()
            # Forcefully: a polite goodbye could hang, and HTTP/2 needs none. Never blocks.
            await trio.aclose_forcefully(self._stream)
            self.closed.set()

    def close(self, error: EtcdError | None = None) -> None:
        """End the connection at once; calls under way get `error`."""
        self.error = self.error or error
        self._scope.cancel()

    async def unary(self, method: str, request: bytes, metadata: Metadata) -> bytes:
        """One request, one answer. The caller sets the time limit; being cancelled resets the call.

        Raises:
            ConnectionLost: the connection broke or drains (`unprocessed` where nothing was done).
            EtcdError: what the server answered.
        """
        call = UnaryCall(self)
        stream = await self._open(method, metadata, call)
        try:
            self.send(stream, request, end=True)
            await call.done.wait()
        finally:
            if not call.done.is_set():
                self.reset(stream)
        return call.result()

    async def open_stream(
        self,
        method: str,
        metadata: Metadata,
        *,
        on_message: Callable[[bytes], None] | None = None,
        on_end: Callable[[EtcdError], None] | None = None,
        patient: bool = False,
    ) -> RpcStream:
        """Open a call that stays open; the caller closes it.

        Args:
            method: what to call.
            metadata: to send with it.
            on_message: see `RpcStream`.
            on_end: see `RpcStream`.
            patient: its messages may come some hundredths of a second late, when no other call is
                under way.

        Raises:
            ConnectionLost: the connection broke or drains.
        """
        rpc = RpcStream(self, on_message, on_end)
        await self._open(method, metadata, rpc)
        if patient:
            self._patient = [other for other in self._patient if other.error is None] + [rpc]
        self._flush()
        return rpc

    def send(self, stream: GrpcStream, *bodies: bytes, end: bool = False) -> None:
        """See `Port`."""
        self._core.send(stream, *bodies, end=end)
        self._flush()

    def consumed(self, stream: GrpcStream, size: int) -> None:
        """See `Port`."""
        if self._core.consumed(stream, size):
            self._flush()

    def reset(self, stream: GrpcStream) -> None:
        """See `Port`."""
        self._core.reset(stream)
        self._flush()
        self._calls_ended()

    async def _open(
        self, method: str, metadata: Metadata, call: UnaryCall | RpcStream
    ) -> GrpcStream:
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.settled.is_set():
            await self.settled.wait()  # before, the server's limits are not known
        while self.error is None and not self._core.may_open:
            await self._room.wait()
        if self.error is not None:
            raise ConnectionLost(str(self.error), unprocessed=True)
        stream = self._core.open(method, metadata, call)
        call.opened(stream)
        self._wake_watchdog.set()
        self._hurry.set()
        return stream

    def _flush(self) -> None:
        if data := self._core.data_to_send():
            self._outgoing += data
            self._wake_writer.set()

    def _calls_ended(self) -> None:
        self._room.set()
        self._room = trio.Event()
        if self._core.draining is not None and not self._core.open_streams:
            self.close(self._core.draining)

    async def _read(self) -> EtcdError:
        core = self._core
        while True:
            if self._patient:
                await self._let_some_gather()
            try:
                data = await self._stream.receive_some(_READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as broken:
                return self._broken(broken)
            if not data:
                return ConnectionLost(f"{self.name} closed the connection")
            self._last_received = trio.current_time()
            before = core.open_streams
            try:
                core.receive(bytes(data))
            except ProtocolError as error:
                log.warning("%s: %s", self.name, error)
                return error
            self._flush()
            if len(self._outgoing) > _MAX_UNSENT:
                return ProtocolError(f"{self.name} asks for answers faster than it reads them")
            if core.open_streams < before or core.draining is not None:
                self._calls_ended()
            if core.ready and not self.settled.is_set():
                self.settled.set()

    async def _let_some_gather(self) -> None:
        """Where nobody waits for what comes next, let more of it come before it is read."""
        if self._core.open_streams == sum(rpc.error is None for rpc in self._patient):
            self._hurry = trio.Event()
            with trio.move_on_after(_PATIENCE):
                await self._hurry.wait()

    async def _write(self) -> None:
        while True:
            if not self._outgoing:
                self._wake_writer = trio.Event()
                await self._wake_writer.wait()
            data, self._outgoing = self._outgoing, bytearray()
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as broken:
                self.close(self._broken(broken))
                return

    def _broken(self, broken: Exception) -> ConnectionLost:
        return ConnectionLost(f"the connection to {self.name} broke: {broken.__cause__ or broken}")

    async def _watch_pulse(self) -> None:
        while True:
            if not self._core.open_streams:
                self._wake_watchdog = trio.Event()
                await self._wake_watchdog.wait()
            await trio.sleep_until(self._last_received + self._pulse.interval)
            silent_since = self._last_received
            due = silent_since + self._pulse.interval
            if not self._core.open_streams or trio.current_time() < due:
                continue
            self._core.ping()
            self._flush()
            await trio.sleep(self._pulse.timeout)
            if self._last_received <= silent_since:
                silence = trio.current_time() - silent_since
                dead = f"{self.name} has been silent for {silence:.0f} s and answers no ping"
                self.close(ConnectionLost(dead))
                return
