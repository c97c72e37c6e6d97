"""Which snapshots are held, and which cursors are kept."""

from typing import Any

import pytest

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.model import Bookmark, Dataset, Snapshot
from lochkit.zfs.plan_types import Step
from lochkit.zfs.policy_types import Guarantee
from lochkit.zfs.replication_holds import SMALL, Settlement, may_be_ours, settle, step_holds
from lochkit.zfs.tags import cursor_name

ABLE = Capabilities.everything("zfs-2.3.2")
FUSE = Capabilities(version="zfs-fuse")


def snapshot(number: int, holds: int = 0) -> Snapshot:
    return Snapshot(f"s{number}", number, number, number, holds=holds)


def mark(number: int, replication: str = "job") -> Bookmark:
    return Bookmark(cursor_name(replication, number), number, number, number)


def source(*numbers: int, marks: tuple[Bookmark, ...] = (), held: tuple[int, ...] = ()) -> Dataset:
    snapshots = tuple(snapshot(number, holds=number in held) for number in numbers)
    return Dataset(name="ssd/a", snapshots=snapshots, bookmarks=marks)


def settled(dataset: Dataset, confirmed: Snapshot | Bookmark, **more: Any) -> Settlement:
    given: dict[str, Any] = {
        "replication": "job",
        "guarantee": Guarantee.RESUMABLE,
        "capabilities": ABLE,
        "held": (),
    }
    return settle(dataset, confirmed, **(given | more))


def test_both_ends_of_every_step_are_held_once() -> None:
    steps = [
        Step(base=snapshot(1), to=snapshot(3), intermediates=True, between=(snapshot(2),)),
        Step(base=snapshot(3), to=snapshot(5)),
    ]
    assert step_holds(source(1, 2, 3, 5), steps, "job") == ("ssd/a@s1", "ssd/a@s3", "ssd/a@s5")
    marked = source(2, marks=(mark(1),))
    large = snapshot(2)._replace(written=SMALL)
    assert step_holds(marked, [Step(base=mark(1), to=large)], "job") == ("ssd/a@s2",)
    assert step_holds(source(2), [Step(to=snapshot(2))], "job") == ("ssd/a@s2",)
    assert step_holds(source(2), [], "job") == ()


@pytest.mark.parametrize(
    ("written", "marks", "held"),
    [
        (1000, (mark(1),), False),
        (SMALL, (mark(1),), True),
        (None, (mark(1),), True),
        (1000, (), True),
        (1000, (mark(1, "other"),), True),
    ],
)
def test_what_is_small_and_can_begin_anew_is_not_held(
    written: int | None, marks: tuple[Bookmark, ...], held: bool
) -> None:
    to = snapshot(2)._replace(written=written)
    found = step_holds(source(1, 2, marks=marks), [Step(base=snapshot(1), to=to)], "job")
    assert found == (("ssd/a@s1", "ssd/a@s2") if held else ())


def test_the_cursor_moves_and_the_old_ones_go() -> None:
    due = settled(
        source(1, 2, 3, marks=(mark(1), mark(2), mark(1, "other"))),
        snapshot(3),
        held=("ssd/a@s2", "ssd/a@s3"),
    )
    assert due.bookmark == ("ssd/a@s3", cursor_name("job", 3))
    assert due.forget == (f"ssd/a#{cursor_name('job', 1)}", f"ssd/a#{cursor_name('job', 2)}")
    assert due.release == ("ssd/a@s2", "ssd/a@s3")
    assert due.hold == ()


def test_a_cursor_that_is_there_stays() -> None:
    due = settled(source(1, 2, marks=(mark(1), mark(2))), snapshot(2))
    assert due.bookmark is None
    assert due.forget == (f"ssd/a#{cursor_name('job', 1)}",)
    assert settled(source(2, marks=(mark(2),)), snapshot(2)) == Settlement()


def test_the_only_memory_is_not_forgotten() -> None:
    due = settled(source(5, marks=(mark(2),)), mark(2))
    assert due == Settlement()


@pytest.mark.parametrize("guarantee", [Guarantee.RESUMABLE, Guarantee.INCREMENTAL])
def test_without_bookmarks_the_snapshot_stays_held(guarantee: Guarantee) -> None:
    more: dict[str, Any] = {"capabilities": FUSE, "guarantee": guarantee}
    due = settled(source(1, 2), snapshot(2), held=("ssd/a@s1", "ssd/a@s2"), **more)
    assert due == Settlement(release=("ssd/a@s1",))
    due = settled(source(1, 2), snapshot(2), held=("ssd/a@s1",), **more)
    assert due == Settlement(hold=("ssd/a@s2",), release=("ssd/a@s1",))
    assert settled(source(1, 2, held=(2,)), snapshot(2), **more) == Settlement()


def test_without_a_guarantee_nothing_is_kept() -> None:
    due = settled(
        source(1, 2, marks=(mark(1),)),
        snapshot(2),
        guarantee=Guarantee.NOTHING,
        held=("ssd/a@s2",),
    )
    assert due.bookmark is None
    assert due.forget == (f"ssd/a#{cursor_name('job', 1)}",)
    assert due.release == ("ssd/a@s2",)


def test_holds_of_runs_before_are_recognised() -> None:
    dataset = source(1, 2, 3, held=(1, 3))
    tags = {"ssd/a@s1": ("lochkit:job", "mine"), "ssd/a@s3": ("mine",)}
    assert may_be_ours(dataset, tags, "lochkit:job") == ["ssd/a@s1"]
    assert may_be_ours(dataset, None, "lochkit:job") == ["ssd/a@s1", "ssd/a@s3"]
    assert may_be_ours(dataset, {}, "lochkit:job") == []
