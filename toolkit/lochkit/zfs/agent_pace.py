"""When something that is done again and again is to be done next. Pure.

Every tick of a schedule that has passed is a reason, however many passed: it is then done once. So
is being poked, and that it was last done long ago. After a failure it waits for its backoff,
whatever reasons there are meanwhile.
"""

from math import inf
from typing import Final

from ..runtime.backoff import Backoff
from .schedule import Schedule

__all__ = ["Pace"]

_AGAIN: Final = Backoff(base=5.0, maximum=900.0)
_SUSPICIOUS: Final = 60.0  # seconds that a clock may go back without being looked at anew


class Pace:
    """When one chore is due. All times are seconds since 1970.

    Args:
        schedule: its ticks; None: it has none.
        every: seconds after its last end at which it is done anyhow; None: it is not.
        handled: the newest tick that is known to be done; None: none is.
        poked: there is a reason from the start.
        backoff: after failures.

    Attributes:
        handled: the newest tick that is done.
        failures: in a row.
        retry_at: when it is tried again; None: it did not fail.
    """

    def __init__(
        self,
        schedule: Schedule | None = None,
        *,
        every: float | None = None,
        handled: int | None = None,
        poked: bool = False,
        backoff: Backoff = _AGAIN,
    ) -> None:
        self.handled = handled
        self.failures = 0
        self.retry_at: float | None = None
        self._schedule = schedule
        self._every = every
        self._poked = poked
        self._backoff = backoff
        self._ended = -inf
        self._tick: int | None = None

    def poke(self) -> None:
        """There is a reason to do it."""
        self._poked = True

    def next_at(self, now: float) -> float:
        """When it is to be done; `now` or earlier: now. Infinite: not before it is poked."""
        if self.retry_at is not None:
            # A clock that was set back must not make hours of some seconds.
            return min(self.retry_at, now + self._backoff.maximum)
        if self._poked:
            return now
        due = [inf]
        if self._every is not None:
            due.append(now if self._ended > now + _SUSPICIOUS else self._ended + self._every)
        if self._schedule is not None:
            due.append(now if self._due(now) is not None else self._schedule.next(int(now)))
        return min(due)

    def next_tick(self, now: float) -> int | None:
        """The first tick after `now`; None: it has no schedule."""
        return None if self._schedule is None else self._schedule.next(int(now))

    def begin(self, now: float) -> None:
        """It is begun; reasons that come from now on are new ones."""
        self._poked = False
        self._tick = self._due(now)

    @property
    def due_tick(self) -> int | None:
        """The tick that it was begun for; None: for another reason."""
        return self._tick

    def succeeded(self, now: float) -> None:
        """It is done."""
        if self._tick is not None:
            self.handled = self._tick
        self.failures, self.retry_at, self._ended = 0, None, now

    def failed(self, now: float, jitter: float) -> None:
        """It could not be done; it is tried again after a while.

        Args:
            now: the time.
            jitter: a number in [0, 1).
        """
        self.failures += 1
        self._poked = True
        self._ended = now
        self.retry_at = now + self._backoff.jittered(self.failures, jitter)

    def _due(self, now: float) -> int | None:
        if self._schedule is None:
            return None
        # A tick that was done in what is now the future: the clock has been set back.
        handled = self.handled if self.handled is None or self.handled <= now else None
        return self._schedule.due(handled, int(now))
