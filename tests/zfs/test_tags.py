"""Names of holds and bookmarks are read back as they were written, and no other way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.zfs.errors import BadName
from lochkit.zfs.model import Bookmark, Dataset
from lochkit.zfs.names import check_bookmark, check_tag
from lochkit.zfs.tags import (
    Cursor,
    HoldTag,
    check_replication,
    cursor_name,
    cursors,
    last_tag,
    newest_cursor,
    parse_cursor,
    parse_tag,
    step_tag,
)

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
GUIDS = st.integers(min_value=0, max_value=2**64 - 1)


@given(NAMES, GUIDS)
def test_what_is_written_is_read(replication: str, guid: int) -> None:
    assert parse_tag(step_tag(replication)) == HoldTag(replication=replication)
    assert parse_tag(last_tag(replication)) == HoldTag(replication=replication, last=True)
    named = cursor_name(replication, guid)
    assert parse_cursor(named) == Cursor(replication=replication, guid=guid)
    assert check_bookmark(named) == named
    assert check_tag(last_tag(replication)) == last_tag(replication)


def test_the_names_are_as_documented() -> None:
    assert step_tag("pgdata") == "lochkit:pgdata"
    assert last_tag("pgdata") == "lochkit:pgdata:last"
    assert cursor_name("pg_data", 0xABC) == "lochkit_pg_data_0000000000000abc"


@pytest.mark.parametrize(
    "name", ["", "-x", "a:b", "a b", "a/b", "a@b", "a#b", "a%b", "é", "x" * 65, "a\n", ".a"]
)
def test_a_replication_has_a_plain_name(name: str) -> None:
    with pytest.raises(BadName, match="can not be the name of a replication"):
        check_replication(name)


@pytest.mark.parametrize(
    "tag", ["", "keep", "lochkit", "lochkit:", "lochkit:a:first", "lochkit:a:last:last", "zrepl:a"]
)
def test_tags_of_others_are_not_ours(tag: str) -> None:
    assert parse_tag(tag) is None


@pytest.mark.parametrize(
    "name",
    [
        "lochkit_a",
        "lochkit_a_abc",
        "lochkit__0000000000000abc",
        "lochkit_a_0000000000000ABC",
        "zrepl_CURSOR_G_0000000000000abc_J_a",
    ],
)
def test_bookmarks_of_others_are_not_ours(name: str) -> None:
    assert parse_cursor(name) is None


@pytest.mark.parametrize("guid", [-1, 2**64])
def test_a_guid_has_64_bits(guid: int) -> None:
    with pytest.raises(ValueError, match="is not a guid"):
        cursor_name("a", guid)


def test_a_cursor_remembers_the_snapshot_it_is_named_for() -> None:
    def bookmark(name: str, guid: int, txg: int) -> Bookmark:
        return Bookmark(name, guid, txg, txg)

    old = bookmark(cursor_name("a", 1), 1, 10)
    new = bookmark(cursor_name("a", 2), 2, 20)
    other = bookmark(cursor_name("b", 3), 3, 30)
    liar = bookmark(cursor_name("a", 4), 5, 40)
    dataset = Dataset(name="p/a", bookmarks=(old, new, other, liar))
    assert cursors(dataset, "a") == (old, new)
    assert newest_cursor(dataset, "a") == new
    assert newest_cursor(dataset, "b") == other
    assert newest_cursor(dataset, "c") is None
