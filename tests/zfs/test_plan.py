"""One dataset and its copy: which verdict, and which streams."""

from typing import Any

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.model import Kind
from lochkit.zfs.plan_types import (
    SOURCE_GUID,
    Conflict,
    ConflictReason,
    Full,
    Incremental,
    UpToDate,
    Verdict,
)

from .plan_language import FUSE, copy, dataset, plan, streams


def sent(verdict: Verdict) -> str:
    """The streams of a plan that has some."""
    assert isinstance(verdict, Full | Incremental)
    return streams(verdict.steps)


def conflict(verdict: Verdict, reason: ConflictReason) -> Conflict:
    """The conflict that it must be."""
    assert isinstance(verdict, Conflict), verdict
    assert verdict.reason is reason
    return verdict


@pytest.mark.parametrize(
    ("source", "wishes", "expected"),
    [
        ("@a,1", {}, "full a"),
        ("@a,1 @b,2 @c,3", {}, "full a | a -I c"),
        ("@a,1 @b,2", {}, "full a | a -i b"),
        ("@a,1 @b,2 @c,3", {"initial_all": False}, "full c"),
        ("@a,1 @b,2 @c,3", {"intermediates": False}, "full c"),
        (
            "@x1,1 @a1,2 @x2,3 @a2,4 @a3,5 @x3,6",
            {"snapshots": "a.*"},
            "full a1 | a1 -i a2 | a2 -i a3",
        ),
        ("#o,1 @a,2", {}, "full a"),
    ],
)
def test_a_target_that_is_not_there_gets_a_full_stream(
    source: str, wishes: dict[str, Any], expected: str
) -> None:
    verdict = plan(source, None, **wishes)
    assert isinstance(verdict, Full)
    assert sent(verdict) == expected
    assert (verdict.rollback, verdict.raw, verdict.abort_receive) == (False, False, False)


@pytest.mark.parametrize(
    ("source", "target", "wishes", "expected"),
    [
        ("@a,1 @b,2", "@a,1", {}, "a -i b"),
        ("@a,1 @b,2 @c,3 @d,4", "@a,1 @b,2", {}, "b -I d"),
        ("@a,1 @b,2 @c,3 @d,4", "@a,1 @b,2", {"intermediates": False}, "b -i d"),
        # the target has pruned on its own, and keeps what the source no longer has
        ("@b,2 @c,3", "@z,9 @a,1 @b,2", {}, "b -i c"),
        # renamed here, renamed there: the guid tells
        ("@new,1 @b,2", "@a,1", {}, "new -i b"),
        ("@a,1 @b,2", "@other,1", {}, "a -i b"),
        # the clock was set back: the order is that of createtxg
        ("@a,1:creation=900 @b,2:creation=5 @c,3:creation=1", "@a,1:creation=900", {}, "a -I c"),
        # a bookmark when the snapshot is gone: one step alone, then the rest at once
        ("#a,1 @b,2 @c,3 @d,4", "@a,1", {}, "#a -i b | b -I d"),
        ("#a,1 @b,2", "@a,1", {}, "#a -i b"),
        ("#a,1 @b,2 @c,3 @d,4", "@a,1", {"intermediates": False}, "#a -i d"),
        # the snapshot is better than the bookmark of it, and the newest better than both
        ("#a,1:txg=1 @a,1:txg=1 @b,2", "@a,1", {}, "a -i b"),
        ("@a,1 #b,2 @c,3", "@a,1 @b,2", {}, "#b -i c"),
        ("#a,1 @b,2 @c,3", "@a,1 @b,2", {}, "b -i c"),
        # a filter: runs at once, leaps one by one; the base need not be wanted
        ("@x,1 @a1,2 @a2,3 @y,4 @a3,5 @a4,6 @a5,7 @z,8", "@x,1", {"snapshots": "a."},
         "x -I a2 | a2 -i a3 | a3 -I a5"),
        ("@x,1 @y,2 @a1,3 @a2,4", "@x,1", {"snapshots": "a."}, "x -i a1 | a1 -i a2"),
        ("@x,1 @a1,3 @y,2 @a2,4", "@x,1", {"snapshots": "a.", "intermediates": False}, "x -i a2"),
        ("#x,1 @y,2 @a1,3 @a2,4 @a3,5", "@x,1", {"snapshots": "a."}, "#x -i a1 | a1 -I a3"),
    ],
)  # fmt: skip
def test_the_target_gets_what_it_lacks(
    source: str, target: str, wishes: dict[str, Any], expected: str
) -> None:
    verdict = plan(source, target, **wishes)
    assert isinstance(verdict, Incremental)
    assert sent(verdict) == expected
    assert not verdict.rollback
    assert verdict.would_lose == ()


def test_a_run_names_what_it_carries() -> None:
    verdict = plan("@a,1 @b,2 @c,3 @d,4", "@a,1")
    assert isinstance(verdict, Incremental)
    (step,) = verdict.steps
    assert [one.name for one in step.between] == ["b", "c"]


@pytest.mark.parametrize(
    ("source", "target", "wishes", "newest", "renamed"),
    [
        ("@a,1 @b,2", "@b,2", {}, "b", None),
        ("@a,1 @b,2", "@was,2", {}, "b", "was"),
        ("@a,1 @b,2 #c,3", "@b,2 @c,3", {}, "c", None),
        ("@a,1 @x,2", "@a,1", {"snapshots": "a"}, "a", None),
        ("@a,1 @x,2", "@x,2", {"snapshots": "a"}, "x", None),
    ],
)
def test_there_is_nothing_to_send(
    source: str, target: str, wishes: dict[str, Any], newest: str, renamed: str | None
) -> None:
    verdict = plan(source, target, **wishes)
    assert isinstance(verdict, UpToDate)
    assert verdict.newest is not None
    assert (verdict.newest.name, verdict.renamed_to) == (newest, renamed)


@pytest.mark.parametrize(
    ("source", "wishes"), [("", {}), ("#a,1", {}), ("@a,1", {"snapshots": "b"})]
)
def test_without_a_snapshot_there_is_nothing_to_do(source: str, wishes: dict[str, Any]) -> None:
    assert plan(source, None, **wishes) == UpToDate()


def test_a_bookmark_counts_only_where_zfs_has_them() -> None:
    conflict(plan("#a,1 @b,2", "@a,1", source_caps=FUSE), ConflictReason.NO_COMMON)


def test_a_filter_must_be_a_regular_expression() -> None:
    with pytest.raises(BadPolicy, match=r"replication job: snapshots = '\(' is not"):
        plan("@a,1", None, snapshots="(")


def test_a_filter_is_for_whole_names() -> None:
    assert plan("@hot-1,1", None, snapshots="hot") == UpToDate()


def test_the_same_name_is_not_the_same_snapshot() -> None:
    found = conflict(plan("@a,1 @b,2", "@a,7 @b,8"), ConflictReason.NO_COMMON)
    assert "have none in common" in found.message
    assert [one.guid for one in found.source] == [1, 2]
    assert [one.guid for one in found.target] == [7, 8]


def test_snapshots_that_only_the_target_has_stop_it() -> None:
    found = conflict(plan("@a,1 @b,2 @c,3", "@a,1 @m,8 @n,9"), ConflictReason.DIVERGED)
    assert found.common is not None
    assert found.common.name == "a"
    assert [one.name for one in found.would_lose] == ["m", "n"]
    assert "@m, @n" in found.message
    assert "@b, @c" in found.message


def test_a_target_that_is_ahead_is_left_alone_even_if_rollback_is_allowed() -> None:
    for rollback in (False, True):
        found = conflict(
            plan("@a,1", "@a,1 @m,8", rollback=rollback), ConflictReason.RECEIVER_NEWER
        )
        assert "nothing newer to send" in found.message
        assert [one.name for one in found.would_lose] == ["m"]


def test_a_rollback_that_is_allowed_names_what_it_destroys() -> None:
    verdict = plan("@a,1 @b,2 @c,3", copy("@a,1 @m,8 @n,9", written=7), rollback=True)
    assert isinstance(verdict, Incremental)
    assert sent(verdict) == "a -I c"
    assert verdict.rollback
    assert [one.guid for one in verdict.would_lose] == [8, 9]
    assert verdict.written == 7


@pytest.mark.parametrize("fact", ["holds=1", "clones=bulk/clone"])
def test_what_zfs_would_not_destroy_stops_a_rollback(fact: str) -> None:
    target = f"@a,1 @m,8 @n,9:{fact}"
    found = conflict(plan("@a,1 @b,2", target, rollback=True), ConflictReason.DIVERGED)
    assert [one.name for one in found.held] == ["n"]
    assert "a rollback is allowed, and can not be: @n" in found.message


def test_a_hold_of_ours_does_not_stop_a_rollback_and_a_clone_does() -> None:
    ours = plan("@a,1 @b,2", "@a,1 @m,8:holds=1", rollback=True, releasable=frozenset({8}))
    assert isinstance(ours, Incremental)
    cloned = "@a,1 @m,8:holds=1:clones=bulk/c"
    conflict(
        plan("@a,1 @b,2", cloned, rollback=True, releasable=frozenset({8})),
        ConflictReason.DIVERGED,
    )


def test_a_target_that_was_written_to() -> None:
    target = copy("@a,1", written=4096)
    found = conflict(plan("@a,1 @b,2", target), ConflictReason.MODIFIED)
    assert "4096 bytes" in found.message
    assert plan("@a,1", target) == UpToDate(newest=dataset("@a,1").snapshots[0])
    verdict = plan("@a,1 @b,2", target, rollback=True)
    assert isinstance(verdict, Incremental)
    assert (verdict.rollback, verdict.written, verdict.would_lose) == (True, 4096, ())


@pytest.mark.parametrize(("written", "rollback"), [(0, False), (None, True)])
def test_a_rollback_is_not_asked_for_without_need(written: int | None, rollback: bool) -> None:
    verdict = plan("@a,1 @b,2", copy("@a,1", written=written), rollback=True)
    assert isinstance(verdict, Incremental)
    assert verdict.rollback is rollback
    assert verdict.written == written


def test_an_unknown_amount_of_writing_stops_nothing() -> None:
    assert sent(plan("@a,1 @b,2", copy("@a,1", written=None), source_caps=FUSE)) == "a -i b"


def test_a_placeholder_is_replaced_and_other_datasets_are_not() -> None:
    verdict = plan("@a,1", copy("", placeholder=True))
    assert verdict == Full(steps=verdict.steps, rollback=True)  # type: ignore[union-attr]
    found = conflict(plan("@a,1", copy("", used=999)), ConflictReason.TARGET_NOT_EMPTY)
    assert "uses 999 bytes" in found.message
    used = copy("", placeholder=True, written=10**7)
    conflict(plan("@a,1", used), ConflictReason.TARGET_NOT_EMPTY)
    allowed = plan("@a,1", copy(""), rollback=True)
    assert isinstance(allowed, Full)
    assert allowed.rollback


def test_no_full_stream_goes_to_a_target_with_snapshots() -> None:
    for target in (copy("@z,9"), copy("@z,9", placeholder=True)):
        conflict(plan("@a,1", target, rollback=True), ConflictReason.NO_COMMON)


def test_a_source_without_snapshots_is_not_an_order_to_empty_the_target() -> None:
    conflict(plan("", "@a,1", rollback=True), ConflictReason.NO_SOURCE)


def test_a_source_that_was_made_anew_is_recognised() -> None:
    by_guid = copy("@a,1", properties={SOURCE_GUID: "77"})
    found = conflict(plan("@b,2", by_guid), ConflictReason.RECREATED)
    assert "its guid is 1000, and was 77" in found.message
    by_time = dataset("@b,2", properties={"creation": "500"})
    found = conflict(plan(by_time, "@a,1:creation=400"), ConflictReason.RECREATED)
    assert "made after @a" in found.message


def test_a_source_that_lost_what_was_common_is_not_taken_for_new() -> None:
    same = copy("@a,1:creation=400", properties={SOURCE_GUID: "1000"})
    old = dataset("@b,2", properties={"creation": "300"})
    conflict(plan(old, same), ConflictReason.NO_COMMON)


def test_a_volume_is_not_a_filesystem() -> None:
    found = conflict(plan(dataset("@a,1", kind=Kind.VOLUME), "@a,1"), ConflictReason.KIND)
    assert "tank/a is a volume, and bulk/a a filesystem" in found.message


@pytest.mark.parametrize("name", ["b", "c"])
def test_a_name_that_the_target_has_given_to_another_snapshot(name: str) -> None:
    found = conflict(plan("@a,1 @b,2 @c,3", f"@{name},9 @a,1"), ConflictReason.NAME_TAKEN)
    assert f"bulk/a has @{name}" in found.message
    # what a rollback destroys does not stand in the way
    assert isinstance(plan("@a,1 @b,2 @c,3", f"@a,1 @{name},9", rollback=True), Incremental)


def test_a_conflict_shows_bookmarks_whose_snapshots_are_gone() -> None:
    found = conflict(plan("@a,1 #a,1:txg=10 #b,2 @c,3", "@a,7"), ConflictReason.NO_COMMON)
    assert [one.name for one in found.source] == ["a", "b", "c"]
