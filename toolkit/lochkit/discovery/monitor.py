"""The actor that looks, again and again, and tells when the state of the instance is another."""

import logging
import math
import random
from collections.abc import Callable, Sequence
from typing import Final

import trio

from .check_model import CheckSpec
from .check_spec import resolve
from .checks import Check, open_check
from .health import Change, CheckStatus, Health, Turn, one_line
from .host import Host, State

__all__ = ["Monitor"]

log = logging.getLogger(__name__)

_SPREAD: Final = 0.2
"""How far the intervals vary, as a part of them: the checks of many must not march in step."""

_EAGER: Final = 0.5
"""Seconds to the second look where the first was bad, as it is while a service starts; then twice
that, and so on up to the interval."""

_LEVELS: Final = {
    Turn.WORSE: logging.INFO,
    Turn.FAILING: logging.WARNING,
    Turn.PASSING: logging.INFO,
    Turn.WARNING: logging.WARNING,
    Turn.WELL: logging.INFO,
}
_TOLD: Final = {
    Turn.WORSE: "a check failed once",
    Turn.FAILING: "a check is failing",
    Turn.PASSING: "a check is passing",
    Turn.WARNING: "a check warns",
    Turn.WELL: "a check is well again",
}


class Monitor:
    """Runs each check at its interval, the first time at once, and never twice at a time.

    Until a look is good for the first time it looks more often: who starts is to be found soon.
    What it knows survives a restart of the actor.

    Args:
        checks: what is looked at. Without any, the instance is passing, and `run` only waits.
        host: the instance, of whose ports checks may be.
        on_state: told of each change of the state, and why it is not passing; in Trio's thread. It
            must not block. It is not told of the state at the beginning, which is `state`.
        jitter: yields numbers in [0, 1).
        opener: makes ready what looks.

    Raises:
        InvalidHost: the instance has no port for the scheme of a check.
        ConfigError: certificates that a check trusts can not be read.
    """

    name = "monitor"

    def __init__(
        self,
        checks: Sequence[CheckSpec],
        host: Host,
        on_state: Callable[[State, str], None],
        *,
        jitter: Callable[[], float] = random.random,
        opener: Callable[[CheckSpec], Check] = open_check,
    ) -> None:
        self._specs = tuple(resolve(spec, host) for spec in checks)
        self._checks = tuple(opener(spec) for spec in self._specs)
        self._health = Health(self._specs)
        self._on_state = on_state
        self._jitter = jitter
        self._again = trio.Event()
        self._era = 0

    @property
    def state(self) -> State:
        """Of the instance."""
        return self._health.state

    @property
    def text(self) -> str:
        """Why it is not passing, for people; empty when it is."""
        return self._health.text

    @property
    def statuses(self) -> tuple[CheckStatus, ...]:
        """Where each check stands."""
        return self._health.statuses

    def reset(self) -> None:
        """Forget all looks, and look at once: the process is another than before.

        A look that is under way counts no more. The state is told if it changes by that.
        """
        before = self.state
        self._era += 1
        self._health.reset()
        self.look_now()
        if self.state is not before:
            self._on_state(self.state, self.text)

    def look_now(self) -> None:
        """Look at once instead of after the interval, as when something is known to have changed.

        A look that is under way is not joined by another, but followed at once.
        """
        self._again.set()
        self._again = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look until cancelled."""
        async with trio.open_nursery() as nursery:
            for index in range(len(self._specs)):
                nursery.start_soon(self._watch, index)
            task_status.started()
            await trio.sleep_forever()

    async def _watch(self, index: int) -> None:
        spec, check = self._specs[index], self._checks[index]
        eager, of_era = _EAGER, self._era
        while True:
            era, again, began = self._era, self._again, trio.current_time()
            result = await check.look()
            if era == self._era:
                self._told(self._health.take(index, result))
            if of_era != self._era:
                eager, of_era = _EAGER, self._era
            elif result.outcome.good:
                eager = math.inf
            varied = min(spec.interval, eager) * (1 + _SPREAD * (self._jitter() - 0.5))
            eager *= 2
            took = trio.current_time() - began
            # A check that takes as long as its interval must not run all the time.
            with trio.move_on_after(max(varied - took, varied / 2)):
                await again.wait()

    def _told(self, change: Change) -> None:
        check = change.check
        if change.turn is not None:
            facts = {"check": check.name}
            if check.last is not None and check.last.output:
                facts["output"] = one_line(check.last.output)
            log.log(_LEVELS[change.turn], _TOLD[change.turn], extra=facts)
        if change.is_new:
            self._on_state(change.state, change.text)
