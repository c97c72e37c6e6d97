"""A connection with another host: control messages and streams, in frames.

Messages are read and written by Trio's tasks. A stream goes another way: see `bulk_relay`. Nothing
is read ahead of the frame that is wanted, so the one can follow the other at any byte.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Never, Self

import trio

from ..wire.control import MESSAGE_LIMIT, MESSAGE_MOST, decode_message, encode_message
from ..wire.faults import WireFault
from ..wire.frames import Kind
from ..wire.trailer import Trailer, decode_trailer, encode_trailer
from .bulk_meter import Meter
from .bulk_pipe import non_blocking
from .bulk_receive import PlainReceiver, TlsReceiver
from .bulk_relay import BulkLimits
from .bulk_send import PlainSender, StreamEnd, TlsSender
from .bulk_thread import run_relay
from .peer_line import Line
from .peer_link import Link
from .rate import RateLimit

__all__ = ["Peer", "StreamEnd"]


class Peer:
    """The other end of a connection whose banner has been exchanged.

    One task sends a message at a time, others wait for it; one task receives. While a stream runs,
    in either direction, it has the connection for itself.

    Args:
        line: the connection; owned from now on.
        name: the name in the other end's certificate; None in plain text.
        address: of the other end, for people.

    Attributes:
        name: see above.
        address: see above.
    """

    def __init__(self, line: Line, *, name: str | None, address: str) -> None:
        self.name, self.address = name, address
        self._link = Link(line, address)
        self._rest = 0  # bytes of a chunk that nobody wanted

    async def send(self, message: Mapping[str, object], *, timeout: float = 60.0) -> None:
        """Send a control message.

        Cancelled in the middle of it, the connection is cut: the other end has part of a frame.

        Args:
            message: what JSON can hold, `MESSAGE_MOST` bytes at most.
            timeout: seconds until all of it is on its way.

        Raises:
            PeerError: it broke, or the other end does not read.
            PeerRefused: only now it turned out that the other end does not want us.
        """
        await self._link.send(Kind.MESSAGE, encode_message(message), timeout=timeout)

    async def send_trailer(self, trailer: Trailer, *, timeout: float = 60.0) -> None:
        """End the stream that was sent: exactly once after each.

        Args:
            trailer: our verdict.
            timeout: seconds until it is on its way.

        Raises:
            PeerError: the connection broke, or the other end does not read.
        """
        await self._link.send(Kind.TRAILER, encode_trailer(trailer), timeout=timeout)

    async def heartbeats(self, every: float = 10.0) -> Never:
        """Keep the other end from giving up while we work; a task beside the work.

        While a stream runs it says nothing: the stream has heartbeats of its own.

        Args:
            every: seconds.

        Raises:
            PeerError: the connection broke.
        """
        while True:
            await trio.sleep(every)
            if not self._link.streaming:
                await self._link.send(Kind.HEARTBEAT, b"", timeout=60.0)

    async def receive(self, *, timeout: float, limit: int = MESSAGE_LIMIT) -> dict[str, object]:
        """Wait for a control message.

        It may be cancelled and called again: what has come of a frame is kept.

        Args:
            timeout: seconds without a whole frame; a heartbeat begins them anew, so an answer that
                may take for ever needs a limit of its own.
            limit: bytes that the message may have, `MESSAGE_MOST` at most.

        Raises:
            PeerClosed: the other end closed it, where it may.
            PeerSilent: see `timeout`.
            PeerError: it broke.
            ProtocolFault: what came is no message, or too long; the connection is cut.
            PeerRefused: only now it turned out that the other end does not want us.
        """
        self._link.frames.message_limit = min(limit, MESSAGE_MOST)
        while True:
            frame = await self._link.receive(timeout=timeout)
            if frame.kind is Kind.HEARTBEAT:
                continue
            with self._link.guarded():
                if frame.kind is Kind.MESSAGE:
                    return decode_message(frame.payload)
                raise WireFault(f"a {frame.kind.name.lower()} came, and a message was expected")

    async def send_stream(
        self,
        fileno: int,
        *,
        meter: Meter,
        rate: RateLimit | None = None,
        idle: float = 60.0,
        stall: float = 1800.0,
    ) -> StreamEnd:
        """Send what comes out of a pipe, to its end; the trailer is the caller's to send.

        Cancelled, the connection is cut.

        Args:
            fileno: our end of a pipe; non-blocking while this runs, and not closed.
            meter: counts the bytes.
            rate: a limit for it.
            idle: seconds in which nothing is heard from the other end, not even a heartbeat.
            stall: seconds without a byte of the stream, although the other end lives.

        Raises:
            PeerError: the connection broke; PeerSilent for both limits of time.
        """
        limits = BulkLimits(idle=idle, stall=stall, rate=rate)
        kind = PlainSender if self._link.line.plain else TlsSender
        async with self._link.stream():
            with non_blocking(fileno):
                relay = kind(
                    self._link.line,
                    self._link.frames,
                    fileno,
                    meter=meter,
                    limits=limits,
                    other=self.address,
                )
                return await run_relay(relay, relay.run, cut=self.cut)

    async def receive_stream(
        self,
        fileno: int,
        *,
        meter: Meter,
        rate: RateLimit | None = None,
        idle: float = 60.0,
        stall: float = 1800.0,
    ) -> Trailer:
        """Write what the other end sends into a pipe, until its trailer.

        Cancelled, the connection is cut.

        Args:
            fileno: our end of a pipe; non-blocking while this runs, and not closed.
            meter: counts the bytes.
            rate: a limit for it.
            idle: seconds in which nothing comes from the other end, though we read.
            stall: seconds without a byte of the stream, although the other end lives.

        Returns:
            The sender's verdict. One that is good has the number of bytes that came.

        Raises:
            SinkClosed: nobody reads the pipe. Tell the other end why (`send`), and then call
                `discard_stream`; after that the connection can be used again.
            PeerError: the connection broke; PeerSilent for both limits of time.
            ProtocolFault: what came is no stream.
        """
        limits = BulkLimits(idle=idle, stall=stall, rate=rate)
        kind = PlainReceiver if self._link.line.plain else TlsReceiver
        async with self._link.stream():
            with non_blocking(fileno):
                relay = kind(
                    self._link.line,
                    self._link.frames,
                    fileno,
                    meter=meter,
                    limits=limits,
                    other=self.address,
                )
                try:
                    return await run_relay(relay, relay.run, cut=self.cut)
                finally:
                    self._rest = relay.rest

    async def discard_stream(self, *, timeout: float = 60.0) -> Trailer:
        """Read the rest of a stream that is not wanted any more, and forget it.

        Args:
            timeout: seconds for all of it.

        Returns:
            The sender's verdict.

        Raises:
            PeerError: it broke; PeerSilent when the time was not enough; the connection is cut.
        """
        too_slow = "{} went on with a stream for {:g} s"
        with self._link.guarded(), self._link.reading(timeout, too_slow):
            while True:
                rest, self._rest = self._rest, 0
                await self._link.skip(rest)
                frame = await self._link.next_frame()
                if frame.kind is Kind.TRAILER:
                    return decode_trailer(frame.payload)
                if frame.kind is Kind.CHUNK:
                    self._rest = frame.length
                elif frame.kind is Kind.MESSAGE:
                    raise WireFault("a message came in the middle of a stream")

    def cut(self) -> None:
        """Break the connection at once, for both ends. It must still be closed."""
        self._link.cut()

    async def aclose(self) -> None:
        """Close the connection: orderly within a second, unless it is broken already."""
        await self._link.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
