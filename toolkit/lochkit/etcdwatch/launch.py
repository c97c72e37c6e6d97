"""How a job is carried out: by the command, or by showing what it would be given."""

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from signal import Signals
from typing import BinaryIO, Final

import trio

from ..errors import LochkitError
from ..io.anonymous import anonymous_file
from ..io.guarded import GuardedCommand
from ..io.guardian import Guardian
from ..io.process import Child, Exit, StopPlan
from .changes import Summary
from .desk import Job
from .diff import coloured, entry_line, unified_diff
from .formats import chunked

__all__ = ["ChildLauncher", "DiffPrinter", "OutputClosed", "StatePrinter"]

SUCCESS: Final = Exit(status=0)


class OutputClosed(LochkitError):
    """Nobody reads our standard output any more; 141 as for a process killed by SIGPIPE."""

    exit_code: int = 141


class ChildLauncher:
    """Runs the command with the state as its standard input.

    That is an anonymous file positioned at its start. With ``changes_file`` there is a second one,
    of the changes as lines of JSON; LOCHKIT_CHANGES_FILE is a path under which the command and what
    inherits its descriptors can open it.

    Args:
        argv: the command and its arguments.
        stop: how it is stopped.
        guardian: told of every run; borrowed.
        environ: what the command's environment is made from.
        changes_file: whether there is a file of changes.
    """

    is_logged = True

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stop: StopPlan,
        guardian: Guardian,
        environ: Mapping[str, str],
        changes_file: bool = True,
    ) -> None:
        self._command = GuardedCommand(argv, stop=stop, guardian=guardian, environ=environ)
        self._changes_file = changes_file

    @asynccontextmanager
    async def launch(self, job: Job) -> AsyncIterator[Child]:
        """Start a run; leaving the context stops it if it is still running, and waits for that."""
        summary = Summary()
        lines = chunked(job.change_lines(summary))
        inherited: list[int] = []
        path = None
        with ExitStack() as files:
            # In a thread, for they may be large; not abandoned, so that their files are always
            # closed.
            stdin = files.enter_context(await _written("lochkit-state", job.content))
            if self._changes_file:
                changes = files.enter_context(await _written("lochkit-changes", lines))
                inherited.append(changes.fileno())
                path = f"/dev/fd/{changes.fileno()}"
            else:
                deque(lines, maxlen=0)  # for the summary
            variables = job.environment(summary) | {"LOCHKIT_CHANGES_FILE": path}
            async with self._command.run(
                stdin=stdin.fileno(), variables=variables, pass_fds=inherited
            ) as child:
                files.close()  # the command has them now, and memory is freed when it is done
                yield child

    def kill_now(self) -> None:
        """See `GuardedCommand.kill_now`."""
        self._command.kill_now()


async def _written(label: str, chunks: Iterable[bytes]) -> BinaryIO:
    return await trio.to_thread.run_sync(anonymous_file, label, chunks)


@dataclass(frozen=True, slots=True)
class Done:
    """A run that was over before it could be waited for."""

    exit: Exit = SUCCESS

    async def wait(self) -> Exit:
        """Return at once."""
        await trio.lowlevel.checkpoint()
        return self.exit

    def signal(self, number: Signals) -> None:
        """Do nothing: it has ended."""


class StatePrinter:
    """Writes each document instead of running a command.

    Args:
        write: takes bytes; raises OSError.
    """

    is_logged = False

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    @asynccontextmanager
    async def launch(self, job: Job) -> AsyncIterator[Done]:
        """Write the document, with a line end if it has none."""
        end = b"" if job.content and job.content[-1].endswith(b"\n") else b"\n"
        for chunk in (*job.content, end):
            await _print(self._write, chunk)
        yield Done()


class DiffPrinter:
    """Writes what changed instead of running a command, as a unified diff of keys and values.

    Args:
        write: takes bytes; raises OSError.
        colour: whether the lines are coloured.
    """

    is_logged = False

    def __init__(self, write: Callable[[bytes], None], *, colour: bool) -> None:
        self._write = write
        self._colour = colour
        self._lines: dict[str, str] = {}  # of what was shown last, by key

    @asynccontextmanager
    async def launch(self, job: Job) -> AsyncIterator[Done]:
        """Write the diff."""
        changes = list(job.shown_changes())
        labels = (f"revision {job.previous_revision}", f"revision {job.revision}")
        lines = unified_diff(self._lines, changes, labels)
        text = "".join(f"{coloured(line) if self._colour else line}\n" for line in lines)
        await _print(self._write, text.encode())
        for key, _, leaf, _ in changes:
            if leaf is None:
                self._lines.pop(key, None)
            else:
                self._lines[key] = entry_line(key, leaf)
        yield Done()


async def _print(write: Callable[[bytes], None], data: bytes) -> None:
    try:
        # Abandoned when cancelled: a reader that has stalled must not hold up our end.
        await trio.to_thread.run_sync(write, data, abandon_on_cancel=True)
    except BrokenPipeError as exc:
        raise OutputClosed("nobody reads the output any more") from exc
    except OSError as exc:
        raise LochkitError(f"the output can not be written: {exc}") from exc


def write_stdout(data: bytes) -> None:
    """Write all of ``data`` to standard output, below Python's own buffers."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]
