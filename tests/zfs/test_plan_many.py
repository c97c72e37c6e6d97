"""All datasets of a job: places, parents, renamed datasets, what waits for what."""

from typing import Any

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.model import Dataset, Inventory
from lochkit.zfs.plan_many import Planned, arriving, find_renamed, plan_many, urgency
from lochkit.zfs.plan_types import (
    SOURCE_GUID,
    Conflict,
    ConflictReason,
    Full,
    Incremental,
    Resume,
    ResumeToken,
    UpToDate,
)
from lochkit.zfs.policy_types import Selection, StaleToken

from .plan_language import MODERN, copy, dataset, replication

ALL = Selection(roots=("ssd/pg",), recursive=True)


def inventory(**texts: str | Dataset) -> Inventory:
    """Datasets by name; a double underscore is a slash."""
    found = {}
    for key, text in texts.items():
        name = key.replace("__", "/")
        found[name] = dataset(text, name) if isinstance(text, str) else text
    return Inventory(datasets=found)


def plans(
    here: Inventory, there: Inventory, selection: Selection = ALL, **wishes: Any
) -> dict[str, Planned]:
    """By the name of the source."""
    tokens = wishes.pop("tokens", None)
    planned = plan_many(
        selection,
        here,
        there,
        replication=replication(**{"target": "bulk/web1/pg", **wishes}),
        source_caps=MODERN,
        target_caps=MODERN,
        tokens=tokens,
    )
    return {one.source.name: one for one in planned}


def reason(planned: Planned) -> ConflictReason:
    assert isinstance(planned.verdict, Conflict), planned.verdict
    return planned.verdict.reason


def test_each_dataset_goes_to_its_place_parents_first() -> None:
    source = inventory(ssd="", ssd__pg="@a,1 @b,2", ssd__pg__x="@c,3", ssd__pg__y="@d,4")
    target = inventory(bulk="", bulk__web1="", bulk__web1__pg="@a,1", bulk__web1__pg__y="@d,4")
    found = plans(source, target)
    assert list(found) == ["ssd/pg", "ssd/pg/x", "ssd/pg/y"]
    assert isinstance(found["ssd/pg"].verdict, Incremental)
    assert isinstance(found["ssd/pg/x"].verdict, Full)
    assert isinstance(found["ssd/pg/y"].verdict, UpToDate)
    assert found["ssd/pg/x"].target_name == "bulk/web1/pg/x"
    assert found["ssd/pg/x"].target is None
    assert found["ssd/pg/y"].target is target.get("bulk/web1/pg/y")
    assert all(one.placeholders == () and one.after is None for one in found.values())


def test_what_is_above_is_there_first() -> None:
    source = inventory(ssd__pg="@a,1", ssd__pg__x="@b,2", ssd__pg__x__y="@c,3")
    found = plans(source, inventory(bulk=""))
    assert found["ssd/pg"].placeholders == ("bulk/web1",)
    assert found["ssd/pg"].after is None
    assert found["ssd/pg/x"].after == "bulk/web1/pg"
    assert found["ssd/pg/x/y"].after == "bulk/web1/pg/x"
    assert found["ssd/pg/x/y"].placeholders == ("bulk/web1",)


def test_what_is_left_out_or_has_no_snapshots_gets_a_placeholder() -> None:
    source = inventory(ssd__pg="", ssd__pg__x="@b,2", ssd__pg__z="@z,9", ssd__pg__z__q="@q,8")
    selection = Selection(roots=("ssd/pg",), recursive=True, exclude=("*/z",))
    found = plans(source, inventory(bulk="", bulk__web1=""), selection)
    assert list(found) == ["ssd/pg", "ssd/pg/x"]
    assert found["ssd/pg"].verdict == UpToDate()
    assert found["ssd/pg/x"].placeholders == ("bulk/web1/pg",)
    assert found["ssd/pg/x"].after is None


def test_a_placeholder_takes_the_dataset_later() -> None:
    source = inventory(ssd__pg="@a,1", ssd__pg__x="@b,2")
    target = inventory(bulk__web1__pg=copy("", placeholder=True), bulk__web1__pg__x="@b,2")
    found = plans(source, target)
    verdict = found["ssd/pg"].verdict
    assert isinstance(verdict, Full)
    assert verdict.rollback


def test_several_roots_have_their_whole_names_below_the_target() -> None:
    source = inventory(ssd__pg="@a,1", hdd__pg="@b,2")
    selection = Selection(roots=("ssd/pg", "hdd/pg"))
    found = plans(source, inventory(bulk=""), selection, target="bulk")
    assert {one.target_name for one in found.values()} == {"bulk/ssd/pg", "bulk/hdd/pg"}
    assert found["ssd/pg"].placeholders == ("bulk/ssd",)


def test_a_dataset_that_was_renamed_is_found_under_its_old_name() -> None:
    source = inventory(ssd__pg="@a,1", ssd__pg__new="@b,2 @c,3", ssd__pg__new__deep="@d,4")
    target = inventory(
        bulk__web1__pg="@a,1", bulk__web1__pg__old="@b,2", bulk__web1__pg__old__deep="@d,4"
    )
    found = plans(source, target)
    assert reason(found["ssd/pg/new"]) is ConflictReason.RENAMED
    verdict = found["ssd/pg/new"].verdict
    assert isinstance(verdict, Conflict)
    assert verdict.elsewhere == "bulk/web1/pg/old"
    assert "Rename bulk/web1/pg/old to bulk/web1/pg/new" in verdict.message
    # what is below moves along, and gets no placeholder that would be in the way
    assert reason(found["ssd/pg/new/deep"]) is ConflictReason.PARENT


def test_a_renamed_dataset_whose_old_name_has_a_new_owner() -> None:
    source = inventory(ssd__pg="", ssd__pg__a="@new,7", ssd__pg__b="@x,1 @y,2")
    target = inventory(bulk__web1__pg=copy("", placeholder=True), bulk__web1__pg__a="@x,1")
    found = plans(source, target)
    assert reason(found["ssd/pg/a"]) is ConflictReason.NO_COMMON
    # its copy is in a place that is another's now: nothing tells which of both is right
    assert isinstance(found["ssd/pg/b"].verdict, Full)


def test_a_second_root_moves_the_first() -> None:
    source = inventory(ssd__pg="@a,1", hdd__pg="@b,2")
    selection = Selection(roots=("ssd/pg", "hdd/pg"))
    found = plans(source, inventory(bulk="", bulk__web1="@a,1"), selection, target="bulk/web1")
    assert reason(found["ssd/pg"]) is ConflictReason.RENAMED
    assert isinstance(found["hdd/pg"].verdict, Full)


def test_the_copies_of_another_replication_are_not_strays() -> None:
    source = inventory(ssd__pg="@a,1")
    target = inventory(bulk__other="@a,1", bulk__web1="")
    assert isinstance(plans(source, target)["ssd/pg"].verdict, Full)


def test_what_was_put_aside_is_not_a_stray() -> None:
    source = inventory(ssd__pg="@a,1", ssd__pg__x="@b,2")
    target = inventory(**{"bulk__web1__pg": "@a,1", "bulk__web1__pg__x.aside-1": "@b,2"})
    assert isinstance(plans(source, target)["ssd/pg/x"].verdict, Full)


def test_a_mark_that_is_inherited_tells_nothing() -> None:
    marked: dict[str, Any] = {"properties": {SOURCE_GUID: "77"}}
    source = inventory(ssd__pg="@a,1", ssd__pg__x="@b,2")
    target = inventory(
        bulk__web1__pg=copy("@y,8", **marked),
        bulk__web1__pg__x=copy("@z,9", name="bulk/web1/pg/x", **marked),
    )
    found = plans(source, target)
    assert reason(found["ssd/pg"]) is ConflictReason.RECREATED
    assert reason(found["ssd/pg/x"]) is ConflictReason.NO_COMMON
    assert found["ssd/pg/x"].target is target.get("bulk/web1/pg/x")


def test_what_is_below_a_conflict_waits() -> None:
    locked: dict[str, Any] = {"encryption_root": "ssd/pg", "key_loaded": False}
    source = inventory(
        ssd__pg=dataset("@a,1", "ssd/pg", **locked), ssd__pg__x="@b,2", ssd__pg__x__y="@c,3"
    )
    found = plans(source, inventory(bulk=""), raw=False)
    assert reason(found["ssd/pg"]) is ConflictReason.ENCRYPTION
    assert reason(found["ssd/pg/x"]) is ConflictReason.PARENT
    assert reason(found["ssd/pg/x/y"]) is ConflictReason.PARENT
    verdict = found["ssd/pg/x"].verdict
    assert isinstance(verdict, Conflict)
    assert "ssd/pg is in conflict (encryption)" in verdict.message


def test_what_is_below_a_conflict_that_is_there_goes_on() -> None:
    source = inventory(ssd__pg="@a,1", ssd__pg__x="@b,2")
    found = plans(source, inventory(bulk__web1__pg="@other,9"))
    assert reason(found["ssd/pg"]) is ConflictReason.NO_COMMON
    assert isinstance(found["ssd/pg/x"].verdict, Full)


def test_an_encrypted_parent_without_snapshots_gets_no_placeholder() -> None:
    source = inventory(
        ssd__pg=dataset("", "ssd/pg", encryption_root="ssd/pg"),
        ssd__pg__x=dataset("@b,2", "ssd/pg/x", encryption_root="ssd/pg"),
    )
    found = plans(source, inventory(bulk=""))
    assert reason(found["ssd/pg/x"]) is ConflictReason.PARENT


def test_a_name_that_gets_too_long_stops_only_its_dataset() -> None:
    long = "ssd/pg/" + "x" * 230
    source = Inventory(datasets={"ssd/pg": dataset("@a,1", "ssd/pg"), long: dataset("@b,2", long)})
    found = plans(source, inventory(bulk=""), target="bulk/a/rather/long/target")
    assert isinstance(found["ssd/pg"].verdict, Full)
    assert reason(found[long]) is ConflictReason.BAD_NAME


def test_tokens_are_found_by_the_place_of_the_copy() -> None:
    token = ResumeToken(token="1-x", to_guid=2, to_name="ssd/pg@b", from_guid=1)
    target = inventory(bulk__web1__pg=copy("@a,1", resume_token="1-x"))
    found = plans(inventory(ssd__pg="@a,1 @b,2"), target, tokens={"bulk/web1/pg": token})
    assert isinstance(found["ssd/pg"].verdict, Resume)


def test_what_is_below_a_beginning_waits_for_its_end() -> None:
    source = inventory(ssd__pg="@a,1", ssd__pg__x="@b,2")
    target = inventory(bulk__web1="", bulk__web1__pg=copy("", resume_token="1-x"))
    token = ResumeToken(token="1-x", to_guid=1, to_name="ssd/pg@a")
    found = plans(source, target, tokens={"bulk/web1/pg": token})
    assert isinstance(found["ssd/pg"].verdict, Resume)
    assert found["ssd/pg/x"].after == "bulk/web1/pg"
    anew = plans(source, target)
    assert isinstance(anew["ssd/pg"].verdict, Full)
    assert anew["ssd/pg/x"].after == "bulk/web1/pg"
    kept = plans(source, target, stale_token=StaleToken.KEEP)
    assert reason(kept["ssd/pg"]) is ConflictReason.STALE_TOKEN
    assert reason(kept["ssd/pg/x"]) is ConflictReason.PARENT


def test_a_host_copies_nothing_into_itself() -> None:
    with pytest.raises(BadPolicy, match="it would copy its own copies"):
        plans(inventory(ssd__pg="@a,1"), inventory(), to="local", target="ssd/pg/copies")


def test_the_copy_with_the_newest_snapshot_is_the_one() -> None:
    source = dataset("@a,1 @b,2 #c,3")
    old, new = copy("@a,1", name="bulk/old"), copy("@b,2", name="bulk/new")
    marked = copy("@c,3", name="bulk/marked")
    assert find_renamed(source, [new, old]) is new
    assert find_renamed(source, [new, marked, old]) is marked
    assert find_renamed(source, [copy("@z,9")]) is None
    assert find_renamed(source, []) is None


def test_what_has_waited_longest_is_first() -> None:
    source = inventory(
        ssd__pg="@a,1:creation=5",
        ssd__pg__x="@b,2:creation=1 @c,3:creation=300",
        ssd__pg__y="@d,4:creation=100 @e,5:creation=50",
        ssd__pg__z="@f,6:creation=7",
    )
    target = inventory(
        bulk__web1__pg="@a,1", bulk__web1__pg__x="@b,2",
        bulk__web1__pg__y=copy("@d,4", resume_token="1-x"),
    )  # fmt: skip
    token = ResumeToken(token="1-x", to_guid=5, to_name="", from_guid=4)
    found = plans(source, target, tokens={"bulk/web1/pg/y": token})
    names = [one.source.name for one in sorted(found.values(), key=urgency)]
    assert names == ["ssd/pg/z", "ssd/pg/y", "ssd/pg/x", "ssd/pg"]
    assert [one.name for one in arriving(found["ssd/pg/y"].verdict)] == ["e"]
    assert arriving(found["ssd/pg"].verdict) == ()
