"""When to undo what somebody else did to a record of ours. Pure.

Not at once: where a shared record is gone, a thousand instances see it; and who deregisters an
instance by hand first marks its record and then ends its lease. And not for ever as fast: somebody
may keep doing it.
"""

from typing import Final

from ..runtime.backoff import Backoff

__all__ = ["Mending"]

_WAITS: Final = Backoff(base=0.3, maximum=10.0, reset_after=30.0)


class Mending:
    """The time of the next repair."""

    __slots__ = ("_done_at", "_times", "due")

    def __init__(self) -> None:
        self._times = 0
        self._done_at = 0.0
        self.due: float | None = None

    def wanted(self, now: float, jitter: float, at_least: float = 0.0) -> float:
        """When it is to be done, since it is wanted now.

        Args:
            now: the time.
            jitter: a number in [0, 1).
            at_least: seconds to wait in any case.
        """
        if self.due is None:
            if now - self._done_at >= _WAITS.reset_after:
                self._times = 0
            self._times += 1
            self.due = now + max(at_least, _WAITS.jittered(self._times, jitter))
        return self.due

    def done(self, now: float) -> None:
        """It is being done."""
        self.due = None
        self._done_at = now

    def unneeded(self) -> None:
        """There is nothing to mend any more."""
        self.due = None
