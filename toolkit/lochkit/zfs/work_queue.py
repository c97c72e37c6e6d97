"""Which piece of work is next: takes before sends before destroys, and none of them starved. Pure.

Every kind has places of its own, so that kinds wait for each other only where they are about the
same datasets, and not there either if they do each other no harm (`_HARMFUL`). Among those who
wait, rank and the time they have waited count: who has waited for `aging` seconds is one rank
better. Who is best and has to wait for a dataset keeps it free from all who come after, so that a
piece of work that needs many datasets gets them in the end.

A receive waits for those at work only. It is a part of somebody's send, here or on another host: if
it waited for one who waits for that send, neither would ever be done.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Claim", "Ticket", "Work", "WorkQueue"]


class Work(enum.Enum):
    """Kinds of work."""

    TAKE = "take"
    SEND = "send"
    RECEIVE = "receive"
    DESTROY = "destroy"


_RANKS: Final = {Work.TAKE: 0, Work.SEND: 1, Work.RECEIVE: 1, Work.DESTROY: 2}

# A snapshot may be taken while others are sent or destroyed: ZFS keeps them apart. Destroying may
# take a snapshot between the two that a stream goes from and to, which no hold keeps.
_HARMFUL: Final = frozenset(
    (
        (Work.TAKE, Work.TAKE),
        (Work.SEND, Work.SEND),
        (Work.SEND, Work.DESTROY),
        (Work.DESTROY, Work.SEND),
        (Work.RECEIVE, Work.RECEIVE),
        (Work.RECEIVE, Work.DESTROY),
        (Work.DESTROY, Work.RECEIVE),
        (Work.DESTROY, Work.DESTROY),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Datasets that are worked on.

    Attributes:
        dataset: this one.
        below: and all that are below it.
        lane: of a send: its replication. Sends to different destinations do each other no harm.
    """

    dataset: str
    below: bool = False
    lane: str = ""

    def touches(self, other: "Claim") -> bool:
        """Whether both have a dataset in common."""
        if self.dataset == other.dataset:
            return True
        return (self.below and other.dataset.startswith(self.dataset + "/")) or (
            other.below and self.dataset.startswith(other.dataset + "/")
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ticket:
    """A piece of work that waits, or is under way; each is itself alone.

    Attributes:
        work: its kind.
        claims: what it works on.
        since: when it began to wait, in seconds of any clock.
    """

    work: Work
    claims: tuple[Claim, ...]
    since: float

    def hinders(self, other: "Ticket") -> bool:
        """Whether the two can not be done at the same time."""
        if (self.work, other.work) not in _HARMFUL:
            return False
        both_send = self.work is other.work is Work.SEND
        return any(
            mine.touches(theirs) and not (both_send and mine.lane != theirs.lane)
            for mine in self.claims
            for theirs in other.claims
        )


class WorkQueue:
    """Who waits, and who is at work.

    Args:
        places: how many of each kind may be at work at once; at least one.
        aging: seconds of waiting that are worth a rank.
    """

    def __init__(self, places: Mapping[Work, int], *, aging: float = 60.0) -> None:
        if aging <= 0 or any(places.get(work, 1) < 1 for work in Work):
            raise ValueError("places and aging must be positive")
        self._places = {work: places.get(work, 1) for work in Work}
        self._aging = aging
        self._waiting: list[Ticket] = []
        self._working: list[Ticket] = []

    @property
    def waiting(self) -> tuple[Ticket, ...]:
        """Those who wait, the longest first."""
        return tuple(self._waiting)

    @property
    def working(self) -> tuple[Ticket, ...]:
        """Those who are at work."""
        return tuple(self._working)

    def add(self, work: Work, claims: Iterable[Claim], now: float) -> Ticket:
        """Let a piece of work wait for its turn."""
        ticket = Ticket(work=work, claims=tuple(claims), since=now)
        self._waiting.append(ticket)
        return ticket

    def start(self, now: float) -> list[Ticket]:
        """Let all go to work whose turn it is; best first."""
        started: list[Ticket] = []
        kept_free: list[Ticket] = []
        for ticket in sorted(self._waiting, key=lambda one: self._standing(one, now)):
            busy = sum(one.work is ticket.work for one in self._working)
            if busy >= self._places[ticket.work]:
                continue  # those of its own kind will end; it holds up nobody else meanwhile
            before = () if ticket.work is Work.RECEIVE else kept_free
            if any(ticket.hinders(other) for other in (*self._working, *before)):
                kept_free.append(ticket)
                continue
            self._waiting.remove(ticket)
            self._working.append(ticket)
            started.append(ticket)
        return started

    def remove(self, ticket: Ticket) -> None:
        """Forget one: it is done, or does not wait any more."""
        for those in (self._waiting, self._working):
            if ticket in those:
                those.remove(ticket)

    def _standing(self, ticket: Ticket, now: float) -> float:
        return _RANKS[ticket.work] - (now - ticket.since) / self._aging
