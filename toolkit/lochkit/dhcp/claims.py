"""Who is served when several want the same id, MAC or address. Pure.

Hosts have a rank: when their key was created, then the group, then the id. Taken in that order, a
host is served when none of its three values is held by one that is served already. So a host is
left out only because of one that is served, and what is served does not depend on history.

A change is settled from the hosts that it touches: they wait in a queue, lowest rank first, and a
decision about one queues only hosts of higher rank that want the same values. Hence each is decided
at most once, and values that nobody else wants cost nothing.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import Final

from .model import Group, Host, Problem, Reason

__all__ = ["GROUPS", "Claims", "Rank"]

Rank = tuple[int, int, str]
"""The revision that created the key, the group's place in `GROUPS`, the id. Lower goes first."""

GROUPS: Final = (Group.HYPERVISORS, Group.GUESTS)

_REASONS: Final = (Reason.DUPLICATE_ID, Reason.DUPLICATE_MAC, Reason.DUPLICATE_ADDRESS)
_WORDS: Final = ("id", "MAC address", "IP address")


class _Contest:
    """A value that several want: who they are, and who of them has it."""

    __slots__ = ("holder", "ranks")

    def __init__(self, ranks: Iterable[Rank], holder: Rank | None) -> None:
        self.ranks = set(ranks)
        self.holder = holder


class Claims:
    """All hosts that could be served if no other wanted the same, and those that are.

    Groups are named by their place in `GROUPS`.

    Attributes:
        served: hosts by id, for each group.
    """

    __slots__ = ("_before", "_claims", "_losing", "_queue", "_queued", "served")

    def __init__(self) -> None:
        self.served: tuple[dict[str, Host], dict[str, Host]] = ({}, {})
        self._losing: tuple[dict[str, Host], dict[str, Host]] = ({}, {})
        # Ids, MACs and addresses never look alike. Most values are wanted by one host only.
        self._claims: dict[str, Rank | _Contest] = {}
        self._queue: list[Rank] = []
        self._queued: set[Rank] = set()
        # What was served before the changes that are not yet taken; None while there was nothing.
        self._before: tuple[dict[str, Host | None], dict[str, Host | None]] | None = None

    def losing(self, place: int) -> int:
        """How many hosts of a group are left out."""
        return len(self._losing[place])

    def get(self, place: int, host_id: str) -> Host | None:
        """Return a host, served or not; None when there is none."""
        return self.served[place].get(host_id) or self._losing[place].get(host_id)

    def rank(self, place: int, host_id: str) -> Rank:
        """Return the rank of a host that is there."""
        claim = self._claims[host_id]
        if isinstance(claim, _Contest):
            return next(rank for rank in claim.ranks if rank[1] == place)
        return claim

    def offer(self, place: int, host: Host, created: int) -> None:
        """Put a host, or what it is now. To be followed by `settle`.

        Args:
            place: of its group.
            host: whose id, MAC and address are canonical.
            created: the revision that created its key.
        """
        host_id, mac, address, _, _, _ = host
        rank = (created, place, host_id)
        old = self.get(place, host_id)
        if old is not None:
            if old[1] == mac and old[2] == address and self.rank(place, host_id) == rank:
                if old != host:
                    self._replace(place, host)
                return
            self.withdraw(place, host_id)
        self.add(place, (host,), (created,))

    def add(self, place: int, hosts: Iterable[Host], created: Iterable[int]) -> None:
        """Put hosts that are not there. To be followed by `settle`.

        Args:
            place: of their group.
            hosts: whose ids, MACs and addresses are canonical.
            created: the revisions that created their keys.
        """
        put = self._claims.setdefault
        served = self.served[place]
        before = None if self._before is None else self._before[place]
        for host, revision in zip(hosts, created, strict=True):
            host_id, mac, address, _, _, _ = host
            rank = (revision, place, host_id)
            if put(host_id, rank) is rank and put(mac, rank) is rank and put(address, rank) is rank:
                if before is not None:
                    before.setdefault(host_id, None)
                served[host_id] = host
                continue
            for value in (host_id, mac, address):
                self._join(value, rank)
            self._losing[place][host_id] = host
            self._await(rank)

    def withdraw(self, place: int, host_id: str) -> None:
        """Take away a host, if it is there. To be followed by `settle`."""
        host = self.get(place, host_id)
        if host is None:
            return
        rank = self.rank(place, host_id)
        if self._losing[place].pop(host_id, None) is None:
            self._note(place, host_id)
            del self.served[place][host_id]
        for value in host[:3]:
            self._leave(value, rank)

    def settle(self) -> dict[tuple[int, str], Problem | None]:
        """Decide what is open.

        Returns:
            For each host decided about, by place of its group and id, why it is left out; None
            when it is served.
        """
        decided: dict[tuple[int, str], Problem | None] = {}
        while self._queue:
            rank = heappop(self._queue)
            self._queued.discard(rank)
            _, place, host_id = rank
            host = self.get(place, host_id)
            if host is None or self.rank(place, host_id) != rank:
                continue  # it was taken away after it had been queued
            problem = self._obstacle(host, rank)
            decided[place, host_id] = problem
            if problem is None:
                self._serve(host, rank)
            elif host_id in self.served[place]:
                self._drop(host, rank)
        return decided

    def take_changes(self) -> tuple[dict[str, Host | None], dict[str, Host | None]]:
        """Return, for each group, what is served unlike when this was last called."""
        before, self._before = self._before, ({}, {})
        if before is None:
            return dict[str, Host | None](self.served[0]), dict[str, Host | None](self.served[1])
        changes: tuple[dict[str, Host | None], dict[str, Host | None]] = ({}, {})
        for old, served, changed in zip(before, self.served, changes, strict=True):
            for host_id, host in old.items():
                now = served.get(host_id)
                if now != host:
                    changed[host_id] = now
        return changes

    def _note(self, place: int, host_id: str) -> None:
        """Remember what was served before it is changed."""
        if self._before is not None:
            self._before[place].setdefault(host_id, self.served[place].get(host_id))

    def _replace(self, place: int, host: Host) -> None:
        """Put what a host is now, when it wants the same as before."""
        if host.id in self._losing[place]:
            self._losing[place][host.id] = host
        else:
            self._note(place, host.id)
            self.served[place][host.id] = host

    def _await(self, rank: Rank) -> None:
        if rank not in self._queued:
            self._queued.add(rank)
            heappush(self._queue, rank)

    def _join(self, value: str, rank: Rank) -> None:
        claim = self._claims.setdefault(value, rank)
        if isinstance(claim, _Contest):
            claim.ranks.add(rank)
        elif claim is not rank:
            holder = claim if claim[2] in self.served[claim[1]] else None
            self._claims[value] = _Contest((claim, rank), holder)

    def _leave(self, value: str, rank: Rank) -> None:
        claim = self._claims[value]
        if not isinstance(claim, _Contest):
            del self._claims[value]
            return
        claim.ranks.discard(rank)
        if claim.holder == rank:
            claim.holder = None
            for other in claim.ranks:
                self._await(other)
        if len(claim.ranks) == 1:
            self._claims[value] = claim.ranks.pop()

    def _contests(self, host: Host) -> Iterator[_Contest]:
        for value in host[:3]:
            claim = self._claims[value]
            if isinstance(claim, _Contest):
                yield claim

    def _obstacle(self, host: Host, rank: Rank) -> Problem | None:
        """Return why a host can not be served, given all decisions about lower ranks."""
        for value, reason, word in zip(host[:3], _REASONS, _WORDS, strict=True):
            claim = self._claims[value]
            if isinstance(claim, _Contest) and claim.holder is not None and claim.holder < rank:
                _, place, winner = claim.holder
                kind = GROUPS[place].value.removesuffix("s")
                text = f"the {word} {value} is also that of the {kind} {winner}, which is served"
                return Problem(reason, text)
        return None

    def _serve(self, host: Host, rank: Rank) -> None:
        _, place, host_id = rank
        if self._losing[place].pop(host_id, None) is not None:
            self._note(place, host_id)
            self.served[place][host_id] = host
        for contest in self._contests(host):
            if contest.holder != rank:
                contest.holder = rank
                self._await_after(contest, rank)

    def _drop(self, host: Host, rank: Rank) -> None:
        _, place, host_id = rank
        self._note(place, host_id)
        self._losing[place][host_id] = self.served[place].pop(host_id)
        for contest in self._contests(host):
            if contest.holder == rank:
                contest.holder = None
                self._await_after(contest, rank)

    def _await_after(self, contest: _Contest, rank: Rank) -> None:
        for other in contest.ranks:
            if other > rank:
                self._await(other)
