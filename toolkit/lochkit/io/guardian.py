"""A child process that outlives us by a moment, to stop the command we leave behind when we crash.

A ``finally`` does not run after kill -9 or the kernel's out-of-memory killer. PR_SET_PDEATHSIG
would need code between fork and exec, which is not safe with threads; it reaches only the command
itself and not its children; and it fires when the *thread* that forked ends, which for Trio is a
worker thread that ends when idle. So a small process waits at the end of a pipe whose other end
only we hold: however we end, the kernel closes it.

Before a command is started its mark is announced (the mark is in the command's environment), and
after that its process group. Between the two the guardian finds the command by its mark. A command
that is finished is withdrawn, and what it left running on purpose is left alone. The directory of
its NOTIFY_SOCKET goes with it.
"""

import logging
import os
import pkgutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

__all__ = ["MARK_VARIABLE", "Guardian", "open_guardian"]

log = logging.getLogger(__name__)

MARK_VARIABLE: Final = "LOCHKIT_RUN_ID"
GOODBYE_SECONDS: Final = 1.0
MOST_PATH: Final = 200  # a socket's own is shorter


class Guardian:
    """Our end of the pipe. One command at a time."""

    def __init__(self, pipe: int | None) -> None:
        self._pipe = pipe

    def expect(self, mark: str) -> None:
        """A command with this mark in its environment is about to be started."""
        self._tell(f"mark {MARK_VARIABLE}={mark}")

    def watch(self, group: int) -> None:
        """It is this process group."""
        self._tell(f"group {group}")

    def clear_up(self, directory: str) -> None:
        """The next command has a directory with nothing but its socket: remove both at our end."""
        if "\n" not in directory and len(directory.encode()) < MOST_PATH:
            self._tell(f"directory {directory}")

    def withdraw(self) -> None:
        """It is over, or was not started after all."""
        self._tell("none")

    def _tell(self, line: str) -> None:
        if self._pipe is None:
            return
        try:
            # Far shorter than PIPE_BUF, so written whole or not at all; and never waits.
            os.write(self._pipe, line.encode() + b"\n")
        except OSError as exc:
            log.warning(
                "the guardian is gone: a crash would leave the command running",
                extra={"error": exc},
            )
            self._pipe = None


@asynccontextmanager
async def open_guardian(*, stop_signal: int, stop_timeout: float) -> AsyncIterator[Guardian]:
    """Start a guardian, and wait for its end when done with it.

    Args:
        stop_signal: what it sends to the group of a command we leave behind.
        stop_timeout: seconds until it kills that.
    """
    if not sys.executable:  # an embedded interpreter that does not know where it is from
        log.warning("no guardian: a crash would leave the command running")
        yield Guardian(None)
        return
    # As text, because we may have been imported from a zip file. -I, -S: no user's files, no site.
    source = (pkgutil.get_data(__package__, "guardian_child.py") or b"").decode()
    argv = [sys.executable, "-I", "-S", "-c", source, str(int(stop_signal)), str(stop_timeout)]
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        process = await trio.lowlevel.open_process(
            argv,
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,  # a terminal's signals are not for it
        )
        try:
            os.close(read_end)
            read_end = -1
            yield Guardian(write_end)
        finally:
            os.close(write_end)
            write_end = -1
            with trio.move_on_after(GOODBYE_SECONDS, shield=True):
                await process.wait()
            if process.returncode is None:
                process.kill()
    finally:
        for descriptor in (read_end, write_end):
            if descriptor != -1:
                os.close(descriptor)
