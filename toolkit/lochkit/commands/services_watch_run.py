"""Running the command of ``lochkit services watch``: one run at a time, with the newest view."""

import logging
import math
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from ..errors import CommandFailed
from ..io.anonymous import anonymous_file
from ..io.guarded import GuardedCommand
from ..io.guardian import Guardian
from ..io.process import Child, CommandNotStarted, Exit, StopPlan
from ..runtime.backoff import Backoff
from .services_news import Batch, News

__all__ = ["TIMED_OUT", "CommandLauncher", "CommandRunner", "Job", "RunPolicy"]

log = logging.getLogger(__name__)

TIMED_OUT: Final = 124
"""Exit code of a run that took too long, as timeout(1) has it."""

_LONGEST_QUIET: Final = 4
"""Quiet times after which the command runs even if things go on happening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run.

    Attributes:
        content: what the command reads.
        variables: added to its environment.
    """

    content: bytes
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """When the command runs, and for how long.

    Attributes:
        quiet: seconds without anything new before it runs.
        timeout: seconds a run may take.
        once: end after the first run, with its exit code.
        retry: the waits after a run that failed; something new ends them.
    """

    quiet: float = 0.0
    timeout: float = math.inf
    once: bool = False
    retry: Backoff = field(default_factory=lambda: Backoff(base=1.0, maximum=60.0))


class Running(Protocol):
    """A command that has been started."""

    @property
    def exit(self) -> Exit | None:
        """How it ended, None while it runs."""
        ...

    async def wait(self) -> Exit:
        """Wait for its end."""
        ...


class Launcher(Protocol):
    """Starts the command."""

    def launch(self, job: Job) -> AbstractAsyncContextManager[Running]:
        """Start a run; leaving the context stops it if it still runs, and waits for that."""
        ...


class CommandLauncher:
    """Runs a command that reads the view on its standard input: an anonymous file, at its start.

    Args:
        argv: the command and its arguments.
        stop: how it is stopped.
        guardian: told of every run; borrowed.
        environ: what the command's environment is made from.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stop: StopPlan,
        guardian: Guardian,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._command = GuardedCommand(argv, stop=stop, guardian=guardian, environ=environ)

    @asynccontextmanager
    async def launch(self, job: Job) -> AsyncIterator[Child]:
        """See `Launcher`."""
        # In a thread, for it may be large; not abandoned, so that its file is always closed.
        stdin = await trio.to_thread.run_sync(anonymous_file, "lochkit-view", [job.content])
        with stdin:
            async with self._command.run(stdin=stdin.fileno(), variables=job.variables) as child:
                stdin.close()  # the command has it now
                yield child

    def kill_now(self) -> None:
        """See `GuardedCommand.kill_now`."""
        self._command.kill_now()


class CommandRunner:
    """The actor that runs the command when there is news.

    What a failed run was to be told is told again by the next one, whose view is the newest.

    Args:
        news: what is to be told; owned.
        job: makes a job of it, with the view as it is then.
        launcher: starts the command; borrowed.
        policy: when it runs.
        jitter: yields numbers in [0, 1).

    Attributes:
        runs: how often it has been started.
        busy: whether it runs; still true after the actor was cancelled in a run.
        last_exit: how the last run ended.
    """

    name = "command"

    def __init__(
        self,
        news: News,
        job: Callable[[Batch], Job],
        launcher: Launcher,
        policy: RunPolicy,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._news = news
        self._job = job
        self._launcher = launcher
        self._policy = policy
        self._jitter = jitter
        self._arrived = trio.Event()
        self._failures = 0
        self.runs = 0
        self.busy = False
        self.last_exit: Exit | None = None

    def arrived(self) -> None:
        """There is something new in the news."""
        self._arrived.set()
        self._arrived = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the command until cancelled, or once.

        Raises:
            CommandFailed: it could not even be started the first time; or it was to run once, and
                failed.
            CommandNotStarted: it was to run once, and could not be for now.
        """
        task_status.started()
        while True:
            while not self._news:
                await self._arrived.wait()
            await self._settle()
            batch = self._news.take()
            try:
                code = await self._run(self._job(batch))
            except BaseException:
                self._news.give_back(batch)
                raise
            if self._policy.once:
                if code:
                    raise CommandFailed(f"the command failed with code {code}", exit_code=code)
                return
            if code:
                self._news.give_back(batch)
                await self._wait_for_retry()
            else:
                self._failures = 0

    async def _settle(self) -> None:
        """Wait until it has been quiet, but not for ever."""
        quiet = self._policy.quiet
        if not quiet:
            return
        with trio.move_on_after(quiet * _LONGEST_QUIET):
            while True:
                arrived = self._arrived
                with trio.move_on_after(quiet) as silence:
                    await arrived.wait()
                if silence.cancelled_caught:
                    return

    async def _run(self, job: Job) -> int:
        """Run the command once; its exit code."""
        self.runs += 1
        self.busy, self.last_exit = True, None
        running: Running | None = None
        began = trio.current_time()
        code = TIMED_OUT
        try:
            async with self._launcher.launch(job) as running:
                with trio.move_on_after(self._policy.timeout):
                    code = (await running.wait()).code
        except (CommandFailed, CommandNotStarted) as exc:
            if self._policy.once or (self.runs == 1 and isinstance(exc, CommandFailed)):
                raise
            log.warning("command not started", extra={"error": exc})
            self.busy = False
            return exc.exit_code
        finally:
            if running is not None:
                self.last_exit = running.exit
        self.busy = False
        facts = {"end": str(self.last_exit), "seconds": round(trio.current_time() - began, 3)}
        if code == TIMED_OUT:
            facts["limit"] = self._policy.timeout
        log.log(logging.WARNING if code else logging.INFO, "command ended", extra=facts)
        return code

    async def _wait_for_retry(self) -> None:
        """Wait before the same is told again; shorter when there is something new to tell."""
        self._failures += 1
        arrived, jitter = self._arrived, self._jitter()
        delay = self._policy.retry.jittered(self._failures, jitter)
        log.info("the command is tried again", extra={"in_seconds": round(delay, 3)})
        # Never at once: a command that fails, and whose services come and go, would never rest.
        shortest = self._policy.retry.jittered(1, jitter)
        await trio.sleep(shortest)
        with trio.move_on_after(delay - shortest):
            await arrived.wait()
            self._failures = 0
