"""How long to wait before the next attempt. Pure: no clock and no dice in here."""

import math
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that grow geometrically up to a ceiling.

    Attributes:
        base: seconds before the first retry.
        factor: growth from one retry to the next; 1 is a constant wait.
        maximum: ceiling in seconds.
        reset_after: seconds of good service after which the failures before it are forgotten.
    """

    base: float = 0.5
    factor: float = 2.0
    maximum: float = 30.0
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        """Refuse values that would retry in a tight loop, shrink, or overflow.

        Raises:
            ValueError: a value is out of range.
        """
        if not 0 < self.base <= self.maximum < math.inf:
            raise ValueError("0 < base <= maximum < infinity must hold")
        if not 1 <= self.factor < math.inf:
            raise ValueError("factor must be 1 or more")
        if not self.reset_after >= 0:
            raise ValueError("reset_after must not be negative")

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after ``failures`` failures in a row (1 or more)."""
        if failures < 1:
            raise ValueError("a delay follows at least one failure")
        doublings = failures - 1
        # Compared as logarithms: factor ** 5000 overflows, and an outage may last that long.
        if self.factor > 1 and doublings >= math.log(self.maximum / self.base, self.factor):
            return self.maximum
        return min(self.maximum, self.base * self.factor**doublings)

    def jittered(self, failures: int, jitter: float) -> float:
        """Return :meth:`delay` times a factor in [0.5, 1).

        Half the wait is kept, so that jitter never makes a herd of clients retry at once.

        Args:
            failures: as for :meth:`delay`.
            jitter: a number in [0, 1), normally ``random.random()``.
        """
        return self.delay(failures) * (0.5 + jitter / 2)
