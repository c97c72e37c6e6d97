"""The guard against losing most of the hosts at once, by a slip of a hand. Pure."""

from dataclasses import dataclass

__all__ = ["ShrinkGuard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrinkGuard:
    """How many hosts may vanish from one generation to the next.

    Attributes:
        max_percent: of the hosts there were.
        allow_empty: whether none may be left.
    """

    max_percent: float = 50.0
    allow_empty: bool = False

    def refusal(self, before: int, after: int) -> str | None:
        """Return why a generation must not be installed, or None when it may be.

        Args:
            before: hosts in what is installed.
            after: hosts in what is to be.
        """
        if before <= 0:
            return None
        if after == 0 and not self.allow_empty:
            return f"no host of {before} would be left; --allow-empty allows it"
        if after and (before - after) * 100 > before * self.max_percent:
            return (
                f"{after} hosts of {before} would be left, a loss of more than"
                f" --max-shrink {self.max_percent:g} percent"
            )
        return None
