"""Compression of a stream on the wire, by the programs that do it best: zstd, lz4, gzip.

They run as processes between two pipes. Whoever wrote a stream into one must ask for its exit code:
a stream that ends early looks to its reader as one that ends.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

from .errors import Failure, ZfsError

__all__ = ["Filter", "available", "filtered_sink", "filtered_source"]

_PACK: Final[Mapping[str, tuple[str, ...]]] = {
    "zstd": ("zstd", "-q", "-c", "-3"),
    "lz4": ("lz4", "-q", "-c", "-1"),
    "gzip": ("gzip", "-q", "-c", "-1"),
}
_UNPACK: Final[Mapping[str, tuple[str, ...]]] = {
    "zstd": ("zstd", "-q", "-d", "-c"),
    "lz4": ("lz4", "-q", "-d", "-c"),
    "gzip": ("gzip", "-q", "-d", "-c"),
}
_ENDED_SECONDS: Final = 30.0


def available() -> tuple[str, ...]:
    """The programs that this host has, best first."""
    return tuple(name for name in _PACK if shutil.which(name))


class Filter:
    """A program between two pipes.

    Attributes:
        fileno: our end of the one that is ours to use.
    """

    def __init__(self, name: str, fileno: int, process: trio.Process) -> None:
        self._name, self._process = name, process
        self._open = True
        self.fileno = fileno

    def close(self) -> None:
        """Close our end; of a sink, that is the end of the stream."""
        if self._open:
            self._open = False
            os.close(self.fileno)

    async def finish(self) -> None:
        """Wait for its end; what it read must have come to an end.

        Raises:
            ZfsError: it failed, or does not end.
        """
        with trio.move_on_after(_ENDED_SECONDS):
            await self._process.wait()
        if self._process.returncode != 0:
            raise ZfsError(f"{self._name} failed", failure=Failure.BAD_STREAM)


@asynccontextmanager
async def filtered_source(source: int, name: str) -> AsyncIterator[Filter]:
    """Compress what comes out of a pipe; read it from the filter's.

    Raises:
        ZfsError: the program can not be started.
    """
    ours, theirs = os.pipe()
    async with _running(_PACK[name], source, theirs, ours, theirs) as found:
        yield found


@asynccontextmanager
async def filtered_sink(sink: int, name: str) -> AsyncIterator[Filter]:
    """Decompress what is written to the filter's pipe, into a pipe.

    Raises:
        ZfsError: the program can not be started.
    """
    theirs, ours = os.pipe()
    async with _running(_UNPACK[name], theirs, sink, ours, theirs) as found:
        yield found


@asynccontextmanager
async def _running(
    argv: tuple[str, ...], stdin: int, stdout: int, ours: int, theirs: int
) -> AsyncIterator[Filter]:
    kept = -1
    try:
        process = await trio.lowlevel.open_process(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        kept = ours
    except OSError as exc:
        raise ZfsError(f"{argv[0]}: {exc.strerror}", failure=Failure.UNSUPPORTED) from exc
    finally:
        os.close(theirs)
        if kept < 0:  # also when it was cancelled before it began
            os.close(ours)
    found = Filter(argv[0], ours, process)
    try:
        yield found
    finally:
        found.close()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with trio.CancelScope(shield=True):  # it has been killed
                await process.wait()
