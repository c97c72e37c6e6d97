"""What is to be looked at when: many things at few times, so that a wake deals with many of them.

A time is one entry of a heap however many things share it. Nothing is ever taken out early: who has
moved on since is known to the owner, who compares the time of the entry with what is true now.
"""

import math
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

__all__ = ["Agenda"]

Thing = TypeVar("Thing")


class Agenda(Generic[Thing]):
    """Things by the time at which to look at them."""

    __slots__ = ("_count", "_heap", "_things")

    def __init__(self) -> None:
        self._heap: list[float] = []
        self._things: dict[float, list[Thing]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def next(self) -> float:
        """The earliest time, infinite when there is nothing to look at."""
        return self._heap[0] if self._heap else math.inf

    def add(self, time: float, things: Iterable[Thing]) -> None:
        """Look at these at `time`."""
        group = self._things.get(time)
        if group is None:
            heappush(self._heap, time)
            group = self._things[time] = []
        before = len(group)
        group.extend(things)
        self._count += len(group) - before

    def take(self, until: float) -> list[tuple[float, list[Thing]]]:
        """Everything up to and with `until`, the earliest first, each group with its time."""
        taken = []
        while self._heap and self._heap[0] <= until:
            time = heappop(self._heap)
            group = self._things.pop(time)
            self._count -= len(group)
            taken.append((time, group))
        return taken

    def clear(self) -> None:
        """Look at nothing."""
        self._heap.clear()
        self._things.clear()
        self._count = 0

    def retain(self, wanted: Callable[[Thing], bool]) -> None:
        """Forget what is not wanted any more."""
        things = {time: list(filter(wanted, group)) for time, group in self._things.items()}
        self._things = {time: group for time, group in things.items() if group}
        self._heap = list(self._things)
        heapify(self._heap)
        self._count = sum(map(len, self._things.values()))
