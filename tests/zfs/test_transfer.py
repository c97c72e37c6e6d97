"""Replication as a whole, between hosts in memory: within one process, and over a connection."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from lochkit.zfs.errors import Failure
from lochkit.zfs.plan_types import Conflict, ConflictReason, Full, Incremental, Resume
from lochkit.zfs.replication_holds import SMALL
from lochkit.zfs.reports import Outcome
from lochkit.zfs.targets import Target

from ..fakes.zfs_host import ZFS_FUSE, FakeHost
from .transfer_scenes import DATA, TREE, local, remote, run, source_host, target_host

Way = Callable[[FakeHost], AbstractAsyncContextManager[Target]]


@asynccontextmanager
async def _local(host: FakeHost) -> AsyncIterator[Target]:
    yield local(host)


@pytest.fixture(params=[_local, remote], ids=["local", "remote"])
def way(request: pytest.FixtureRequest) -> Way:
    """How the target is reached."""
    found: Way = request.param
    return found


async def test_a_first_replication_sends_everything(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two", "three", size=50_000)
    async with way(there) as target:
        report = await run(here, target)
    assert report.ok
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")
    assert report.datasets[0].outcome is Outcome.SENT
    assert isinstance(report.datasets[0].verdict, Full)
    assert report.bytes > 150_000


async def test_later_ones_send_what_is_new(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    async with way(there) as target:
        await run(here, target)
        here.state.snaps("ssd/data", "two", "three")
        report = await run(here, target)
    assert report.ok
    assert isinstance(report.datasets[0].verdict, Incremental)
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")


async def test_a_run_with_nothing_to_do_writes_nothing(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    async with way(there) as target:
        await run(here, target)
        here.calls.clear()
        there.calls.clear()
        report = await run(here, target)
    assert report.ok
    assert report.datasets[0].outcome is Outcome.UP_TO_DATE
    assert {call.what for call in (*here.calls, *there.calls)} <= {"inventory", "dataset"}


async def test_holds_and_cursors_follow_what_is_confirmed(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two")
    async with way(there) as target:
        await run(here, target)
        assert [one.name for one in here.state.find("ssd/data").bookmarks] == [
            f"lochkit_job_{here.state.guids('ssd/data')[1]:016x}"
        ]
        assert there.state.tags("bulk/data@two") == {"lochkit:job:last"}
        here.state.snaps("ssd/data", "three")
        await run(here, target)
    assert [one.name for one in here.state.find("ssd/data").bookmarks] == [
        f"lochkit_job_{here.state.guids('ssd/data')[2]:016x}"
    ]
    assert there.state.tags("bulk/data@two") == set()
    assert there.state.tags("bulk/data@three") == {"lochkit:job:last"}
    assert all(not here.state.tags(f"ssd/data@{name}") for name in ("one", "two", "three"))


async def test_both_ends_of_a_step_are_held_while_it_is_sent(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    held: list[set[str]] = []

    async def look(call: object) -> None:
        if getattr(call, "what", "") == "send":
            held.append(here.state.tags("ssd/data@one") | here.state.tags("ssd/data@two"))
            assert here.state.tags("ssd/data@one") == here.state.tags("ssd/data@two")

    async with way(there) as target:
        await run(here, target)
        here.state.snaps("ssd/data", "two", size=SMALL)
        here.before = look
        await run(here, target)
    assert held == [{"lochkit:job"}]


async def test_without_bookmarks_the_newest_confirmed_stays_held(way: Way) -> None:
    here, there = source_host(ZFS_FUSE), target_host(ZFS_FUSE)
    here.state.snaps("ssd/data", "one")
    async with way(there) as target:
        assert (await run(here, target)).ok
        assert here.state.tags("ssd/data@one") == {"lochkit:job"}
        here.state.snaps("ssd/data", "two", "three")
        report = await run(here, target)
    assert report.ok
    assert [bool(here.state.tags(f"ssd/data@{name}")) for name in ("one", "two", "three")] == [
        False,
        False,
        True,
    ]
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")


async def test_renamed_snapshots_are_known_by_their_guids(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two")
    async with way(there) as target:
        await run(here, target)
        await here.rename("ssd/data@two", "zwei")
        report = await run(here, target)
        assert report.datasets[0].outcome is Outcome.UP_TO_DATE
        here.state.snaps("ssd/data", "three")
        report = await run(here, target)
    assert report.ok
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")
    assert there.state.names("bulk/data") == ["one", "two", "three"]


async def test_a_receiver_that_is_newer_is_left_alone(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two")
    async with way(there) as target:
        await run(here, target)
        there.state.snaps("bulk/data", "its own")
        before = there.state.guids("bulk/data")
        report = await run(here, target)
    assert not report.ok
    verdict = report.datasets[0].verdict
    assert isinstance(verdict, Conflict)
    assert verdict.reason is ConflictReason.RECEIVER_NEWER
    assert there.state.guids("bulk/data") == before


async def test_a_target_that_diverged_is_explained_and_left_alone(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    async with way(there) as target:
        await run(here, target)
        here.state.snaps("ssd/data", "two")
        there.state.snaps("bulk/data", "other")
        before = there.state.guids("bulk/data")
        report = await run(here, target)
    one = report.datasets[0]
    assert one.outcome is Outcome.CONFLICT
    assert isinstance(one.verdict, Conflict)
    assert one.verdict.reason is ConflictReason.DIVERGED
    assert "other" in one.message
    assert there.state.guids("bulk/data") == before
    assert not report.retryable


async def test_a_bookmark_is_base_enough(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    async with way(there) as target:
        await run(here, target)
        here.state.find("ssd/data").snapshots.clear()
        here.state.snaps("ssd/data", "two", "three")
        report = await run(here, target)
    assert report.ok
    assert there.state.guids("bulk/data")[1:] == here.state.guids("ssd/data")
    assert len(here.state.find("ssd/data").bookmarks) == 1


async def test_a_tree_goes_parents_first(way: Way) -> None:
    here, there = source_host(), target_host()
    for name in ("ssd/data", "ssd/data/a", "ssd/data/a/deep", "ssd/data/b"):
        if name != "ssd/data":
            here.state.make(name)
        here.state.snaps(name, "one", "two")
    async with way(there) as target:
        report = await run(here, target, TREE)
    assert report.ok
    assert len(report.datasets) == 4
    for name in ("data", "data/a", "data/a/deep", "data/b"):
        assert there.state.guids(f"bulk/{name}") == here.state.guids(f"ssd/{name}")


async def test_parents_that_have_nothing_to_send_get_placeholders(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.make("ssd/data/a/deep")
    here.state.snaps("ssd/data/a/deep", "one")
    async with way(there) as target:
        report = await run(here, target, TREE)
        assert report.ok, report
        assert there.state.look("bulk/data").placeholder
        assert there.state.look("bulk/data/a").placeholder
        assert not there.state.look("bulk/data/a/deep").placeholder
        here.state.snaps("ssd/data/a", "late")
        report = await run(here, target, TREE)
    assert report.ok, report
    assert there.state.guids("bulk/data/a") == here.state.guids("ssd/data/a")
    assert there.state.guids("bulk/data/a/deep") == here.state.guids("ssd/data/a/deep")


async def test_one_failure_stops_only_those_below(way: Way) -> None:
    here, there = source_host(), target_host()
    for name in ("ssd/data/a", "ssd/data/a/deep", "ssd/data/b"):
        here.state.make(name)
        here.state.snaps(name, "one")
    here.state.snaps("ssd/data", "one")
    here.fail_next("send", Failure.OTHER, after=10, on="ssd/data/a", message="on fire")
    async with way(there) as target:
        report = await run(here, target, TREE)
    outcome = {one.source: one.outcome for one in report.datasets}
    assert outcome == {
        "ssd/data": Outcome.SENT,
        "ssd/data/a": Outcome.FAILED,
        "ssd/data/a/deep": Outcome.WAITING,
        "ssd/data/b": Outcome.SENT,
    }
    failed = report.of("ssd/data/a")
    assert failed is not None
    assert "on fire" in failed.message
    assert there.state.guids("bulk/data/a") == []


async def test_what_is_busy_is_tried_again(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    there.fail_next("receive", Failure.BUSY, times=2)
    async with way(there) as target:
        report = await run(here, target)
    assert report.ok
    assert report.datasets[0].failures == 2
    assert len(there.asked("receive")) == 3


async def test_what_is_busy_for_ever_is_given_up(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    there.fail_next("receive", Failure.BUSY, times=100)
    async with way(there) as target:
        report = await run(here, target)
    assert report.datasets[0].outcome is Outcome.FAILED
    assert report.datasets[0].failure is Failure.BUSY
    assert report.retryable
    assert len(there.asked("receive")) == 6


async def test_a_full_pool_is_reported_and_not_tried_again(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=2_000_000)
    there.fail_next("receive", Failure.NO_SPACE, message="out of space", after=300_000)
    async with way(there) as target:
        report = await run(here, target)
    assert report.datasets[0].failure is Failure.NO_SPACE
    assert "out of space" in report.datasets[0].message
    assert len(there.asked("receive")) == 1
    assert not report.retryable


async def test_a_receive_that_dies_is_resumed(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two", size=500_000)
    there.fail_next("receive", Failure.CUT, after=300_000)
    async with way(there) as target:
        report = await run(here, target)
    assert report.ok
    assert isinstance(report.datasets[0].verdict, Resume)
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")


async def test_a_send_that_dies_is_resumed(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two", size=500_000)
    here.fail_next("send", Failure.CUT, after=300_000)
    async with way(there) as target:
        report = await run(here, target)
    assert report.ok, report
    assert isinstance(report.datasets[0].verdict, Resume)
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")


async def test_an_interrupted_receive_that_can_not_go_on_is_forgotten(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=500_000)
    here.fail_next("send", Failure.OTHER, after=300_000)
    async with way(there) as target:
        assert not (await run(here, target)).ok
        assert there.state.look("bulk/data").resume_token
        here.state.find("ssd/data").snapshots.clear()
        here.state.snaps("ssd/data", "two")
        report = await run(here, target)
    assert report.ok, report
    assert there.state.names("bulk/data") == ["two"]
    assert here.state.tags("ssd/data@two") == set()


async def test_a_rollback_destroys_what_was_planned(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    async with way(there) as target:
        await run(here, target)
        here.state.snaps("ssd/data", "two")
        there.state.snaps("bulk/data", "other")
        report = await run(here, target, rollback=True)
        if report.ok:  # the local one: the remote client has no permit for it
            assert there.state.names("bulk/data") == ["one", "two"]
        else:
            assert report.datasets[0].failure is Failure.DENIED
            assert there.state.names("bulk/data") == ["one", "other"]


async def test_a_dry_run_says_all_and_writes_nothing(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two")
    async with way(there) as target:
        report = await run(here, target, dry_run=True)
    assert report.dry_run
    assert report.datasets[0].outcome is Outcome.WOULD_SEND
    assert isinstance(report.datasets[0].verdict, Full)
    assert "bulk/data" not in there.state.datasets
    looked = {"inventory", "dataset", "holds", "read_token"}
    assert {call.what for call in (*here.calls, *there.calls)} <= looked


async def test_only_wanted_snapshots_are_sent(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "hot_1", "manual", "hot_2", "hot_3", "other", "hot_4")
    async with way(there) as target:
        report = await run(here, target, snapshots="hot_.*")
    assert report.ok
    assert there.state.names("bulk/data") == ["hot_1", "hot_2", "hot_3", "hot_4"]


async def test_leftovers_of_a_run_that_died_are_tidied(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two")
    async with way(there) as target:
        await run(here, target)
        await here.hold("lochkit:job", ["ssd/data@one", "ssd/data@two"])
        await here.hold("lochkit:other", ["ssd/data@one"])
        here.state.mark("ssd/data@one", f"lochkit_job_{here.state.guids('ssd/data')[0]:016x}")
        report = await run(here, target)
    assert report.datasets[0].outcome is Outcome.UP_TO_DATE
    assert here.state.tags("ssd/data@one") == {"lochkit:other"}
    assert here.state.tags("ssd/data@two") == set()
    assert len(here.state.find("ssd/data").bookmarks) == 1


async def test_a_root_that_is_missing_is_reported(way: Way) -> None:
    here, there = source_host(), target_host()
    here.state.remove("ssd/data")
    async with way(there) as target:
        report = await run(here, target)
    assert not report.ok
    assert report.missing == DATA.roots
