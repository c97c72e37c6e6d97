"""Frames over a connection, as Trio's tasks read and write them; and its end, in all cases."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import trio

from ..wire.frames import Frame, FrameReader, Kind, encode_header
from .peer_errors import PeerClosed, PeerError, PeerRefused, PeerSilent, SinkClosed
from .peer_faults import connected_with
from .peer_line import Line

__all__ = ["Link", "leave", "read_some", "write_all"]

_GOODBYE_SECONDS: Final = 1.0
_PIECE: Final = 1 << 16


async def read_some(line: Line, memory: memoryview) -> int:
    """Wait for bytes; 0 at the end.

    Raises:
        OSError: the connection broke.
    """
    while True:
        count = line.read_into(memory)
        if count is not None:
            return count
        await trio.lowlevel.wait_readable(line.socket)


async def write_all(line: Line, data: bytes) -> None:
    """Wait until all of the bytes are on their way.

    Raises:
        OSError: the connection broke.
    """
    rest = memoryview(data)
    while rest:
        taken = line.write(rest)
        rest = rest[taken:]
        if not taken:
            await trio.lowlevel.wait_writable(line.socket)
    while not line.flush():
        await trio.lowlevel.wait_writable(line.socket)


class Link:
    """A connection as frames.

    Several tasks may send, in turn, and one may read; a stream has the connection for itself.

    Args:
        line: the connection; owned from now on.
        address: of the other end, for people.

    Attributes:
        line: see above.
        frames: what has come of the frame that is being read.
        streaming: whether a stream runs.
    """

    def __init__(self, line: Line, address: str) -> None:
        self.line = line
        self.frames = FrameReader()
        self.streaming = False
        self._address = address
        self._writing = trio.Lock()
        self._reading = False
        self._usable = True
        self._closed = False

    async def send(self, kind: Kind, payload: bytes, *, timeout: float) -> None:
        """Send a frame; cancelled, or too slow, in the middle of it, the connection is cut.

        Raises:
            PeerError: the connection broke, or did not take it in `timeout` seconds.
        """
        self._refuse_while_streaming()
        async with self._writing:
            with self.guarded(), self._in_time(timeout, "{} took nothing for {:g} s"):
                await write_all(self.line, encode_header(kind, len(payload)) + payload)

    async def receive(self, *, timeout: float) -> Frame:
        """Wait for a frame; cancelled, what has come of it is kept.

        Raises:
            PeerClosed: the other end closed the connection between two frames.
            PeerError: it broke, or nothing whole came in `timeout` seconds.
            ProtocolFault: what came is no frame.
        """
        with self.reading(timeout, "nothing was heard from {} for {:g} s"):
            return await self.next_frame()

    @contextmanager
    def reading(self, timeout: float, too_slow: str) -> Iterator[None]:
        """Read, in the time given, and with the errors that are ours.

        Args:
            timeout: seconds.
            too_slow: what is said when they are over, of the other end and the seconds.
        """
        self._refuse_while_streaming()
        if self._reading:
            raise trio.BusyResourceError("another task reads from this connection")
        self._reading = True
        try:
            with self.guarded(unless_cancelled=True), self._in_time(timeout, too_slow):
                yield
        finally:
            self._reading = False

    async def next_frame(self) -> Frame:
        """The next frame; within `reading`."""
        await trio.lowlevel.checkpoint()
        while True:
            count = await read_some(self.line, self.frames.wanted())
            if count == 0:
                raise self._ended()
            frame = self.frames.advance(count)
            if frame is not None:
                return frame

    async def skip(self, count: int) -> None:
        """Read bytes, and forget them; within `reading`."""
        memory = memoryview(bytearray(min(count, _PIECE)))
        while count:
            await trio.lowlevel.checkpoint()
            read = await read_some(self.line, memory[: min(count, _PIECE)])
            if read == 0:
                raise PeerError(f"{self._address} closed the connection in the middle of a stream")
            count -= read

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Have the connection for oneself: neither `send` nor `receive` may be used meanwhile."""
        self._refuse_while_streaming()
        if self._reading:
            raise trio.BusyResourceError("another task reads from this connection")
        async with self._writing:  # a heartbeat may be on its way
            self.streaming = True
            try:
                with self.guarded():
                    yield
            finally:
                self.streaming = False
                if self._closed:
                    self.line.socket.close()

    def cut(self) -> None:
        """Break the connection at once, for both ends. It must still be closed."""
        self._usable = False
        with suppress(OSError):
            # Not closed: a thread may be about to use the descriptor, and would find another's.
            self.line.socket.shutdown(socket.SHUT_RDWR)

    async def aclose(self) -> None:
        """Close the connection: orderly within a second, unless it is broken already."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._usable and not self.streaming:
                await leave(self.line)
        finally:
            self.cut()
            if not self.streaming:
                trio.lowlevel.notify_closing(self.line.socket)
                self.line.socket.close()

    def _refuse_while_streaming(self) -> None:
        if self.streaming:
            raise trio.BusyResourceError("a stream has this connection for itself")

    @contextmanager
    def guarded(self, *, unless_cancelled: bool = False) -> Iterator[None]:
        """Cut the connection when what is done goes wrong: nobody knows what is in it then.

        Args:
            unless_cancelled: not when it is cancelled: what is done can be taken up again.

        Raises:
            PeerError: it is cut already; or what went wrong, with the connection or the protocol.
        """
        if not self._usable:
            raise PeerError(f"the connection with {self._address} is broken")
        try:
            with connected_with(self._address):
                yield
        except (PeerError, PeerRefused):
            self.cut()
            raise
        except SinkClosed:
            raise
        except BaseException:
            if not unless_cancelled:
                self.cut()
            raise

    @contextmanager
    def _in_time(self, timeout: float, too_slow: str) -> Iterator[None]:
        with trio.move_on_after(timeout) as scope:
            yield
        if scope.cancelled_caught:
            raise PeerSilent(too_slow.format(self._address, timeout))

    def _ended(self) -> PeerError:
        if self.frames.begun:
            return PeerError(f"{self._address} closed the connection in the middle of a frame")
        return PeerClosed(f"{self._address} closed the connection")


async def leave(line: Line) -> None:
    """Tell the other end that nothing more will come, and wait a moment until it has heard.

    A socket that is closed with bytes unread takes back what was sent last.
    """
    with trio.move_on_after(_GOODBYE_SECONDS), suppress(OSError):
        line.say_goodbye()
        memory = memoryview(bytearray(_PIECE))
        while await read_some(line, memory):  # noqa: ASYNC110 (it waits for bytes)
            await trio.lowlevel.checkpoint()
