"""Outputs of zfs, as recorded on zfs-fuse 0.7 and OpenZFS 2.1 and 2.3, and made up ones."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import ZfsError
from lochkit.zfs.model import Bookmark, Kind, Snapshot
from lochkit.zfs.parse import parse_holds, parse_pairs, parse_size
from lochkit.zfs.parse_get import GetParser, get_properties, parse_origins
from lochkit.zfs.parse_list import ListParser, list_columns

DATA = Path(__file__).parent / "data"
EVERYTHING = Capabilities.everything("zfs-2.3.2")
COLUMNS = list_columns(EVERYTHING)


def rows(name: str) -> list[str]:
    return (DATA / name).read_text().splitlines()


def row(name: str, **told: str) -> str:
    """A row of a list with what is given, and what is needed."""
    needed = {"name": name, "guid": "1", "createtxg": "2", "creation": "3", "userrefs": "0"}
    if "@" not in name:
        needed |= {"userrefs": "-", "type": "bookmark" if "#" in name else "filesystem"}
    given_ = {**dict.fromkeys(COLUMNS, "-"), **needed, **told}
    return "\t".join(given_[column] for column in COLUMNS)


def parsed(*lines: str, only: str | None = None) -> ListParser:
    parser = ListParser(COLUMNS, only=None if only is None else frozenset((only,)))
    parser.feed(lines)
    return parser


@pytest.mark.parametrize("version", ["2.1", "2.3"])
@pytest.mark.parametrize("step", [1, 3, 100])
def test_a_list_of_openzfs(version: str, step: int) -> None:
    lines = rows(f"list-openzfs-{version}.tsv")
    parser = ListParser(COLUMNS)
    for start in range(0, len(lines), step):
        parser.feed(lines[start : start + step])
    found = parser.finish()
    assert list(found) == ["here", "here/a", "here/clone", "here/place"]
    data = found["here/a"]
    assert [one.name for one in data.snapshots] == ["s1", "s 2 with blank", "s3"]
    first, second, third = data.snapshots
    assert (first.holds, first.deferred, first.written) == (1, True, 4222976)
    assert (second.holds, second.deferred, second.written) == (0, False, 2114560)
    assert third.clones == ("here/clone",)
    assert data.bookmarks == (Bookmark("b1", first.guid, first.createtxg, first.creation),)
    assert found["here/clone"].origin == "here/a@s3"
    assert [name for name, one in found.items() if one.placeholder] == ["here/place"]
    assert (data.kind, data.written, data.resume_token) == (Kind.FILESYSTEM, 0, None)
    assert data.key_loaded
    assert not data.encrypted


def test_the_properties_of_zfs_fuse() -> None:
    parser = GetParser(properties=["creation"])
    for line in rows("get-zfs-fuse.tsv"):
        parser.feed([line])
    found = parser.finish({"here/clone": "here/a@s3"})
    assert list(found) == ["here", "here/a", "here/clone", "here/place"]
    data = found["here/a"]
    assert [one.name for one in data.snapshots] == ["s1", "s 2 with blank", "s3"]
    assert data.snapshots[0] == Snapshot(
        name="s1", guid=7149122523867423190, createtxg=15, creation=1795278605, holds=1,
        deferred=True,
    )  # fmt: skip
    assert data.snapshots[2].clones == ("here/clone",)
    assert found["here/clone"].origin == "here/a@s3"
    assert found["here/place"].placeholder
    assert data.properties == {"creation": "1795278605"}
    assert (data.guid, data.used, data.written) == (18091860424937255711, 8708096, None)


def test_what_a_dataset_inherits_makes_it_no_placeholder() -> None:
    above = row("tank/a", **{"lochkit:placeholder": "tank/a"})
    below = row("tank/a/b", **{"lochkit:placeholder": "tank/a"})
    full = row("tank/c", **{"lochkit:placeholder": "tank/c"})
    found = parsed(above, below, full, row("tank/c@one")).finish()
    assert [one.placeholder for one in found.values()] == [True, False, False]


def test_rows_in_any_order() -> None:
    lines = [
        row("tank/b@new", createtxg="9"),
        row("tank/a#mark", createtxg="4"),
        row("tank/b"),
        row("tank/a@x", createtxg="7"),
        row("tank/b@old", createtxg="8"),
        row("tank/a"),
        row("tank/a-b"),
        row("tank/a/b"),
        row("tank"),
    ]
    found = parsed(*lines).finish()
    assert list(found) == ["tank", "tank/a", "tank/a/b", "tank/a-b", "tank/b"]
    assert [one.name for one in found["tank/b"].snapshots] == ["old", "new"]
    assert [one.name for one in found["tank/a"].bookmarks] == ["mark"]


def test_keys_tokens_volumes_and_properties_asked_for() -> None:
    columns = list_columns(EVERYTHING, ["lochkit:x", "type", "lochkit:y"])
    told = {
        **dict.fromkeys(columns, "-"),
        "name": "tank/v",
        "guid": "5",
        "type": "volume",
        "receive_resume_token": "1-a-b-c",
        "encryptionroot": "tank",
        "keystatus": "unavailable",
        "lochkit:x": "a b",
    }
    parser = ListParser(columns, properties=["lochkit:x", "type", "lochkit:y"])
    parser.feed(["\t".join(told[column] for column in columns)])
    (one,) = parser.finish().values()
    assert (one.kind, one.resume_token) == (Kind.VOLUME, "1-a-b-c")
    assert (one.encryption_root, one.key_loaded) == ("tank", False)
    assert one.properties == {"lochkit:x": "a b", "type": "volume"}


def test_only_one_dataset() -> None:
    found = parsed(row("tank/a"), row("tank/a@s"), row("tank/a/b"), only="tank/a").finish()
    assert list(found) == ["tank/a"]
    assert len(found["tank/a"].snapshots) == 1


def test_an_older_openzfs_is_asked_for_less() -> None:
    old = Capabilities(parsable_list=True, bookmarks=True, written=True)
    assert "receive_resume_token" not in list_columns(old)
    assert "keystatus" not in list_columns(old)
    assert list_columns(EVERYTHING, ["used", "a:b", "a:b"]).count("used") == 1
    assert list_columns(EVERYTHING, ["used", "a:b", "a:b"])[-1] == "a:b"
    assert get_properties(["type", "a:b"])[-1] == "a:b"


@pytest.mark.parametrize(
    "lines",
    [
        [row("tank/a"), row("tank/a")],
        [row("tank/a", guid="x")],
        [row("tank/a@b", guid="-")],
        [row("tank/a@b", guid="")],
        [row("tank/a#b", creation="-")],
        [row("tank/a", type="dragon")],
        [row("tank/a") + "\tmore"],
        ["tank/a"],
        ["tank/a@b\t1\t2"],
        [""],
        ["no datasets available"],
    ],
)
def test_rows_that_make_no_sense(lines: list[str]) -> None:
    with pytest.raises(ZfsError, match="makes no sense"):
        parsed(*lines).finish()


@pytest.mark.parametrize(
    "lines",
    [
        ["tank"],
        ["tank\ttype"],
        ["tank@a\ttype\tsnapshot"],
        ["tank@a\tguid\tx", "tank@a\tcreatetxg\t1"],
        ["tank\tguid\t1"],
        ["tank\ttype\tdragon"],
    ],
)
def test_properties_that_make_no_sense(lines: list[str]) -> None:
    def read() -> None:
        parser = GetParser()
        parser.feed(lines)
        parser.finish({})

    with pytest.raises(ZfsError, match="makes no sense"):
        read()


def test_there_is_an_end_to_what_is_read() -> None:
    parser = ListParser(COLUMNS, most_rows=2)
    parser.feed([row("tank"), row("tank@a")])
    with pytest.raises(ZfsError, match="more snapshots than"):
        parser.feed([row("tank@b")])
    told = GetParser(most_rows=1)
    with pytest.raises(ZfsError, match="more snapshots than"):
        told.feed(["tank\tguid\t1", "tank\ttype\tfilesystem"])


NUMBERS = st.integers(0, 2**64 - 1)
SHORT = st.text("abcXYZ019._:- ", min_size=1, max_size=6).filter(lambda name: name.strip() == name)


@settings(max_examples=60)
@given(
    told=st.dictionaries(
        SHORT,
        st.dictionaries(SHORT, st.tuples(NUMBERS, NUMBERS, st.integers(0, 9), NUMBERS), max_size=4),
        max_size=4,
    ),
    step=st.integers(1, 9),
)
def test_whatever_is_listed_is_read(
    told: dict[str, dict[str, tuple[int, int, int, int]]], step: int
) -> None:
    lines = []
    for dataset, snapshots in told.items():
        lines.append(row(f"tank/{dataset}"))
        for name, (guid, txg, holds, written) in snapshots.items():
            lines.append(
                row(
                    *(f"tank/{dataset}@{name}",),
                    guid=str(guid),
                    createtxg=str(txg),
                    userrefs=str(holds),
                    written=str(written),
                )
            )
    parser = ListParser(COLUMNS)
    for start in range(0, len(lines), step):
        parser.feed(lines[start : start + step])
    found = parser.finish()
    assert {
        name.removeprefix("tank/"): {
            one.name: (one.guid, one.createtxg, one.holds, one.written) for one in seen.snapshots
        }
        for name, seen in found.items()
    } == told
    for seen in found.values():
        ages = [one.createtxg for one in seen.snapshots]
        assert ages == sorted(ages)


def test_many_rows_take_no_time() -> None:
    lines = []
    for dataset in range(30):
        lines.append(row(f"tank/{dataset}"))
        for number in range(1000):
            name = f"tank/{dataset}@auto_{number}"
            lines.append(row(name, guid=str(dataset * 1000 + number), createtxg=str(number)))
    begin = time.process_time()
    found = parsed(*lines).finish()
    assert time.process_time() - begin < 0.6  # 0.1 on a machine with nothing else to do
    assert sum(len(one.snapshots) for one in found.values()) == 30_000


def test_holds() -> None:
    text = "tank@a\ttag1\tSat Nov 21 16:29 2026\ntank@b\ta tag\t1\ntank@b\tOne\t2\n"
    assert parse_holds(text, ["tank@a", "tank@b", "tank@c"]) == {
        "tank@a": ("tag1",),
        "tank@b": ("One", "a tag"),
        "tank@c": (),
    }
    with pytest.raises(ZfsError, match="makes no sense"):
        parse_holds("tank@a tag", ["tank@a"])


def test_sizes_pairs_and_origins() -> None:
    text = "incremental\ts1\ttank@size\t100\nincremental\tsize\ttank@x\t7\nsize\t4219360\n"
    assert parse_size(text) == 4219360
    assert parse_size("full\ttank@size\t100\n") is None
    assert parse_size("") is None
    assert parse_pairs("a@b\t1\na#c\t2\n") == {"a@b": "1", "a#c": "2"}
    assert parse_origins("tank\t-\ntank/clone of\ttank@a b\n") == {"tank/clone of": "tank@a b"}
    for broken in (parse_pairs, parse_origins):
        with pytest.raises(ZfsError, match="makes no sense"):
            broken("tank")
