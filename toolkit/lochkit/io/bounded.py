"""Commands that are run to their end: with a limit of time, and of what they may say."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from signal import SIGKILL
from typing import Final

import trio

from .process import Child, Exit, StopPlan, start_error

__all__ = ["Finished", "run_bounded"]

OUTPUT_LIMIT: Final = 64 * 1024  # bytes
_CHUNK: Final = 64 * 1024  # bytes; what a pipe of Linux holds
_DRAIN_SECONDS: Final = 0.2
_STOP: Final = StopPlan(timeout=0.5)
_CUT: Final = b"\n[...]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended.

    Attributes:
        exit: its exit; None when it had to be stopped because its time was over.
        output: what it wrote to both of its outputs; without the middle when that was too much.
    """

    exit: Exit | None
    output: bytes

    @property
    def ok(self) -> bool:
        """Whether it ended in time, and well."""
        return self.exit is not None and self.exit.status == 0


async def run_bounded(
    argv: Sequence[str],
    *,
    timeout: float,
    limit: int = OUTPUT_LIMIT,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
    leave: bool = False,
) -> Finished:
    """Run a command without a shell, with nothing to read, and wait for its end.

    It leads a session of its own. When it is stopped, because its time is over or because the
    caller is cancelled, all of its process group is, within half a second and a moment.

    Args:
        argv: the command and its arguments.
        timeout: seconds from its start to its end.
        limit: bytes of output that are kept; all of it is read, so that nobody waits for us.
        environment: added to ours.
        directory: in which it runs; None is ours.
        leave: whether what it started may outlive it, as a service that it started does. Such a
            service must have outputs of its own: nobody reads ours any more.

    Raises:
        CommandNotFound: it, or the interpreter it names, does not exist.
        CommandNotExecutable: it can not be executed.
        CommandNotStarted: not now, but perhaps later.
    """
    try:
        process = await trio.lowlevel.open_process(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    except OSError as exc:
        raise start_error(argv[0], exc) from exc
    assert process.stdout is not None  # it was asked for
    child, output = Child(process), _Ends(limit)
    try:
        with trio.move_on_after(timeout):
            await _run(child, process.stdout, output, leave=leave)
        ended = child.exit
    finally:
        with trio.CancelScope(shield=True):  # bounded by the plan
            if child.exit is None:
                await child.stop(_STOP)
            elif not leave:
                child.signal_group(SIGKILL)
            await process.stdout.aclose()
    return Finished(exit=ended, output=output.content())


async def _run(
    child: Child, stdout: trio.abc.ReceiveStream, output: "_Ends", *, leave: bool
) -> None:
    collected = trio.Event()

    async def collect() -> None:
        while chunk := await stdout.receive_some(_CHUNK):
            output.add(chunk)
        collected.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect)
        await child.wait()
        if not leave:
            child.signal_group(SIGKILL)
        # What it wrote is in the pipe; but what it left running may keep that open for ever.
        with trio.move_on_after(_DRAIN_SECONDS):
            await collected.wait()
        nursery.cancel_scope.cancel()


class _Ends:
    """The beginning and the end of what may be too much: faults are told first, or last."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._cut = False

    def add(self, chunk: bytes | bytearray) -> None:
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > self._half:
            self._cut = True
            del self._tail[: len(self._tail) - self._half]

    def content(self) -> bytes:
        return bytes(self._head + (_CUT if self._cut else b"") + self._tail)
