"""Which order is given next: rank, places, and that nobody is starved."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.backlog import Backlog
from lochkit.zfs.directing_work import Pursuit, Wanted
from lochkit.zfs.orders import Action, Order
from lochkit.zfs.work_queue import Work

ACTIONS = {Work.TAKE: Action.TAKE, Work.SEND: Action.SEND, Work.DESTROY: Action.DESTROY}


def wanted(
    work: Work,
    dataset: str = "ssd/a",
    *,
    host: str = "web1",
    to: str = "vault",
    below: bool = False,
) -> Wanted:
    lane = f"to-{to}" if work is Work.SEND else ""
    order = Order(
        uuid="",
        action=ACTIONS[work],
        dataset=f"bulk/{dataset}" if work is Work.SEND else dataset,
        source_dataset=dataset if work is Work.SEND else "",
        recursive=below,
    )
    target = f"bulk/{dataset}" if work is Work.SEND else ""
    sends_to = to if work is Work.SEND else ""
    pursuit = Pursuit("job", work, dataset, lane)
    return Wanted(pursuit=pursuit, host=host, order=order, to=sends_to, target=target)


def begin(backlog: Backlog, now: float) -> list[Wanted]:
    started = backlog.start(now)
    for one in started:
        backlog.begun(str(hash(one.pursuit)), one, now)
    return started


def works(started: list[Wanted]) -> list[Work]:
    return [one.pursuit.work for one in started]


def test_a_take_comes_before_a_send_and_that_before_a_destroy() -> None:
    backlog, order = Backlog(), []
    left = [wanted(Work.DESTROY), wanted(Work.SEND), wanted(Work.TAKE)]
    for now in range(3):
        backlog.want(left, now)
        started = begin(backlog, now)
        order += works(started)
        for one in started:
            backlog.ended(str(hash(one.pursuit)))
            left = [other for other in left if other.pursuit != one.pursuit]
    assert order == [Work.TAKE, Work.SEND, Work.DESTROY]


def test_a_snapshot_is_taken_while_one_is_sent_for_hours() -> None:
    backlog = Backlog()
    backlog.want([wanted(Work.SEND)], 0)
    assert works(begin(backlog, 0)) == [Work.SEND]
    backlog.want([wanted(Work.TAKE), wanted(Work.DESTROY)], 10_000)
    assert works(begin(backlog, 10_000)) == [Work.TAKE]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (wanted(Work.SEND), wanted(Work.SEND, to="other"), True),
        (wanted(Work.SEND, below=True), wanted(Work.DESTROY, "ssd/a/b"), False),
        (wanted(Work.SEND), wanted(Work.DESTROY, "bulk/ssd/a", host="vault"), False),
        (wanted(Work.SEND), wanted(Work.DESTROY, "ssd/a", host="web2"), True),
        (wanted(Work.SEND), wanted(Work.DESTROY, "ssd/ab"), True),
        (wanted(Work.TAKE, below=True), wanted(Work.TAKE, "ssd/a/b"), False),
    ],
)
def test_who_can_be_under_way_together(first: Wanted, second: Wanted, *, together: bool) -> None:
    backlog = Backlog()
    backlog.want([first], 0)
    assert begin(backlog, 0) == [first]
    backlog.want([first, second], 1)
    assert begin(backlog, 1) == ([second] if together else [])


def test_each_kind_has_its_own_places_at_a_host() -> None:
    backlog = Backlog(places=2)
    many = [wanted(work, f"ssd/{work.value}{n}") for work in ACTIONS for n in range(5)]
    backlog.want([*many, wanted(Work.SEND, host="web2")], 0)
    started = begin(backlog, 0)
    assert {work: works(started).count(work) for work in ACTIONS} == {
        Work.TAKE: 2,
        Work.SEND: 3,
        Work.DESTROY: 2,
    }
    assert len(backlog.waiting) == 9


def test_what_is_not_wanted_any_more_does_not_wait() -> None:
    backlog = Backlog()
    backlog.want([wanted(Work.TAKE)], 0)
    backlog.want([], 1)
    assert backlog.start(2) == []


def test_there_is_a_limit_for_all_hosts_together() -> None:
    backlog = Backlog(most=3)
    backlog.want([wanted(Work.TAKE, host=f"h{n}", dataset=f"ssd/{n}") for n in range(9)], 0)
    assert len(begin(backlog, 0)) == 3
    assert backlog.start(1) == []


SIMULATED = st.lists(
    st.tuples(st.sampled_from(list(ACTIONS)), st.sampled_from(["ssd/a", "ssd/a/b", "ssd/c"])),
    min_size=1,
    max_size=6,
    unique=True,
)


@settings(max_examples=25)
@given(kinds=SIMULATED, lasts=st.integers(1, 30), places=st.integers(1, 2))
def test_nobody_is_starved(kinds: list[tuple[Work, str]], lasts: int, places: int) -> None:
    """Everything is wanted again right after it is done; all of it is done again and again."""
    backlog = Backlog(places=places, aging=60)
    every = [
        replace(one, order=replace(one.order, uuid=str(n)))
        for n, one in enumerate(wanted(work, name, below=name == "ssd/a") for work, name in kinds)
    ]
    ends: dict[str, int] = {}
    done = dict.fromkeys((one.order.uuid for one in every), 0)
    for now in range(0, 3000, 5):
        for uuid in [uuid for uuid, end in ends.items() if end <= now]:
            backlog.ended(uuid)
            del ends[uuid]
            done[uuid] += 1
        backlog.want(every, now)
        for one in backlog.start(now):
            backlog.begun(one.order.uuid, one, now)
            ends[one.order.uuid] = now + lasts
        under_way = backlog.working
        sends = [one for one in under_way if one.pursuit.work is Work.SEND]
        destroys = [one for one in under_way if one.pursuit.work is Work.DESTROY]
        for send in sends:
            for destroy in destroys:
                pairs = ((a, b) for a in send.claims for b in destroy.claims)
                assert not any(a.touches(b) for a, b in pairs)
    assert min(done.values()) >= 3
