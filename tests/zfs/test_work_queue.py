"""Whose turn it is: takes before sends before destroys, none of them starved, nobody harmed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.work_queue import Claim, Ticket, Work, WorkQueue

PLACES = {Work.TAKE: 2, Work.SEND: 2, Work.RECEIVE: 4, Work.DESTROY: 2}


def claim(dataset: str, *, below: bool = False, lane: str = "") -> tuple[Claim, ...]:
    return (Claim(dataset=dataset, below=below, lane=lane),)


def queue(**places: int) -> WorkQueue:
    return WorkQueue(PLACES | {Work(kind): count for kind, count in places.items()}, aging=60)


def test_takes_go_before_sends_and_sends_before_destroys() -> None:
    waiting = queue()
    tickets = {work: waiting.add(work, claim("a/x"), 0.0) for work in reversed(Work)}
    first = waiting.start(0.0)
    assert first[0] is tickets[Work.TAKE]
    assert set(first[1:]) == {tickets[Work.SEND], tickets[Work.RECEIVE]}
    waiting.remove(tickets[Work.SEND])
    assert waiting.start(1.0) == []  # it is received into as well
    waiting.remove(tickets[Work.RECEIVE])
    assert waiting.start(1.0) == [tickets[Work.DESTROY]]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Work.TAKE, Work.TAKE, False),
        (Work.TAKE, Work.SEND, True),
        (Work.TAKE, Work.RECEIVE, True),
        (Work.TAKE, Work.DESTROY, True),
        (Work.SEND, Work.SEND, False),
        (Work.SEND, Work.RECEIVE, True),
        (Work.SEND, Work.DESTROY, False),
        (Work.RECEIVE, Work.RECEIVE, False),
        (Work.RECEIVE, Work.DESTROY, False),
        (Work.DESTROY, Work.DESTROY, False),
    ],
)
def test_who_may_work_on_a_dataset_at_the_same_time(one: Work, other: Work, both: bool) -> None:
    for first, second in ((one, other), (other, one)):
        waiting = queue()
        waiting.add(first, claim("a/x"), 0.0)
        assert len(waiting.start(0.0)) == 1
        waiting.add(second, claim("a/x"), 0.0)
        assert len(waiting.start(0.0)) == both


def test_other_datasets_are_nobodys_hindrance() -> None:
    waiting = queue(destroy=3)
    waiting.add(Work.SEND, claim("a/x", below=True), 0.0)
    waiting.start(0.0)
    free = [waiting.add(Work.DESTROY, claim(name), 0.0) for name in ("a", "a/xy", "b/x")]
    assert waiting.start(0.0) == free
    waiting.remove(free[0])
    waiting.add(Work.DESTROY, claim("a/x/deep"), 0.0)
    waiting.add(Work.DESTROY, claim("a", below=True), 0.0)
    assert waiting.start(0.0) == []


def test_sends_to_different_destinations_go_side_by_side() -> None:
    waiting = queue()
    for lane in ("vault", "vault", "attic"):
        waiting.add(Work.SEND, claim("a/x", lane=lane), 0.0)
    assert [one.claims[0].lane for one in waiting.start(0.0)] == ["vault", "attic"]


def test_every_kind_has_places_of_its_own() -> None:
    waiting = queue(send=1)
    for number in range(3):
        waiting.add(Work.SEND, claim(f"a/{number}"), 0.0)
    take = waiting.add(Work.TAKE, claim("a/9"), 5.0)
    assert [one.work for one in waiting.start(5.0)] == [Work.TAKE, Work.SEND]
    assert take in waiting.working
    assert len(waiting.waiting) == 2


def test_a_destroy_that_has_waited_long_gets_its_turn_among_sends_without_end() -> None:
    waiting = queue()
    sending = waiting.add(Work.SEND, claim("a/x"), 0.0)
    waiting.start(0.0)
    destroy = waiting.add(Work.DESTROY, claim("a/x"), 0.0)
    for second in range(0, 600, 10):
        next_one = waiting.add(Work.SEND, claim("a/x"), float(second))
        waiting.remove(sending)
        if destroy in waiting.start(second + 1.0):
            assert 50 <= second <= 70  # a rank is worth a minute
            return
        sending = next_one
    raise AssertionError("the destroy was starved")


def test_work_on_many_datasets_is_not_starved_by_work_on_each() -> None:
    waiting = queue(send=5)
    busy = [waiting.add(Work.SEND, claim(f"a/{number}"), 0.0) for number in range(3)]
    waiting.start(0.0)
    whole = waiting.add(Work.SEND, claim("a", below=True), 1.0)
    later = [waiting.add(Work.SEND, claim(f"a/{number}"), 2.0) for number in range(3)]
    for ticket in busy:
        assert waiting.start(3.0) == []
        waiting.remove(ticket)
    assert waiting.start(4.0) == [whole]
    waiting.remove(whole)
    assert waiting.start(5.0) == later


def test_a_receive_waits_for_nobody_who_waits() -> None:
    waiting = queue()
    send = waiting.add(Work.SEND, claim("a", below=True), 0.0)
    waiting.start(0.0)
    destroy = waiting.add(Work.DESTROY, claim("a", below=True), 0.0)
    receive = waiting.add(Work.RECEIVE, claim("a/copy"), 500.0)  # a part of that send
    assert waiting.start(500.0) == [receive]
    waiting.remove(receive)
    waiting.remove(send)
    assert waiting.start(501.0) == [destroy]


def test_who_gives_up_waiting_is_forgotten() -> None:
    waiting = queue(take=1)
    first, second, third = (waiting.add(Work.TAKE, claim(f"a/{n}"), 0.0) for n in range(3))
    waiting.start(0.0)
    waiting.remove(second)
    waiting.remove(first)
    assert waiting.start(0.0) == [third]
    waiting.remove(second)  # twice is fine
    assert waiting.working == (third,)


@pytest.mark.parametrize("places", [{Work.TAKE: 0}, {Work.SEND: -1}])
def test_a_kind_without_places_is_a_mistake(places: dict[Work, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        WorkQueue(places)


CLAIMS = st.builds(
    Claim,
    dataset=st.sampled_from(["a", "a/b", "a/b/c", "a/d", "e"]),
    below=st.booleans(),
    lane=st.sampled_from(["", "x"]),
)
JOBS = st.lists(
    st.tuples(st.sampled_from(list(Work)), st.lists(CLAIMS, min_size=1, max_size=2)), max_size=15
)


@settings(max_examples=80, deadline=None)
@given(JOBS, st.data())
def test_all_get_their_turn_and_nobody_is_ever_harmed(
    jobs: list[tuple[Work, list[Claim]]], data: st.DataObject
) -> None:
    waiting = queue()
    for number, (work, claims) in enumerate(jobs):
        waiting.add(work, claims, float(number))
    now, done = float(len(jobs)), 0
    while waiting.waiting or waiting.working:
        waiting.start(now)
        working = list(waiting.working)
        assert working, "everybody waits for somebody"
        for place, ticket in enumerate(working):
            assert not any(ticket.hinders(other) for other in working[place + 1 :])
        for work in Work:
            assert sum(one.work is work for one in working) <= PLACES[work]
        leaving: Ticket = data.draw(st.sampled_from(working))
        waiting.remove(leaving)
        done, now = done + 1, now + 7.0
    assert done == len(jobs)
