"""The tree is a function of the keys: the rules one by one, then any history."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcdwatch.tree import Tree, depth


def built(*entries: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the document of ``KEY=VALUE`` words put one after another."""
    tree: Tree[str] = Tree()
    for entry in entries:
        tree.put(*entry.split("=", 1))
    return tree.document()


@pytest.mark.parametrize(
    ("entries", "document"),
    [
        ([], {}),
        (["/a=1"], {"a": "1"}),
        (["/a/x=1", "/a/y/z=2", "/b=3"], {"a": {"x": "1", "y": {"z": "2"}}, "b": "3"}),
        (["/w/a=leaf", "/w/a/b=child"], {"w": {"a": {"": "leaf", "b": "child"}}}),
        (["/w/a/=slash"], {"w": {"a": {"": "slash"}}}),
        (["/w//c=1"], {"w": {"": {"c": "1"}}}),
        (["/=1"], {"": "1"}),
        (["/=1", "//a=2"], {"": {"": "1", "a": "2"}}),
        (["bare=1"], {"bare": "1"}),
        (["bare/x=1", "/bare=2"], {"bare": {"": "2", "x": "1"}}),
        (["/a=1", "/a//b=2"], {"a": {"": {"": "1", "b": "2"}}}),
    ],
)
def test_shape(entries: list[str], document: dict[str, Any]) -> None:
    assert built(*entries) == (document, ())
    assert built(*reversed(entries)) == (document, ())


@pytest.mark.parametrize(
    ("entries", "document", "lost"),
    [
        (["/a=1", "/a/=2", "/a/b=3"], {"a": {"": "1", "b": "3"}}, ("/a/",)),
        (["/a=1", "a=2"], {"a": "1"}, ("a",)),
        (["/a=1", "/a/=2", "/a//b=3"], {"a": {"": {"": "1", "b": "3"}}}, ("/a/",)),
        (["/a=1", "/a/=2", "/a//=4"], {"a": {"": {"": "1"}}}, ("/a/", "/a//")),
    ],
)
def test_conflict_is_ruled_and_reported(
    entries: list[str], document: dict[str, Any], lost: tuple[str, ...]
) -> None:
    assert built(*entries) == (document, lost)
    assert built(*reversed(entries)) == (document, lost)


def test_directory_goes_with_its_last_key() -> None:
    tree: Tree[str] = Tree()
    tree.put("/a/b/c", "1")
    tree.put("/x", "2")
    tree.remove("/a/b/c")
    assert tree.document()[0] == {"x": "2"}


def test_leaf_becomes_plain_again_when_its_directory_goes() -> None:
    tree: Tree[str] = Tree()
    tree.put("/a", "1")
    tree.put("/a/b/c", "2")
    tree.remove("/a/b/c")
    assert tree.document()[0] == {"a": "1"}


def test_key_without_slash_comes_into_view_when_its_namesake_goes() -> None:
    tree: Tree[str] = Tree()
    tree.put("/a", "1")
    tree.put("a", "2")
    tree.remove("/a")
    assert tree.document() == ({"a": "2"}, ())
    tree.remove("a")
    assert tree.document() == ({}, ())


keys = st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=4).map("/".join).filter(bool)
histories = st.lists(st.tuples(keys, st.one_of(st.none(), st.sampled_from("123"))), max_size=30)


@given(histories)
def test_history_leaves_no_trace(history: list[tuple[str, str | None]]) -> None:
    tree: Tree[str] = Tree()
    entries: dict[str, str] = {}
    for key, leaf in history:
        if leaf is not None:
            tree.put(key, leaf)
            entries[key] = leaf
        elif key in entries:
            tree.remove(key)
            del entries[key]
        tree.document()  # looking must not change it
    fresh: Tree[str] = Tree()
    for key in sorted(entries):
        fresh.put(key, entries[key])
    assert tree.document() == fresh.document()
    assert _leaves(tree.document()[0]) + len(tree.document()[1]) == len(entries)


def _leaves(tree: dict[str, Any]) -> int:
    return sum(_leaves(child) if isinstance(child, dict) else 1 for child in tree.values())


def test_depth_counts_segments() -> None:
    assert [depth(key) for key in ("/a", "a", "/a/b", "/a/b/", "/")] == [1, 1, 2, 3, 1]
