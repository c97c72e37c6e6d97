"""Which dataset is next: the one that has waited longest, once the one above it is there.

Pure: the time is an argument. Datasets are known by the name of their target.
"""

import enum
from dataclasses import dataclass

__all__ = ["Agenda"]


class _State(enum.Enum):
    PENDING = enum.auto()
    WORKING = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


@dataclass(slots=True, kw_only=True)
class _Entry:
    urgency: int
    order: int
    after: str | None
    state: _State = _State.PENDING
    not_before: float = 0.0
    begun: bool = False  # its first stream has arrived: those below it may follow


class Agenda:
    """What is to be done, for several workers who take one stream at a time."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def add(self, name: str, *, urgency: int, after: str | None) -> None:
        """Put something on the agenda.

        Args:
            name: of the dataset.
            urgency: the least goes first; then what was added first.
            after: another entry, whose first stream must have arrived before.
        """
        self._entries[name] = _Entry(urgency=urgency, order=len(self._entries), after=after)

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to do, nor anybody at work."""
        return all(one.state in (_State.DONE, _State.FAILED) for one in self._entries.values())

    def take(self, now: float) -> str | None:
        """What to do next, which is then being worked at; None: nothing, at the moment."""
        ready = self.ready(now, most=1)
        if not ready:
            return None
        self._entries[ready[0]].state = _State.WORKING
        return ready[0]

    def ready(self, now: float, *, most: int) -> list[str]:
        """What could be taken, the next first."""
        found = [
            (entry.urgency, entry.order, name)
            for name, entry in self._entries.items()
            if entry.state is _State.PENDING and entry.not_before <= now and self._may_begin(entry)
        ]
        return [name for _, _, name in sorted(found)[:most]]

    def wakes(self, now: float) -> float | None:
        """When something that was put off may be taken; None: nothing was."""
        times = [
            entry.not_before
            for entry in self._entries.values()
            if entry.state is _State.PENDING and entry.not_before > now
        ]
        return min(times, default=None)

    def put_back(self, name: str, *, urgency: int, not_before: float = 0.0) -> None:
        """There is more to do about it."""
        entry = self._entries[name]
        entry.state, entry.urgency, entry.not_before = _State.PENDING, urgency, not_before

    def begun(self, name: str) -> None:
        """A stream of it has arrived."""
        self._entries[name].begun = True

    def done(self, name: str) -> None:
        """It has all that it is to have."""
        self._entries[name].state = _State.DONE
        self._entries[name].begun = True

    def failed(self, name: str) -> list[str]:
        """It is given up.

        Returns:
            Those that can not follow it, which are given up with it.
        """
        self._entries[name].state = _State.FAILED
        lost: list[str] = []
        if self._entries[name].begun:
            return lost
        for other, entry in self._entries.items():
            if entry.after == name and entry.state is _State.PENDING:
                lost += [other, *self.failed(other)]
        return lost

    def _may_begin(self, entry: _Entry) -> bool:
        above = self._entries.get(entry.after) if entry.after is not None else None
        return above is None or above.begun
