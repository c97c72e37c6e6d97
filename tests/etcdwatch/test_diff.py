"""The diff against difflib's, which searches for what ours knows."""

import difflib

from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcdwatch.changes import ShownChange
from lochkit.etcdwatch.diff import coloured, entry_line, unified_diff

names = st.sampled_from([f"/{name}" for name in "abcdefghijklmnopqrstuvwxyz"])
states = st.dictionaries(names, st.sampled_from("12"), max_size=26)


def lines_of(state: dict[str, str]) -> dict[str, str]:
    return {key: entry_line(key, value) for key, value in state.items()}


def diff(before: dict[str, str], after: dict[str, str]) -> list[str]:
    changes = [
        ShownChange(key, before.get(key), after.get(key), None)
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    return list(unified_diff(lines_of(before), changes, ("x", "y")))


@given(states, states)
def test_it_is_what_difflib_finds(before: dict[str, str], after: dict[str, str]) -> None:
    old, new = ([line for _, line in sorted(lines_of(state).items())] for state in (before, after))
    assert diff(before, after) == list(difflib.unified_diff(old, new, "x", "y", lineterm=""))


def test_shape() -> None:
    before = {"/a": "1", "/b": "x"}
    assert diff(before, {"/a": "2", "/b": "x", "/c": "é\n"}) == [
        "--- x",
        "+++ y",
        "@@ -1,2 +1,3 @@",
        '-"/a": "1"',
        '+"/a": "2"',
        ' "/b": "x"',
        '+"/c": "\\u00e9\\n"',
    ]


def test_colours() -> None:
    assert coloured("+x") == "\x1b[32m+x\x1b[0m"
    assert coloured("--- x") == "\x1b[1m--- x\x1b[0m"
    assert coloured(" x") == " x"
