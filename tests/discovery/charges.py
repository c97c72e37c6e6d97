"""Commands in the care of a charge: scripted ones on a clock that jumps, and what was told."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from signal import SIGKILL, Signals
from typing import Any

import trio

from lochkit.discovery.child import Charge, ChildPhase, ChildPlan, ChildStatus
from lochkit.io.guardian import Guardian
from lochkit.io.notify import Notifier
from lochkit.io.process import Child, Exit, StopPlan
from lochkit.runtime.backoff import Backoff

__all__ = ["RETRY", "Act", "Log", "Run", "ScriptedOpener", "charge_of"]

RETRY = Backoff(base=1, factor=2, maximum=8, reset_after=60)


class Log:
    """Hears of each change."""

    def __init__(self) -> None:
        self.statuses: list[ChildStatus] = []
        self._news = trio.Event()

    def __call__(self, status: ChildStatus) -> None:
        self.statuses.append(status)
        self._news.set()
        self._news = trio.Event()

    @property
    def phases(self) -> list[ChildPhase]:
        """The phases one after the other."""
        found: list[ChildPhase] = []
        for status in self.statuses:
            if not found or found[-1] is not status.phase:
                found.append(status.phase)
        return found

    async def until(self, phase: ChildPhase, starts: int = 1) -> ChildStatus:
        """Wait until that run is in that phase, or has been."""
        while True:
            for status in self.statuses:
                if status.phase is phase and status.starts >= starts:
                    return status
            await self._news.wait()


@dataclass(frozen=True, slots=True)
class Act:
    """What a scripted command does: wait, then say something if it is to."""

    after: float
    say: str = ""


@dataclass(slots=True)
class Run:
    """One run of a scripted command.

    Attributes:
        acts: what it says.
        lasts: seconds until it ends by itself.
        status: with which it does.
        dies: whether it ends when it is asked to.
    """

    acts: Sequence[Act] = ()
    lasts: float = math.inf
    status: int = 0
    dies: bool = True
    signals: list[int] = field(default_factory=list)
    stops: list[StopPlan] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)
    began: float = -1


class ScriptedChild(Child):
    """Lives a run."""

    def __init__(self, run: Run, pid: int) -> None:
        self.run = run
        self._pid = pid
        self._over = trio.Event()
        self._exit: Exit | None = None

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def exit(self) -> Exit | None:
        return self._exit

    def end(self, status: int) -> None:
        if self._exit is None:
            self._exit = Exit(status=status)
            self._over.set()

    async def wait(self) -> Exit:
        await self._over.wait()
        assert self._exit is not None
        return self._exit

    def signal(self, number: Signals) -> None:
        self.run.signals.append(number)

    def signal_group(self, number: int) -> bool:
        self.run.signals.append(number)
        return self._exit is None

    async def stop(self, plan: StopPlan) -> None:
        self.run.stops.append(plan)
        if self._exit is None and self.run.dies:
            self.end(-plan.signal)
        elif self._exit is None:
            await trio.sleep(plan.timeout)
            self.end(-SIGKILL)

    async def live(self) -> None:
        """Do what the run says."""
        for act in self.run.acts:
            await trio.sleep(act.after)
            assert Notifier({"NOTIFY_SOCKET": self.run.env["NOTIFY_SOCKET"]})._send(act.say)
        await trio.sleep(self.run.lasts - (trio.current_time() - self.run.began))
        self.end(self.run.status)


class ScriptedOpener:
    """Starts one run after the other; an exception among them is raised instead."""

    def __init__(self, *runs: Run | Exception, takes: float = 0) -> None:
        self._left = list(runs)
        self._takes = takes
        self._pid = 100

    @asynccontextmanager
    async def __call__(
        self, argv: Sequence[str], *, stdin: int, env: Mapping[str, str], stop: StopPlan
    ) -> AsyncIterator[Child]:
        await trio.sleep(self._takes)
        run = self._left.pop(0)
        if isinstance(run, Exception):
            raise run
        self._pid += 1
        run.env = env
        run.began = trio.current_time()
        child = ScriptedChild(run, self._pid)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child.live)
            try:
                yield child
            finally:
                nursery.cancel_scope.cancel()


def charge_of(
    opener: Any,
    log: Log,
    *,
    environ: Mapping[str, str] | None = None,
    guardian: Guardian | None = None,
    **plan: Any,
) -> Charge:
    """A charge that starts what the opener says, or the command if that is a list of words."""
    words = list(opener) if isinstance(opener, list | tuple) else ["it"]
    more = {} if isinstance(opener, list | tuple) else {"opener": opener}
    return Charge(
        words,
        plan=ChildPlan(**{"backoff": RETRY} | plan),
        stop=StopPlan(timeout=2),
        guardian=guardian or Guardian(None),
        on_change=log,
        environ=environ or {},
        jitter=lambda: 0.999999999,
        **more,
    )
