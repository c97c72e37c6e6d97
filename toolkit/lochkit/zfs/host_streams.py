"""``zfs send`` and ``zfs receive`` at work, each with one end of a pipe."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from .argv import Words, receive_words, send_words
from .errors import Failure
from .failures import zfs_error
from .host_program import ZfsProgram
from .host_types import ReceiveSpec, SendSpec
from .processes import Running, open_running

__all__ = ["ProgramReceiving", "ProgramSending", "open_receive", "open_send"]

_PIPE_BYTES: Final = 1024 * 1024  # what an ordinary user may ask for (fs.pipe-max-size)


class _End:
    """A descriptor that is closed once."""

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno

    def close(self) -> None:
        if self.fileno >= 0:
            fileno, self.fileno = self.fileno, -1
            os.close(fileno)


class _Streaming:
    """One end of the pipe, and the process at the other.

    Attributes:
        fileno: the pipe's descriptor; -1 when it is closed.
    """

    def __init__(
        self, end: _End, running: Running, words: Words, dataset: str, timeout: float
    ) -> None:
        self.fileno = end.fileno
        self._end = end
        self._running = running
        self._words = words
        self._dataset = dataset
        self._timeout = timeout
        self._aborted = False

    def close(self) -> None:
        """Close the pipe."""
        self.fileno = -1
        self._end.close()

    async def _finish(self) -> None:
        ended = await self._running.ended(self._timeout)
        if ended.status == 0:
            return
        raise zfs_error(
            self._words,
            status=ended.status,
            stderr=ended.stderr,
            dataset=self._dataset,
            failure=Failure.STOPPED if self._aborted and ended.status is not None else None,
        )


class ProgramSending(_Streaming):
    """See Sending."""

    async def finish(self) -> None:
        """See Sending."""
        await self._finish()


class ProgramReceiving(_Streaming):
    """See Receiving."""

    async def finish(self) -> None:
        """See Receiving."""
        self.close()
        await self._finish()

    def abort(self) -> None:
        """See Receiving."""
        self._aborted = True
        self._running.terminate()


@asynccontextmanager
async def open_send(program: ZfsProgram, spec: SendSpec) -> AsyncIterator[ProgramSending]:
    """Run ``zfs send``; see ZfsHost.send."""
    words = send_words(spec)
    ours, theirs = _pipe()
    try:
        async with open_running(
            program.argv(words), program.environment, stdout=theirs.fileno
        ) as running:
            theirs.close()
            timeout = program.stream_end_timeout
            sending = ProgramSending(ours, running, words, spec.dataset, timeout)
            try:
                yield sending
            finally:
                sending.close()  # before it is waited for: it may be waiting for us
    finally:
        theirs.close()
        ours.close()


@asynccontextmanager
async def open_receive(program: ZfsProgram, spec: ReceiveSpec) -> AsyncIterator[ProgramReceiving]:
    """Run ``zfs receive``; see ZfsHost.receive."""
    words = receive_words(spec)
    theirs, ours = _pipe()
    try:
        async with open_running(
            program.argv(words), program.environment, stdin=theirs.fileno
        ) as running:
            theirs.close()
            timeout = program.stream_end_timeout
            receiving = ProgramReceiving(ours, running, words, spec.dataset, timeout)
            try:
                yield receiving
            except BaseException:
                receiving.abort()  # before the pipe ends: it has not been told the whole stream
                raise
            finally:
                receiving.close()
    finally:
        theirs.close()
        ours.close()


def _pipe() -> tuple[_End, _End]:
    reading, writing = os.pipe()
    with suppress(OSError):  # all that this user may have are in use; 64 KiB do as well
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return _End(reading), _End(writing)
