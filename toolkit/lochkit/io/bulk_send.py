"""A stream out of a pipe into a connection, as frames."""

import fcntl
import os
import select
import socket
import time
from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from termios import FIONREAD
from typing import Final

from ..wire.control import decode_message
from ..wire.faults import WireFault
from ..wire.frames import CHUNK_LIMIT, HEADER_SIZE, Kind, encode_header
from .bulk_relay import BulkRelay
from .peer_errors import PeerError
from .peer_line import WRITE_LIMIT

__all__ = ["PlainSender", "StreamEnd", "StreamSender", "TlsSender"]

_HEARD_AT_ONCE: Final = 64
"""Frames: who does nothing but send heartbeats must not keep us from all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """How the sending of a stream ended.

    Attributes:
        bytes: of it that were sent.
        said: the message with which the other end stopped us; None: the pipe has ended.
    """

    bytes: int
    said: Mapping[str, object] | None


class StreamSender(BulkRelay):
    """Moves chunks until the pipe ends, or the other end says something."""

    _said: Mapping[str, object] | None = None

    def run(self) -> StreamEnd:
        """Do it; in the relay's thread.

        Raises:
            PeerError: the connection broke, or was silent for too long.
            OSError: likewise.
            WireFault: what the other end said is no frame.
            Stopped: by `stop`.
        """
        start = self._meter.bytes
        try:
            while self._said is None and self._move_chunk():
                self.listen()
                self.beat()
            self._flush()
        except OSError:
            self._hear_last_words()
            if self._said is None:
                raise
        return StreamEnd(bytes=self._meter.bytes - start, said=self._said)

    def _hear_last_words(self) -> None:
        """The other end has gone, perhaps after it said why."""
        with suppress(OSError, PeerError):
            self.listen()

    def listen(self) -> None:
        """Take note of what the other end says."""
        for _ in range(_HEARD_AT_ONCE):
            frame = self.next_frame() if self._said is None else None
            if frame is None:
                return
            if frame.kind is Kind.MESSAGE:
                self._said = decode_message(frame.payload)
            elif frame.kind is not Kind.HEARTBEAT:
                raise WireFault(f"a {frame.kind.name.lower()} came from who receives the stream")

    def send_heartbeat(self, frame: memoryview) -> None:
        """Send all of it: the next frame must not begin within it."""
        self._write(frame)

    def _move_chunk(self) -> bool:
        """Move what the pipe has; False when it has ended."""
        raise NotImplementedError

    def _await_pipe(self) -> bool:
        """Wait until the pipe has bytes; False when it has ended, or the other end spoke."""
        while self._said is None:
            events = self.wait(socket=select.POLLIN, pipe=select.POLLIN)
            if events.pipe & select.POLLIN:
                return True
            if events.pipe:
                return False
            self.listen()
            self.beat()
        return False

    def _await_socket(self) -> None:
        """Wait until the connection takes more, in the middle of a frame."""
        listening = select.POLLIN if self._said is None else 0
        if self.wait(socket=select.POLLOUT | listening).socket & ~select.POLLOUT:
            self.listen()

    def _pace(self, count: int) -> None:
        """Wait until so many bytes may be moved, or the other end has spoken."""
        rate = self._limits.rate
        if rate is None:
            return
        until = time.monotonic() + rate.reserve(count)
        while self._said is None and time.monotonic() < until:
            if self.wait(socket=select.POLLIN, until=until).socket:
                self.listen()
            self.beat()

    def _write(self, data: memoryview) -> None:
        while data:
            taken = self._line.write(data)
            data = data[taken:]
            if not taken:
                self._await_socket()

    def _flush(self) -> None:
        while not self._line.flush():
            self._await_socket()

    def _portion(self, most: int) -> int:
        rate = self._limits.rate
        return most if rate is None else min(most, rate.portion)


class PlainSender(StreamSender):
    """From the pipe to the socket within the kernel: the bytes are never copied."""

    def _move_chunk(self) -> bool:
        count = self._waiting()
        while count == 0:
            if not self._await_pipe():
                return False
            count = self._waiting()
        count = self._portion(min(count, CHUNK_LIMIT))
        self._pace(count)
        if self._said is not None:
            return False
        self._write_header(count)
        while count:
            count -= self._splice(count)
        return True

    def _waiting(self) -> int:
        """Bytes in the pipe."""
        found = array("i", (0,))
        fcntl.ioctl(self._pipe, FIONREAD, found, True)
        return found[0]

    def _write_header(self, count: int) -> None:
        header = encode_header(Kind.CHUNK, count)
        with suppress(BlockingIOError):
            # Not a packet of its own: the chunk follows at once.
            header = header[self._line.socket.send(header, socket.MSG_MORE) :]
        self._write(memoryview(header))

    def _splice(self, count: int) -> int:
        try:
            moved = os.splice(self._pipe, self._socket, count, flags=_SPLICE)
        except BlockingIOError:
            self._await_socket()
            return 0
        self._meter.add(moved)
        return moved


class TlsSender(StreamSender):
    """Through our memory, to be encrypted."""

    _memory: memoryview | None = None

    def _move_chunk(self) -> bool:
        memory = self._memory = self._memory or memoryview(bytearray(WRITE_LIMIT))
        self._flush()
        count = self._read(
            memory[HEADER_SIZE : self._portion(WRITE_LIMIT - HEADER_SIZE) + HEADER_SIZE]
        )
        if count == 0:
            return False
        self._pace(count)
        memory[:HEADER_SIZE] = encode_header(Kind.CHUNK, count)
        self._write(memory[: HEADER_SIZE + count])
        self._meter.add(count)
        return True

    def _read(self, memory: memoryview) -> int:
        while True:
            try:
                return os.readv(self._pipe, [memory])
            except BlockingIOError:
                if not self._await_pipe():
                    return 0


_SPLICE: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
