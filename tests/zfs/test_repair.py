"""Repairs: what is offered for which conflict, what each does exactly, and what it loses."""

from typing import Any

import pytest

from lochkit.zfs.explain_facts import Facts
from lochkit.zfs.model import Dataset, Kind
from lochkit.zfs.plan_types import Conflict, ConflictReason
from lochkit.zfs.policy_types import Guarantee
from lochkit.zfs.repair import REPAIR_OPTIONS, Repair, repair_command, repairs
from lochkit.zfs.repair_actions import (
    AbortReceive,
    DestroySnapshots,
    MakeBookmark,
    MakePlaceholder,
    ReleaseHold,
    RenameDataset,
    RenameSnapshot,
    RollBack,
    Side,
    zfs_command,
)
from lochkit.zfs.tags import cursor_name

from .plan_language import copy, dataset, plan, replication


def offered(
    source: str | Dataset,
    target: str | Dataset | None,
    facts: Facts | None = None,
    taken: tuple[str, ...] = (),
    **wishes: Any,
) -> dict[str, Repair]:
    """The repairs, by option, in their order."""
    here = dataset(source) if isinstance(source, str) else source
    there = copy(target) if isinstance(target, str) else target
    found = repairs(
        here,
        there,
        plan(here, there, **wishes),
        target_name="bulk/a",
        replication=replication(**wishes),
        facts=facts,
        taken=taken,
    )
    return {one.option: one for one in found}


def test_options_are_known_and_in_the_order_of_what_they_lose() -> None:
    order = list(REPAIR_OPTIONS)
    everything = [
        offered("@a,1 @b,2", "@a,1 @m,9"),
        offered("@a,1", "@z,9"),
        offered("@a,1 @b,2", copy("@a,1", resume_token="1-x", written=3)),
        offered("@a,1", copy("@z,9", placeholder=True)),
    ]
    for one in everything:
        assert one
        assert list(one) == sorted(one, key=order.index)
        losing = [bool(repair.loses) for repair in one.values()]
        assert losing == sorted(losing) or "--abort-receive" in one


def test_a_diverged_target_can_be_put_aside_or_taken_back() -> None:
    target = copy("@was,1:creation=1772366400 @m,8:creation=1772370000 @n,9", written=77)
    found = offered("@a,1 @b,2", target, taken=("bulk/a", "bulk/a.aside-1", "bulk/a/x", "bulk/ab"))
    assert list(found) == ["--aside", "--destroy-newer", "--rollback"]
    aside = found["--aside"]
    assert aside.actions == (RenameDataset(dataset="bulk/a", name="bulk/a.aside-2"),)
    assert aside.loses == ()
    assert aside.reversible
    assert "bulk/a/x below it moves along" in aside.costs
    newer = found["--destroy-newer"]
    assert newer.actions == (DestroySnapshots(dataset="bulk/a", names=("m", "n"), guids=(8, 9)),)
    assert newer.loses == ("bulk/a@m, of 2026-03-01 13:00 UTC", "bulk/a@n, of 1970-01-01 00:00 UTC")
    back = found["--rollback"]
    assert back.actions == (RollBack(dataset="bulk/a", snapshot="was", lost=(8, 9)),)
    assert back.loses == (*newer.loses, "77 bytes written to bulk/a since @n")
    assert not back.reversible
    assert back.obstacles == ()


def test_a_target_that_is_ahead_can_be_taken_back_by_a_person() -> None:
    assert list(offered("@a,1", "@a,1 @m,9")) == ["--aside", "--destroy-newer", "--rollback"]


def test_a_target_that_was_written_to() -> None:
    found = offered("@a,1 @b,2", copy("@a,1", written=5))
    assert list(found) == ["--aside", "--rollback"]
    assert found["--rollback"].actions == (RollBack(dataset="bulk/a", snapshot="a"),)
    assert found["--rollback"].loses == ("5 bytes written to bulk/a since @a",)


def test_where_nobody_can_tell_what_was_written_the_target_can_go_back_all_the_same() -> None:
    facts = Facts(written_told=False)
    found = offered("@a,1 @b,2", "@a,1", facts)
    assert list(found) == ["--rollback"]
    assert found["--rollback"].actions == (RollBack(dataset="bulk/a", snapshot="a"),)
    assert found["--rollback"].loses == ("what was written to bulk/a since @a, if anything",)
    assert offered("@a,1", "@a,1", facts) == {}
    assert offered("@a,1 @b,2", "@a,1", facts, rollback=True) == {}  # the next stream does it


def test_what_is_not_known_to_be_lost_is_told() -> None:
    found = offered("@a,1 @b,2", copy("@a,1 @m,9", written=None))
    assert "what was written to bulk/a since @m, if anything" in found["--rollback"].loses
    nothing = offered("@a,1 @b,2", copy("@a,1 @m,9", written=0))["--rollback"].loses
    assert [one.split(",")[0] for one in nothing] == ["bulk/a@m"]


def test_holds_of_ours_are_released_and_those_of_others_stand_in_the_way() -> None:
    target = "@a,1 @m,8:holds=2 @n,9:holds=1:clones=bulk/c"
    ours = Facts(target_holds={8: ("lochkit:job", "lochkit:job:last"), 9: ("lochkit:job",)})
    back = offered("@a,1 @b,2", target, ours)["--rollback"]
    assert back.actions[:-1] == (
        ReleaseHold(dataset="bulk/a", tag="lochkit:job", names=("m", "n")),
        ReleaseHold(dataset="bulk/a", tag="lochkit:job:last", names=("m",)),
    )
    assert back.obstacles == ("bulk/c is a clone of bulk/a@n: promote or destroy it",)
    others = Facts(target_holds={8: ("keep", "lochkit:other"), 9: ()})
    back = offered("@a,1 @b,2", target, others)["--rollback"]
    assert [isinstance(one, RollBack) for one in back.actions] == [True]
    assert back.obstacles[:2] == (
        "bulk/a@m is held by keep: zfs release keep bulk/a@m, if nobody needs it",
        "bulk/a@m is held by lochkit:other: zfs release lochkit:other bulk/a@m, if nobody needs it",
    )
    unknown = offered("@a,1 @b,2", target)["--destroy-newer"].obstacles
    assert unknown[0] == "bulk/a@m is held, and it is not known by whom: release the hold"


@pytest.mark.parametrize(
    ("source", "target", "wishes"),
    [
        ("@a,1", copy("@z,9"), {}),
        ("@a,1", copy("", used=5), {}),
        (dataset("@a,1", kind=Kind.VOLUME), copy("@a,1"), {}),
        (dataset("@a,1 @b,2", encryption_root="tank/a"), copy("@a,1"), {}),
        (dataset("@a,1", encryption_root="tank/a"), copy("", placeholder=True), {}),
    ],
)
def test_a_copy_that_is_none_can_only_make_room(
    source: str | Dataset, target: Dataset, wishes: dict[str, Any]
) -> None:
    found = offered(source, target, **wishes)
    assert list(found) == ["--aside"]
    assert found["--aside"].loses == ()


def test_a_key_is_loaded_and_not_repaired() -> None:
    locked = dataset("@a,1 @b,2", encryption_root="tank", key_loaded=False)
    assert offered(locked, "@a,1", raw=False) == {}
    there = copy("@a,1", encryption_root="bulk", key_loaded=False)
    assert offered("@a,1 @b,2", there) == {}


def test_snapshots_of_a_placeholder_can_go() -> None:
    found = offered("@a,1", copy("@z,9", placeholder=True))
    assert list(found) == ["--aside", "--destroy-newer"]
    assert found["--destroy-newer"].costs == ()


def test_a_pool_can_not_make_room() -> None:
    found = offered("@a,1", copy("@z,9", name="bulk"))
    assert found["--aside"].actions == ()
    assert found["--aside"].obstacles == (
        "bulk is a pool, which can not be renamed: choose a target below it",
    )


def test_names_that_are_too_long_are_told() -> None:
    found = offered("@a,1", copy("@z,9", name="bulk/" + "x" * 248))
    assert found["--aside"].actions == ()
    assert "longer than 255 bytes" in found["--aside"].obstacles[0]


def test_snapshots_of_the_same_name_are_renamed() -> None:
    found = offered("@a,1 @b,2 @c,3", "@c,65535 @b,8 @a,1")
    assert found["--rename-snapshots"].actions == (
        RenameSnapshot(dataset="bulk/a", snapshot="c", name="c.aside-0000ffff"),
        RenameSnapshot(dataset="bulk/a", snapshot="b", name="b.aside-00000008"),
    )


def renamed(elsewhere: str, target: Dataset | None, taken: tuple[str, ...]) -> dict[str, Repair]:
    verdict = Conflict(reason=ConflictReason.RENAMED, message="", elsewhere=elsewhere)
    found = repairs(
        dataset("@a,1"),
        target,
        verdict,
        target_name="bulk/p/q/a",
        replication=replication(),
        taken=taken,
    )
    return {one.option: one for one in found}


def test_a_renamed_dataset_is_followed() -> None:
    found = renamed("bulk/old", None, ("bulk", "bulk/p", "bulk/old", "bulk/old/1", "bulk/old/2"))
    assert list(found) == ["--follow-rename", "--aside"]
    assert found["--follow-rename"].actions == (
        MakePlaceholder(dataset="bulk/p/q"),
        RenameDataset(dataset="bulk/old", name="bulk/p/q/a"),
    )
    assert found["--follow-rename"].costs == ("bulk/old/1 and 1 more move along",)
    assert found["--aside"].actions == (RenameDataset(dataset="bulk/old", name="bulk/old.aside-1"),)


def test_a_renamed_dataset_whose_place_is_taken() -> None:
    found = renamed("bulk/old", copy("@z,9", name="bulk/p/q/a"), ())
    assert found["--follow-rename"].actions == (
        RenameDataset(dataset="bulk/p/q/a", name="bulk/p/q/a.aside-1"),
        RenameDataset(dataset="bulk/old", name="bulk/p/q/a"),
    )


def test_a_dataset_is_not_moved_into_itself() -> None:
    found = renamed("bulk/p", None, ())
    assert found["--follow-rename"].actions == ()
    assert "bulk/p/q/a is below bulk/p" in found["--follow-rename"].obstacles[0]


def test_a_stale_receive_is_given_up_and_a_live_one_is_not() -> None:
    there = copy("@a,1", resume_token="1-x")
    found = offered("@a,1 @b,2", there)
    assert found["--abort-receive"].actions == (AbortReceive(dataset="bulk/a"),)
    assert offered("@a,1 @b,2", there, Facts(active=True)) == {}


def test_holds_that_were_left_behind() -> None:
    holds = {1: ("lochkit:job", "keep"), 2: ("lochkit:job:last",), 3: ("lochkit:job",), 4: ()}
    facts = Facts(source_holds=holds, target_holds={1: ("lochkit:job",), 3: ("lochkit:job",)})
    source, target = "@a,1 @b,2 @c,3 @d,4", "@a,1 @c,3"
    found = offered(source, target, facts)
    assert found["--release-holds"].actions == (
        ReleaseHold(dataset="tank/a", tag="lochkit:job", names=("a",), side=Side.SOURCE),
        ReleaseHold(dataset="bulk/a", tag="lochkit:job", names=("a",), side=Side.TARGET),
    )
    busy = Facts(source_holds=holds, active=True)
    assert offered(source, target, busy) == {}


def test_a_cursor_that_is_missing_is_made() -> None:
    facts = Facts(bookmarks=True)
    made = (MakeBookmark(dataset="tank/a", snapshot="b", name=cursor_name("job", 2)),)
    assert offered("@a,1 @b,2", "@b,2", facts)["--make-cursor"].actions == made
    assert offered("@a,1 @b,2 @c,3", "@b,2", facts)["--make-cursor"].actions == made
    there = f"@a,1 #{cursor_name('job', 2)},2:txg=20 @b,2:txg=20"
    assert offered(there, "@b,2", facts) == {}
    assert offered("@a,1 @b,2", "@b,2") == {}
    assert offered("@a,1 @b,2", "@b,2", facts, guarantee=Guarantee.NOTHING) == {}


def test_where_nothing_is_wrong_nothing_is_offered() -> None:
    for source, target in (("@a,1", None), ("@a,1", "@a,1"), ("@a,1 @b,2", "@a,1"), ("", "@a,1")):
        assert offered(source, target) == {}


@pytest.mark.parametrize(
    ("action", "command"),
    [
        (AbortReceive(dataset="bulk/a"), "zfs receive -A bulk/a"),
        (
            DestroySnapshots(dataset="bulk/a", names=("m", "n"), guids=(8, 9)),
            "zfs destroy bulk/a@m\nzfs destroy bulk/a@n",
        ),
        (MakeBookmark(dataset="p/a", snapshot="b", name="c"), "zfs bookmark p/a@b 'p/a#c'"),
        (
            MakePlaceholder(dataset="bulk/p"),
            "zfs create -u -o canmount=noauto -o lochkit:placeholder=bulk/p bulk/p",
        ),
        (ReleaseHold(dataset="b/a", tag="t", names=("m", "n")), "zfs release t b/a@m b/a@n"),
        (RenameDataset(dataset="b/a", name="b/a b"), "zfs rename b/a 'b/a b'"),
        (RenameSnapshot(dataset="b/a", snapshot="m", name="n"), "zfs rename b/a@m b/a@n"),
        (RollBack(dataset="b/a", snapshot="m"), "zfs rollback b/a@m"),
        (RollBack(dataset="b/a", snapshot="m", lost=(1,)), "zfs rollback -r b/a@m"),
    ],
)
def test_each_action_is_shown_as_a_command(action: Any, command: str) -> None:
    assert zfs_command(action) == command


def test_the_command_of_a_repair() -> None:
    command = repair_command("ssd/pg data", "pg", "--rollback")
    assert command == "lochkit zfs repair 'ssd/pg data' --replication pg --rollback"
