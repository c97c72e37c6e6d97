"""The actor at the end of the pipeline: it runs the command when there is something new to see."""

import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto
from signal import Signals
from typing import Any, Final, Protocol

import trio

from ..errors import CommandFailed
from ..etcd.model import Step
from ..io.process import Exit
from .desk import Desk, Job
from .policy import OnBusy, OnFailure, RunPolicy

__all__ = ["TIMED_OUT", "Launcher", "Runner", "Running"]

log = logging.getLogger(__name__)

TIMED_OUT: Final = 124
"""Exit code of a run that took too long, as timeout(1) has it."""


class Running(Protocol):
    """A command that has been started."""

    @property
    def exit(self) -> Exit | None:
        """How it ended, None while it runs."""
        ...

    async def wait(self) -> Exit:
        """Wait for its end."""
        ...

    def signal(self, number: Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        ...


class Launcher(Protocol):
    """Starts the command.

    Attributes:
        is_logged: whether the end of a run that did not fail is worth a line in the log.
    """

    is_logged: bool

    def launch(self, job: Job) -> AbstractAsyncContextManager[Running]:
        """Start a run; leaving the context stops it if it is still running, and waits for that."""
        ...


class Over(Enum):
    """How the wait for a run came to its end."""

    ENDED = auto()
    TIMED_OUT = auto()
    SUPERSEDED = auto()


class Runner:
    """Takes in steps and runs the command, one run at a time.

    The desk, with the state and the pending changes, survives a restart: a step is a difference,
    and can not be had again. A run that a failure of ours cut short is done again.

    Args:
        steps: where steps come from; their end ends the actor once the last state has been seen.
            Borrowed.
        desk: decides what is to be seen; owned.
        launcher: starts the command; borrowed.
        policy: what to do when it is busy or fails.
        jitter: yields numbers in [0, 1).
    """

    name = "runner"

    def __init__(
        self,
        steps: trio.abc.ReceiveChannel[Step],
        desk: Desk,
        launcher: Launcher,
        policy: RunPolicy,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._steps = steps
        self._desk = desk
        self._launcher = launcher
        self._policy = policy
        self._jitter = jitter
        self._news = trio.Event()  # set when a step has been taken in, or the steps have ended
        self._ended = False
        self._idle = trio.Event()  # set while there is nothing to do
        self._steps_taken = 0
        self._failures = 0
        self._running: Running | None = None
        self._hung_up = False
        self._job: Job | None = None  # begun, and neither finished nor failed
        self._reported = (desk.refusal, desk.left_out)
        self.runs = 0
        """How often the command has been started."""
        self.busy = False
        """Whether the command is running; still True after the actor was cancelled in a run."""
        self.last_exit: Exit | None = None
        """How the last run ended."""

    def hang_up(self) -> None:
        """Pass a HUP on to the command, if it is running."""
        if self._running is None and self.busy:
            self._hung_up = True  # it is just being started, and may run already
        elif self._running is None:
            log.info(
                "no command is running that could be given the signal", extra={"signal": "HUP"}
            )
        else:
            self._running.signal(Signals.SIGHUP)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the command until the steps end, or its policy does.

        Raises:
            CommandFailed: the command failed and that is to end us.
        """
        if self._job is not None:  # cut short by a failure of ours
            self._desk.failed(self._job)
            self._job = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            task_status.started()
            await self._work()
            nursery.cancel_scope.cancel()

    async def _listen(self) -> None:
        """Take in steps as they come, or one by one."""
        while not self._ended:
            if self._policy.each_step:
                await self._idle.wait()
            try:
                step = await self._steps.receive()
            except trio.EndOfChannel:
                self._ended = True
            else:
                self._desk.apply(step)
                self._steps_taken += 1
                self._idle = trio.Event()
            self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for news, once."""
        self._news.set()
        self._news = trio.Event()

    async def _work(self) -> None:
        """Run what there is to run until nothing more can come."""
        while True:
            job = self._next()
            if job is None:
                if self._ended:
                    return
                self._idle.set()
                await self._news.wait()
            elif await self._see(job):
                return

    def _next(self) -> Job | None:
        """Ask the desk, and report once what it refuses or leaves out."""
        job = self._desk.next()
        refusal, left_out = self._reported
        if self._desk.refusal is not None and self._desk.refusal != refusal:
            # Of each kind once: a number in it may change with every key, for as long as it lasts.
            is_news = type(self._desk.refusal) is not type(refusal)
            log.log(
                logging.WARNING if is_news else logging.DEBUG,
                "state refused: the command is not run",
                extra={"reason": self._desk.refusal, "revision": self._desk.revision},
            )
        elif refusal is not None and self._desk.refusal is None:
            log.info("state accepted again", extra={"revision": self._desk.revision})
        if self._desk.left_out != left_out and self._desk.left_out:
            log.warning(
                "keys without a place in the document are left out",
                extra={"count": len(self._desk.left_out), "first": self._desk.left_out[0]},
            )
        self._reported = (self._desk.refusal, self._desk.left_out)
        return job

    async def _see(self, job: Job) -> bool:
        """Run the command once and do what its end asks for; return whether it was the last run."""
        policy = self._policy
        steps_before = self._steps_taken
        self._desk.began(job)
        self._job = job
        self.runs += 1
        code = await self._run(job)
        self._job = None
        if code is None or (code and policy.on_failure is OnFailure.RETRY):
            self._desk.failed(job)
            if code is not None:
                await self._wait_for_retry(steps_before)
            return False
        self._failures = 0
        if code and (policy.once or policy.on_failure is OnFailure.EXIT):
            raise CommandFailed(f"the command failed with code {code}", exit_code=code)
        if policy.once:
            return True
        if policy.on_busy is OnBusy.IGNORE and not self._ended:
            await self._wait_for_news(policy.rest)
        if self._steps_taken != steps_before:  # the desk was asked during the run, in vain
            self._desk.look_again()
        return False

    async def _run(self, job: Job) -> int | None:
        """Return the exit code of one run, None when a newer state has put an end to it.

        Raises:
            CommandFailed: it could not even be started the first time: no state will change that.
        """
        facts: dict[str, Any] = {
            "revision": job.revision,
            "keys": job.key_count,
            "changes": len(job.changes),
        }
        log.debug("command starts", extra=facts)
        began = trio.current_time()
        self.busy, self._hung_up = True, False
        try:
            async with self._launcher.launch(job) as running:
                self._running = running
                if self._hung_up:
                    running.signal(Signals.SIGHUP)
                over = await self._until_over(running)
        except CommandFailed as exc:
            if self.runs == 1:
                raise
            log.warning("command not started", extra={"error": exc, **facts})
            return exc.exit_code
        finally:
            if self._running is not None:
                self.last_exit = self._running.exit
            self._running = None
        self.busy = False
        facts |= {"end": str(self.last_exit), "seconds": round(trio.current_time() - began, 3)}
        if over is Over.SUPERSEDED:
            log.info("command stopped for a newer state", extra=facts)
            return None
        if over is Over.TIMED_OUT:
            log.warning("command took too long and was stopped", extra=facts)
            return TIMED_OUT
        code = self.last_exit.code if self.last_exit is not None else 0
        usual = logging.INFO if self._launcher.is_logged else logging.DEBUG
        log.log(logging.WARNING if code else usual, "command ended", extra=facts)
        return code

    async def _until_over(self, running: Running) -> Over:
        """Wait until the command ends, takes too long or shows an outdated state."""
        over = Over.SUPERSEDED
        async with trio.open_nursery() as nursery:
            if not self._policy.once and self._policy.on_busy in (OnBusy.RESTART, OnBusy.SIGNAL):
                nursery.start_soon(self._attend, running, nursery.cancel_scope)
            with trio.move_on_after(self._policy.timeout) as limit:
                await running.wait()
                over = Over.ENDED
            if limit.cancelled_caught:
                over = Over.TIMED_OUT
            nursery.cancel_scope.cancel()
        return over

    async def _attend(self, running: Running, run: trio.CancelScope) -> None:
        """While the command runs, stop it or send it a signal when there is something newer."""
        signalled = b""
        while True:
            news = self._news
            newer = self._next()
            if newer is not None and self._policy.on_busy is OnBusy.RESTART:
                run.cancel()
            elif newer is not None and newer.digest != signalled:
                signalled = newer.digest
                running.signal(self._policy.busy_signal)
            await news.wait()

    async def _wait_for_retry(self, steps_before: int) -> None:
        """Wait before the same state is tried again; not for a newer one."""
        self._failures += 1
        if self._steps_taken == steps_before:
            delay = self._policy.retry.jittered(self._failures, self._jitter())
            log.info(
                "the command is tried again",
                extra={"in_seconds": round(delay, 3), "failures": self._failures},
            )
            await self._wait_for_news(delay)
        if self._steps_taken != steps_before:
            self._failures = 0

    async def _wait_for_news(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._news.wait()
