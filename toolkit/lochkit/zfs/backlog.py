"""Which of the orders that are wanted are given next. Pure.

Takes come before sends before destroys, and none of them is starved: every kind has places of its
own at every host, who has waited for `aging` seconds is one rank better, and who is best and has to
wait for a dataset keeps it free from all who come after (as in `work_queue`). A send or a destroy
waits for a take of the same dataset that is due as well, and never the other way round: snapshots
are taken while others are sent for hours.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .directing_work import Pursuit, Wanted
from .work_queue import Ticket, Work

__all__ = ["Backlog"]

_RANKS: Final = {Work.TAKE: 0, Work.SEND: 1, Work.DESTROY: 2}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Entry:
    wanted: Wanted
    ticket: Ticket


class Backlog:
    """What waits, and what is under way. At most one order per pursuit is.

    Args:
        places: how many orders of each kind a host has at once.
        most: how many there are at once altogether.
        aging: seconds of waiting that are worth a rank.
    """

    def __init__(self, *, places: int = 4, most: int = 1000, aging: float = 60.0) -> None:
        if places < 1 or most < 1 or aging <= 0:
            raise ValueError("places, most and aging must be positive")
        self._places = places
        self._most = most
        self._aging = aging
        self._waiting: dict[Pursuit, _Entry] = {}
        self._working: dict[str, _Entry] = {}

    @property
    def waiting(self) -> tuple[Wanted, ...]:
        """Those who wait, the longest first."""
        return tuple(one.wanted for one in self._waiting.values())

    @property
    def working(self) -> tuple[Wanted, ...]:
        """Those under way."""
        return tuple(one.wanted for one in self._working.values())

    def want(self, wanted: Iterable[Wanted], now: float) -> None:
        """This is wanted now; what waits and is not wanted any more, does not.

        Args:
            wanted: at most one for each pursuit.
            now: seconds of any clock.
        """
        under_way = {one.wanted.pursuit for one in self._working.values()}
        before, self._waiting = self._waiting, {}
        for one in wanted:
            if one.pursuit in under_way:
                continue
            old = before.get(one.pursuit)
            since = old.ticket.since if old is not None else now
            self._waiting[one.pursuit] = _entry(one, since)

    def start(self, now: float) -> list[Wanted]:
        """All whose turn it is, best first. They need a uuid each: see `begun`."""
        started: list[_Entry] = []
        kept_free: list[_Entry] = []
        busy = Counter(_place(one) for one in self._working.values())
        working = list(self._working.values())
        for entry in sorted(self._waiting.values(), key=lambda one: self._standing(one, now)):
            if len(self._working) + len(started) >= self._most:
                break
            place = _place(entry)
            if busy[place] >= self._places:
                continue
            if any(_waits_for(entry.ticket, one.ticket) for one in (*working, *kept_free)):
                kept_free.append(entry)
                continue
            busy[place] += 1
            started.append(entry)
            working.append(entry)
        return [one.wanted for one in started]

    def begun(self, uuid: str, wanted: Wanted, now: float) -> None:
        """An order is under way."""
        waiting = self._waiting.pop(wanted.pursuit, None)
        since = waiting.ticket.since if waiting is not None else now
        self._working[uuid] = _entry(wanted, since)

    def ended(self, uuid: str) -> None:
        """An order has ended, or was never given."""
        self._working.pop(uuid, None)

    def _standing(self, entry: _Entry, now: float) -> float:
        return _RANKS[entry.ticket.work] - (now - entry.ticket.since) / self._aging


def _entry(wanted: Wanted, since: float) -> _Entry:
    return _Entry(
        wanted=wanted, ticket=Ticket(work=wanted.pursuit.work, claims=wanted.claims, since=since)
    )


def _place(entry: _Entry) -> tuple[str, Work]:
    return entry.wanted.host, entry.ticket.work


def _waits_for(mine: Ticket, other: Ticket) -> bool:
    if mine.work is not Work.TAKE and other.work is Work.TAKE:
        return any(one.touches(there) for one in mine.claims for there in other.claims)
    return mine.hinders(other)
