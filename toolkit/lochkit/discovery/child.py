"""The actor that keeps a command running: it knows when the command is up, and when it hangs.

A command can say so itself, as services tell systemd: it is given a NOTIFY_SOCKET. One that does
not speak is up once it has been started, or has not ended for a while.
"""

import logging
import math
import os
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import replace
from signal import SIGABRT, SIGKILL, Signals
from typing import Any, Final

import trio

from ..errors import CommandFailed, TransientError
from ..io.guardian import MARK_VARIABLE, Guardian
from ..io.notify_lines import Notice
from ..io.notify_socket import NotifySocket, open_notify_socket
from ..io.process import Child, Exit, StopPlan, open_child
from .child_plan import ChildPhase, ChildPlan, ChildStatus, Restart, wants_restart

__all__ = ["Charge", "ChildPhase", "ChildPlan", "ChildStatus", "Restart"]

log = logging.getLogger(__name__)

_FOREIGN: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""What our own service manager has put into our environment: it is not meant for the command."""


class Charge:
    """Runs a command, again where the plan says so, and tells what becomes of it.

    The command leads a session of its own. When a run is over, what it started is stopped as well;
    when we end without a chance to do so, the guardian does.

    Args:
        argv: the command and its arguments.
        plan: how it is started and watched.
        stop: how it is stopped.
        guardian: told of every run; borrowed, and for one command at a time.
        on_change: told of each change, in Trio's thread; must not block.
        environ: what its environment is made from.
        stdin: descriptor of its standard input; borrowed.
        jitter: yields numbers in [0, 1).
        opener: starts the command, as `open_child` does.

    Attributes:
        status: how it is.
    """

    name = "command"

    def __init__(
        self,
        argv: Sequence[str],
        *,
        plan: ChildPlan,
        stop: StopPlan,
        guardian: Guardian,
        on_change: Callable[[ChildStatus], None],
        environ: Mapping[str, str] = os.environ,
        stdin: int = 0,
        jitter: Callable[[], float] = random.random,
        opener: Callable[..., AbstractAsyncContextManager[Child]] = open_child,
    ) -> None:
        self._argv = tuple(argv)
        self._plan = plan
        self._stop = stop
        self._guardian = guardian
        self._on_change = on_change
        self._environ = {name: word for name, word in environ.items() if name not in _FOREIGN}
        self._stdin = stdin
        self._jitter = jitter
        self._open = opener
        self._child: Child | None = None
        self._early: list[Signals] = []  # to be passed on to a command that is just being started
        self._patience = trio.CancelScope()  # ends a run that keeps us waiting
        self._pause = trio.CancelScope()  # ends the wait before the next run
        self._finish = trio.Event()
        self._busy = False
        self._failed = False  # it kept us waiting for too long
        self._watchdog = plan.watchdog
        self._main_pid_told = False
        self.status = ChildStatus()

    @property
    def exit(self) -> Exit | None:
        """How the last run ended, None before any has."""
        return self.status.exit

    def signal(self, number: Signals) -> bool:
        """Pass a signal on to the command, if it is running, and return whether it is."""
        if self._child is not None:
            self._child.signal(number)
        elif self._busy:
            self._early.append(number)  # it is just being started, and may run already
        return self._busy

    def finish(self) -> None:
        """Stop the command in order and do not start it again; `run` returns when it is over."""
        self._finish.set()
        self._patience.cancel()
        self._pause.cancel()

    def kill_now(self) -> None:
        """Kill the command and what it started, without waiting: a forced exit, from any thread."""
        child = self._child
        if child is not None:
            child.signal_group(SIGKILL)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the command until the plan, or `finish`, says that this was its last run.

        When cancelled, it is stopped first, which is bounded by its stop plan.

        Raises:
            CommandFailed: it could not even be started the first time.
            CommandNotStarted: likewise, and it is not to be started again.
        """
        task_status.started()
        failures = 0
        while not self._finish.is_set():
            began = trio.current_time()
            ended = await self._run_once()
            served = trio.current_time() - began
            restart = wants_restart(self._plan.restart, ended.status, failed=self._failed)
            if self._finish.is_set() or not restart:
                break
            failures = 1 if served >= self._plan.backoff.reset_after else failures + 1
            await self._rest(ended, failures)
        self._become(phase=ChildPhase.ENDED)

    async def _rest(self, ended: Exit, failures: int) -> None:
        """Wait before the next run; `finish` ends that."""
        delay = self._plan.backoff.jittered(failures, self._jitter())
        facts = {"end": str(ended), "failures": failures, "in_seconds": round(delay, 3)}
        log.warning("the command is started again", extra=facts)
        self._pause = trio.CancelScope()
        with self._pause:
            await trio.sleep(delay)

    async def _run_once(self) -> Exit:
        """Run the command once, and return how it ended, or what a shell would say instead."""
        self._failed, self._busy = False, True
        self._watchdog = self._plan.watchdog
        self._patience = trio.CancelScope()
        self._early.clear()
        starts = self.status.starts + 1
        self._become(phase=ChildPhase.STARTING, text="", reason="", starts=starts)
        try:
            return await self._supervised()
        except (CommandFailed, TransientError) as exc:
            hopeless = isinstance(exc, CommandFailed) or self._plan.restart is Restart.NO
            ended = Exit(status=exc.exit_code)
            self._become(phase=ChildPhase.STOPPED, exit=ended, reason=str(exc))
            if starts == 1 and hopeless:
                raise
            log.warning("the command could not be started", extra={"error": exc})
            return ended
        finally:
            self._busy = False

    async def _supervised(self) -> Exit:
        mark = uuid.uuid4().hex
        with ExitStack() as owned:
            listener = owned.enter_context(open_notify_socket()) if self._plan.notify else None
            if listener is not None and listener.directory is not None:
                self._guardian.clear_up(listener.directory)
            self._guardian.expect(mark)
            owned.callback(self._guardian.withdraw)
            async with self._open(
                self._argv,
                stdin=self._stdin,
                env=self._environment(mark, listener),
                stop=self._stop,
            ) as child:
                self._guardian.watch(child.pid)
                self._child = child
                return await self._attend(child, listener)

    def _environment(self, mark: str, listener: NotifySocket | None) -> dict[str, str]:
        made = {**self._environ, MARK_VARIABLE: mark}
        if listener is not None:
            made["NOTIFY_SOCKET"] = listener.address
            if self._plan.watchdog is not None:
                made["WATCHDOG_USEC"] = str(round(self._plan.watchdog * 1_000_000))
        return made

    async def _attend(self, child: Child, listener: NotifySocket | None) -> Exit:
        """Wait for the command's end, or bring it about; return when nothing of it is left."""
        log.info("the command has started", extra={"pid": child.pid})
        stop = self._stop
        try:
            await self._over(child, listener)
            if self._failed:
                stop = replace(stop, signal=SIGABRT)  # many can tell by that where they hang
        finally:
            with trio.CancelScope(shield=True):  # bounded by the plan
                if child.exit is None:
                    self._become(phase=ChildPhase.LEAVING)
                await child.stop(stop)
            self._child = None
            # What the kernel can not interrupt has no exit yet.
            ended = child.exit or Exit(status=-SIGKILL)
            last = [notice.status for notice in listener.waiting()] if listener else []
            said = [text for text in last if text is not None]
            text = said[-1] if said else self.status.text
            self._become(phase=ChildPhase.STOPPED, pid=None, exit=ended, text=text)
            log.info("the command has ended", extra={"end": str(ended)})
        return ended

    async def _over(self, child: Child, listener: NotifySocket | None) -> None:
        """Wait until the command ends, keeps us waiting for too long, or is to finish."""
        async with trio.open_nursery() as nursery:
            self._become(pid=child.pid)
            for number in self._early:
                child.signal(number)
            if listener is None:
                nursery.start_soon(self._settle)
            else:
                listener.leader = child.pid
                self._allow(self._plan.start_timeout)
                nursery.start_soon(self._listen, listener)
            with self._patience:
                await child.wait()
            nursery.cancel_scope.cancel()
        if child.exit is None and not self._finish.is_set():
            self._fail(child)

    async def _settle(self) -> None:
        await trio.sleep(self._plan.settle)
        self._become(phase=ChildPhase.RUNNING)

    async def _listen(self, listener: NotifySocket) -> None:
        while True:
            self._heed(await listener.receive())

    def _fail(self, child: Child) -> None:
        self._failed = True
        if self.status.phase is ChildPhase.STARTING:
            reason = "it did not say in time that it is ready"
        else:
            reason = self.status.reason or "it gave no sign of life in time"
        log.warning("the command is killed: %s", reason, extra={"pid": child.pid})
        self._become(reason=reason)

    def _heed(self, notice: Notice) -> None:
        """Do what a notice asks for."""
        if notice.status is not None:
            self._become(text=notice.status)
        if notice.main_pid not in (None, self.status.pid) and not self._main_pid_told:
            self._main_pid_told = True
            log.warning("the command names another main process: that is not followed")
        if notice.watchdog_seconds is not None and self._watchdog is not None:
            self._watchdog = notice.watchdog_seconds
        match self.status.phase:
            case ChildPhase.STARTING | ChildPhase.RUNNING if notice.stopping:
                self._allow(None)  # its end is its own affair now
                self._become(phase=ChildPhase.LEAVING)
            case ChildPhase.STARTING if notice.ready:
                self._allow(self._watchdog)
                self._become(phase=ChildPhase.RUNNING)
            case ChildPhase.STARTING if notice.extend_seconds is not None:
                later = trio.current_time() + notice.extend_seconds
                self._patience.deadline = max(self._patience.deadline, later)
            case ChildPhase.RUNNING if notice.failed:
                self._become(reason="it asked to be taken for one that hangs")
                self._patience.cancel()
            case ChildPhase.RUNNING if notice.alive or notice.watchdog_seconds is not None:
                self._allow(self._watchdog)

    def _allow(self, seconds: float | None) -> None:
        """Wait so long for the next sign of life; None is for ever."""
        self._patience.deadline = math.inf if seconds is None else trio.current_time() + seconds

    def _become(self, **facts: Any) -> None:
        changed = replace(self.status, **facts)
        if changed != self.status:
            self.status = changed
            self._on_change(changed)
