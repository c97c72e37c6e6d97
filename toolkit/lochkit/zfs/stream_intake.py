"""Takes in a stream from another host: decompresses it, and watches it on its way to ZFS.

fill -> [pipe -> zstd -d ->] pipe -> watch -> zfs receive
"""

import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import trio

from ..io.bulk_meter import Meter
from ..io.peer_errors import PeerError, SinkClosed
from ..wire.trailer import Trailer
from .compression import filtered_sink
from .errors import ZfsError
from .stream_begin import BadStream
from .stream_join import join_pipes
from .stream_watch import Watch

__all__ = ["Fill", "take_in"]

Fill = Callable[[int], Awaitable[Trailer]]
"""Writes a stream to a pipe, and returns the sender's verdict on it."""

_PIPE_SIZE: Final = 1024 * 1024


async def take_in(fill: Fill, sink: int, *, compression: str, watch: Watch | None) -> Trailer:
    """Have a stream written to `sink`, by way of what it needs.

    Args:
        fill: writes it.
        sink: descriptor of the pipe into ``zfs receive``; not closed.
        compression: none, or the program that has compressed it.
        watch: looks at it, decompressed; None: nobody does.

    Returns:
        The sender's verdict.

    Raises:
        BadStream: the watch does not want it.
        SinkClosed: ``zfs receive`` has ended before the stream.
        ZfsError: it could not be decompressed.
        PeerError: from `fill`, after what had arrived has been handed on.
    """
    unpacked = partial(_unpacked, fill, compression)
    return await (unpacked(sink) if watch is None else _watched(unpacked, sink, watch))


async def _unpacked(fill: Fill, compression: str, sink: int) -> Trailer:
    if compression == "none":
        return await fill(sink)
    async with filtered_sink(sink, compression) as program:
        found: Trailer | PeerError
        try:
            found = await fill(program.fileno)
        except PeerError as exc:
            found = exc
        # However much has come: it is handed on, since ZFS may be able to go on from there.
        program.close()
        try:
            await program.finish()
        except ZfsError:
            if isinstance(found, Trailer) and found.ok:
                raise
    if isinstance(found, PeerError):
        raise found
    return found


async def _watched(fill: Fill, sink: int, watch: Watch) -> Trailer:
    troubles: list[Exception] = []
    trailers: list[Trailer] = []
    with _pipe() as (ours, theirs):

        async def hand_on() -> None:
            try:
                await join_pipes(ours.fileno, sink, meter=Meter(), watch=watch)
            except (BadStream, SinkClosed) as exc:
                troubles.append(exc)
            finally:
                ours.close()  # whoever fills the pipe then finds that out

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hand_on)
            try:
                trailers.append(await fill(theirs.fileno))
            except (SinkClosed, PeerError, ZfsError) as exc:
                troubles.append(exc)
            finally:
                theirs.close()
    # The first trouble is the cause of the others, but for the one that closes the pipe: both
    # ends of that are told.
    for trouble in sorted(troubles, key=lambda one: isinstance(one, SinkClosed)):
        raise trouble
    return trailers[0]


class _End:
    def __init__(self, fileno: int) -> None:
        self.fileno = fileno

    def close(self) -> None:
        if self.fileno >= 0:
            os.close(self.fileno)
            self.fileno = -1


@contextmanager
def _pipe() -> Iterator[tuple[_End, _End]]:
    reading, writing = (_End(fileno) for fileno in os.pipe())
    with suppress(OSError):  # more than this user may have; then it is the usual size
        fcntl.fcntl(writing.fileno, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    try:
        yield reading, writing
    finally:
        reading.close()
        writing.close()
