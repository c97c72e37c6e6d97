"""How long to wait between installations, so that a burst of changes makes few of them. Pure.

A single change is never put off. When changes keep coming while one generation is installed, each
wait is four times the one before, up to a limit: a burst makes a number of generations that grows
with the logarithm of its length, then with its length over the limit.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["Pacing"]

_FACTOR: Final = 4


@dataclass(slots=True)
class Pacing:
    """The waits of one keeper.

    Attributes:
        limit: the longest wait, in seconds.
        pause: seconds to wait before the next change is taken in.
    """

    limit: float
    pause: float = 0.0

    def installed(self, seconds: float, *, in_a_row: bool) -> None:
        """A generation was installed.

        Args:
            seconds: what that took.
            in_a_row: whether the change had come before the last pause was over.
        """
        wanted = max(self.pause * _FACTOR, seconds) if in_a_row else seconds
        self.pause = min(wanted, self.limit)
