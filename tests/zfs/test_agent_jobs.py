"""A policy's jobs at work: days of them, on a clock that jumps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock as Clock

from lochkit.zfs.agent_jobs import JobSet
from lochkit.zfs.agent_push import Push
from lochkit.zfs.agent_targets import Targets
from lochkit.zfs.errors import Failure
from lochkit.zfs.order_client import OrderClient
from lochkit.zfs.policy_types import Job
from lochkit.zfs.reports import Outcome
from lochkit.zfs.schedule import parse_schedule
from lochkit.zfs.work_queue import Claim, Work

from .agent_scene import NOON, Scene, broken, job, to_vault

HOUR = 3600
DAY = 24 * HOUR


def jobs_of(scene: Scene) -> JobSet:
    return JobSet(scene.site, scene.notes, cast(Targets, None), cast(OrderClient, None))


@asynccontextmanager
async def working(scene: Scene, *jobs: Job) -> AsyncIterator[JobSet]:
    """The jobs at work for as long as the block."""
    async with trio.open_nursery() as nursery:
        at_work = jobs_of(scene)
        at_work.follow(jobs)
        await nursery.start(at_work.run)
        yield at_work
        nursery.cancel_scope.cancel()


async def test_a_snapshot_is_taken_at_every_tick(autojump_clock: Clock) -> None:
    scene = Scene(NOON - 60)
    scene.host.state.make("ssd/pg")
    async with working(scene, job()):
        await trio.sleep(HOUR + 90)
    # One at once, since there was none; the others as the schedule says.
    assert scene.names("ssd/pg") == [
        *("11:59:00Z", "12:00:00Z", "12:15:00Z", "12:30:00Z", "12:45:00Z", "13:00:00Z"),
    ]
    status = scene.chore("pg", "take")
    assert (status.last_tick, status.next_tick) == (NOON + HOUR, NOON + HOUR + 900)
    assert status.message.endswith("of 1 taken")
    assert scene.told.changes == 6


async def test_all_datasets_of_a_job_are_taken_at_once(autojump_clock: Clock) -> None:
    scene = Scene()
    for name in ("ssd/pg/a", "ssd/pg/b", "ssd/pg/tmp/x", "hdd/pg"):
        scene.host.state.make(name)
    wanted = job(roots=("ssd/pg", "hdd/pg"), exclude=("ssd/pg/tmp*",))
    async with working(scene, wanted):
        await trio.sleep(10)
    takes = [call.words[0] for call in scene.host.asked("take")]
    name = "hot_2027-01-15T12:00:00Z"
    assert sorted(map(sorted, cast(Any, takes))) == [
        [f"hdd/pg@{name}"],
        [f"ssd/pg/a@{name}", f"ssd/pg/b@{name}", f"ssd/pg@{name}"],
    ]


async def test_missed_ticks_are_made_up_for_with_one_snapshot(autojump_clock: Clock) -> None:
    scene = Scene()
    scene.host.state.make("ssd/pg")
    scene.host.state.now = NOON - 3 * DAY
    scene.host.state.snap("ssd/pg@hot_2027-01-12T12:00:00Z")
    async with working(scene, job(cron="0 4 * * *")):
        await trio.sleep(10)
    assert scene.names("ssd/pg") == ["12:00:00Z", "12:00:00Z"]


async def test_what_nothing_was_written_to_is_skipped_and_the_tick_is_done(
    autojump_clock: Clock,
) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    async with working(scene, job(skip_unwritten=True)):
        await trio.sleep(HOUR + 10)
        assert scene.names("ssd/pg") == ["12:00:00Z"]
        scene.host.state.write("ssd/pg", 5)
        await trio.sleep(1800)
    assert scene.names("ssd/pg") == ["12:00:00Z", "13:15:00Z"]
    # A restart does not look at ticks that were done without a snapshot.
    again = Scene(NOON + HOUR + 1850, host=scene.host)
    again.notes = scene.notes
    scene.host.state.write("ssd/pg", 5)
    async with working(again, job(skip_unwritten=True)):
        await trio.sleep(10)
    assert len(scene.names("ssd/pg")) == 2


async def test_what_is_not_kept_is_destroyed_and_nothing_else(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    scene.host.state.now = NOON - DAY
    scene.host.state.snap("ssd/pg@manual")
    async with working(scene, job(keep=["last 3"])):
        await trio.sleep(3 * HOUR + 30)
    assert scene.host.state.names("ssd/pg") == [
        "manual",
        *(f"hot_2027-01-15T{at}:00Z" for at in ("14:30", "14:45", "15:00")),
    ]


async def test_the_newest_that_a_destination_has_is_never_destroyed(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    hourly = to_vault(when=parse_schedule("0 12 * * *", "UTC"))
    async with working(scene, job(keep=["last 1"], to=[hourly])):
        await trio.sleep(3 * HOUR + 30)
    # The push at noon confirmed what was there by then.
    assert scene.names("ssd/pg") == ["12:00:00Z", "15:00:00Z"]


async def test_a_cursor_protects_what_no_note_knows_of(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    scene.host.state.now = NOON - HOUR
    guid = scene.host.state.snap("ssd/pg@hot_2027-01-15T11:00:00Z")
    scene.host.state.mark("ssd/pg@hot_2027-01-15T11:00:00Z", f"lochkit_other_{guid:016x}")
    async with working(scene, job(keep=["last 1"])):
        await trio.sleep(HOUR)
    assert scene.names("ssd/pg")[0] == "11:00:00Z"
    assert len(scene.names("ssd/pg")) == 2


async def test_a_new_snapshot_is_sent_as_soon_as_possible(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    async with working(scene, job(to=[to_vault()])):
        await trio.sleep(30)
        first = len(scene.pusher.pushes)
        await trio.sleep(890)
        assert scene.names("ssd/pg") == ["12:00:00Z", "12:15:00Z"]
        assert len(scene.pusher.pushes) == first + 1
    assert scene.notes.known("pg") == {"ssd/pg": scene.host.state.guids("ssd/pg")[-1]}


async def test_snapshots_that_others_take_are_found_and_sent(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    async with working(scene, job(cron=None, to=[to_vault()])):
        await trio.sleep(300)
        before = len(scene.pusher.pushes)
        scene.host.state.snap("ssd/pg@manual")
        await trio.sleep(61)
        assert len(scene.pusher.pushes) == before + 1
        await trio.sleep(600)
        assert len(scene.pusher.pushes) == before + 1  # nothing new: nobody is bothered


async def test_a_schedule_of_sending_is_kept_to(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    hourly = to_vault(when=parse_schedule("30 * * * *", "UTC"))
    async with working(scene, job(to=[hourly])):
        await trio.sleep(2 * HOUR)
    assert len(scene.pusher.pushes) == 3  # one for the tick that was missed before the start
    again = Scene(NOON + 2 * HOUR, host=scene.host)
    again.notes = scene.notes
    async with working(again, job(to=[hourly])):
        await trio.sleep(1700)
    assert again.pusher.pushes == []


async def test_what_is_received_is_sent_on(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg/x")
    async with working(scene, job(cron=None, to=[to_vault()])) as at_work:
        await trio.sleep(30)
        before = len(scene.pusher.pushes)
        scene.host.state.snap("ssd/pg/x@received")
        at_work.received("ssd/other")
        await trio.sleep(1)
        assert len(scene.pusher.pushes) == before
        at_work.received("ssd/pg/x")
        await trio.sleep(1)
    assert len(scene.pusher.pushes) == before + 1


async def test_failures_are_told_and_tried_again_ever_more_slowly(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    scene.pusher.fails = [broken(), Outcome.FAILED, broken()]
    async with working(scene, job(to=[to_vault()])):
        await trio.sleep(2)
        status = scene.chore("pg", "send", "pg")
        assert (status.state, status.failures) == ("failed", 1)
        assert status.last_error == "the vault is on fire"
        assert status.retry_at is not None
        await trio.sleep(6)
        assert "it did not go well" in scene.chore("pg", "send", "pg").last_error
        await trio.sleep(60)
        status = scene.chore("pg", "send", "pg")
    assert (status.state, status.failures, status.last_error) == ("idle", 0, "")
    assert len(scene.pusher.pushes) == 4


async def test_a_take_that_fails_is_made_up_for(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    scene.host.fail_next("take", Failure.BUSY, times=2)
    async with working(scene, job()):
        await trio.sleep(60)
    assert len(scene.names("ssd/pg")) == 1


async def test_one_dataset_that_can_not_be_pruned_keeps_no_other_from_it(
    autojump_clock: Clock,
) -> None:
    scene = Scene(NOON)
    for name in ("ssd/pg/a", "ssd/pg/b"):
        scene.host.state.make(name)
        scene.host.state.now = NOON - HOUR
        scene.host.state.snap(f"{name}@hot_2027-01-15T10:00:00Z")
        scene.host.state.snap(f"{name}@hot_2027-01-15T11:00:00Z")
    scene.host.fail_next("destroy", Failure.BUSY, on="ssd/pg/a")
    async with working(scene, job(keep=["last 1"], cron=None)):
        await trio.sleep(1)
        assert "ssd/pg/a" in scene.chore("pg", "destroy").last_error
        assert scene.names("ssd/pg/b") == ["11:00:00Z"]
        await trio.sleep(10)
    assert scene.names("ssd/pg/a") == ["11:00:00Z"]


async def test_a_root_that_is_not_there_is_told(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    async with working(scene, job(to=[to_vault()])):
        await trio.sleep(2)
        assert scene.chore("pg", "take").last_error == "there is no ssd/pg"
        scene.host.state.make("ssd/pg")
        await trio.sleep(60)
    assert len(scene.names("ssd/pg")) == 1


async def test_a_long_send_keeps_nobody_from_taking(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")

    async def long(push: Push) -> None:
        await trio.sleep(10 * HOUR - 100)

    scene.pusher.sending = long
    async with working(scene, job(keep=["last 2"], to=[to_vault()])):
        await trio.sleep(HOUR + 30)
        assert scene.names("ssd/pg")[-1] == "13:00:00Z"
        assert len(scene.names("ssd/pg")) == 5  # it may be sending them: nothing goes
        assert scene.chore("pg", "destroy").state == "queued"
        assert scene.chore("pg", "send", "pg").state == "running"
        await trio.sleep(10 * HOUR)
    assert scene.names("ssd/pg")[0] == "21:30:00Z"  # when the send had ended


async def test_a_policy_that_changes_leaves_other_jobs_alone(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    for name in ("ssd/pg", "ssd/www", "ssd/new"):
        scene.host.state.make(name)
    cut: list[str] = []

    async def endless(push: Push) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cut.append(push.replication.name)

    scene.pusher.sending = endless
    pg = job("pg", to=[to_vault("pg")])
    www = job("www", roots=("ssd/www",), to=[to_vault("www")])
    async with working(scene, pg, www) as at_work:
        await trio.sleep(10)
        new = job("new", roots=("ssd/new",), to=[to_vault("new")])
        at_work.follow([job("pg", to=[to_vault("pg")]), new])  # the same again, and another
        await trio.sleep(10)
        assert cut == ["www"]
        assert {one.job for one in scene.board.status.chores} == {"pg", "new"}
        begun = sorted(push.replication.name for push in scene.pusher.pushes)
        assert begun == ["new", "pg", "www"]  # none of them twice
    assert sorted(cut) == ["new", "pg", "www"]


async def test_once_does_what_is_due_in_its_order(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    scene.host.state.now = NOON - HOUR
    scene.host.state.snap("ssd/pg@hot_2027-01-15T11:00:00Z")
    assert await jobs_of(scene).once([job(keep=["last 1"], to=[to_vault()])])
    assert scene.names("ssd/pg") == ["12:00:00Z"]
    assert len(scene.pusher.pushes) == 1
    order = [call.what for call in scene.host.calls if call.what in ("take", "destroy")]
    assert order == ["take", "destroy"]


async def test_once_says_whether_all_went_well(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    scene.pusher.fails = [Outcome.CONFLICT]
    assert not await jobs_of(scene).once([job(to=[to_vault()])])
    assert scene.names("ssd/pg") == ["12:00:00Z"]


async def test_a_bug_is_no_failure_that_is_lived_with(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    scene.host.state.make("ssd/pg")
    scene.pusher.fails = [ZeroDivisionError("a bug")]
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with working(scene, job(to=[to_vault()])):
            await trio.sleep(10)


async def test_turns_are_waited_for_and_given_back(autojump_clock: Clock) -> None:
    scene = Scene(NOON)
    turns, done = scene.site.turns, []

    async def work(kind: Work, seconds: float) -> None:
        async with turns.turn(kind, [Claim(dataset="a/x")]):
            await trio.sleep(seconds)
        done.append(kind)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, Work.SEND, 100)
        await trio.sleep(1)
        nursery.start_soon(work, Work.DESTROY, 1)
        with trio.move_on_after(10):
            await work(Work.DESTROY, 1)  # gives up
        assert len(turns.waiting) == 1
    assert done == [Work.SEND, Work.DESTROY]
    assert not turns.working
    assert not turns.waiting
