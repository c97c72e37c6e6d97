"""How an attempt to make the server's configuration true has ended. Pure data."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["Ending", "Outcome"]


class Ending(Enum):
    """The kinds of ends."""

    UNCHANGED = "unchanged"
    """The files were right already."""
    INSTALLED = "installed"
    """They have been changed, and the server has taken them."""
    HELD = "held"
    """A guard is against it; only other objects or the operator can change that."""
    REJECTED = "rejected"
    """The server's checker is against it."""
    FAILED = "failed"
    """It could not be installed, or the server did not take it and has the last good files back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one attempt.

    Attributes:
        ending: the kind.
        text: for an operator; empty when all is well.
        generation: the number of what is installed now, 0 for nothing.
        hosts: how many hosts are in that.
        changed: the files that were changed.
        seconds: what it took.
    """

    ending: Ending
    text: str = ""
    generation: int = 0
    hosts: int = 0
    changed: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def in_step(self) -> bool:
        """Whether what is wanted is what is installed."""
        return self.ending in (Ending.UNCHANGED, Ending.INSTALLED)
