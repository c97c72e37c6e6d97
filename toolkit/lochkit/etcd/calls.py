"""The two shapes of a gRPC call, as handlers of `GrpcCore`'s streams.

Both are told of messages from the connection's reader and do no I/O of their own; what they need of
the connection is the three verbs of `Port`.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from .errors import ConnectionLost, EtcdError, ProtocolError, Unavailable
from .http2_stream import GrpcStream

__all__ = ["Port", "RpcStream", "UnaryCall"]


class Port(Protocol):
    """What a call asks of its connection; none of it waits."""

    def send(self, stream: GrpcStream, *bodies: bytes, end: bool = False) -> None:
        """Queue messages; many small ones at once cost little more than one."""

    def consumed(self, stream: GrpcStream, size: int) -> None:
        """Return flow-control credit for messages dealt with."""

    def reset(self, stream: GrpcStream) -> None:
        """Give the call up."""


class UnaryCall:
    """A call with one answer."""

    __slots__ = ("_body", "_error", "_port", "_stream", "done")

    def __init__(self, port: Port) -> None:
        self._port = port
        self._stream: GrpcStream | None = None
        self._body: bytes | None = None
        self._error: EtcdError | None = None
        self.done = trio.Event()

    def opened(self, stream: GrpcStream) -> None:
        """Learn the stream this call runs on."""
        self._stream = stream

    def message(self, body: bytes) -> None:
        """See `StreamHandler`."""
        if self._stream is not None:
            self._port.consumed(self._stream, len(body))
        if self._body is not None:
            self._error = ProtocolError("the server answered a single call twice")
        self._body = body

    def ended(self, error: EtcdError | None) -> None:
        """See `StreamHandler`."""
        self._error = self._error or error
        self._stream = None  # which knows us: the answer must not wait for the cycle collector
        self.done.set()

    def result(self) -> bytes:
        """The answer.

        Raises:
            EtcdError: why there is none.
        """
        if self._error is not None:
            raise self._error
        if self._body is None:
            raise ProtocolError("the server ended a call well but without an answer")
        return self._body


class RpcStream:
    """A call that stays open both ways.

    Messages go to `receive`, or, where given, to `on_message`, which is called from the
    connection's reader, must be quick, and owns returning the credit with `consumed`. `on_end`
    hears once why the stream is over.

    Attributes:
        error: why the stream is over, None while it is open.
    """

    def __init__(
        self,
        port: Port,
        on_message: Callable[[bytes], None] | None = None,
        on_end: Callable[[EtcdError], None] | None = None,
    ) -> None:
        self._port = port
        self._stream: GrpcStream | None = None
        self._inbox: deque[bytes] = deque()
        self._on_message = on_message
        self._on_end = on_end
        self._wake = trio.Event()
        self.error: EtcdError | None = None

    def opened(self, stream: GrpcStream) -> None:
        """Learn the stream this call runs on."""
        self._stream = stream

    def message(self, body: bytes) -> None:
        """See `StreamHandler`."""
        if self._on_message is not None:
            self._on_message(body)
        else:
            self._inbox.append(body)
            self._wake.set()

    def ended(self, error: EtcdError | None) -> None:
        """See `StreamHandler`."""
        self._stream = None
        self.error = error or Unavailable("the server ended the stream")
        self._wake.set()
        if self._on_end is not None:
            self._on_end(self.error)

    def send(self, *bodies: bytes) -> None:
        """Queue messages. Dropped when the stream is over, which `error`, `receive` and `on_end`
        tell."""
        if self._stream is not None:
            self._port.send(self._stream, *bodies)

    def consumed(self, size: int) -> None:
        """Messages of `size` bytes in all are dealt with: the server may send as much again."""
        if self._stream is not None:
            self._port.consumed(self._stream, size)

    async def receive(self) -> bytes:
        """The next message; for streams without `on_message`.

        Raises:
            EtcdError: why the stream is over, once all its messages are received.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._inbox:
            if self.error is not None:
                raise self.error
            self._wake = trio.Event()
            await self._wake.wait()
        body = self._inbox.popleft()
        self.consumed(len(body))
        return body

    def close(self) -> None:
        """Give the stream up. `on_end` is not called."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self.error = ConnectionLost("this stream was closed on our side")
            self._port.reset(stream)
