"""``zfs`` as a child process: nothing of it is left behind, and what it says is bounded.

Output is read as it comes; of the error output the beginning and the end are kept. However a block
ends, its process is asked to stop, is killed when it does not, and is waited for. A child whose
parent is killed ends by itself: its pipe has nobody at the other end any more.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from signal import SIGTERM
from typing import Final

import trio

from ..errors import LochkitError
from ..io.process import Child, CommandNotStarted, StopPlan, start_error
from .errors import Failure, ZfsBusy, ZfsUnavailable

__all__ = ["Ended", "Running", "environment", "find_program", "open_running", "run_streaming"]

_CHUNK: Final = 256 * 1024
_KEPT: Final = 32 * 1024  # bytes of error output, of its beginning and of its end
_DRAIN_SECONDS: Final = 0.5
_STOP: Final = StopPlan(timeout=2.0)
_KERNEL_SECONDS: Final = 10.0  # a killed process ends when the kernel has done what it is doing
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        status: its exit status, or minus the number of the signal that killed it; None: it had to
            be killed, since its time was over.
        stderr: what it wrote to its error output; without the middle, if that was too much.
    """

    status: int | None
    stderr: str


class Running:
    """A process that runs; made by `open_running`."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._child = Child(process)
        self._head = bytearray()
        self._tail = bytearray()
        self._said_all = trio.Event()

    @property
    def stdout(self) -> trio.abc.ReceiveStream:
        """Its output, if that was asked to be a pipe."""
        assert self._process.stdout is not None
        return self._process.stdout

    def terminate(self) -> None:
        """Ask it to stop; the end of the block sees to it that it does."""
        self._child.signal_group(SIGTERM)

    async def ended(self, timeout: float) -> Ended:
        """Wait for its end; kill it when it takes too long.

        Args:
            timeout: seconds.
        """
        with trio.move_on_after(timeout):
            status: int | None = await self._process.wait()
            # What it has started may hold the pipe open; it itself has said all.
            with trio.move_on_after(_DRAIN_SECONDS):
                await self._said_all.wait()
            return Ended(status=status, stderr=self._stderr())
        await self._stop()
        return Ended(status=None, stderr=self._stderr())

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        with suppress(trio.ClosedResourceError):  # by the end of the block
            while chunk := await self._process.stderr.receive_some(_CHUNK):
                room = _KEPT - len(self._head)
                self._head += chunk[:room]
                self._tail += chunk[room:]
                del self._tail[: len(self._tail) - _KEPT]
        self._said_all.set()

    def _stderr(self) -> str:
        return (self._head + self._tail).decode("utf-8", "replace")

    async def _stop(self) -> None:
        if self._child.exit is not None:
            return
        await self._child.stop(_STOP)
        with trio.move_on_after(_KERNEL_SECONDS):
            await self._process.wait()
        if self._child.exit is None:
            # Its pool does not answer. It ends when that does, and is waited for until then.
            trio.lowlevel.spawn_system_task(self._process.wait)

    async def _close(self) -> None:
        await self._stop()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                await stream.aclose()


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of ``zfs``: its words are to be those we know, without colours."""
    kept = {name: value for name, value in ours.items() if name not in ("ZFS_COLOR", "LANGUAGE")}
    return {**kept, "LC_ALL": "C", "PATH": f"{ours.get('PATH', os.defpath)}:{_SBIN}"}


def find_program(name: str, env: Mapping[str, str]) -> str:
    """The path of a program.

    Raises:
        ZfsUnavailable: it is not there.
    """
    if found := shutil.which(name, path=env["PATH"]):
        return found
    raise ZfsUnavailable(
        f"{name}: no such program: is ZFS installed on this host?", failure=Failure.UNAVAILABLE
    )


@asynccontextmanager
async def open_running(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> AsyncIterator[Running]:
    """Start a process in a session of its own, and listen to its error output.

    An exception of the block comes out as it is. Leaving the block stops the process, which takes
    as long as ZFS needs to let go of it, but not more than 13 seconds.

    Args:
        argv: the command and its arguments.
        env: its whole environment.
        stdin: descriptor for its standard input; stays the caller's.
        stdout: descriptor for its standard output; stays the caller's; or subprocess.PIPE.

    Raises:
        ZfsUnavailable: the program is not there, or can not be executed.
        ZfsBusy: LIMIT: the host is out of processes, memory or descriptors for now.
    """
    running = Running(await _start(argv, env, stdin, stdout))
    carried: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running._listen)  # noqa: ASYNC113 (has nothing to start)
            try:
                yield running
            except BaseException as exc:  # noqa: ASYNC103, BLE001 (raised outside the nursery)
                carried = exc
            finally:
                with trio.CancelScope(shield=True):  # bounded by the plan
                    await running._close()  # noqa: ASYNC102
                nursery.cancel_scope.cancel()
    finally:
        if carried is not None:
            raise carried


async def _start(
    argv: Sequence[str], env: Mapping[str, str], stdin: int, stdout: int
) -> trio.Process:
    try:
        return await trio.lowlevel.open_process(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
    except OSError as exc:
        error: LochkitError = start_error(argv[0], exc)
        if isinstance(error, CommandNotStarted):
            raise ZfsBusy(str(error), failure=Failure.LIMIT) from exc
        raise ZfsUnavailable(str(error), failure=Failure.UNAVAILABLE) from exc


async def run_streaming(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    timeout: float,
    take: Callable[[bytes], None],
) -> Ended:
    """Run a process to its end, and give its output away as it comes.

    Args:
        argv: the command and its arguments.
        env: its whole environment.
        timeout: seconds from its start to its end.
        take: gets every piece of output; what it raises ends the process, and comes out.

    Raises:
        ZfsError: as `open_running`.
    """
    deadline = trio.current_time() + timeout
    async with open_running(argv, env, stdout=subprocess.PIPE) as running:
        with trio.move_on_at(deadline):
            while chunk := await running.stdout.receive_some(_CHUNK):
                take(bytes(chunk))
        return await running.ended(max(deadline - trio.current_time(), 0.0))
