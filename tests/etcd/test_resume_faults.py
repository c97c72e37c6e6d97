"""The follow state machine under seeded schedules of faults.

Each schedule writes to a simulated store and does what the machine asks for, while connections are
cut, history is compacted, members lag, leaders change, backups are restored, and responses come
twice, in pieces, late and with misleading headers. Every step published is held against the store's
own history, and so is what the machine asks for: a list without a reason is a fault, too.

A schedule that fails says its seed; ``Schedule(seed).run()`` runs it again, alone.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from lochkit.etcd.messages import Event, KeyValue, ResponseHeader, WatchResponse
from lochkit.etcd.model import Origin, Step
from lochkit.etcd.prefix import KeyRange, path_ranges
from lochkit.etcd.resume import Phase, Resume
from tests.fakes.store import Life, SimulatedStore, State
from tests.fakes.watch import Delivery, Gone, SimulatedWatch, without_cluster

SCHEDULES = 1000
CHUNKS = 10
KEYS = [b"/%s/%d" % (part, number) for part in (b"a", b"b", b"m", b"z") for number in range(4)]
RANGES: tuple[tuple[KeyRange, ...], ...] = (
    (KeyRange.prefix(b"/"),),
    (KeyRange.prefix(b"/a/"), KeyRange.prefix(b"/z/")),
    (KeyRange.prefix(b"/a/"), KeyRange.exact(b"/a/1"), KeyRange(b"/a/2", b"/b/2")),
    path_ranges("/b"),
    (KeyRange.exact(b"/m/1"),),
    (KeyRange.from_key(b"/m/2"), KeyRange.exact(b"/a/0")),
    (KeyRange.exact(b"/b/3"), KeyRange.exact(b"/b/1"), KeyRange.exact(b"/b/1")),
)


class Schedule:
    """One follower, one store, and the faults between them."""

    def __init__(self, seed: int, machine: type[Resume] = Resume) -> None:
        self.rng = rng = random.Random(seed)
        self.store = SimulatedStore(rng, KEYS)
        self.ranges = RANGES[seed % len(RANGES)]
        self.per_revision = seed % 3 == 0
        self.resume = machine(self.ranges, per_revision=self.per_revision)
        self.faults = True
        self.published: State = {}
        self.steps: list[tuple[Life, Step]] = []
        # What the machine may know: the life it listed, the highest term it was told of, and up to
        # where it was told everything.
        self.life: Life | None = None
        self.term = 0
        self.complete = 0
        self.may_list = True
        self.watch: SimulatedWatch | None = None

    def chance(self, probability: float) -> bool:
        return self.faults and self.rng.random() < probability

    def run(self) -> None:
        for _ in range(self.rng.randint(20, 120)):
            self.disturb()
            self.advance()
        self.faults = False
        for _ in range(3):
            self.store.write()
            self.store.calm()
            self.settle()

    def settle(self) -> None:
        """Without faults, a few moves lead to the truth."""
        for _ in range(20):
            if self.life is self.store.life and self.complete == self.life.revision:
                break
            self.advance()
        assert self.steps
        assert self.published == self.store.life.view(self.ranges, self.store.life.revision)

    # -- the world

    def disturb(self) -> None:
        store, rng = self.store, self.rng
        for _ in range(rng.choice((0, 1, 1, 3))):
            store.write()
        store.spread()
        if self.chance(0.15):
            store.compact()
        # Elections before anyone has heard of a restore could make up for the terms it lost.
        if self.chance(0.05) and self.life is store.life:
            store.elect()
        if self.chance(0.02):
            store.restore(known_term=self.term)
        if self.chance(0.03):
            self.may_list = True
            self.resume.resync()

    # -- the caller: does what the phase asks for

    def advance(self) -> None:
        match self.resume.phase:
            case Phase.LIST:
                assert self.may_list, "a list without a reason"
                self.read_all()
            case Phase.WATCH:
                self.open()
            case Phase.VERIFY:
                self.verify()
            case Phase.OPEN:
                self.receive()

    def tell(self, header: ResponseHeader) -> ResponseHeader:
        self.term = max(self.term, header.raft_term)
        return header

    def compacted(self) -> None:
        self.may_list = True
        self.resume.compacted()

    def cut(self) -> None:
        listing = self.resume.phase is Phase.LIST
        self.resume.cut()
        assert (self.resume.phase is Phase.LIST) == (listing or not self.steps)

    def read_all(self) -> None:
        store = self.store
        life, header, revision = store.life, store.truth(), store.life.revision
        if self.chance(0.3):  # pages take time
            self.disturb()
        if self.chance(0.1):
            self.cut()
            return
        if store.life is life and revision < life.compacted:
            self.compacted()
            return
        kvs = list(life.view(self.ranges, revision).values())
        self.rng.shuffle(kvs)
        # Ranges that overlap are listed one by one, so that keys come twice.
        step = self.resume.listed(header, revision, kvs + kvs[:2])
        assert self.resume.phase is Phase.WATCH
        assert self.resume.start == revision + 1
        self.life, self.term, self.complete = life, header.raft_term, revision
        self.may_list = False
        self.publish([step] if step else [], Origin.RESYNCED if self.steps else Origin.LISTED)
        assert self.published == life.view(self.ranges, revision)

    def open(self) -> None:
        if self.chance(0.1):
            self.cut()
            return
        store, resume = self.store, self.resume
        assert resume.start <= self.complete + 1, "it would miss something"
        member = self.rng.choice(store.members)
        try:
            self.watch = watch = SimulatedWatch(store, member, resume.watched, resume.start)
        except Gone:
            self.compacted()
            return
        header = without_cluster(watch.header) if self.chance(0.05) else watch.header
        behind = header.revision < resume.start - 1 or header.raft_term < self.term
        resume.opened(self.tell(header))
        if watch.life is not self.life:
            self.may_list = True
            assert resume.phase is not Phase.OPEN, "a restore goes unseen"
        else:
            assert resume.phase is (Phase.VERIFY if behind else Phase.OPEN)

    def verify(self) -> None:
        if self.chance(0.2):
            self.cut()
            return
        life = self.store.life
        self.resume.verified(self.tell(self.store.truth()))
        if life is not self.life:
            self.may_list = True
            assert self.resume.phase is Phase.LIST
        else:
            assert self.resume.phase is Phase.OPEN, "a member that lags is taken for a restore"

    def receive(self) -> None:
        watch = self.watch
        assert watch is not None
        gone = False
        try:
            watch.pump(self.rng, odd=self.faults)
        except Gone:
            gone = True
        # What was sent before the end may still arrive, or not.
        while watch.pipe and self.resume.phase is Phase.OPEN and not self.chance(0.2):
            self.take(watch, watch.pipe.popleft())
        if gone and not watch.pipe:
            self.compacted()
        elif self.chance(0.08) or (watch.broken and (not watch.pipe or self.chance(0.5))):
            self.cut()

    def take(self, watch: SimulatedWatch, delivery: Delivery) -> None:
        response, resume = delivery.response, self.resume
        self.tell(response.header)
        self.complete = max(self.complete, delivery.complete)
        steps = resume.received(response)
        assert self.per_revision or len(steps) <= 1
        self.publish(steps, Origin.WATCHED)
        assert resume.phase is Phase.OPEN
        assert resume.start <= self.complete + 1, "it would miss something"
        if delivery.covers:
            if not response.events:
                assert resume.start > response.header.revision, "a notice was not heeded"
            assert self.published == watch.life.view(self.ranges, self.complete)

    # -- the consumer: holds every step against the truth

    def publish(self, steps: Sequence[Step], origin: Origin) -> None:
        life = self.life
        assert life is not None
        for step in steps:
            assert step.origin is origin
            if self.per_revision and origin is Origin.WATCHED:
                assert self.published == life.view(self.ranges, step.revision - 1)
            for key, change in step.changes.items():
                assert change.key == key
                assert self.published.get(key) == change.old
                assert change.old != change.new
                if change.new is None:
                    del self.published[key]
                else:
                    self.published[key] = change.new
            assert self.published == life.view(self.ranges, step.revision), "half a revision"
            assert step.changes or not self.steps, "a step for nothing"
            if self.steps and self.steps[-1][0] is life:
                assert step.revision > self.steps[-1][1].revision
            self.steps.append((life, step))


def run(seeds: Iterable[int], machine: type[Resume] = Resume) -> None:
    for seed in seeds:
        try:
            Schedule(seed, machine).run()
        except Exception as error:
            raise AssertionError(f"schedule {seed} fails: Schedule({seed}).run()") from error


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_schedules(chunk: int) -> None:
    run(range(chunk, SCHEDULES, CHUNKS))


class ResumesFromHeaders(Resume):
    def received(self, response: WatchResponse) -> list[Step]:
        steps = super().received(response)
        self._resume_from = max(self._resume_from, response.header.revision)
        return steps


class TrustsNoticesForAll(Resume):
    def received(self, response: WatchResponse) -> list[Step]:
        return super().received(replace(response, watch_id=1))


class HeedsNoNotice(Resume):
    def received(self, response: WatchResponse) -> list[Step]:
        return super().received(response) if response.events else []


class ShowsFragments(Resume):
    def received(self, response: WatchResponse) -> list[Step]:
        return super().received(replace(response, fragment=False))


class KeepsFragments(Resume):
    def opened(self, header: ResponseHeader) -> None:
        joiner = self._joiner
        super().opened(header)
        self._joiner = joiner


class ForgetsWhatItHas(Resume):
    def _apply(self, events: Sequence[Event]) -> list[Step]:
        revision, self.revision = self.revision, 0
        steps = super()._apply(events)
        self.revision = max(self.revision, revision)
        return steps


class SplitsRevisions(Resume):
    def _apply(self, events: Sequence[Event]) -> list[Step]:
        middle = len(events) // 2
        return [step for part in (events[:middle], events[middle:]) for step in self._part(part)]

    def _part(self, events: Sequence[Event]) -> list[Step]:
        return super()._apply(events) if events else []


class TakesForeignKeys(Resume):
    def _apply(self, events: Sequence[Event]) -> list[Step]:
        self._ranges = (self.watched,)
        return super()._apply(events)


class MissesDeletions(Resume):
    def listed(self, header: ResponseHeader, revision: int, kvs: Iterable[KeyValue]) -> Step | None:
        kept = {**self._entries, **{kv.key: kv for kv in kvs}}
        return super().listed(header, revision, kept.values())


class NeverVerifies(Resume):
    def opened(self, header: ResponseHeader) -> None:
        super().opened(header)
        if self.phase is Phase.VERIFY:
            self.phase = Phase.OPEN


class TakesLaggingForRestored(Resume):
    def opened(self, header: ResponseHeader) -> None:
        super().opened(header)
        if self.phase is Phase.VERIFY:
            self.phase = Phase.LIST


class IgnoresTheCluster(Resume):
    def opened(self, header: ResponseHeader) -> None:
        self._cluster_id = header.cluster_id
        super().opened(header)


class ForgetsElections(Resume):
    def received(self, response: WatchResponse) -> list[Step]:
        return super().received(replace(response, header=replace(response.header, raft_term=0)))


class BelievesOnlyClusters(Resume):
    def opened(self, header: ResponseHeader) -> None:
        self._raft_term = 0
        super().opened(header)


class ResumesOneLate(Resume):
    @property
    def start(self) -> int:
        return super().start + 1


class IgnoresCompaction(Resume):
    def compacted(self) -> None:
        self.cut()


class ListsAfterCuts(Resume):
    def cut(self) -> None:
        self.phase = Phase.LIST


class ForgetsToResync(Resume):
    def cut(self) -> None:
        self.phase = Phase.WATCH


BROKEN: tuple[type[Resume], ...] = (
    ResumesFromHeaders,
    TrustsNoticesForAll,
    HeedsNoNotice,
    ShowsFragments,
    KeepsFragments,
    ForgetsWhatItHas,
    SplitsRevisions,
    TakesForeignKeys,
    MissesDeletions,
    NeverVerifies,
    TakesLaggingForRestored,
    IgnoresTheCluster,
    ForgetsElections,
    BelievesOnlyClusters,
    ResumesOneLate,
    IgnoresCompaction,
    ListsAfterCuts,
    ForgetsToResync,
)


@pytest.mark.parametrize("machine", BROKEN)
def test_the_schedules_would_notice(machine: type[Resume]) -> None:
    """Each of these faults in the machine is found by some schedule: the test can fail."""
    with pytest.raises(AssertionError, match="schedule"):
        run(range(SCHEDULES), machine)
