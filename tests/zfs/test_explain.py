"""Explanations: whether it replicates, why not, and what would fix it."""

from typing import Any

import pytest

from lochkit.zfs.errors import Failure
from lochkit.zfs.explain import Explanation, explain
from lochkit.zfs.explain_facts import Facts
from lochkit.zfs.model import Dataset
from lochkit.zfs.plan_types import ResumeToken

from .plan_language import copy, dataset, plan, replication


def explained(
    source: str | Dataset,
    target: str | Dataset | None,
    facts: Facts | None = None,
    token: ResumeToken | None = None,
    **wishes: Any,
) -> Explanation:
    here = dataset(source) if isinstance(source, str) else source
    there = copy(target) if isinstance(target, str) else target
    return explain(
        here,
        there,
        plan(here, there, token=token, **wishes),
        target_name="bulk/a",
        replication=replication(**wishes),
        facts=facts,
    )


def test_the_first_line_says_what_is_wanted() -> None:
    line = explained("@a,1", None, Facts(source_host="web1")).lines[0]
    assert line == "tank/a of web1 is to be at bulk/a of vault (replication job)."
    local = explained("@a,1", None, to="local").lines[0]
    assert local == "tank/a is to be at bulk/a of this host (replication job)."


@pytest.mark.parametrize(
    ("source", "target", "wishes", "words"),
    [
        ("@a,1 @b,2", None, {},
         "Nothing of it is there. 2 snapshots to come, @a to @b, in 2 streams."),
        ("@a,1", None, {}, "Nothing of it is there. 1 snapshot to come, @a, in 1 stream."),
        ("@a,1 @b,2 @c,3", "@a,1", {},
         "It is there up to @a. 2 snapshots to come, @b to @c, in 1 stream."),
        ("#a,1 @b,2", "@x,1", {},
         "It is there up to #a, a bookmark here, whose snapshot is gone."
         " 1 snapshot to come, @b, in 1 stream."),
        ("@a,1", "@z,1", {},
         "It is up to date: the newest that both have is @a, which is called @z there."),
        ("@a,1 @x,2", "@a,1", {"snapshots": "a.*"},
         "It is up to date: the newest that both have is @a. Newer ones are here (@x), and none"
         " whose name matches a.*."),
        ("", None, {}, "There is nothing to send: tank/a has no snapshot."),
        ("@a,1", None, {"snapshots": "b"},
         "There is nothing to send: tank/a has no snapshot whose name matches b."),
        ("@a,1", copy("", placeholder=True), {},
         "The first stream takes the place of a placeholder."),
        (dataset("@a,1", encryption_root="tank"), None, {},
         "Nothing of it is there. 1 snapshot to come, @a, in 1 raw stream."),
        ("@b,2", copy("@b,2", resume_token="1-x"), {},
         "An interrupted receive there can not go on, and is given up first."),
        ("@a,1 @b,2", copy("@a,1 @m,9", written=5), {"rollback": True},
         "The policy allows a rollback, which destroys @m of bulk/a."),
        ("@a,1 @b,2", copy("@a,1", written=5), {"rollback": True},
         "5 bytes that were written to bulk/a since are discarded."),
        ("@a,1 @b,2", copy("@a,1"), {"rollback": True},
         "What was written to bulk/a since, if anything, is discarded."),
    ],
)  # fmt: skip
def test_what_replicates(
    source: str | Dataset, target: str | Dataset | None, wishes: dict[str, Any], words: str
) -> None:
    said = explained(source, target, **wishes)
    assert said.replicates
    assert words in said.lines
    assert said.commands == () or said.commands[0].endswith("--abort-receive")


def test_an_interrupted_receive_that_goes_on() -> None:
    token = ResumeToken(token="1-x", to_guid=2, to_name="", from_guid=1, received=512)
    said = explained("@a,1 @b,2 @c,3", copy("@a,1", resume_token="1-x"), token=token)
    assert said.lines[1:3] == (
        "The receive of @b was cut: 512 bytes of it are there, and it goes on.",
        "1 snapshot to come, @c, in 1 stream.",
    )


def test_a_conflict_tells_why_what_helps_and_what_that_loses() -> None:
    said = explained("@a,1 @b,2", copy("@a,1 @m,8 @n,9", written=0))
    assert not said.replicates
    text = "\n".join(said.lines)
    assert "It does not replicate: bulk/a has @m, @n after @a, which tank/a does not have" in text
    assert "Nothing has been destroyed because of it, and nothing will be by itself." in said.lines
    assert "  --rollback: roll bulk/a back to @a, which tank/a has too; loses 2: bulk/a@m," in text
    assert said.commands == (
        "lochkit zfs repair tank/a --replication job --aside",
        "lochkit zfs repair tank/a --replication job --destroy-newer",
        "lochkit zfs repair tank/a --replication job --rollback",
    )


def test_what_can_not_be_done_is_no_command() -> None:
    said = explained("@a,1 @b,2", "@a,1 @m,8:clones=bulk/c")
    assert said.commands == ("lochkit zfs repair tank/a --replication job --aside",)
    assert any(
        line.startswith("    not as things are: bulk/c is a clone of bulk/a@m")
        for line in said.lines
    )


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("", "@a,1", "restore them from the target"),
        ("@a,1", "@a,1 @m,9", "replicate the other way round"),
        ("@a,1 @b,2", copy("@a,1", written=9), "set readonly=on"),
        ("@a,1 @b,2", "@z,9", "have none in common"),
        ("@a,1 @b,2", "@b,9 @a,1", "Rename those of the target"),
    ],
)
def test_each_conflict_has_its_advice(source: str, target: str | Dataset, words: str) -> None:
    said = explained(source, target)
    assert not said.replicates
    assert any(words in line for line in said.lines)


def test_agents_that_are_not_heard_of() -> None:
    facts = Facts(source_host="web1", source_silent=5.0, target_silent=7300.0)
    said = explained("@a,1 @b,2", "@a,1", facts)
    assert not said.replicates
    assert said.lines[-1] == (
        "The agent of vault has not been heard of for 2h 1m: nothing is replicated until it is"
        " back. Look at its service and its log there."
    )
    both = explained("@a,1", "@a,1", Facts(source_silent=61.0))
    assert "The agent of this host" in both.lines[-1]


def test_a_failure_that_stays_and_one_that_heals() -> None:
    full = Facts(failure=Failure.NO_SPACE, error="bulk/a: out of space.", failed_ago=120)
    said = explained("@a,1 @b,2", "@a,1", full)
    assert not said.replicates
    assert said.lines[-2] == "The last attempt failed 2m ago: bulk/a: out of space."
    assert said.lines[-1].startswith("It will fail again until that is put right: free space")
    busy = explained("@a,1 @b,2", "@a,1", Facts(failure=Failure.BUSY))
    assert busy.replicates
    assert "The last attempt failed: busy." in busy.lines
    assert "That heals with time: it is tried again." in busy.lines
    unknown = explained("@a,1 @b,2", "@a,1", Facts(error="it broke"))
    assert not unknown.replicates
    assert unknown.lines[-1] == "The last attempt failed: it broke."


def test_what_it_waits_for() -> None:
    def last(facts: Facts) -> str:
        return explained("@a,1 @b,2", "@a,1", facts).lines[-1]

    assert last(Facts()) == "Nothing stands in the way."
    assert last(Facts(due_in=90)) == "It waits for its schedule: 1m 30s more."
    assert last(Facts(due_in=0)) == "Nothing stands in the way."
    assert last(Facts(active=True, due_in=90)) == "A stream of it is under way."


def test_tidying_up_is_offered_without_crying_wolf() -> None:
    said = explained("@a,1", "@a,1", Facts(bookmarks=True))
    assert said.replicates
    assert "What could be tidied up:" in said.lines
    assert said.commands == ("lochkit zfs repair tank/a --replication job --make-cursor",)


def test_a_clone_is_copied_as_a_dataset_of_its_own() -> None:
    line = explained(dataset("@a,1", origin="tank/b@x"), None).lines[0]
    assert "It is a clone of tank/b@x; its copy is a dataset of its own" in line


def test_what_a_zfs_can_not_tell_is_said_with_its_cure() -> None:
    said = explained("@a,1 @b,2", "@a,1", Facts(written_told=False))
    assert said.replicates
    assert "Nothing stands in the way." in said.lines
    assert "does not tell whether somebody has written" in said.lines[-2]
    assert said.commands[0].endswith("--rollback")
