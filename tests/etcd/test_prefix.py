"""Ranges of keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.prefix import KeyRange, covers, envelope, path_ranges

keys = st.binary(max_size=4)
ranges = st.one_of(
    st.builds(KeyRange.exact, st.binary(min_size=1, max_size=4)),
    st.builds(KeyRange.prefix, keys),
    st.builds(KeyRange.from_key, keys),
)


@given(prefix=keys, key=st.binary(min_size=1, max_size=6))
def test_a_prefix_is_exactly_the_keys_that_begin_so(prefix: bytes, key: bytes) -> None:
    assert KeyRange.prefix(prefix).contains(key) == key.startswith(prefix)


@pytest.mark.parametrize(
    ("prefix", "key", "range_end"),
    [
        (b"/a", b"/a", b"/b"),
        (b"/a\xff", b"/a\xff", b"/b"),
        (b"\xff\xff", b"\xff\xff", b"\0"),
        (b"", b"\0", b"\0"),
    ],
)
def test_range_ends(prefix: bytes, key: bytes, range_end: bytes) -> None:
    wanted = KeyRange.prefix(prefix)
    assert (wanted.key, wanted.range_end) == (key, range_end)


@given(parts=st.lists(ranges, min_size=1, max_size=4), key=st.binary(min_size=1, max_size=6))
def test_an_envelope_goes_from_the_first_to_the_last_and_no_further(
    parts: list[KeyRange], key: bytes
) -> None:
    after_the_first = any(part.key <= key for part in parts)
    before_the_last = any(
        part.unbounded or (key <= part.key if part.is_single else key < part.range_end)
        for part in parts
    )
    whole = envelope(parts)
    assert whole.contains(key) == (after_the_first and before_the_last)
    assert whole.contains(key) or not covers(parts, key)


@given(part=ranges)
def test_the_envelope_of_one_is_itself(part: KeyRange) -> None:
    assert envelope([part, part]) == part


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([KeyRange.exact(b"/p"), KeyRange.prefix(b"/p/")], KeyRange(b"/p", b"/p0")),
        ([KeyRange.exact(b"/b"), KeyRange.exact(b"/a")], KeyRange(b"/a", b"/b\0")),
        ([KeyRange.from_key(b""), KeyRange.exact(b"/a")], KeyRange.prefix(b"")),
        ([KeyRange.from_key(b"/b"), KeyRange.exact(b"/a")], KeyRange.from_key(b"/a")),
    ],
)
def test_envelopes(parts: list[KeyRange], whole: KeyRange) -> None:
    assert envelope(parts) == whole


def test_nothing_has_no_envelope() -> None:
    with pytest.raises(ValueError, match="nothing"):
        envelope([])


@pytest.mark.parametrize("path", ["/p", "/p/", "p", "p/", "//p//"])
def test_a_path_is_its_key_and_what_is_below(path: str) -> None:
    wanted = path_ranges(path)
    assert [covers(wanted, key) for key in (b"/p", b"/p/a", b"/p//", b"/pq", b"/p-", b"p")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_path_may_hold_any_bytes() -> None:
    raw = b"/caf\xe9/\xc3\xa9"
    assert path_ranges(raw.decode("utf-8", "surrogateescape")) == (
        KeyRange.exact(raw),
        KeyRange.prefix(raw + b"/"),
    )


@pytest.mark.parametrize("path", ["/", "", "//"])
def test_the_root_is_every_key_with_a_slash(path: str) -> None:
    wanted = path_ranges(path)
    assert covers(wanted, b"/a")
    assert not covers(wanted, b"a")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (KeyRange.exact(b"/a"), "key '/a'"),
        (KeyRange.prefix(b"/a"), "keys that begin with '/a'"),
        (KeyRange.prefix(b""), "all keys"),
        (KeyRange.from_key(b"/a"), "keys from '/a' on"),
        (KeyRange(b"a", b"c\xff"), "keys from 'a' to 'c\\\\xff'"),
    ],
)
def test_ranges_are_shown_to_people(wanted: KeyRange, words: str) -> None:
    assert str(wanted) == words
