"""An etcd cluster in a few dictionaries: history, members that lag, compaction, restore.

Every state it ever had is kept, so that whatever a follower publishes can be held against the
truth. Nothing here knows how a follower works.
"""

import random
from dataclasses import dataclass, field

from lochkit.etcd.messages import Event, EventType, KeyValue, ResponseHeader
from lochkit.etcd.prefix import KeyRange, covers

__all__ = ["Life", "Member", "SimulatedStore", "State"]

State = dict[bytes, KeyValue]


@dataclass(eq=False, kw_only=True)
class Life:
    """One life of the store, until it is restored from a backup.

    Attributes:
        states: the whole state at each revision it had.
        events: what happened at each revision.
        elections: the revision the store had when each term began, and that term.
        compactions: the revision the store had at each compaction, and the oldest revision kept.
    """

    cluster_id: int
    revision: int
    states: dict[int, State]
    elections: list[tuple[int, int]]
    compactions: list[tuple[int, int]]
    events: dict[int, tuple[Event, ...]] = field(default_factory=dict)

    @property
    def term(self) -> int:
        """The term now."""
        return self.elections[-1][1]

    @property
    def compacted(self) -> int:
        """The oldest revision kept."""
        return self.compactions[-1][1]

    def view(self, ranges: tuple[KeyRange, ...], revision: int) -> State:
        """The truth about `ranges` at `revision`, compacted or not."""
        state = self.states[revision]
        return {key: kv for key, kv in state.items() if covers(ranges, key)}


@dataclass(eq=False, kw_only=True)
class Member:
    """One member: what it has applied of the life it is in, perhaps not the newest."""

    number: int
    life: Life
    applied: int
    term: int

    @property
    def compacted(self) -> int:
        """The oldest revision this member keeps; it may not have heard of the last compaction."""
        return max(kept for at, kept in self.life.compactions if at <= self.applied)

    def catch_up(self, revision: int) -> None:
        """Apply everything up to `revision`."""
        self.applied = max(self.applied, revision)
        # An election has no revision of its own, so a member that has the last revision may have
        # missed it.
        begun = [term for at, term in self.life.elections if at < self.applied]
        self.term = max([self.term, *begun])

    def header(self) -> ResponseHeader:
        """What it says of itself."""
        return ResponseHeader(
            cluster_id=self.life.cluster_id,
            member_id=self.number,
            revision=self.applied,
            raft_term=self.term,
        )


class SimulatedStore:
    """The cluster.

    Attributes:
        life: the one it is in.
        members: who can be asked to watch; they lag until they `catch_up`.
    """

    def __init__(self, rng: random.Random, keys: list[bytes], *, members: int = 3) -> None:
        self._rng = rng
        self._keys = keys
        self._newest_cluster = 1
        self._count = members
        self._begin(
            Life(
                cluster_id=1,
                revision=1,
                states={1: {}},
                elections=[(0, 9)],
                compactions=[(0, 0)],
            )
        )

    def _begin(self, life: Life) -> None:
        self.life = life
        self.members = [
            Member(number=number, life=life, applied=life.revision, term=life.term)
            for number in range(1, self._count + 1)
        ]

    def truth(self) -> ResponseHeader:
        """The header of a linearizable read, whichever member answers it."""
        life = self.life
        return ResponseHeader(
            cluster_id=life.cluster_id,
            member_id=self._rng.choice(self.members).number,
            revision=life.revision,
            raft_term=life.term,
        )

    def write(self) -> None:
        """A transaction over one to four keys: puts, and deletes of keys that are there."""
        life, rng = self.life, self._rng
        state = dict(life.states[life.revision])
        revision = life.revision + 1
        events = []
        for key in rng.sample(self._keys, rng.randint(1, 4)):
            old = state.get(key)
            if old is not None and rng.random() < 0.4:
                del state[key]
                events.append(Event(EventType.DELETE, KeyValue(key=key, mod_revision=revision)))
                continue
            kv = KeyValue(
                key=key,
                create_revision=old.create_revision if old else revision,
                mod_revision=revision,
                version=old.version + 1 if old else 1,
                value=b"%d" % rng.randrange(3),
            )
            state[key] = kv
            events.append(Event(EventType.PUT, kv))
        life.events[revision] = tuple(events)
        life.states[revision] = state
        life.revision = revision

    def compact(self) -> None:
        """Forget some or all of the history."""
        life = self.life
        kept = self._rng.randint(life.compacted, life.revision)
        life.compactions.append((life.revision, kept))

    def elect(self) -> None:
        """Another leader, and with it a new term."""
        self.life.elections.append((self.life.revision, self.life.term + 1))

    def restore(self, *, known_term: int) -> None:
        """Go back to a backup: as another cluster, or as the same one with its terms begun anew.

        Args:
            known_term: the highest term anyone outside has heard of. Begun anew, the term is lower;
                were it not, nothing at all would tell the restored store from the lost one.
        """
        life, rng = self.life, self._rng
        revision = rng.randint(1, life.revision)
        another = known_term <= 1 or rng.random() < 0.5
        self._newest_cluster += another
        anew = rng.randint(max(1, known_term - 3), max(1, known_term - 1))
        term = rng.choice((2, life.term)) if another else anew
        self._begin(
            Life(
                cluster_id=self._newest_cluster,
                revision=revision,
                states={at: state for at, state in life.states.items() if at <= revision},
                events={at: events for at, events in life.events.items() if at <= revision},
                elections=[(0, term)],
                compactions=[(0, min(life.compacted, revision))],
            )
        )
        # A restored store is soon written to, perhaps past the revision it had.
        for _ in range(rng.choice((0, 1, 5, 40))):
            self.write()

    def spread(self) -> None:
        """Let some members apply more of what was committed."""
        for member in self.members:
            if self._rng.random() < 0.4:
                member.catch_up(self._rng.randint(member.applied, self.life.revision))

    def calm(self) -> None:
        """Let all members be up to date."""
        for member in self.members:
            member.catch_up(self.life.revision)
            member.term = self.life.term
