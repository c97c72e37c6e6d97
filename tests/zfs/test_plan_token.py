"""Interrupted receives: which go on, and which are given up."""

import pytest

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.model import Dataset
from lochkit.zfs.plan_types import (
    Conflict,
    ConflictReason,
    Full,
    Incremental,
    Resume,
    ResumeToken,
    UpToDate,
)
from lochkit.zfs.policy_types import StaleToken

from .plan_language import FUSE, MODERN, copy, dataset, plan, streams


def token(to: int, base: int | None = None, *, raw: bool = False) -> ResumeToken:
    return ResumeToken(token="1-abc", to_guid=to, to_name="tank/a@x", from_guid=base, raw=raw)


def interrupted(text: str, **more: object) -> Dataset:
    return copy(text, resume_token="1-abc", **more)


def test_an_interrupted_receive_goes_on_and_the_rest_follows() -> None:
    verdict = plan("@a,1 @b,2 @c,3 @d,4", interrupted("@a,1"), token=token(2, 1))
    assert isinstance(verdict, Resume)
    assert verdict.to.name == "b"
    assert verdict.token.token == "1-abc"
    assert streams(verdict.steps) == "b -I d"
    assert not verdict.rollback


def test_a_first_stream_goes_on() -> None:
    verdict = plan("@a,1 @b,2", interrupted("", written=4096), token=token(1))
    assert isinstance(verdict, Resume)
    assert (verdict.to.name, streams(verdict.steps)) == ("a", "a -i b")


def test_a_stream_from_a_bookmark_goes_on() -> None:
    verdict = plan("#a,1 @b,2", interrupted("@a,1"), token=token(2, 1))
    assert isinstance(verdict, Resume)
    assert verdict.steps == ()


def test_what_goes_on_may_be_past_what_is_wanted_in_between() -> None:
    verdict = plan(
        "@a,1 @b,2 @c,3 @d,4", interrupted("@a,1"), token=token(2, 1), intermediates=False
    )
    assert isinstance(verdict, Resume)
    assert streams(verdict.steps) == "b -i d"


@pytest.mark.parametrize(
    ("source", "target", "said", "why"),
    [
        ("@a,1 @b,2", "@a,1", None, "the source can not read its token"),
        ("@a,1 @b,2", "@a,1", token(9, 1), "no longer has the snapshot it was to bring"),
        ("@a,1 @b,2", "@a,1 @b,2", token(2, 1), "no longer at the snapshot it began from"),
        ("@a,1 @b,2 @c,3", "@a,1", token(3, 2), "no longer at the snapshot it began from"),
        ("@a,1 @c,3", "@a,1 @b,2", token(3, 2), "no longer has the snapshot it began from"),
        ("@a,1 @b,2", "@a,1", token(2), "it was a full stream"),
        ("@a,1 @b,2", "@a,1", token(1, 1), "has @a, which it was to bring, already"),
    ],
)
def test_a_stale_token_is_recognised(
    source: str, target: str, said: ResumeToken | None, why: str
) -> None:
    source_dataset = dataset(source + " @z,99")
    there = interrupted(target)
    kept = plan(source_dataset, there, token=said, stale_token=StaleToken.KEEP)
    assert isinstance(kept, Conflict)
    assert kept.reason is ConflictReason.STALE_TOKEN
    assert why in kept.message
    dropped = plan(source_dataset, there, token=said)
    if isinstance(dropped, Conflict):  # the token is not the only thing that is wrong
        assert dropped.reason is ConflictReason.DIVERGED
    else:
        assert isinstance(dropped, Incremental)
        assert dropped.abort_receive
        assert dropped.steps[-1].to.guid == 99


def test_a_snapshot_that_is_not_wanted_any_more_is_not_resumed() -> None:
    verdict = plan("@a,1 @x,2 @b,3", interrupted("@a,1"), token=token(2, 1), snapshots="a|b")
    assert isinstance(verdict, Incremental)
    assert verdict.abort_receive
    assert streams(verdict.steps) == "a -i b"


@pytest.mark.parametrize(
    ("source_caps", "target_caps", "resume"),
    [(FUSE, MODERN, True), (MODERN, FUSE, True), (MODERN, MODERN, False)],
)
def test_nothing_is_resumed_where_it_can_or_may_not_be(
    source_caps: Capabilities, target_caps: Capabilities, resume: bool
) -> None:
    verdict = plan(
        "@a,1 @b,2",
        interrupted("@a,1"),
        token=token(2, 1),
        source_caps=source_caps,
        target_caps=target_caps,
        resume=resume,
    )
    assert isinstance(verdict, Incremental)
    assert verdict.abort_receive


def test_a_stream_goes_on_as_it_began_or_not_at_all() -> None:
    source = dataset("@a,1 @b,2", encryption_root="tank/a")
    there = interrupted("@a,1", encryption_root="bulk/a")
    assert isinstance(plan(source, there, token=token(2, 1, raw=True)), Resume)
    anew = plan(source, there, token=token(2, 1, raw=False))
    assert isinstance(anew, Incremental)
    assert anew.abort_receive
    assert anew.raw


def test_a_stale_beginning_of_a_full_stream_is_dropped_without_a_rollback() -> None:
    verdict = plan("@b,2", interrupted("", written=1), token=token(1))
    assert isinstance(verdict, Full)
    assert (verdict.abort_receive, verdict.rollback) == (True, False)
    placeholder = plan("@b,2", interrupted("", placeholder=True), token=token(1))
    assert isinstance(placeholder, Full)
    assert (placeholder.abort_receive, placeholder.rollback) == (True, True)


def test_a_stale_token_without_anything_to_send() -> None:
    newest = dataset("@a,1").snapshots[0]
    there = interrupted("@a,1")
    assert plan("@a,1", there) == UpToDate(newest=newest, abort_receive=True)
    assert plan("@a,1", there, stale_token=StaleToken.KEEP) == UpToDate(newest=newest)


def test_a_target_that_was_written_to_takes_no_rest_of_a_stream_unless_it_may() -> None:
    there = interrupted("@a,1", written=10)
    found = plan("@a,1 @b,2", there, token=token(2, 1))
    assert isinstance(found, Conflict)
    assert found.reason is ConflictReason.MODIFIED
    allowed = plan("@a,1 @b,2", there, token=token(2, 1), rollback=True)
    assert isinstance(allowed, Resume)
    assert (allowed.rollback, allowed.written) == (True, 10)


def test_a_name_that_is_taken_stops_a_rest_too() -> None:
    found = plan("@a,1 @b,2", interrupted("@b,9 @a,1"), token=token(2, 1))
    assert isinstance(found, Conflict)
    assert found.reason is ConflictReason.NAME_TAKEN
