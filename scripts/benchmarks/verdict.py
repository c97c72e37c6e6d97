"""A figure that was promised, and what was measured."""

from dataclasses import dataclass

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One promise.

    Attributes:
        name: what is compared.
        measured: the value, in the limit's unit.
        limit: it may not be above this.
        unit: of both.
    """

    name: str
    measured: float
    limit: float
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.measured <= self.limit

    def __str__(self) -> str:
        word = "met   " if self.met else "MISSED"
        return f"{word} {self.name}: {self.measured:.2f} {self.unit} (limit {self.limit:g})"
