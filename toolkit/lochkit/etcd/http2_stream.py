"""One call's share of an HTTP/2 connection: its messages both ways and its inbound window."""

from typing import Final, Protocol

import h2.connection

from .errors import EtcdError, ProtocolError
from .grpc_frames import MessageReader

__all__ = ["CREDIT_BYTES", "STREAM_WINDOW", "ConnectionFault", "GrpcStream", "StreamHandler"]

STREAM_WINDOW: Final = 1 << 22
"""Bytes one stream may have in flight: four times what a 10 Gbit/s link carries in 1 ms."""

CREDIT_BYTES: Final = STREAM_WINDOW // 4
"""Credit worth a frame: returning less would cost more than it frees."""


class ConnectionFault(ProtocolError):
    """A fault after which nothing on the connection can be trusted."""


class StreamHandler(Protocol):
    """Who is told about one stream, from `GrpcCore.receive`; must neither block nor raise."""

    def message(self, body: bytes) -> None:
        """One whole message; call `GrpcCore.consumed` with its length when done with it."""

    def ended(self, error: EtcdError | None) -> None:
        """The stream is over: None after a good status, else why. Nothing is called after this."""


class GrpcStream:
    """One call's bookkeeping; made by `GrpcCore.open`."""

    __slots__ = (
        "answered",
        "end_sent",
        "handler",
        "held",
        "id",
        "outgoing",
        "reader",
        "used",
        "wants_end",
    )

    def __init__(self, stream_id: int, handler: StreamHandler, limit: int) -> None:
        self.id = stream_id
        self.handler = handler
        self.reader = MessageReader(limit)
        self.answered = False
        self.used = 0  # bytes of our window that the server has spent and not been given back
        self.held = 0  # of those, bytes in messages the handler still has
        self.outgoing = bytearray()
        self.wants_end = False
        self.end_sent = False

    def receive(self, payload: bytes, flow_bytes: int) -> list[bytes]:
        """Take in a DATA frame's payload; the messages it completes, which the handler holds now.

        Args:
            payload: without padding.
            flow_bytes: what the frame costs of the window, padding included.

        Raises:
            ConnectionFault: the server sent more than it was allowed to, or data before headers.
            MessageTooLarge: see `MessageReader.feed`; the other calls are not concerned.
        """
        self.used += flow_bytes
        if self.used > STREAM_WINDOW:
            raise ConnectionFault(f"the server overran the flow-control window of stream {self.id}")
        if not self.answered:
            raise ConnectionFault(f"the server sent data on stream {self.id} before its headers")
        messages = self.reader.feed(payload)
        for body in messages:
            self.held += len(body)
        return messages

    def push_out(self, session: h2.connection.H2Connection) -> None:
        """Hand what waits to `session`, as far as the server's windows allow."""
        outgoing = self.outgoing
        while outgoing:
            room = min(session.local_flow_control_window(self.id), session.max_outbound_frame_size)
            if room <= 0:
                return
            chunk = bytes(outgoing[:room])
            del outgoing[:room]
            self.end_sent = self.wants_end and not outgoing
            session.send_data(self.id, chunk, end_stream=self.end_sent)

    def take_credit(self) -> int:
        """Bytes to give back to the server now; 0 until it is worth a frame, and so while `used` is
        below `CREDIT_BYTES`."""
        keep = self.held + self.reader.pending if self.held else 0
        credit = self.used - keep
        if credit < CREDIT_BYTES:
            return 0
        self.used = keep
        return credit
