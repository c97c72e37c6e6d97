"""A watch on one member of the simulated store, and all that can be odd about what it sends."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lochkit.etcd.messages import Event, ResponseHeader, WatchResponse
from lochkit.etcd.prefix import KeyRange
from tests.fakes.store import Member, SimulatedStore

__all__ = ["Delivery", "Gone", "SimulatedWatch"]


class Gone(Exception):
    """History that the watch still needed was compacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One response on its way.

    Attributes:
        complete: up to this revision, who has received it and all before it has missed nothing.
        covers: as `complete`, and the response itself says so, so that it is known.
    """

    response: WatchResponse
    complete: int
    covers: bool = False


class SimulatedWatch:
    """What the server's side of a watch does.

    Responses wait in `pipe` until they are taken; what is in there survives the member's end.

    Attributes:
        header: of the confirmation.
        complete: up to this revision everything has been put into the pipe.
    """

    def __init__(self, store: SimulatedStore, member: Member, wanted: KeyRange, start: int) -> None:
        if start <= member.compacted:
            raise Gone
        self.member = member
        self.life = member.life
        self.header = member.header()
        self.complete = start - 1
        self.pipe: deque[Delivery] = deque()
        self._store = store
        self._wanted = wanted
        self._said: list[WatchResponse] = []

    @property
    def broken(self) -> bool:
        """Whether the member it runs on is no more."""
        return self._store.life is not self.life

    def pump(self, rng: random.Random, *, odd: bool) -> None:
        """Put something into the pipe, if there is anything to say.

        Args:
            rng: the dice.
            odd: whether duplicates, fragments, overlaps and misleading notices may come.

        Raises:
            Gone: it was too slow, and a compaction overtook it.
        """
        member = self.member
        if self.broken:
            return
        if self.complete + 1 <= min(member.compacted, member.applied):
            raise Gone
        if odd and rng.random() < 0.1:
            if self._said and rng.random() < 0.6:
                self._put(rng.choice(self._said))  # once more
            else:
                self._put(self._notice(-1))
        elif self.complete >= member.applied:
            if self.complete == member.applied:  # it has said all there is: the notice is true
                self._put(self._notice(1), covers=True)
        else:
            self._say(rng, odd=odd)

    def _say(self, rng: random.Random, *, odd: bool) -> None:
        """The events of some revisions: often all at once, as when it catches up."""
        first = self.complete + 1
        last = min(self.member.applied, first + rng.choice((0, 0, 1, 9)))
        if odd and rng.random() < 0.1:  # from a little earlier
            first = max(first - rng.randint(0, 5), self.member.compacted + 1, min(self.life.events))
        events = [
            event
            for revision in range(first, last + 1)
            for event in self.life.events[revision]
            if self._wanted.contains(event.kv.key)
        ]
        before, self.complete = self.complete, last
        if not events:
            return
        # The header carries the member's newest revision, however old the events are.
        whole = WatchResponse(header=self.member.header(), watch_id=1, events=tuple(events))
        pieces = list(_fragments(events, rng)) if odd and rng.random() < 0.4 else [events]
        for piece in pieces[:-1]:
            self._put(replace(whole, fragment=True, events=tuple(piece)), complete=before)
            if rng.random() < 0.1:
                self._put(self._notice(rng.choice((-1, 1))), complete=before)
        self._put(replace(whole, events=tuple(pieces[-1])), covers=True)
        self._said.append(whole)

    def _notice(self, watch_id: int) -> WatchResponse:
        """How far the member has come; for all watches (-1), older servers send it out of step."""
        return WatchResponse(header=self.member.header(), watch_id=watch_id)

    def _put(
        self, response: WatchResponse, *, complete: int | None = None, covers: bool = False
    ) -> None:
        complete = self.complete if complete is None else complete
        self.pipe.append(Delivery(response=response, complete=complete, covers=covers))


def without_cluster(header: ResponseHeader) -> ResponseHeader:
    """The header as etcd's own gRPC proxy has it when clients share a watch of its."""
    return ResponseHeader(revision=header.revision)


def _fragments(events: Sequence[Event], rng: random.Random) -> Iterator[Sequence[Event]]:
    start = 0
    while start < len(events):
        end = start + rng.randint(1, 3)
        yield events[start:end]
        start = end
