"""Of which datasets a snapshot is taken now."""

import pytest

from lochkit.zfs.agent_due import due_takes, is_written, newest_own
from lochkit.zfs.model import Dataset, Snapshot
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.policy_types import SnapshotPolicy
from lochkit.zfs.schedule import parse_schedule

NOON = 1_800_014_400  # 2027-01-15 12:00:00 UTC
QUARTER = 900
HOT = NameTemplate(prefix="hot", zone="UTC")


def policy(*, skip: bool = False, cron: str = "*/15 * * * *") -> SnapshotPolicy:
    return SnapshotPolicy(schedule=parse_schedule(cron, "UTC"), template=HOT, skip_unwritten=skip)


def dataset(name: str, *at: int, written: int | None = 1, last: str = "hot") -> Dataset:
    template = NameTemplate(prefix=last, zone="UTC")
    snapshots = tuple(
        Snapshot((HOT if one != at[-1] else template).name(one), one, one, one, written=10)
        for one in at
    )
    return Dataset(name=name, guid=1, snapshots=snapshots, written=written)


def test_a_tick_that_is_now_is_due() -> None:
    takes = due_takes([dataset("a/b", NOON - QUARTER)], policy(), handled=None, now=NOON)
    assert (takes.tick, takes.datasets) == (NOON, ("a/b",))
    assert takes.name == "hot_2027-01-15T12:00:00Z"


def test_a_tick_that_is_done_is_not_due() -> None:
    assert due_takes([dataset("a/b", NOON)], policy(), handled=None, now=NOON + 899).tick is None


def test_of_many_missed_ticks_one_is_made_up_for() -> None:
    late = NOON + 77
    takes = due_takes([dataset("a/b", NOON - 40 * 86400)], policy(), handled=None, now=late)
    assert (takes.tick, takes.name) == (NOON, HOT.name(late))


def test_a_dataset_that_never_had_one_gets_one_at_once() -> None:
    takes = due_takes([dataset("a/new")], policy(cron="0 4 * * *"), handled=None, now=NOON)
    assert takes.datasets == ("a/new",)


def test_only_those_that_lack_it_get_one() -> None:
    both = [dataset("a/done", NOON), dataset("a/late", NOON - QUARTER)]
    takes = due_takes(both, policy(), handled=None, now=NOON + 5)
    assert takes.datasets == ("a/late",)


def test_a_tick_that_is_known_to_be_done_is_not_due_without_a_snapshot_either() -> None:
    assert due_takes([dataset("a/b")], policy(), handled=NOON, now=NOON + 5).tick is None


def test_a_snapshot_from_the_future_keeps_nobody_from_taking_one() -> None:
    found = dataset("a/b", NOON - QUARTER, NOON + 10**6)
    assert due_takes([found], policy(), handled=NOON + 10**6, now=NOON).datasets == ("a/b",)


def test_foreign_snapshots_do_not_count() -> None:
    found = dataset("a/b", NOON - QUARTER, NOON, last="manual")
    assert newest_own(found, HOT) == NOON - QUARTER
    assert due_takes([found], policy(), handled=None, now=NOON).datasets == ("a/b",)


def test_a_name_that_is_taken_gets_a_suffix() -> None:
    taken = Snapshot(HOT.name(NOON) + ".02", 1, 1, NOON - QUARTER)
    other = Snapshot(HOT.name(NOON), 2, 2, NOON - QUARTER)
    found = Dataset(name="a/b", snapshots=(other, taken))
    # By their names these are of now, so that only another job's note could make it due.
    assert due_takes([found], policy(), handled=None, now=NOON).tick is None
    takes = due_takes([found], policy(), handled=None, now=NOON + QUARTER)
    assert takes.name == HOT.name(NOON + QUARTER)


def test_what_nothing_was_written_to_is_skipped_if_asked() -> None:
    both = [
        dataset("a/idle", NOON - QUARTER, written=0),
        dataset("a/busy", NOON - QUARTER, written=5),
        dataset("a/fuse", NOON - QUARTER, written=None),
    ]
    takes = due_takes(both, policy(skip=True), handled=None, now=NOON)
    assert takes.datasets == ("a/busy", "a/fuse")
    assert takes.unwritten == ("a/idle",)
    assert due_takes(both, policy(), handled=None, now=NOON).unwritten == ()


@pytest.mark.parametrize(
    ("since_foreign", "foreign", "own", "written"),
    [
        (0, 0, 9, False),
        (0, 3, 9, True),  # a manual snapshot has what ours has not
        (1, 0, 9, True),
        (0, None, 9, True),
        (None, 0, 9, True),
    ],
)
def test_written_means_since_our_own_newest(
    since_foreign: int | None, foreign: int | None, own: int, written: bool
) -> None:
    found = Dataset(
        name="a/b",
        written=since_foreign,
        snapshots=(
            Snapshot(HOT.name(NOON), 1, 1, NOON, written=own),
            Snapshot("manual", 2, 2, NOON + 1, written=foreign),
        ),
    )
    assert is_written(found, HOT.owns) is written


def test_without_a_snapshot_of_ours_all_is_written() -> None:
    assert is_written(Dataset(name="a/b", written=0), HOT.owns)


def test_a_job_without_a_schedule_takes_none() -> None:
    never = SnapshotPolicy(schedule=None, template=HOT)
    assert due_takes([dataset("a/b")], never, handled=None, now=NOON).tick is None
