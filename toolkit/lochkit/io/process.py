"""The operator's commands as child processes: started, signalled, waited for, never left behind."""

import errno
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGTERM, Signals
from typing import Final

import trio

from ..errors import CommandFailed, TransientError
from .guardian_child import group_is_alive

__all__ = [
    "KILLED_SECONDS",
    "Child",
    "CommandNotExecutable",
    "CommandNotFound",
    "CommandNotStarted",
    "Exit",
    "StopPlan",
    "check_command",
    "open_child",
    "signal_named",
    "start_error",
]

POLL_SECONDS: Final = 0.02
KILLED_SECONDS: Final = 1.0
"""How long a killed group may take to vanish: longer only for what the kernel can not interrupt."""


class CommandNotFound(CommandFailed):
    """There is no such command; 127 like a shell."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=127)


class CommandNotExecutable(CommandFailed):
    """It is there and can not be executed; 126 like a shell."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=126)


class CommandNotStarted(TransientError):
    """The host is out of processes, memory or descriptors for now."""


def signal_named(word: str) -> Signals:
    """Return the signal that is meant by ``TERM``, ``SIGTERM`` or ``15``.

    Raises:
        ValueError: there is none.
    """
    try:
        if word.isdecimal():
            return Signals(int(word))
        return Signals["SIG" + word.upper().removeprefix("SIG")]
    except (KeyError, ValueError):
        raise ValueError(f"{word!r} is not a signal") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended.

    Attributes:
        status: its exit status, or minus the number of the signal that killed it.
    """

    status: int

    @property
    def code(self) -> int:
        """What a shell would report: the status, or 128 and the signal's number."""
        return self.status if self.status >= 0 else 128 - self.status

    def __str__(self) -> str:
        if self.status >= 0:
            return f"exit code {self.status}"
        try:
            return f"killed by {Signals(-self.status).name}"
        except ValueError:  # a real-time signal
            return f"killed by signal {-self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlan:
    """How a command is stopped.

    Attributes:
        signal: asks its whole process group to stop.
        timeout: seconds after which what is left of the group is killed.
    """

    signal: Signals = SIGTERM
    timeout: float = 3.0


class Child:
    """A running command, the leader of a session and process group of its own."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The command's process id, which is its group's as well."""
        return self._process.pid

    @property
    def exit(self) -> Exit | None:
        """How it ended, None while it runs."""
        status = self._process.returncode
        return None if status is None else Exit(status=status)

    async def wait(self) -> Exit:
        """Wait for the end of the command itself; what it started may still run."""
        return Exit(status=await self._process.wait())

    def signal(self, number: Signals) -> None:
        """Send a signal to the command alone; nothing happens when it has ended."""
        self._process.send_signal(number)

    def signal_group(self, number: int) -> bool:
        """Send a signal to the command and what it started; return whether anyone was left."""
        # The id is not given to a new process as long as the group has a member. After that it
        # could, once the kernel has gone through all other ids: not in the moments between our
        # calls.
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # only processes of another user's are left, such as sudo's
            return False
        return True

    async def stop(self, plan: StopPlan) -> None:
        """Stop the command and what it started, and return when none of it runs any more.

        Takes at most the plan's timeout and a moment.
        """
        with trio.move_on_after(plan.timeout):
            self.signal_group(plan.signal)
            self.signal_group(SIGCONT)  # a stopped process could not react
            await self._process.wait()
            await self._group_gone()
        if self.signal_group(SIGKILL):
            with trio.move_on_after(KILLED_SECONDS):
                await self._process.wait()
                await self._group_gone()

    async def _group_gone(self) -> None:
        # The kernel tells only a parent about an end, and of the command's children that is not us.
        while group_is_alive(self.pid):  # noqa: ASYNC110
            await trio.sleep(POLL_SECONDS)


def check_command(argv: Sequence[str]) -> None:
    """Find out early whether a command can be started at all.

    Raises:
        CommandNotFound: there is no such file, here or on PATH.
        CommandNotExecutable: there is one that can not be executed.
    """
    name = argv[0]
    if shutil.which(name):
        return
    candidates = [name] if os.sep in name else [os.path.join(d, name) for d in os.get_exec_path()]
    if any(os.path.exists(path) for path in candidates):
        raise CommandNotExecutable(f"{name}: not executable")
    raise CommandNotFound(f"{name}: command not found")


@asynccontextmanager
async def open_child(
    argv: Sequence[str],
    *,
    stdin: int,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    stop: StopPlan,
) -> AsyncIterator[Child]:
    """Start a command without a shell, and stop it on the way out if it still runs.

    Output, error output and working directory are ours. It leads a session of its own, so that a
    terminal's Ctrl-C is for us to pass on, and so that what it starts can be stopped with it. When
    the command has ended by itself, what it started is left alone.

    Args:
        argv: the command and its arguments.
        stdin: descriptor of its standard input; stays the caller's.
        env: its whole environment.
        pass_fds: further descriptors it inherits, under the same numbers.
        stop: how it is stopped when the body is left while it runs, cancelled or not; the cancelled
            body waits for that, which is bounded by the plan.

    Raises:
        CommandNotFound: it, or the interpreter it names, does not exist.
        CommandNotExecutable: it can not be executed.
        CommandNotStarted: not now, but perhaps later.
    """
    try:
        process = await trio.lowlevel.open_process(
            list(argv), stdin=stdin, env=dict(env), pass_fds=tuple(pass_fds), start_new_session=True
        )
    except OSError as exc:
        raise start_error(argv[0], exc) from exc
    child = Child(process)
    try:
        yield child
    finally:
        if child.exit is None:
            with trio.CancelScope(shield=True):  # bounded by the plan
                await child.stop(stop)


def start_error(name: str, exc: OSError) -> CommandFailed | TransientError:
    match exc.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return CommandNotFound(f"{name}: {exc.strerror}")
        case errno.EAGAIN | errno.ENOMEM | errno.EMFILE | errno.ENFILE | errno.ETXTBSY | errno.EIO:
            return CommandNotStarted(f"{name}: {exc.strerror}")
        case _:
            return CommandNotExecutable(f"{name}: {exc.strerror}")
