import pytest

from lochkit.etcd.prefix import KeyRange
from lochkit.etcdwatch.selection import Selection, normalised_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", "/a"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("a/y/", "/a/y"),
        ("/", "/"),
        ("", "/"),
        ("//", "/"),
        ("/a//b", "/a//b"),
    ],
)
def test_path_is_normalised(text: str, path: str) -> None:
    assert normalised_path(text) == path


def covered(selection: Selection, key: bytes) -> bool:
    return any(r.contains(key) for r in selection.ranges()) and selection.shows(key)


@pytest.mark.parametrize(
    ("key", "deep", "flat"),
    [
        (b"/a", True, True),
        (b"/a/x", True, True),
        (b"/a/", True, True),
        (b"/a/y/z", True, False),
        (b"/ab", False, False),
        (b"/b", False, False),
        (b"a/x", False, False),
    ],
)
def test_path_is_a_key_and_what_is_below_it(key: bytes, deep: bool, flat: bool) -> None:
    assert covered(Selection(paths=("/a/",)), key) == deep
    assert covered(Selection(paths=("/a/",), recursive=False), key) == flat


def test_root() -> None:
    assert covered(Selection(paths=("/",)), b"/x/y")
    assert not covered(Selection(paths=("/",), recursive=False), b"/x/y")
    assert covered(Selection(paths=("/",), recursive=False), b"/x")
    assert not covered(Selection(paths=("/",)), b"noslash")


def test_prefix_is_bytes() -> None:
    assert covered(Selection(prefixes=(b"/a",)), b"/ab/c")
    assert covered(Selection(prefixes=(b"",)), b"noslash")
    assert covered(Selection(prefixes=(b"\xff",)), b"\xff\xff")
    assert not covered(Selection(prefixes=(b"/a",), recursive=False), b"/ab/c")


def test_several() -> None:
    selection = Selection(paths=("/a", "/b"), prefixes=(b"c",))
    assert [covered(selection, key) for key in (b"/a/1", b"/b", b"cx", b"/c")] == [
        True,
        True,
        True,
        False,
    ]
    assert KeyRange.prefix(b"c") in selection.ranges()
