"""Roots, what is below them, and what is left out."""

import pytest

from lochkit.zfs.model import Dataset, Inventory
from lochkit.zfs.policy_types import Selection
from lochkit.zfs.selecting import is_excluded, missing_roots, select

NAMES = ("ssd", "ssd/pg", "ssd/pg/a", "ssd/pg/a/b", "ssd/pg/tmp1", "ssd/pg/tmp1/x", "ssd/pg2", "t")
HERE = Inventory(datasets={name: Dataset(name=name) for name in NAMES})


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(roots=("ssd/pg",)), ["ssd/pg"]),
        (
            Selection(roots=("ssd/pg",), recursive=True, exclude=("ssd/pg/tmp*",)),
            ["ssd/pg", "ssd/pg/a", "ssd/pg/a/b"],
        ),
        (Selection(roots=("t", "ssd/pg2"), recursive=True), ["ssd/pg2", "t"]),
        (Selection(roots=("ssd", "ssd/pg"), exclude=("ssd/pg",)), ["ssd"]),
        # a star matches slashes, and a pattern is of the whole name
        (Selection(roots=("ssd/pg",), recursive=True, exclude=("*b",)), [
            "ssd/pg", "ssd/pg/a", "ssd/pg/tmp1", "ssd/pg/tmp1/x"]),
        (Selection(roots=("ssd/pg",), recursive=True, exclude=("tmp1", "SSD/*")), [
            "ssd/pg", "ssd/pg/a", "ssd/pg/a/b", "ssd/pg/tmp1", "ssd/pg/tmp1/x"]),
        # what is above a root is not asked
        (Selection(roots=("ssd/pg/a",), exclude=("ssd/pg", "ssd")), ["ssd/pg/a"]),
        (Selection(roots=("ssd/pg/a",), recursive=True, exclude=("ssd/pg/a",)), []),
        (Selection(roots=("gone",), recursive=True), []),
    ],
)  # fmt: skip
def test_what_is_selected(selection: Selection, expected: list[str]) -> None:
    selected = [one.name for one in select(selection, HERE)]
    assert selected == expected
    left_out = [name for name in NAMES if name not in selected]
    assert not any(is_excluded(name, selection) for name in selected)
    if selection.recursive and selection.roots == ("ssd/pg",):
        below = [name for name in left_out if name.startswith("ssd/pg/")]
        assert all(is_excluded(name, selection) for name in below)


def test_a_root_that_is_not_there_is_told() -> None:
    selection = Selection(roots=("gone", "ssd", "t/gone"))
    assert missing_roots(selection, HERE) == ("gone", "t/gone")
