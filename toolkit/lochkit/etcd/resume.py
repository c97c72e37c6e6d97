"""Following a part of the keyspace through everything that can happen to a watch. No I/O.

Theory of operation
-------------------
A follower knows a *state*: the keys of its ranges at one revision of one store. It is always in one
of four phases. The caller does what the phase asks for and says how it went:

* ``LIST``: list all ranges at one revision (`listed`), then ``WATCH``.
* ``WATCH``: open a watch at `start` (`opened`), then ``OPEN``; ``VERIFY`` when the confirmation is
  suspicious; ``LIST`` when it is another cluster's.
* ``VERIFY``: read linearizably (`verified`), then ``OPEN`` when the member only lags, ``LIST`` when
  the store was restored.
* ``OPEN``: feed what the watch says (`received`).

In any phase: a lost connection (`cut`) leads to ``WATCH``, or to ``LIST`` while nothing is known; a
compaction (`compacted`) and the wish to be sure (`resync`) lead to ``LIST``.

Several ranges are listed at one revision and watched by *one* watch on their envelope, filtered
here: events of two watches come in no common order, and a transaction over two prefixes would be
seen half done.

The revision to resume from is the last event's, never a header's: while a watch catches up, the
header carries the store's newest revision beside events of older ones. A progress notice may move
it, but never one for all watches of a stream (id -1): servers before 3.4.25 and 3.5.8 send those
out of step with the events.

A list is compared with what was known, key by key, so that deletes that happened unseen are seen.
It is also the remedy when the store has *gone back*: restored from a backup, it has another cluster
id, or a lower revision or raft term than before. Lower numbers alone may mean just a member that
lags behind the one before it; hence ``VERIFY``.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from .fragments import FragmentJoiner
from .messages import Event, EventType, KeyValue, ResponseHeader, WatchResponse
from .model import Appeared, KeyChange, Origin, Step
from .prefix import KeyRange, envelope

__all__ = ["Phase", "Resume"]


class Phase(Enum):
    """What the caller is to do next; see the module."""

    LIST = "list"
    WATCH = "watch"
    VERIFY = "verify"
    OPEN = "open"


class Resume:
    """The state machine of one follower.

    Args:
        ranges: what to follow; at least one.
        per_revision: make one step of each revision, instead of one of each response (which holds
            one or more whole revisions).
        select: which keys of the ranges are of interest; the others are not even remembered.

    Attributes:
        phase: what is to be done next.
        revision: of the state known, 0 when none is.
        watched: the one range that covers all of `ranges`.
    """

    def __init__(
        self,
        ranges: Sequence[KeyRange],
        *,
        per_revision: bool = False,
        select: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._select = select
        self.watched = envelope(ranges)
        self._ranges = tuple(dict.fromkeys(ranges))
        self._per_revision = per_revision
        self._entries: dict[bytes, KeyValue] = {}
        self._joiner = FragmentJoiner()
        self._cluster_id = 0
        self._raft_term = 0
        self._resume_from = 0  # at or after `revision`: progress notices move it alone
        self.revision = 0
        self.phase = Phase.LIST

    @property
    def start(self) -> int:
        """The revision a watch is to begin at."""
        return self._resume_from + 1

    @property
    def knows(self) -> bool:
        """Whether a state is known at all."""
        return self.revision > 0

    def listed(self, header: ResponseHeader, revision: int, kvs: Iterable[KeyValue]) -> Step | None:
        """All keys of the ranges at `revision`; the step from what was known, None when nothing
        changed."""
        first = not self.knows
        select = self._select
        if select is None:
            fresh = {kv.key: kv for kv in kvs}
        else:
            fresh = {kv.key: kv for kv in kvs if select(kv.key)}
        changes = None if first else _difference(self._entries, fresh)
        self._entries = fresh
        self._cluster_id, self._raft_term = header.cluster_id, header.raft_term
        self.revision = self._resume_from = revision
        self.phase = Phase.WATCH
        if changes is None:
            return Step(revision=revision, changes=Appeared(fresh.copy()), origin=Origin.LISTED)
        return Step(revision=revision, changes=changes, origin=Origin.RESYNCED) if changes else None

    def opened(self, header: ResponseHeader) -> None:
        """A watch from `start` stands; `header` is that of the server's confirmation."""
        self._joiner = FragmentJoiner()
        if not header.cluster_id:  # etcd's gRPC proxy confirms a watch that it shares so
            self.phase = Phase.VERIFY
        elif header.cluster_id != self._cluster_id:
            self.phase = Phase.LIST
        else:
            self.phase = Phase.VERIFY if self._is_ahead_of(header) else Phase.OPEN
            self._raft_term = max(self._raft_term, header.raft_term)

    def verified(self, header: ResponseHeader) -> None:
        """The header of a linearizable read, which no lagging member can give."""
        if header.cluster_id != self._cluster_id or self._is_ahead_of(header):
            self.phase = Phase.LIST
        else:
            self.phase = Phase.OPEN
            self._raft_term = header.raft_term

    def received(self, response: WatchResponse) -> list[Step]:
        """What the watch says; the steps to publish, in order. Only in phase ``OPEN``."""
        header = response.header
        if header.cluster_id != self._cluster_id and header.cluster_id:
            self.phase = Phase.LIST
            return []
        # Elections while a watch stands must count, or a restore after them, whose terms begin
        # anew, would not be lower than what is remembered.
        if header.raft_term > self._raft_term:
            self._raft_term = header.raft_term
        whole = self._joiner.add(response)
        if whole is None:
            return []
        if not whole.events:
            if whole.watch_id >= 0:
                self._resume_from = max(self._resume_from, whole.header.revision)
            return []
        if self._per_revision:
            return [step for group in _revisions(whole.events) for step in self._apply(group)]
        return self._apply(whole.events)

    def cut(self) -> None:
        """The watch is gone, or a list did not come to its end."""
        self.phase = Phase.WATCH if self.knows and self.phase is not Phase.LIST else Phase.LIST

    def compacted(self) -> None:
        """The history from `start` on, or the revision being listed, is no longer kept."""
        self.phase = Phase.LIST

    def resync(self) -> None:
        """List again and compare, as a safety net."""
        self.phase = Phase.LIST

    def _is_ahead_of(self, header: ResponseHeader) -> bool:
        """Whether more is known here than a server with this header has."""
        return header.revision < self._resume_from or header.raft_term < self._raft_term

    def _apply(self, events: Sequence[Event]) -> list[Step]:
        entries, ranges, select = self._entries, self._ranges, self._select
        applied = self.revision
        changes: dict[bytes, KeyChange] = {}
        for kind, kv, _ in events:
            if kv.mod_revision <= applied:
                continue  # delivered before
            key = kv.key
            for wanted in ranges:  # any() would cost more than all the rest
                if wanted.contains(key):
                    break
            else:
                continue
            if select is not None and not select(key):
                continue
            old = entries.get(key)
            if kind == EventType.DELETE:
                if old is None:
                    continue
                del entries[key]
                new = None
            else:
                entries[key] = new = kv
            if (earlier := changes.get(key)) is not None:
                old = earlier.old
                if old is None and new is None:
                    del changes[key]
                    continue
            changes[key] = KeyChange(key, old, new)
        last = events[-1].kv.mod_revision
        if last > applied:
            self.revision = last
            self._resume_from = max(self._resume_from, last)
        return [Step(revision=self.revision, changes=changes)] if changes else []


def _difference(old: dict[bytes, KeyValue], new: dict[bytes, KeyValue]) -> dict[bytes, KeyChange]:
    changes = {key: KeyChange(key, kv, None) for key, kv in old.items() if key not in new}
    for key, kv in new.items():
        before = old.get(key)
        if before != kv:
            changes[key] = KeyChange(key, before, kv)
    return changes


def _revisions(events: Sequence[Event]) -> list[list[Event]]:
    """Events of each revision, in order; etcd sends them so."""
    groups: list[list[Event]] = []
    current = 0
    for event in events:
        if event.kv.mod_revision != current or not groups:
            groups.append([])
            current = event.kv.mod_revision
        groups[-1].append(event)
    return groups
