"""A stream out of the frames of a connection into a pipe."""

import os
import select
import time
from typing import Final

from ..wire.faults import WireFault
from ..wire.frames import Frame, Kind
from ..wire.trailer import Trailer, decode_trailer
from .bulk_relay import BulkRelay
from .peer_errors import PeerError, SinkClosed

__all__ = ["PlainReceiver", "StreamReceiver", "TlsReceiver"]

_GRACE: Final = 2.0
"""Seconds for the trailer to come once nobody reads the pipe: ``zfs receive`` ends with the last
byte of the stream, and its sender has yet to see how ``zfs send`` ended."""

_MEMORY: Final = 1 << 18


class StreamReceiver(BulkRelay):
    """Moves chunks until the trailer comes.

    Attributes:
        rest: bytes of the chunk that has begun and are still to be read from the connection.
    """

    rest = 0
    _heartbeat = memoryview(b"")
    _sink_closed = 0.0  # when that was seen

    def run(self) -> Trailer:
        """Do it; in the relay's thread.

        Raises:
            SinkClosed: nobody reads the pipe; `rest` bytes must be discarded.
            PeerError: the connection broke, or was silent for too long.
            OSError: likewise.
            WireFault: what came is no stream.
            Stopped: by `stop`.
        """
        start = self._meter.bytes
        while True:
            frame = self._await_frame()
            if frame.kind is Kind.CHUNK:
                self.rest = frame.length
                self._move_chunk()
            elif frame.kind is Kind.TRAILER:
                self._finish_heartbeat()
                return self._checked(decode_trailer(frame.payload), self._meter.bytes - start)
            elif frame.kind is not Kind.HEARTBEAT:
                raise WireFault("a message came in the middle of a stream")
            self.beat()

    def send_heartbeat(self, frame: memoryview) -> None:
        """Send what is possible: who does not read our heartbeats does not get more of them."""
        self._heartbeat = self._heartbeat or frame
        self._go_on_beating()

    def _go_on_beating(self) -> None:
        if self._heartbeat:
            self._heartbeat = self._heartbeat[self._line.write(self._heartbeat) :]
        self._line.flush()

    def _finish_heartbeat(self) -> None:
        """What we send next must not begin within it."""
        while self._heartbeat or not self._line.flush():
            self.wait(socket=select.POLLOUT)
            self._go_on_beating()

    def _await_frame(self) -> Frame:
        while True:
            frame = self.next_frame()
            if frame is not None:
                return frame
            self._await_socket(pipe=True)

    def _await_socket(self, *, pipe: bool) -> None:
        """Wait for bytes from the connection; watch the pipe's end as well if that matters."""
        if self._sink_closed:
            until = self._sink_closed + _GRACE
            if time.monotonic() >= until:
                raise self._no_sink()
            self.wait(socket=select.POLLIN, until=until)
        elif self.wait(socket=select.POLLIN, pipe=0 if pipe else None).pipe & select.POLLERR:
            self._sink_closed = time.monotonic()
        self.beat()

    def _await_pipe(self) -> None:
        """Wait until the pipe takes bytes; meanwhile nobody is silent but we."""
        self.heard()
        self.wait(pipe=select.POLLOUT)
        self.heard()
        self.beat()

    def _move_chunk(self) -> None:
        """Move `rest` bytes, and count them down."""
        raise NotImplementedError

    def _pace(self) -> int:
        """Wait until some of the rest may be moved; return how much."""
        rate = self._limits.rate
        if rate is None:
            return self.rest
        count = min(self.rest, rate.portion)
        until = time.monotonic() + rate.reserve(count)
        while time.monotonic() < until:
            self.heard()  # it is we who do not read
            self.wait(until=until)
            self.beat()
        return count

    def _checked(self, trailer: Trailer, received: int) -> Trailer:
        if trailer.ok and trailer.bytes != received:
            raise WireFault(
                f"a stream of {trailer.bytes} bytes was to come, and {received} bytes came"
            )
        return trailer

    def _cut(self) -> PeerError:
        return PeerError(f"{self._other} closed the connection in the middle of a stream")

    def _no_sink(self) -> SinkClosed:
        return SinkClosed(f"the stream from {self._other} is not read to its end here")


class PlainReceiver(StreamReceiver):
    """From the socket to the pipe within the kernel: the bytes are never copied."""

    def _move_chunk(self) -> None:
        while self.rest:
            portion = self._pace()
            while portion:
                portion -= self._splice(portion)

    def _splice(self, count: int) -> int:
        try:
            moved = os.splice(self._socket, self._pipe, count, flags=_SPLICE)
        except BlockingIOError:  # the one is empty, or the other full
            self._await_socket(pipe=False)
            self._await_pipe()
            return 0
        except BrokenPipeError:
            raise self._no_sink() from None
        if moved == 0:
            raise self._cut()
        self.heard()
        self.rest -= moved
        self._meter.add(moved)
        return moved


class TlsReceiver(StreamReceiver):
    """Through our memory, where it is decrypted."""

    _memory: memoryview | None = None

    def _move_chunk(self) -> None:
        memory = self._memory = self._memory or memoryview(bytearray(_MEMORY))
        while self.rest:
            portion = self._pace()
            while portion:
                count = self._read(memory[: min(portion, len(memory))])
                portion -= count
                self._write(memory[:count])

    def _read(self, memory: memoryview) -> int:
        """Fill the memory, or as much of it as has come."""
        filled = 0
        while filled < len(memory):
            count = self._line.read_into(memory[filled:])
            if count == 0:
                raise self._cut()
            if count is not None:
                filled += count
            elif filled:
                break
            else:
                self._await_socket(pipe=False)
        self.heard()
        self.rest -= filled
        return filled

    def _write(self, data: memoryview) -> None:
        while data:
            try:
                count = os.write(self._pipe, data)
            except BlockingIOError:
                self._await_pipe()
            except BrokenPipeError:
                raise self._no_sink() from None
            else:
                self._meter.add(count)
                data = data[count:]


_SPLICE: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
