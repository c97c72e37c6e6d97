"""The actor that keeps a DHCP server's configuration true to what is wanted."""

import gc
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Final, Protocol

import trio

from ..etcd.model import Origin, Step
from ..runtime.backoff import Backoff
from .model import Problem
from .outcome import Ending, Outcome
from .pacing import Pacing
from .wanted import Wanted

__all__ = ["Applying", "Keeper", "tell_left_out"]

log = logging.getLogger(__name__)

_MOST_TOLD: Final = 20
"""Left-out objects logged one by one at once; more are summed up."""


class Applying(Protocol):
    """What installs; see `applier.Applier`."""

    async def apply(self, wanted: Wanted, *, thorough: bool = False) -> Outcome:
        """Make the files and the server as wanted."""
        ...


class Keeper:
    """Takes in steps and has the wanted state installed, again and again until it is.

    Steps that come while one state is installed are merged by whoever sends them (`Debouncer`): the
    next state installed is the newest. What could not be installed is tried again, after waits that
    grow; a change of what is wanted does not wait for that.

    Args:
        source: of steps; its end ends the actor. Borrowed.
        wanted: the wanted state, at the beginning of `source`. Owned by this.
        applier: installs it.
        pacing: how long to wait between installations.
        report: told of every attempt.
        retry: the waits after failures.
        jitter: numbers in [0, 1).
        clock: seconds since the epoch.

    Attributes:
        last: how the last attempt ended; None before the first.
    """

    def __init__(
        self,
        source: trio.abc.ReceiveChannel[Step],
        wanted: Wanted,
        applier: Applying,
        *,
        pacing: Pacing,
        report: Callable[[Outcome], Awaitable[None]],
        retry: Backoff | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._applier = applier
        self._pacing = pacing
        self._report = report
        self._retry = retry or Backoff(base=2.0, maximum=300.0)
        self._jitter = jitter
        self._clock = clock
        self._waiting = trio.CancelScope()
        self._failures = 0
        self._retry_at = inf
        self._thorough = False
        self.last: Outcome | None = None

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "keeper"

    def recheck(self) -> None:
        """Compare everything with the files on disk, soon, and try again what has failed."""
        self._thorough = True
        self._waiting.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep it true until there are no more steps."""
        task_status.started()
        with suppress(trio.EndOfChannel):
            while True:
                in_a_row = await self._next()
                if self._wanted.revision:
                    await self._make_true(in_a_row=in_a_row)

    async def _next(self) -> bool:
        """Take in the next step, or come back when there is something to do without one.

        Returns:
            Whether many changes had been waiting for us.

        Raises:
            EndOfChannel: there are no more.
        """
        await trio.sleep(self._pacing.pause)
        waited = inf
        before = trio.current_time()
        with trio.CancelScope(deadline=self._retry_at) as self._waiting:
            if self._thorough and self._wanted.revision:
                self._waiting.cancel()
            step = await self._source.receive()
            waited = trio.current_time() - before
            # A few changes that came in a pause are no burst: they do not lengthen the next one.
            many = max(len(step.changes), step.revision - self._wanted.revision) > _FEW
            self._take(step)
        return waited < _AT_ONCE and many

    def _take(self, step: Step) -> None:
        listed = step.origin is Origin.LISTED
        if listed:  # much is made that stays: a search for garbage would find none, at length
            gc.disable()
        try:
            news = self._wanted.take(step, self._clock())
        finally:
            if listed:
                gc.freeze()
                gc.enable()
        tell_left_out(news)

    async def _make_true(self, *, in_a_row: bool) -> None:
        began = trio.current_time()
        thorough, self._thorough = self._thorough, False
        outcome = await self._applier.apply(self._wanted, thorough=thorough)
        self._judge(outcome)
        if outcome.ending is not Ending.UNCHANGED:
            self._pacing.installed(trio.current_time() - began, in_a_row=in_a_row)
        await self._report(outcome)

    def _judge(self, outcome: Outcome) -> None:
        """Say what has become of it, and when to try again."""
        before, self.last = self.last, outcome
        if outcome.in_step:
            if before is not None and not before.in_step:
                log.warning("the configuration is in step again")
            self._failures, self._retry_at = 0, inf
            if outcome.ending is Ending.INSTALLED:
                log.info(
                    "installed generation %d",
                    outcome.generation,
                    extra={
                        "hosts": outcome.hosts,
                        "files": " ".join(outcome.changed),
                        "revision": self._wanted.revision,
                        "seconds": round(outcome.seconds, 3),
                    },
                )
            return
        self._failures += 1
        wait = self._retry.jittered(self._failures, self._jitter())
        self._retry_at = trio.current_time() + wait
        if before is None or _told(before) != _told(outcome):
            log.error(
                "%s: %s",
                _WORDS[outcome.ending],
                outcome.text,
                extra={"revision": self._wanted.revision, "retry_in_seconds": round(wait, 1)},
            )


def tell_left_out(news: Sequence[tuple[str, Problem]]) -> None:
    """Log which objects are left out, and why; of very many only some."""
    for key, problem in news[:_MOST_TOLD]:
        facts = {"key": key, "reason": problem.reason.value}
        log.warning("left out: %s", problem.text, extra=facts)
    if len(news) > _MOST_TOLD:
        log.warning("%d more objects are left out, see its status", len(news) - _MOST_TOLD)


def _told(outcome: Outcome) -> tuple[Ending, str]:
    """What an operator would take for the same: names of passing files are others every time."""
    return outcome.ending, _PASSING.sub("", outcome.text)


_PASSING: Final = re.compile(r"(?:stage-|\.check-|\.lochkit-)\w+")
_FEW: Final = 10  # changes
_AT_ONCE: Final = 0.001  # seconds: it had been there already
_WORDS: Final = {
    Ending.HELD: "held back",
    Ending.REJECTED: "rejected by the server's own checker",
    Ending.FAILED: "not installed",
}
