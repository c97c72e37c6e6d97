"""gRPC over HTTP/2 without I/O: bytes in, calls to stream handlers out, bytes to send collected.

Theory of operation
-------------------
`h2` owns HTTP/2: settings, HPACK, stream states, outbound flow control. Three kinds of frame never
reach it:

* **DATA**. These are nearly all bytes etcd ever sends, and h2 spends more on each than decoding its
  contents costs. Their only effects are on the inbound windows, which live here (`GrpcStream`), and
  on the stream's messages. The end of a stream that one of them carries is told to h2 with an empty
  frame of the same kind. A test holds this path beside a connection that runs wholly in h2, on the
  same bytes.
* **GOAWAY**. h2 declares a connection closed at the first one, but a server that shuts down
  politely goes on serving the streams it has accepted, and those answers are wanted.
* **PING**. etcd sends one with nearly every answer, to estimate the bandwidth; the reply is the
  same eight bytes.

Inbound flow control is credit the *consumer* returns. A stream's window shrinks by what arrives and
grows again by what its handler has finished with (`GrpcCore.consumed`), so that a slow consumer
stops the server and not our memory. The bytes of a message that is not whole yet are returned at
once while nothing else is waiting, since a message larger than the window could never arrive
otherwise; `max_message_bytes` bounds those. The connection's window is returned at once: a stalled
stream must not stall its neighbours.
"""

import contextlib
from collections.abc import Sequence
from typing import Final

import h2.errors
import h2.events
import h2.exceptions

from .errors import ConnectionLost, EtcdError, MessageTooLarge, ProtocolError, Unavailable
from .grpc_frames import frame_message
from .grpc_status import answer_error, reset_error, status_error
from .http2_frames import FrameCutter, make_frame, window_update
from .http2_session import CONNECTION_WINDOW, new_session
from .http2_stream import CREDIT_BYTES, ConnectionFault, GrpcStream, StreamHandler

__all__ = ["GrpcCore"]

_DATA, _HEADERS, _PING, _GOAWAY, _CONTINUATION = 0x0, 0x1, 0x6, 0x7, 0x9
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_PING_BYTES: Final = b"lochkit\0"


class GrpcCore:
    """The client's side of one HTTP/2 connection.

    Args:
        authority: the ``:authority`` of every request.
        scheme: ``http`` or ``https``.
        max_message_bytes: the longest message accepted.
    """

    def __init__(self, authority: str, scheme: str, *, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._pseudo = ((":method", "POST"), (":scheme", scheme), (":authority", authority))
        self._fixed = (
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "lochkit"),
        )
        self._streams: dict[int, GrpcStream] = {}
        self._cutter = FrameCutter()
        self._extra = bytearray()  # frames made here: WINDOW_UPDATE and PING
        self._in_header_block = False
        self._connection_used = 0
        self._newest = -1
        self.ready = False
        self.draining: ConnectionLost | None = None
        self.pings_answered = 0
        self._h2 = new_session()

    @property
    def open_streams(self) -> int:
        """How many streams are not over yet."""
        return len(self._streams)

    @property
    def may_open(self) -> bool:
        """Whether the server's limit on concurrent streams allows one more."""
        return len(self._streams) < self._h2.remote_settings.max_concurrent_streams

    def open(
        self, path: str, metadata: Sequence[tuple[str, str]], handler: StreamHandler
    ) -> GrpcStream:
        """Start a call.

        Raises:
            ConnectionLost: the server said that it takes no new calls here (`unprocessed` is set).
        """
        if self.draining is not None:
            raise self.draining
        try:
            stream_id = self._h2.get_next_available_stream_id()
        except h2.exceptions.NoAvailableStreamIDError:
            self.draining = ConnectionLost(
                "all stream numbers of this connection are used up", unprocessed=True
            )
            raise self.draining from None
        self._h2.send_headers(stream_id, (*self._pseudo, (":path", path), *self._fixed, *metadata))
        self._newest = stream_id
        stream = self._streams[stream_id] = GrpcStream(stream_id, handler, self._limit)
        return stream

    def send(self, stream: GrpcStream, *bodies: bytes, end: bool = False) -> None:
        """Queue messages, which share frames; with `end`, the last ones. They leave as the server's
        windows allow."""
        if (longest := max(map(len, bodies), default=0)) > self._limit:
            text = f"a request of {longest} bytes is over the limit of {self._limit}"
            raise MessageTooLarge(f"{text} (max_message_bytes)")
        if stream.id in self._streams:
            stream.outgoing += b"".join(map(frame_message, bodies))
            stream.wants_end = end
            stream.push_out(self._h2)

    def reset(self, stream: GrpcStream) -> None:
        """Give up a call. Its handler hears nothing more, and late answers are dropped."""
        if self._streams.pop(stream.id, None) is not None:
            # h2 may have seen its end first, or the whole connection's: nothing is left then.
            with contextlib.suppress(h2.exceptions.ProtocolError):
                self._h2.reset_stream(stream.id, h2.errors.ErrorCodes.CANCEL)

    def consumed(self, stream: GrpcStream, size: int) -> bool:
        """The handler is done with `size` bytes of messages: the server may send as much again.

        Returns:
            Whether it is to be told so now: there is something to send.
        """
        stream.held -= size
        return stream.used >= CREDIT_BYTES and self._return_credit(stream)

    def ping(self) -> None:
        """Queue a PING; `pings_answered` counts the answers."""
        self._extra += make_frame(_PING, 0, 0, _PING_BYTES)

    def data_to_send(self) -> bytes:
        """What is to be written now; each byte is handed out once."""
        data = self._h2.data_to_send()
        if self._extra:
            data += bytes(self._extra)
            self._extra.clear()
        return data

    def fail_all(self, error: EtcdError) -> None:
        """The connection is gone: every open stream ends with `error`."""
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            stream.handler.ended(error)

    def receive(self, data: bytes) -> None:
        """Take in bytes from the server, cut anywhere.

        Raises:
            ProtocolError: the server broke the protocol; nothing more may be fed.
        """
        for kind, flags, stream_id, payload in self._cutter.feed(data):
            if self._in_header_block or kind not in (_DATA, _PING, _GOAWAY):
                if kind in (_HEADERS, _CONTINUATION):
                    self._in_header_block = not flags & _END_HEADERS
                self._through_h2(make_frame(kind, flags, stream_id, payload))
            elif kind == _DATA:
                stream = self._streams.get(stream_id)
                if stream is None or flags:
                    self._unusual_data(stream, stream_id, flags, payload)
                else:
                    self._data(stream, payload, len(payload))
            elif kind == _PING:
                self._pinged(flags, stream_id, payload)
            else:
                self._goaway(payload)

    def _data(self, stream: GrpcStream, payload: bytes, flow_bytes: int) -> None:
        self._connection_credit(flow_bytes)
        try:
            messages = stream.receive(payload, flow_bytes)
        except ConnectionFault:
            raise
        except EtcdError as error:  # this call only: its neighbours are well
            self._end(stream, error)
            return
        for body in messages:
            stream.handler.message(body)
            if stream.id not in self._streams:
                return  # it gave up the call upon this message
        if stream.used >= CREDIT_BYTES:
            self._return_credit(stream)

    def _unusual_data(
        self, stream: GrpcStream | None, stream_id: int, flags: int, payload: bytes
    ) -> None:
        """Data for a stream given up, padded data, and data that ends a stream."""
        flow_bytes = len(payload)
        if flags & _PADDED:
            if not payload or payload[0] >= len(payload):
                raise ProtocolError(f"the server sent a badly padded frame on stream {stream_id}")
            payload = payload[1 : len(payload) - payload[0]]
        if stream is not None:
            self._data(stream, payload, flow_bytes)
        elif stream_id & 1 and stream_id <= self._newest:
            # A stream we have given up: only its credit matters.
            self._connection_credit(flow_bytes)
        else:
            raise ProtocolError(f"the server sent data on stream {stream_id}, never opened")
        if flags & _END_STREAM:
            self._through_h2(make_frame(_DATA, _END_STREAM, stream_id, b""))

    def _connection_credit(self, size: int) -> None:
        self._connection_used += size
        if self._connection_used > CONNECTION_WINDOW:
            raise ProtocolError("the server overran the flow-control window of the connection")
        if self._connection_used >= CONNECTION_WINDOW // 2:
            self._extra += window_update(0, self._connection_used)
            self._connection_used = 0

    def _return_credit(self, stream: GrpcStream) -> bool:
        if stream.id not in self._streams or not (credit := stream.take_credit()):
            return False
        self._extra += window_update(stream.id, credit)
        return True

    def _pinged(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id or len(payload) != len(_PING_BYTES):
            raise ProtocolError("the server sent a PING of the wrong size or on a stream")
        if flags & _ACK:
            self.pings_answered += 1
        else:
            self._extra += make_frame(_PING, _ACK, 0, payload)

    def _goaway(self, payload: bytes) -> None:
        if len(payload) < 8:
            raise ProtocolError("the server sent a GOAWAY that is too short")
        last = int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF
        code = int.from_bytes(payload[4:8], "big")
        why = payload[8:200].decode("utf-8", "replace") or f"code {code}"
        self.draining = ConnectionLost(
            f"the server closes this connection: {why}", unprocessed=True
        )
        for stream_id in [number for number in self._streams if number > last]:
            self._end(self._streams[stream_id], self.draining)

    def _through_h2(self, whole: bytes) -> None:
        try:
            events = self._h2.receive_data(whole)
        except h2.exceptions.ProtocolError as error:
            raise ProtocolError(
                f"the server broke HTTP/2: {str(error) or type(error).__name__}"
            ) from error
        for event in events:
            self._event(event)

    def _event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                self._headers(event)
            case h2.events.StreamEnded():
                # Trailers end a stream in `_headers`; here the server stopped without a status.
                if (stream := self._streams.get(event.stream_id)) is not None:
                    self._end(stream, Unavailable("the server ended the call without a status"))
            case h2.events.StreamReset():
                if (stream := self._streams.get(event.stream_id)) is not None:
                    self._end(stream, reset_error(int(event.error_code)))
            case h2.events.RemoteSettingsChanged():
                self.ready = True
                self._push_out_all()
            case h2.events.WindowUpdated():
                self._push_out_all()
            case _:
                pass  # acknowledgements and frames that ask nothing of us

    def _headers(self, event: h2.events.ResponseReceived | h2.events.TrailersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        headers: dict[str, str] = {str(name): str(value) for name, value in event.headers}
        if not stream.answered:
            stream.answered = True
            if (error := answer_error(headers)) is not None:
                self._end(stream, error)
                return
        if "grpc-status" in headers:
            self._end(stream, status_error(headers), by_server=event.stream_ended is not None)

    def _end(self, stream: GrpcStream, error: EtcdError | None, *, by_server: bool = False) -> None:
        if self._streams.get(stream.id) is not stream:
            return
        if by_server and stream.end_sent:
            del self._streams[stream.id]
        else:
            self.reset(stream)  # one side is not done: say that nothing more will come
        stream.handler.ended(error)

    def _push_out_all(self) -> None:
        for stream in list(self._streams.values()):
            if stream.outgoing:
                stream.push_out(self._h2)
