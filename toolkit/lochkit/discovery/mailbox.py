"""What waits for one subscriber: every event in order while there is room, the sum beyond. Pure.

A subscriber may be slow, or stand still for a day; what waits for it must not grow without end, and
what it hears must lead to the truth in the end. So when too much waits, what comes after that is
added up for each instance. What came and went again is then not told at all, a row of changes is
told as one, and an instance that went and came again goes and comes once.

What waits is bounded by the limit and the number of instances and services that there are and
were when the adding up began.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from .events import Event, Kind

__all__ = ["ALL_KINDS", "ROOM", "Mailbox"]

ALL_KINDS: Final = frozenset(Kind)

ROOM: Final = 1000
"""Events that wait in order: a restart of some hundred instances, and little memory."""

_STANDING: Final = (Kind.STALE, Kind.FRESH)


class Mailbox:
    """The events of one subscriber.

    Args:
        kinds: what it wants to hear of. All events are to be put in nevertheless: to add up what
            is wanted takes the others, too.
        room: how many events may wait in order.

    Attributes:
        merged: events that were not told by themselves since there was no room.
    """

    def __init__(self, kinds: Collection[Kind] = ALL_KINDS, *, room: int = ROOM) -> None:
        if room < 1:
            raise ValueError("there must be room for one event")
        self._kinds = frozenset(kinds)
        self._room = room
        self._waiting: deque[Event] = deque()
        # By service and instance, in the order in which they were first touched: a sum stays where
        # it is, so that nothing that was told before FRESH is told after it.
        self._sums: dict[tuple[str, str, str], tuple[Event, ...]] = {}
        self.merged = 0

    def __len__(self) -> int:
        """How much waits, wanted or not."""
        return len(self._waiting) + sum(map(len, self._sums.values()))

    def put(self, event: Event) -> None:
        """One more event, later than all others."""
        if not self._sums and len(self._waiting) < self._room:
            if event.kind in self._kinds:
                self._waiting.append(event)
            return
        key = _about(event)
        before = self._sums.get(key, ())
        after = _added(before, event)
        self.merged += len(before) + 1 - len(after)
        if after:
            self._sums[key] = after
        else:
            del self._sums[key]

    def take(self) -> Event | None:
        """The next event, None when nothing waits."""
        while not self._waiting:
            if not self._sums:
                return None
            events = self._sums.pop(next(iter(self._sums)))
            self._waiting.extend(event for event in events if event.kind in self._kinds)
        return self._waiting.popleft()


def _about(event: Event) -> tuple[str, str, str]:
    """What an event is added up with."""
    if event.kind in _STANDING:
        return ("standing", "", "")
    return ("infos" if event.kind is Kind.INFOS else "instance", event.service, event.uuid)


def _added(before: tuple[Event, ...], event: Event) -> tuple[Event, ...]:
    """The sum of what waits of one thing and an event about it."""
    if not before:
        return (event,)
    last = before[-1]
    if event.kind in _STANDING:
        return () if last.kind is not event.kind else before
    if event.kind is Kind.CHANGED:
        # It was new or had changed, so that the record is all that is newer now.
        known = replace(
            last, host=event.host, revision=event.revision, synthetic=_either(last, event)
        )
        return () if known.host == known.previous else (*before[:-1], known)
    if event.kind is Kind.DOWN and last.kind is Kind.NEW and len(before) == 1:
        return ()
    if event.kind is Kind.NEW and last.kind is Kind.DOWN:
        return (last, event)
    # The newest infos; the end of what changed before, or came again before.
    return (event,)


def _either(one: Event, other: Event) -> bool:
    return one.synthetic or other.synthetic
