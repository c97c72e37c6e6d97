"""The follow state machine under seeded schedules of faults.

Each schedule writes to a simulated store and does what the machine asks for, while it cuts,
compacts, restarts, restores, lags, duplicates and fragments. Every step published is held against
the store's own history. A schedule that fails says its seed; ``Schedule(seed).run()`` runs it
again, alone.
"""

import random
from collections.abc import Callable, Iterator

import pytest

from lochkit.etcd.messages import Event, KeyValue, WatchResponse
from lochkit.etcd.model import Origin, Step
from lochkit.etcd.prefix import KeyRange, covers, path_ranges
from lochkit.etcd.resume import Phase, Resume
from tests.etcd.simulated_store import Incarnation, SimulatedStore, State

SCHEDULES = 1000
CHUNKS = 10
KEYS = [b"/%s/%d" % (part, number) for part in (b"a", b"b", b"m", b"z") for number in range(4)]
RANGES: tuple[tuple[KeyRange, ...], ...] = (
    (KeyRange.prefix(b"/"),),
    (KeyRange.prefix(b"/a/"), KeyRange.prefix(b"/z/")),
    (KeyRange.prefix(b"/a/"), KeyRange.exact(b"/a/1"), KeyRange(b"/a/2", b"/b/2")),
    path_ranges("/b"),
    (KeyRange.exact(b"/m/1"),),
)


class Schedule:
    """One follower, one store, and the faults between them."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.store = SimulatedStore(rng, KEYS)
        self.ranges = RANGES[seed % len(RANGES)]
        self.per_revision = seed % 3 == 0
        self.resume = Resume(self.ranges, per_revision=self.per_revision)
        self.faults = True
        self.published: State = {}
        self.steps: list[tuple[Incarnation, Step]] = []
        # The watch: what it delivers next, how far its member is, what it said last.
        self.next = 0
        self.member = 0
        self.said: list[WatchResponse] = []
        self.life = self.store.current

    def chance(self, probability: float) -> bool:
        return self.faults and self.rng.random() < probability

    def expected(self, revision: int) -> State:
        state = self.store.current.states[revision]
        return {key: kv for key, kv in state.items() if covers(self.ranges, key)}

    def run(self) -> None:
        for _ in range(self.rng.randint(20, 120)):
            self.disturb()
            self.advance()
        self.faults = False
        for _ in range(400):
            if self.published == self.expected(self.store.current.revision) and self.steps:
                break
            self.advance()
        assert self.steps
        assert self.published == self.expected(self.store.current.revision)

    def disturb(self) -> None:
        store, rng = self.store, self.rng
        for _ in range(rng.choice((0, 1, 1, 3))):
            store.write()
        if self.chance(0.15):
            store.compact()
        if self.chance(0.05):
            store.elect()
        if self.chance(0.02):
            store.restore()
        if self.chance(0.03):
            self.resume.resync()

    def advance(self) -> None:
        match self.resume.phase:
            case Phase.LIST:
                self.read_all()
            case Phase.WATCH:
                self.open()
            case Phase.VERIFY:
                self.verify()
            case Phase.OPEN:
                self.watch()

    def read_all(self) -> None:
        store = self.store
        life, revision = store.current, store.current.revision
        if self.chance(0.3):  # pages take time
            self.disturb()
        if self.chance(0.1):
            self.resume.cut()
            return
        if store.current is not life or revision < life.compacted:
            self.resume.compacted()
            return
        kvs = list(self.expected(revision).values())
        self.rng.shuffle(kvs)
        step = self.resume.listed(store.header(), revision, kvs + kvs[:2])
        self.publish([step] if step else [])

    def open(self) -> None:
        store, life = self.store, self.store.current
        if self.chance(0.1):
            self.resume.cut()
            return
        self.life, self.next = life, self.resume.start
        lag = self.rng.randint(0, 3) if self.chance(0.3) else 0
        self.member = max(life.revision - lag, life.compacted, 1)
        if self.next <= life.compacted:
            self.resume.compacted()
            return
        self.said = []
        late = 1 if lag and self.chance(0.3) else 0
        self.resume.opened(store.header(revision=self.member, lag=late))

    def verify(self) -> None:
        if self.chance(0.2):
            self.resume.cut()
        else:
            self.resume.verified(self.store.header())

    def watch(self) -> None:
        life = self.life
        if self.store.current is not life or self.chance(0.08):
            self.resume.cut()
            return
        self.member = min(life.revision, self.member + self.rng.randint(0, 3))
        if not self.faults:
            self.member = life.revision
        if self.next <= min(life.compacted, self.member):  # it was too slow
            self.resume.compacted()
            return
        if self.chance(0.1) and self.said:
            self.say(self.rng.choice(self.said))  # once more
        elif self.chance(0.1):
            # Out of step with the events, as older servers send it for all watches of a stream.
            self.say(WatchResponse(header=self.store.header(), watch_id=-1))
        elif self.next > self.member:
            if self.next == self.member + 1:  # it has said all there is: the notice is true
                self.say(WatchResponse(header=self.store.header(revision=self.member), watch_id=1))
        else:
            self.deliver(min(self.member, self.next + self.rng.choice((0, 0, 1, 9))))

    def deliver(self, last: int) -> None:
        """All revisions up to `last` in one response, perhaps in fragments."""
        envelope = self.resume.watched
        revisions = range(self.next, last + 1)
        events = [
            event
            for revision in revisions
            for event in self.life.events[revision]
            if envelope.contains(event.kv.key)
        ]
        self.next = last + 1
        if not events:
            return
        # The header carries the store's newest revision, however old the events are.
        header = self.store.header()
        pieces = list(fragments(events, self.rng)) if self.chance(0.4) else [events]
        for number, piece in enumerate(pieces):
            more = number < len(pieces) - 1
            response = WatchResponse(header=header, watch_id=1, fragment=more, events=tuple(piece))
            self.say(response)
            if more and self.chance(0.15):
                self.resume.cut()  # in the middle of a revision
                return
        self.said = [WatchResponse(header=header, watch_id=1, events=tuple(events))]

    def say(self, response: WatchResponse) -> None:
        self.publish(self.resume.received(response))

    def publish(self, steps: list[Step]) -> None:
        for step in steps:
            life = self.store.current
            for key, change in step.changes.items():
                assert change.key == key
                assert self.published.get(key) == change.old
                assert change.old != change.new
                if change.new is None:
                    del self.published[key]
                else:
                    self.published[key] = change.new
            assert self.published == self.expected(step.revision)
            assert step.changes or not self.steps
            assert (step.origin is Origin.LISTED) == (not self.steps)
            if self.steps and self.steps[-1][0] is life:
                assert step.revision > self.steps[-1][1].revision
            if self.per_revision and step.origin is Origin.WATCHED:
                revisions = {
                    change.new.mod_revision for change in step.changes.values() if change.new
                }
                assert revisions <= {step.revision}
            self.steps.append((life, step))


def fragments(events: list[Event], rng: random.Random) -> Iterator[list[Event]]:
    start = 0
    while start < len(events):
        end = start + rng.randint(1, 3)
        yield events[start:end]
        start = end


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_schedules(chunk: int) -> None:
    for seed in range(chunk, SCHEDULES, CHUNKS):
        try:
            Schedule(seed).run()
        except Exception as error:
            raise AssertionError(f"schedule {seed} fails: Schedule({seed}).run()") from error


def broken_resume(**overrides: Callable[..., object]) -> type[Resume]:
    return type("Broken", (Resume,), overrides)


def from_the_header(self: Resume, response: WatchResponse) -> list[Step]:
    steps = Resume.received(self, response)
    self._resume_from = max(self._resume_from, response.header.revision)
    return steps


def without_deletions(self: Resume, header: object, revision: int, kvs: list[KeyValue]) -> object:
    kept = {kv.key: kv for kv in kvs}
    gone = [kv for key, kv in self._entries.items() if key not in kept]
    return Resume.listed(self, header, revision, [*gone, *kvs])  # type: ignore[arg-type]


def never_verifies(self: Resume, header: object) -> None:
    Resume.opened(self, header)  # type: ignore[arg-type]
    if self.phase is Phase.VERIFY:
        self.phase = Phase.OPEN


def keeps_fragments(self: Resume, header: object) -> None:
    joiner = self._joiner
    Resume.opened(self, header)  # type: ignore[arg-type]
    self._joiner = joiner


def forgets_what_was_delivered(self: Resume, events: list[Event]) -> list[Step]:
    revision, self.revision = self.revision, 0
    steps = Resume._apply(self, events)
    self.revision = max(self.revision, revision)
    return steps


def shows_fragments(self: Resume, response: WatchResponse) -> list[Step]:
    return self._apply(response.events) if response.events else []


def ignores_the_cluster(self: Resume, header: object) -> None:
    self._cluster_id = header.cluster_id  # type: ignore[attr-defined]
    Resume.opened(self, header)  # type: ignore[arg-type]


def resumes_one_late(self: Resume) -> int:
    return self._resume_from + 2


@pytest.mark.parametrize(
    "overrides",
    [
        {"received": from_the_header},
        {"listed": without_deletions},
        {"opened": never_verifies},
        {"opened": keeps_fragments},
        {"_apply": forgets_what_was_delivered},
        {"received": shows_fragments},
        {"opened": ignores_the_cluster},
        {"start": property(resumes_one_late)},
        {"compacted": lambda self: self.cut()},
    ],
    ids=[
        "resumes-from-the-header",
        "misses-deletions",
        "never-verifies",
        "keeps-fragments",
        "forgets-what-was-delivered",
        "shows-fragments",
        "ignores-the-cluster",
        "resumes-one-late",
        "ignores-compaction",
    ],
)
def test_the_schedules_would_notice(overrides: dict[str, Callable[..., object]]) -> None:
    """Each of these faults in the machine is found by some schedule: the test can fail."""
    for seed in range(SCHEDULES):
        schedule = Schedule(seed)
        schedule.resume = broken_resume(**overrides)(
            schedule.ranges, per_revision=schedule.per_revision
        )
        try:
            schedule.run()
        except (AssertionError, KeyError):
            return
    pytest.fail("no schedule notices")
