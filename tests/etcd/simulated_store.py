"""An etcd cluster in a few dictionaries, for the follow state machine: history, compaction,
restore, lag.

It keeps every state it ever had, so that whatever a follower publishes can be held against the
truth.
"""

import random
from dataclasses import dataclass, field

from lochkit.etcd.messages import Event, EventType, KeyValue, ResponseHeader

State = dict[bytes, KeyValue]


@dataclass
class Incarnation:
    """One life of the store, until it is restored from a backup.

    Attributes:
        states: the whole state at each revision it had.
        events: what happened at each revision.
        compacted: the oldest revision still kept.
    """

    cluster_id: int
    term: int
    states: dict[int, State]
    revision: int
    compacted: int
    events: dict[int, tuple[Event, ...]] = field(default_factory=dict)


class SimulatedStore:
    """The store; `current` is the life it is in."""

    def __init__(self, rng: random.Random, keys: list[bytes]) -> None:
        self._rng = rng
        self._keys = keys
        self.current = Incarnation(
            cluster_id=1, term=10_000, states={1: {}}, revision=1, compacted=0
        )

    def header(self, *, revision: int | None = None, lag: int = 0) -> ResponseHeader:
        """What a member says of itself; a lagging one may have an older term too."""
        life = self.current
        return ResponseHeader(
            cluster_id=life.cluster_id,
            member_id=1,
            revision=life.revision if revision is None else revision,
            raft_term=life.term - lag,
        )

    def write(self) -> None:
        """A transaction over one to four keys: puts, and deletes of keys that are there."""
        life, rng = self.current, self._rng
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
        life = self.current
        life.compacted = self._rng.randint(life.compacted, life.revision)

    def elect(self) -> None:
        """Another leader."""
        self.current.term += 1

    def restore(self) -> None:
        """Go back to a backup: as another cluster, or as the same one with its terms begun anew."""
        life, rng = self.current, self._rng
        revision = rng.randint(min(life.states), life.revision)
        another = rng.random() < 0.5
        self.current = Incarnation(
            cluster_id=life.cluster_id + another,
            # Elections since the restore do not make up for a term begun anew.
            term=life.term if another else (life.term // 100 - 1) * 100,
            states={revision: life.states[revision]},
            revision=revision,
            compacted=revision,
        )
        # A restored store is soon written to, perhaps past the revision it had.
        for _ in range(rng.choice((0, 1, 5, 40))):
            self.write()
