"""What a director wants done, from what it sees: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.directing import plan_work
from lochkit.zfs.directing_memo import Memo
from lochkit.zfs.directing_notes import Notes, Tick
from lochkit.zfs.directing_results import learn
from lochkit.zfs.directing_view import HostView, View, state_of
from lochkit.zfs.directing_wake import next_look
from lochkit.zfs.directing_work import Part, Plan, Pursuit, Wanted
from lochkit.zfs.errors import Failure
from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.layout import CursorKey
from lochkit.zfs.model import Bookmark, Dataset, Inventory, Snapshot
from lochkit.zfs.orders import Action, OrderResult, OrderStatus
from lochkit.zfs.policy_types import Job, Policy, Replication
from lochkit.zfs.publish_record import AgentRecord
from lochkit.zfs.schedule import parse_schedule
from lochkit.zfs.tags import cursor_name
from lochkit.zfs.work_queue import Work

from .agent_scene import NOON, job, to_vault
from .director_scene import hosted

HOUR = 3600


def snap(number: int, *, holds: int = 0) -> Snapshot:
    """The snapshot taken `number` hours after midnight of the day before."""
    at = NOON - 36 * HOUR + number * HOUR
    day, hour = 14 + number // 24, number % 24
    return Snapshot(f"hot_2027-01-{day:02}T{hour:02}:00:00Z", 100 + number, number, at, holds=holds)


def dataset(name: str, numbers: Iterable[int], **more: object) -> Dataset:
    snapshots = tuple(snap(one) for one in numbers)
    return Dataset(name=name, guid=hash(name), snapshots=snapshots, **more)  # type: ignore[arg-type]


def host(name: str, *datasets: Dataset, **more: object) -> HostView:
    return HostView(
        record=AgentRecord(host=name, address=name),
        inventory=Inventory(datasets={one.name: one for one in datasets}),
        **more,  # type: ignore[arg-type]
    )


def view(*hosts: HostView, cursors: Mapping[CursorKey, int] | None = None) -> View:
    return View(hosts={one.record.host: one for one in hosts}, cursors=cursors or {})


def plan(wanted: Job | Policy, seen: View, *, notes: Notes | None = None, now: int = NOON) -> Plan:
    policy = Policy(jobs=(wanted,)) if isinstance(wanted, Job) else wanted
    return plan_work(policy, seen, notes or Notes(), now)


def of(found: Plan, action: Action) -> list[Wanted]:
    return [one for one in found.wanted if one.order.action is action]


def destroyed(found: Plan) -> dict[str, set[int]]:
    """The guids that are to be destroyed, by ``host:dataset``."""
    return {
        f"{one.host}:{one.order.dataset}": {ref.guid for ref in one.order.snapshots}
        for one in of(found, Action.DESTROY)
    }


# -- takes


def test_a_take_is_called_by_its_tick() -> None:
    seen = view(host("web1", dataset("ssd/pg", [30])))
    (take,) = plan(hosted(job()), seen, now=NOON + 100).wanted
    assert take.order.snapshot_name == "hot_2027-01-15T12:00:00Z"
    assert take.tick == NOON
    seen = view(host("web1", dataset("ssd/pg", [20])))
    (late,) = plan(hosted(job(cron="0 4 * * *")), seen, now=NOON + 100).wanted
    assert late.order.snapshot_name == "hot_2027-01-15T12:01:40Z"


@pytest.mark.parametrize(
    ("numbers", "orders"),
    [
        ({"ssd/pg": [30], "ssd/pg/a": [30]}, [("ssd/pg", True)]),
        ({"ssd/pg": [36], "ssd/pg/a": [30]}, [("ssd/pg/a", False)]),
        ({"ssd/pg": [36], "ssd/pg/a": [36]}, []),
        ({"ssd/pg": [99], "ssd/pg/a": [36]}, [("ssd/pg", False)]),  # one from the future
    ],
)
def test_only_what_lacks_a_tick_is_taken(
    numbers: dict[str, list[int]], orders: list[tuple[str, bool]]
) -> None:
    seen = view(host("web1", *(dataset(name, those) for name, those in numbers.items())))
    found = plan(hosted(job()), seen).wanted
    assert [(one.order.dataset, one.order.recursive) for one in found] == orders


def test_a_tick_that_left_no_snapshot_is_remembered() -> None:
    notes = Notes()
    notes.handle("pg", "ssd/pg", Tick(tick=NOON, recursive=True))
    seen = view(host("web1", dataset("ssd/pg", [30]), dataset("ssd/pg/a", [30])))
    assert not plan(hosted(job()), seen, notes=notes).wanted
    assert plan(hosted(job()), seen, notes=notes, now=NOON + 900).wanted


@pytest.mark.parametrize("seen", [view(), view(host("web1", complete=False))])
def test_a_host_that_is_not_seen_gets_nothing(seen: View) -> None:
    found = plan(hosted(job()), seen)
    assert not found.wanted
    assert len(found.notices) == 1


def test_a_root_that_is_missing_is_told_of() -> None:
    (notice,) = plan(hosted(job()), view(host("web1"))).notices
    assert notice == "job pg: web1:ssd/pg: is not there"


# -- sends


def sends(**more: Any) -> Job:
    return hosted(job(cron=None, to=(to_vault(**more),)))


def test_a_send_says_all_that_the_agent_must_know() -> None:
    seen = view(host("web1", dataset("ssd/pg", [30, 31])), host("vault", dataset("bulk/pg", [30])))
    (send,) = plan(sends(keep=parse_keep(["last 1"])), seen).wanted
    order = send.order
    assert (send.host, send.to, order.source_dataset, order.dataset) == (
        *("web1", "vault", "ssd/pg", "bulk/pg"),
    )
    assert order.address is not None
    assert order.address.address == "vault"
    assert order.replication == to_vault()
    assert not order.recursive


def test_datasets_below_wait_for_the_one_above_if_not_sent_together() -> None:
    below = dataset("ssd/pg/a", [30])
    seen = view(host("web1", dataset("ssd/pg", [30]), below), host("vault"))
    (together,) = plan(sends(), seen).wanted
    assert together.order.recursive
    assert {part.pursuit.dataset for part in together.parts} == {"ssd/pg", "ssd/pg/a"}
    notes = Notes()
    failed = Part(Pursuit("pg", Work.SEND, "ssd/pg/a", "pg"))
    notes.failed(failed, "no", NOON, 0.5)
    (alone,) = plan(sends(), seen, notes=notes).wanted
    assert (alone.order.source_dataset, alone.order.recursive) == ("ssd/pg", False)


@pytest.mark.parametrize(("hour", "is_sent"), [(29, True), (31, True), (34, False), (36, False)])
def test_by_cron_goes_what_was_there_at_a_tick(hour: int, *, is_sent: bool) -> None:
    seen = view(host("web1", dataset("ssd/pg", [hour])), host("vault"))
    wanted = sends(when=parse_schedule("0 10 * * *", "UTC"))  # hour 34
    assert bool(plan(wanted, seen).wanted) is is_sent


def test_a_conflict_gets_no_order() -> None:
    seen = view(host("web1", dataset("ssd/pg", [30])), host("vault", dataset("bulk/pg", [7])))
    found = plan(sends(), seen)
    assert not found.wanted
    assert [(one.reason, one.target) for one in found.conflicts] == [("no-common", "vault:bulk/pg")]


def test_what_an_interrupted_receive_is_good_for_the_agents_tell() -> None:
    begun = Dataset(name="bulk/pg", resume_token="1-abc")
    seen = view(host("web1", dataset("ssd/pg", [30])), host("vault", begun))
    assert len(plan(sends(), seen).wanted) == 1


@pytest.mark.parametrize(
    "target",
    [host("vault", complete=False), host("vault", unreadable=frozenset(["bulk/pg"]))],
)
def test_nothing_goes_where_it_is_not_known_what_there_is(target: HostView) -> None:
    seen = view(host("web1", dataset("ssd/pg", [30])), target)
    assert not plan(sends(), seen).wanted


# -- destroys


def keeping(**more: Any) -> Job:
    replication = to_vault(keep=parse_keep(["last 1"]), **more)
    return hosted(job(cron=None, keep=["last 1"], to=(replication,)))


def test_the_newest_common_stays_at_both_ends() -> None:
    seen = view(
        host("web1", dataset("ssd/pg", [1, 2, 3, 4, 5])),
        host("vault", dataset("bulk/pg", [0, 1, 2, 3])),
    )
    found = destroyed(plan(keeping(), seen))
    assert found == {"web1:ssd/pg": {101, 102, 104}, "vault:bulk/pg": {100, 101, 102}}


@pytest.mark.parametrize(
    ("cursors", "bookmarks", "gone"),
    [
        ({}, (), None),
        ({CursorKey("pg", "web1", "vault", "ssd/pg"): 102}, (), {101, 103}),
        ({}, (Bookmark(cursor_name("pg", 102), 102, 2, 0),), {101, 103}),
        ({CursorKey("pg", "web1", "other", "ssd/pg"): 102}, (), None),
    ],
)
def test_of_a_silent_destination_the_cursor_tells(
    cursors: dict[CursorKey, int], bookmarks: tuple[Bookmark, ...], gone: set[int] | None
) -> None:
    source = dataset("ssd/pg", [1, 2, 3, 4], bookmarks=bookmarks)
    found = destroyed(plan(keeping(), view(host("web1", source), cursors=cursors)))
    assert found == ({} if gone is None else {"web1:ssd/pg": gone})


def test_a_copy_whose_source_is_not_seen_is_left_alone() -> None:
    pruned = replace(hosted(job("copies", roots=("bulk/pg",), cron=None, keep=["last 1"]), "vault"))
    policy = Policy(jobs=(sends(), pruned))
    there = host("vault", dataset("bulk/pg", [1, 2, 3]))
    assert destroyed(plan(policy, view(there))) == {}
    seen = view(there, host("web1", dataset("ssd/pg", [2, 4])))
    assert destroyed(plan(policy, seen)) == {"vault:bulk/pg": {101}}


def test_what_was_destroyed_is_not_ordered_again_until_it_is_told_of() -> None:
    seen, notes = view(host("web1", dataset("ssd/pg", [1, 2, 3]))), Notes()
    wanted = hosted(job(cron=None, keep=["last 1"]))
    (order,) = plan(wanted, seen, notes=notes).wanted
    done = OrderResult(uuid="", is_success=True, status=OrderStatus.DONE)
    learn(notes, order, done, now=NOON, jitter=0.5)
    assert not plan(wanted, seen, notes=notes, now=NOON + 30).wanted
    assert plan(wanted, seen, notes=notes, now=NOON + 90).wanted


def test_what_was_judged_is_judged_again_when_something_has_changed() -> None:
    memo, notes, policy = Memo(), Notes(), Policy(jobs=(hosted(job(cron=None, keep=["last 2"])),))
    seen = view(host("web1", dataset("ssd/pg", [1, 2, 3])))

    def doomed(seen: View, policy: Policy = policy, now: int = NOON) -> dict[str, set[int]]:
        return destroyed(plan_work(policy, seen, notes, now, memo=memo))

    assert doomed(seen) == doomed(seen) == {"web1:ssd/pg": {101}}
    fewer = Policy(jobs=(hosted(job(cron=None, keep=["last 1"])),))
    assert doomed(seen, fewer) == {"web1:ssd/pg": {101, 102}}
    assert doomed(view(host("web1", dataset("ssd/pg", [2, 3])))) == {}
    by_age = Policy(jobs=(hosted(job(cron=None, keep=["9 in last day"])),))
    assert doomed(seen, by_age, NOON - 20 * HOUR) == {}
    assert doomed(seen, by_age, NOON - 20 * HOUR + 300) == {}
    assert doomed(seen, by_age, NOON) == {"web1:ssd/pg": {101, 102}}


NUMBERS = st.sets(st.integers(0, 30), max_size=8)


@settings(max_examples=150)
@given(
    here=NUMBERS,
    there=NUMBERS,
    third=NUMBERS,
    marks=NUMBERS,
    complete=st.booleans(),
    keep=st.sampled_from(["last 1", "last 3", "not replicated", "1/day in last week"]),
)
def test_the_newest_common_is_never_destroyed(
    here: set[int], there: set[int], third: set[int], marks: set[int], complete: bool, keep: str
) -> None:
    """web1 sends to vault, and vault's copy goes on to attic."""
    rules = parse_keep([keep])
    first = Replication(name="one", to="vault", target="bulk/pg", keep=rules)
    second = Replication(name="two", to="attic", target="old/pg", keep=rules)
    source = hosted(job("a", cron=None, keep=[keep], to=(first,)))
    onward = hosted(job("b", roots=("bulk/pg",), cron=None, keep=[keep], to=(second,)), "vault")
    bookmarks = tuple(Bookmark(f"m{one}", 100 + one, one, 0) for one in sorted(marks - here))
    inventories = {
        "web1": dataset("ssd/pg", sorted(here), bookmarks=bookmarks),
        "vault": dataset("bulk/pg", sorted(there)),
        "attic": dataset("old/pg", sorted(third)),
    }
    seen = view(
        host("web1", inventories["web1"]),
        host("vault", inventories["vault"]),
        host("attic", inventories["attic"], complete=complete),
    )
    gone = destroyed(plan(Policy(jobs=(source, onward)), seen))
    every = set().union(*gone.values()) if gone else set()
    for upper, lower, known in (
        (gone.get("web1:ssd/pg", set()), gone.get("vault:bulk/pg", set()), here | marks),
        (gone.get("vault:bulk/pg", set()), gone.get("attic:old/pg", set()), there),
    ):
        other = there if known is not there else third
        common = {100 + one for one in known & other}
        if common:
            assert max(common) not in upper | lower
    for name, those in zip(("web1", "vault", "attic"), (here, there, third), strict=True):
        left = {100 + one for one in those} - next(
            (found for place, found in gone.items() if place.startswith(name)), set()
        )
        assert not those or left
    assert every <= {100 + one for one in here | there | third}


# -- what results teach


def result(ok: bool, failure: Failure | None = None, **details: object) -> OrderResult:
    status = OrderStatus.DONE if ok else OrderStatus.FAILED
    return OrderResult(
        uuid="", is_success=ok, status=status, error="no", failure=failure, details=details
    )


def test_datasets_of_one_order_go_their_own_ways() -> None:
    below = dataset("ssd/pg/a", [30]), dataset("ssd/pg/b", [30])
    seen = view(host("web1", dataset("ssd/pg", [30]), *below), host("vault"))
    (together,) = plan(sends(), seen).wanted
    rows = [
        {"Dataset": "ssd/pg", "Outcome": "sent"},
        {"Dataset": "ssd/pg/a", "Outcome": "conflict", "Message": "diverged"},
        {"Dataset": "ssd/pg/b", "Outcome": "failed", "Failure": "busy", "Message": "in use"},
        {"Dataset": 7, "Outcome": []},
        "junk",
    ]
    notes = Notes()
    learn(notes, together, result(False, Failure.BUSY, Datasets=rows), now=NOON, jitter=0.5)
    troubles = {one.dataset: how for one, how in notes.troubles()}
    assert {name: how.error for name, how in troubles.items()} == {
        "ssd/pg/a": "diverged",
        "ssd/pg/b": "in use",
    }
    assert troubles["ssd/pg/a"].blocked == state_of(below[0], None)
    assert troubles["ssd/pg/b"].retry_at > NOON


def test_waits_grow_to_a_limit() -> None:
    notes, part = Notes(), Part(Pursuit("pg", Work.TAKE, "ssd/pg"))
    waits = []
    for _ in range(12):
        notes.failed(part, "no", 0.0, 0.5)
        waits.append(next(how.retry_at for _, how in notes.troubles()))
    assert waits == sorted(waits)
    assert waits[0] < 5
    assert waits[-1] == 450
    notes.succeeded(part, 0.0)
    assert not list(notes.troubles())


@pytest.mark.parametrize(
    ("cron", "settles_at", "seconds"),
    [
        (None, None, 60.0),
        ("*/15 * * * *", None, 60.0),
        ("0 12 * * *", None, 10.0),
        (None, NOON - 5.0, 5.0),
        (None, NOON - 500.0, 0.05),
    ],
)
def test_when_to_look_again(cron: str | None, settles_at: float | None, seconds: float) -> None:
    policy, notes, now = Policy(jobs=(hosted(job(cron=cron)),)), Notes(), NOON - 10.0
    if cron == "*/15 * * * *":
        now = NOON + 10.0

    def look() -> float:
        return next_look(policy, notes, now=now, interval=60.0, settles_at=settles_at)

    assert look() == seconds
    notes.failed(Part(Pursuit("pg", Work.TAKE, "ssd/pg")), "no", now, 0.5)
    assert look() == min(seconds, 4.75)


def test_sends_by_cron_are_looked_at_on_time() -> None:
    policy = Policy(jobs=(sends(when=parse_schedule("0 12 * * *", "UTC")),))
    wait = next_look(policy, Notes(), now=NOON - 10.0, interval=60.0, settles_at=None)
    assert wait == 10.0
