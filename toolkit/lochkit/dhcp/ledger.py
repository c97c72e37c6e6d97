"""What is not served, why, and since when. Pure: the time is an argument."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .model import Problem, Reason

__all__ = ["Entry", "Ledger"]


class Entry(NamedTuple):
    """One object that is not served.

    Attributes:
        problem: why.
        first_seen: seconds since the epoch when that reason was first met.
    """

    problem: Problem
    first_seen: float


class Ledger:
    """All objects that are not served, by etcd key.

    Args:
        remembered: what an earlier process knew, so that its times are kept.
    """

    def __init__(self, remembered: Mapping[str, Entry] | None = None) -> None:
        self._entries: dict[str, Entry] = {}
        self._remembered = dict(remembered or {})

    @property
    def entries(self) -> Mapping[str, Entry]:
        """By key; a live view."""
        return self._entries

    def note(self, problems: Mapping[str, Problem | None], now: float) -> list[tuple[str, Problem]]:
        """Take in what is different; None for what is served again, or gone.

        Returns:
            What an operator has not been told: new faults, and old ones for another reason.
        """
        news = []
        for key, problem in problems.items():
            before = self._entries.get(key) or self._remembered.pop(key, None)
            if problem is None:
                self._entries.pop(key, None)
                continue
            same = before is not None and before.problem.reason is problem.reason
            since = before.first_seen if same and before is not None else now
            if not same and problem.reason is not Reason.UNPLACED:
                news.append((key, problem))
            self._entries[key] = Entry(problem, since)
        return news

    def counts(self) -> dict[str, int]:
        """How many there are of each reason."""
        found = Counter(entry.problem.reason.value for entry in self._entries.values())
        return dict(sorted(found.items()))

    def faults(self) -> Iterable[tuple[str, Entry]]:
        """All but guests that are simply not placed, which is normal."""
        return (
            (key, entry)
            for key, entry in self._entries.items()
            if entry.problem.reason is not Reason.UNPLACED
        )
