"""The rules of the follow state machine, one by one; `test_resume_faults` tries them together."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.messages import Event, EventType, KeyValue, ResponseHeader, WatchResponse
from lochkit.etcd.model import KeyChange, Keyspace, Origin, Step
from lochkit.etcd.prefix import KeyRange
from lochkit.etcd.resume import Phase, Resume
from tests.fakes.store import SimulatedStore

ALL = KeyRange.prefix(b"/")
KEYS = [b"/a/1", b"/a/2", b"/b/1", b"/m/1", b"/z/1"]


def header(revision: int = 5, *, cluster: int = 1, term: int = 3) -> ResponseHeader:
    return ResponseHeader(cluster_id=cluster, member_id=9, revision=revision, raft_term=term)


def put(key: bytes, revision: int, value: bytes = b"") -> Event:
    return Event(EventType.PUT, KeyValue(key=key, mod_revision=revision, value=value))


def delete(key: bytes, revision: int) -> Event:
    return Event(EventType.DELETE, KeyValue(key=key, mod_revision=revision))


def said(*events: Event, at: int = 99, watch_id: int = 1, fragment: bool = False) -> WatchResponse:
    return WatchResponse(header=header(at), watch_id=watch_id, events=events, fragment=fragment)


def listed(
    *kvs: KeyValue, ranges: tuple[KeyRange, ...] = (ALL,), per_revision: bool = False
) -> Resume:
    """A machine that has listed these keys at revision 5, in term 3."""
    resume = Resume(ranges, per_revision=per_revision)
    resume.listed(header(), 5, kvs)
    return resume


def opened(
    *kvs: KeyValue, ranges: tuple[KeyRange, ...] = (ALL,), per_revision: bool = False
) -> Resume:
    resume = listed(*kvs, ranges=ranges, per_revision=per_revision)
    resume.opened(header())
    return resume


# -- phases


@pytest.mark.parametrize(
    ("confirmation", "phase"),
    [
        (header(5), Phase.OPEN),
        (header(999, term=8), Phase.OPEN),
        (header(4), Phase.VERIFY),
        (header(9, term=2), Phase.VERIFY),
        (header(5, cluster=2), Phase.LIST),
        (header(999, cluster=2, term=99), Phase.LIST),
        (ResponseHeader(revision=5), Phase.VERIFY),  # etcd's gRPC proxy, of a watch that it shares
    ],
)
def test_a_confirmation_is_believed_doubted_or_another_stores(
    confirmation: ResponseHeader, phase: Phase
) -> None:
    resume = listed()
    assert resume.phase is Phase.WATCH
    resume.opened(confirmation)
    assert resume.phase is phase


@pytest.mark.parametrize(
    ("truth", "phase"),
    [
        (header(5), Phase.OPEN),
        (header(50, term=4), Phase.OPEN),
        (header(4), Phase.LIST),
        (header(50, term=2), Phase.LIST),
        (header(50, cluster=2), Phase.LIST),
    ],
)
def test_a_doubt_is_settled_by_a_linearizable_read(truth: ResponseHeader, phase: Phase) -> None:
    resume = listed()
    resume.opened(header(4))
    resume.verified(truth)
    assert resume.phase is phase


def meet_in_a_confirmation(resume: Resume) -> None:
    resume.opened(header(term=7))


def meet_in_a_confirmation_that_is_doubted(resume: Resume) -> None:
    resume.opened(header(4, term=7))


def meet_in_a_linearizable_read(resume: Resume) -> None:
    resume.opened(header(4))
    resume.verified(header(term=7))


def meet_in_a_response(resume: Resume) -> None:
    resume.opened(header())
    resume.received(WatchResponse(header=header(term=7), watch_id=1))


@pytest.mark.parametrize(
    "meet",
    [
        meet_in_a_confirmation,
        meet_in_a_confirmation_that_is_doubted,
        meet_in_a_linearizable_read,
        meet_in_a_response,
    ],
)
def test_a_term_once_met_is_remembered_until_the_next_list(meet: Callable[[Resume], None]) -> None:
    resume = listed()
    meet(resume)
    resume.cut()
    phases = []
    resume.opened(header(99, term=6))
    phases.append(resume.phase)
    resume.verified(header(99, term=6))
    phases.append(resume.phase)
    resume.listed(header(99, term=2), 99, ())
    resume.opened(header(99, term=2))
    assert [*phases, resume.phase] == [Phase.VERIFY, Phase.LIST, Phase.OPEN]


def test_a_cut_goes_on_where_it_was_and_before_the_first_list_it_begins_anew() -> None:
    resume = Resume((ALL,))
    resume.cut()
    assert resume.phase is Phase.LIST
    for disturb, phase in (
        (resume.cut, Phase.WATCH),
        (resume.compacted, Phase.LIST),
        (resume.resync, Phase.LIST),
    ):
        resume.listed(header(), 5, ())
        resume.opened(header())
        disturb()
        assert resume.phase is phase
        resume.cut()
        assert resume.phase is phase  # a list that was not finished is still to be done


def test_a_response_of_another_cluster_is_not_taken() -> None:
    resume = opened()
    foreign = WatchResponse(header=header(cluster=2), watch_id=1, events=(put(b"/a", 6),))
    assert resume.received(foreign) == []
    assert resume.phase is Phase.LIST
    assert resume.revision == 5


# -- lists


def test_the_first_list_is_told_however_empty_and_a_later_one_only_when_it_differs() -> None:
    resume = Resume((ALL,))
    assert not resume.knows
    assert resume.listed(header(), 5, ()) == Step(revision=5, changes={}, origin=Origin.LISTED)
    resume.resync()
    assert resume.listed(header(), 8, ()) is None
    assert (resume.revision, resume.start, resume.knows) == (8, 9, True)


def test_a_list_is_compared_key_by_key() -> None:
    same, old, gone = (KeyValue(key=key, mod_revision=3) for key in (b"/s", b"/o", b"/g"))
    new, fresh = (KeyValue(key=key, mod_revision=7) for key in (b"/o", b"/n"))
    resume = listed(same, old, gone)
    resume.compacted()
    assert resume.listed(header(8), 8, (fresh, same, new)) == Step(
        revision=8,
        changes={
            b"/g": KeyChange(b"/g", gone, None),
            b"/o": KeyChange(b"/o", old, new),
            b"/n": KeyChange(b"/n", None, fresh),
        },
        origin=Origin.RESYNCED,
    )


def test_what_was_sent_is_not_changed_by_what_comes_later() -> None:
    resume = Resume((ALL,))
    first = resume.listed(header(), 5, [KeyValue(key=b"/a", mod_revision=2)])
    resume.opened(header())
    resume.received(said(delete(b"/a", 6), put(b"/b", 6)))
    assert first is not None
    assert list(first.changes) == [b"/a"]


# -- events


def test_the_changes_of_a_response_are_net() -> None:
    kept = KeyValue(key=b"/k", mod_revision=3)
    resume = opened(kept)
    events = (
        put(b"/k", 6, b"1"),
        put(b"/k", 7, b"2"),
        put(b"/come-and-gone", 6),
        delete(b"/come-and-gone", 7),
        delete(b"/never-heard-of", 7),
    )
    (step,) = resume.received(said(*events))
    assert step == Step(revision=7, changes={b"/k": KeyChange(b"/k", kept, events[1].kv)})
    assert (resume.revision, resume.start) == (7, 8)


def test_what_is_not_wanted_moves_on_and_is_not_told() -> None:
    resume = opened(ranges=(KeyRange.prefix(b"/a/"), KeyRange.prefix(b"/z/")))
    assert resume.received(said(put(b"/m/1", 6), put(b"/m/2", 7))) == []
    assert resume.start == 8
    (step,) = resume.received(said(put(b"/m/1", 8), put(b"/z/1", 8)))
    assert list(step.changes) == [b"/z/1"]


def test_keys_of_no_interest_are_neither_listed_nor_told_nor_remembered() -> None:
    resume = Resume((ALL,), select=lambda key: key.endswith(b"1"))
    step = resume.listed(header(), 5, [KeyValue(key=b"/a/1"), KeyValue(key=b"/a/2")])
    assert step is not None
    assert list(step.changes) == [b"/a/1"]
    resume.opened(header())
    [step] = resume.received(said(put(b"/a/2", 6), put(b"/b/1", 7)))
    assert (step.revision, list(step.changes)) == (7, [b"/b/1"])
    assert resume.received(said(put(b"/a/2", 8), delete(b"/a/2", 9))) == []
    assert resume.start == 10
    assert resume.listed(header(9), 9, [KeyValue(key=b"/a/1"), put(b"/b/1", 7).kv]) is None


def test_the_resume_point_is_the_last_events_and_a_notices_but_not_everyones() -> None:
    resume = opened()
    resume.received(said(put(b"/a", 6), at=50))
    assert resume.start == 7
    resume.received(said(at=60, watch_id=-1))
    assert resume.start == 7
    resume.received(said(at=20, watch_id=1))
    assert (resume.start, resume.revision) == (21, 6)
    resume.received(said(at=10, watch_id=1))
    assert resume.start == 21
    late = resume.received(said(put(b"/a", 7)))  # told too soon: an event is never dropped for it
    assert [step.revision for step in late] == [7]
    assert resume.start == 21


def test_a_new_watch_forgets_the_pieces_of_the_old_one() -> None:
    resume = opened()
    assert resume.received(said(put(b"/a", 6), fragment=True)) == []
    resume.cut()
    assert resume.start == 6
    resume.opened(header())
    (step,) = resume.received(said(put(b"/b", 6)))
    assert list(step.changes) == [b"/b"]


@given(
    seed=st.integers(0, 10**6),
    cuts=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=9),
    per_revision=st.booleans(),
)
def test_responses_however_cut_and_however_often(
    seed: int, cuts: list[tuple[int, int]], per_revision: bool
) -> None:
    """Whole revisions in responses of any size, each beginning up to three revisions too early."""
    store = SimulatedStore(random.Random(seed), KEYS)
    wanted = (KeyRange.prefix(b"/a/"), KeyRange.prefix(b"/z/"))
    resume = Resume(wanted, per_revision=per_revision)
    keyspace = Keyspace()
    first = resume.listed(store.truth(), 1, ())
    assert first is not None
    resume.opened(store.truth())
    told, last = [], 1
    for size, overlap in cuts:
        for _ in range(size):
            store.write()
        revisions = range(max(2, last + 1 - overlap), last + size + 1)
        events = tuple(event for each in revisions for event in store.life.events[each])
        last += size
        steps = resume.received(WatchResponse(header=store.truth(), watch_id=1, events=events))
        assert per_revision or len(steps) <= 1
        for step in steps:
            keyspace.apply(step)
            assert keyspace.entries == store.life.view(wanted, step.revision)
            told.append(step.revision)
        assert keyspace.entries == store.life.view(wanted, last)
    assert resume.revision == last
    if per_revision:
        assert told == [
            revision
            for revision in range(2, last + 1)
            if store.life.view(wanted, revision) != store.life.view(wanted, revision - 1)
        ]
