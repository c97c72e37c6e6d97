"""Moves a stream from one pipe to another: counted, limited, watched, and cancellable.

The bytes do not come to Python unless somebody watches them: ``splice`` hands the pages of one pipe
to the other. A thread of its own does it, which waits with ``poll``: for the pipes, for the order
to stop, and for its deadline.
"""

import os
import select
import time
from contextlib import suppress
from typing import Any, Final

import trio

from ..io.bulk_meter import Meter
from ..io.peer_errors import SinkClosed
from ..io.rate import RateLimit
from .errors import Failure, StreamLost
from .stream_watch import Watch

__all__ = ["join_pipes"]

_CHUNK: Final = 1024 * 1024  # bytes: what our pipes hold
_WATCHED: Final = 256 * 1024  # bytes: stays in the cache of the processor
_LATE_SECONDS: Final = 2.0
"""How long the end of a stream may take to come after its reader has read it all, and ended."""

_FOREVER: Final = float("inf")


class _Stopped(Exception):
    """The thread was told to stop."""


async def join_pipes(
    source: int,
    sink: int,
    *,
    meter: Meter,
    rate: RateLimit | None = None,
    stall: float = _FOREVER,
    watch: Watch | None = None,
) -> int:
    """Move everything from `source` to `sink`, until the end of the source.

    Args:
        source: descriptor of a pipe to read from; not closed.
        sink: descriptor of a pipe to write to; not closed.
        meter: counts what has moved.
        rate: bytes per second; None: as many as there are.
        stall: seconds without a byte after which it is given up.
        watch: looks at what is moved; None: nobody does.

    Returns:
        How many bytes were moved.

    Raises:
        SinkClosed: nobody reads the sink any more, and there is more to be moved.
        BadStream: the watch does not want it.
        StreamLost: it has stalled.
    """
    join = _Join(source, sink, meter=meter, rate=rate, stall=stall, watch=watch)
    token = trio.lowlevel.current_trio_token()
    ended = trio.Event()
    results: list[Any] = []  # one, of the class `outcome.Outcome` that Trio uses

    def deliver(result: Any) -> None:
        results.append(result)
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(ended.set)

    try:
        await trio.lowlevel.checkpoint()
        # Not `to_thread`: that one can not be told that it is cancelled.
        trio.lowlevel.start_thread_soon(join.run, deliver, "lochkit-join")
        try:
            await ended.wait()
        finally:
            if not ended.is_set():
                join.stop()
                with trio.CancelScope(shield=True):  # it wakes up at once
                    await ended.wait()
    finally:
        join.close()
    moved: int = results[0].unwrap()
    return moved


class _Join:
    """The thread. Made, stopped and closed in Trio's; all else happens in its own."""

    def __init__(
        self,
        source: int,
        sink: int,
        *,
        meter: Meter,
        rate: RateLimit | None,
        stall: float,
        watch: Watch | None,
    ) -> None:
        self._source, self._sink = source, sink
        self._meter, self._rate, self._stall, self._watch = meter, rate, stall, watch
        self._stopped = False
        self._moved = 0
        self._last = time.monotonic()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._buffer = memoryview(bytearray(_WATCHED if watch else 0))

    def stop(self) -> None:
        self._stopped = True
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        os.close(self._wake)

    def run(self) -> int:
        was = os.get_blocking(self._sink)
        os.set_blocking(self._sink, False)
        try:
            self._last = time.monotonic()
            while self._wait_source():
                if not self._move():
                    break
        except (BrokenPipeError, _Stopped) as exc:
            raise SinkClosed("nobody reads the stream any more") from exc
        finally:
            os.set_blocking(self._sink, was)
        return self._moved

    def _move(self) -> bool:
        """Move some; False at the end."""
        most = self._rate.portion if self._rate else _CHUNK
        if self._watch is not None and not self._watch.settled:
            count = self._move_watched(self._watch, most)
        else:
            count = self._splice(most)
        if count and self._rate:
            self._pause(self._rate.reserve(count))
        return count != 0

    def _move_watched(self, watch: Watch, most: int) -> int:
        count = os.readv(self._source, [self._buffer[:most]])
        left = self._buffer[:count]
        watch.see(left)
        while left:
            try:
                written = os.write(self._sink, left)
            except BlockingIOError:
                self._wait_sink()
                continue
            left = left[written:]
            self._count(written)
        return count

    def _splice(self, most: int) -> int:
        while True:
            try:
                count = os.splice(self._source, self._sink, most, flags=os.SPLICE_F_NONBLOCK)
            except BlockingIOError:  # the source has some: so the sink is full
                self._wait_sink()
                continue
            except BrokenPipeError:
                # Also when there is nothing to be moved: its reader has seen the end before us.
                if self._has_ended():
                    return 0
                raise
            self._count(count)
            return count

    def _count(self, count: int) -> None:
        if count:
            self._moved += count
            self._meter.add(count)
            self._last = time.monotonic()

    def _wait_source(self) -> bool:
        """Wait until there is something to read, or the end; False when nothing will come."""
        while True:
            events = self._poll({self._source: select.POLLIN, self._sink: 0})
            if events.get(self._source):
                return True
            if events.get(self._sink):
                if self._has_ended():
                    return False
                raise BrokenPipeError

    def _has_ended(self) -> bool:
        """Whether the source comes to its end, now or in a moment, with nothing before it."""
        events = self._poll({self._source: select.POLLIN}, most=_LATE_SECONDS)
        found = events.get(self._source, 0)
        return bool(found) and not found & select.POLLIN

    def _wait_sink(self) -> None:
        self._poll({self._sink: select.POLLOUT})

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._poll({}, most=left)

    def _poll(self, wanted: dict[int, int], *, most: float = _FOREVER) -> dict[int, int]:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for fileno, mask in wanted.items():
            poll.register(fileno, mask)
        left = min(most, self._last + self._stall - time.monotonic())
        if left <= 0:
            raise StreamLost(
                f"not a byte of the stream has moved for {self._stall:g} s",
                failure=Failure.TIMEOUT,
            )
        found = dict(poll.poll(None if left == _FOREVER else left * 1000 + 1))
        if self._stopped:
            raise _Stopped
        found.pop(self._wake, None)
        return found
