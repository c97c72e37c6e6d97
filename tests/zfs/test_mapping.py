"""Where copies have their place, and that nothing is copied into itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.zfs.errors import BadName, BadPolicy
from lochkit.zfs.mapping import aside_name, check_mapping, is_aside, source_name, target_name
from lochkit.zfs.policy_types import Selection

ONE = Selection(roots=("ssd/pg",), recursive=True)
TWO = Selection(roots=("ssd/pg", "hdd/pg"), recursive=True)


@pytest.mark.parametrize(
    ("selection", "source", "target", "copy"),
    [
        (ONE, "ssd/pg", "bulk/pg", "bulk/pg"),
        (ONE, "ssd/pg/a/b", "bulk/pg", "bulk/pg/a/b"),
        (Selection(roots=("ssd",), recursive=True), "ssd/pg", "bulk/web1", "bulk/web1/pg"),
        (TWO, "ssd/pg", "bulk/web1", "bulk/web1/ssd/pg"),
        (TWO, "hdd/pg/a", "bulk/web1", "bulk/web1/hdd/pg/a"),
        (Selection(roots=("ssd/pg", "ssd/pg")), "ssd/pg", "bulk/pg", "bulk/pg"),
    ],
)
def test_there_and_back(selection: Selection, source: str, target: str, copy: str) -> None:
    assert target_name(source, selection, target) == copy
    assert source_name(copy, selection, target) == source


@pytest.mark.parametrize(
    ("selection", "copy"),
    [
        (ONE, "bulk/pgdata"),
        (ONE, "bulk"),
        (TWO, "bulk/pg"),
        (TWO, "bulk/pg/ssd"),
        (TWO, "bulk/pg/ssd/pg2"),
        (Selection(roots=("ssd/a", "ssd/b")), "bulk/pg/ssd/a/deep"),
    ],
)
def test_some_places_are_nobodys(selection: Selection, copy: str) -> None:
    assert source_name(copy, selection, "bulk/pg") is None


def test_a_place_must_be_a_possible_name() -> None:
    with pytest.raises(BadName, match="longer than"):
        target_name("ssd/pg/" + "x" * 200, ONE, "bulk/" + "y" * 80)
    with pytest.raises(BadName, match="nor below"):
        target_name("ssd/other", ONE, "bulk/pg")


@pytest.mark.parametrize("target", ["ssd/pg", "ssd", "ssd/pg/copy"])
def test_nothing_is_copied_onto_or_into_itself(target: str) -> None:
    with pytest.raises(BadPolicy, match="ssd/pg"):
        check_mapping(ONE, target)


def test_a_target_below_the_root_is_fine_where_it_is_left_out() -> None:
    check_mapping(Selection(roots=("ssd/pg",)), "ssd/pg/copy")
    check_mapping(
        Selection(roots=("ssd",), recursive=True, exclude=("ssd/backup",)), "ssd/backup/x"
    )
    check_mapping(ONE, "ssd/pg2")


def test_names_that_make_room() -> None:
    assert aside_name("bulk/pg", ()) == "bulk/pg.aside-1"
    assert aside_name("bulk/pg", {"bulk/pg.aside-1", "bulk/pg.aside-2"}) == "bulk/pg.aside-3"
    assert is_aside("bulk/pg.aside-12")
    assert is_aside("bulk/pg.aside-1/below")
    assert not is_aside("bulk/pg.aside")
    assert not is_aside("bulk/aside-1")
    assert not is_aside("bulk/pg.aside-1x")


PARTS = st.lists(st.sampled_from(["a", "b", "ssd", "pg"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(PARTS, min_size=1, max_size=3), PARTS, st.data())
def test_two_datasets_never_have_the_same_place(
    roots: list[str], target: str, data: st.DataObject
) -> None:
    selection = Selection(roots=tuple(roots), recursive=True)
    below = st.tuples(st.sampled_from(roots), st.sampled_from(["", "/a", "/b/c"])).map("".join)
    sources = data.draw(st.sets(below, max_size=6))
    places = {target_name(source, selection, target) for source in sources}
    assert len(places) == len(sources)
    assert {source_name(place, selection, target) for place in places} == sources
