"""What moves a stream between a pipe and a connection, in a thread of its own.

Trio decides, and starts and ends it; the bytes pass without its loop: a thread that waits with
``poll`` costs a few calls of the system for each quarter of a megabyte, and those let go of the
interpreter. All of it is non-blocking, and every wait also waits for the order to stop, for the
other end's heartbeats, and for the deadlines.
"""

import os
import select
import time
from dataclasses import dataclass
from typing import Final

from ..wire.frames import Frame, FrameReader, Kind, encode_header
from .bulk_meter import Meter
from .peer_errors import PeerError, PeerSilent
from .peer_line import Line
from .rate import RateLimit

__all__ = ["HEARTBEAT_SECONDS", "BulkLimits", "BulkRelay", "Events", "Stopped"]

HEARTBEAT_SECONDS: Final = 5.0

_READ: Final = select.POLLIN
_HEARTBEAT: Final = encode_header(Kind.HEARTBEAT, 0)
_LONGEST_WAIT: Final = 3600.0


class Stopped(Exception):
    """The thread was told to stop; never leaves the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkLimits:
    """What a transfer may take.

    Attributes:
        idle: seconds in which nothing is heard from the other end. That the kernel takes bytes
            for it says nothing: it takes megabytes for a host that is dead.
        stall: seconds without a byte of the stream, although the other end lives.
        rate: bytes per second; None is as many as there are.
    """

    idle: float
    stall: float
    rate: RateLimit | None = None

    @property
    def heartbeat(self) -> float:
        """Seconds between two of ours: who is impatient may expect that the other end is, too."""
        return min(HEARTBEAT_SECONDS, self.idle / 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What a wait ended with.

    Attributes:
        socket: events of the connection, as ``poll`` has them.
        pipe: events of the pipe, likewise.
    """

    socket: int = 0
    pipe: int = 0


class BulkRelay:
    """The common part of both directions: waits, deadlines, heartbeats.

    Made, stopped and closed in Trio's thread; all else happens in the relay's.

    Args:
        line: the connection, used by nobody else meanwhile.
        frames: reads its frames.
        pipe: descriptor; non-blocking.
        meter: counts.
        limits: see there.
        other: the other end, for a person.
    """

    def __init__(
        self,
        line: Line,
        frames: FrameReader,
        pipe: int,
        *,
        meter: Meter,
        limits: BulkLimits,
        other: str,
    ) -> None:
        self._line, self._frames, self._pipe = line, frames, pipe
        self._meter, self._limits, self._other = meter, limits, other
        self._stopped = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._socket = line.socket.fileno()
        self._heard = self._beaten = time.monotonic()
        self._began = self._heard

    def stop(self) -> None:
        """Make the thread end with `Stopped`, soon, whatever it waits for."""
        self._stopped = True
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Let go of what it has of its own; the thread must have ended."""
        os.close(self._wake)

    def wait(
        self, *, socket: int = 0, pipe: int | None = None, until: float = float("inf")
    ) -> Events:
        """Wait for the first of some events, or a time, or for nothing but the next heartbeat.

        Args:
            socket: mask of events, with which come its end and its errors; 0: not even those.
            pipe: likewise, but that 0 is for end and errors, and None is not even for those.
            until: time at which to return at the latest (``time.monotonic()``).

        Raises:
            Stopped: by `stop`.
            PeerSilent: a deadline has passed.
        """
        now = time.monotonic()
        silent = self._heard + self._limits.idle
        until = min(until, silent, self._stalled(), now + _LONGEST_WAIT)
        beat = self._beaten + self._limits.heartbeat
        if now < beat:  # else it could not be sent: we are in the middle of a frame
            until = min(until, beat)
        poll = select.poll()
        poll.register(self._wake, _READ)
        if socket:
            poll.register(self._socket, socket)
        if pipe is not None:
            poll.register(self._pipe, pipe)
        found = dict(poll.poll(max(0.0, until - now) * 1000 + 1))
        if self._stopped:
            raise Stopped
        # Not before the wait: we may have been asleep, and be about to read that it lives.
        if not found and time.monotonic() >= silent:
            raise PeerSilent(f"nothing was heard from {self._other} for {self._limits.idle:g} s")
        self._check_stall()
        return Events(socket=found.get(self._socket, 0), pipe=found.get(self._pipe, 0))

    def heard(self) -> None:
        """The other end has shown that it lives."""
        self._heard = time.monotonic()

    def beat(self) -> None:
        """Show the other end that we live, if it is time to; between two frames of ours only."""
        self._check_stall()
        now = time.monotonic()
        if now - self._beaten >= self._limits.heartbeat:
            self._beaten = now
            self.send_heartbeat(memoryview(_HEARTBEAT))

    def send_heartbeat(self, frame: memoryview) -> None:
        """Send it in the way of this direction."""
        raise NotImplementedError

    def next_frame(self) -> Frame | None:
        """Read what has come; None when that is not a whole frame.

        Raises:
            PeerError: the connection has ended.
            WireFault: what came is no frame.
        """
        while True:
            count = self._line.read_into(self._frames.wanted())
            if count is None:
                return None
            if count == 0:
                raise PeerError(f"{self._other} closed the connection in the middle of a stream")
            self.heard()
            frame = self._frames.advance(count)
            if frame is not None:
                return frame

    def _stalled(self) -> float:
        return max(self._meter.last_progress, self._began) + self._limits.stall

    def _check_stall(self) -> None:
        if time.monotonic() >= self._stalled():
            raise PeerSilent(
                f"not a byte of the stream has moved for {self._limits.stall:g} s, although "
                f"{self._other} is alive"
            )
