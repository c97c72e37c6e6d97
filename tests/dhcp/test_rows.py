"""Rows: a sorted text in which one row changes without the others."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.dhcp.rows import Rows

KEYS = st.integers(0, 60).map(str)
CHANGES = st.dictionaries(KEYS, st.none() | st.binary(max_size=3), max_size=30)


def check(rows: Rows, wanted: dict[str, bytes]) -> None:
    assert b"".join(rows.pieces()) == b"".join(row for _, row in sorted(wanted.items()))
    assert list(rows) == sorted(wanted.items())
    assert len(rows) == len(wanted)


def apply(wanted: dict[str, bytes], changes: dict[str, bytes | None]) -> None:
    for key, row in changes.items():
        if row is None:
            wanted.pop(key, None)
        else:
            wanted[key] = row


@settings(max_examples=200)
@given(steps=st.lists(CHANGES, max_size=20))
def test_rows_are_what_a_sorted_dictionary_would_be(steps: list[dict[str, bytes | None]]) -> None:
    rows, wanted = Rows(), dict[str, bytes]()
    for changes in steps:
        before, stamp = dict(wanted), rows.stamp
        apply(wanted, changes)
        rows.update(changes)
        check(rows, wanted)
        assert (rows.stamp == stamp) == (wanted == before)
        for key in changes:
            assert rows.get(key) == wanted.get(key)


def test_blocks_are_split_and_go_when_they_are_empty() -> None:
    rows, wanted = Rows(), dict[str, bytes]()
    for number in range(2500):  # one by one, backwards, so that no block is filled at once
        key = f"{9999 - number}"
        rows.update({key: key.encode()})
        wanted[key] = key.encode()
    check(rows, wanted)
    assert len(rows.pieces()) > 2
    for key in sorted(wanted)[:1200]:
        rows.update({key: None})
        del wanted[key]
    check(rows, wanted)


def test_one_change_leaves_the_other_pieces_alone() -> None:
    rows = Rows()
    rows.update({f"{number:05}": b"x" * 10 for number in range(10_000)})
    before = rows.pieces()
    rows.update({"05000": b"y"})
    after = rows.pieces()
    assert len(before) == len(after) == 20
    assert sum(old is not new for old, new in zip(before, after, strict=True)) == 1
    assert rows.pieces() is after
