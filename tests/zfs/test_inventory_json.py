"""Datasets in pages, and out of them again."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.inventory_json import (
    BadInventory,
    DatasetReader,
    dataset_pages,
    encode_page,
    read_dataset,
)
from lochkit.zfs.model import Bookmark, Dataset, Kind, Snapshot

MEBIBYTE = 1 << 20

WHOLE = Dataset(
    name="ssd/pg data",
    guid=2**64 - 1,
    kind=Kind.VOLUME,
    snapshots=(
        Snapshot("one", 11, 1, 1_700_000_000),
        Snapshot("two", 2**64 - 1, 2, 1_700_000_001, 2, ("ssd/clone",), 77, True),
        Snapshot("three", 12, 3, 1_700_000_002, written=0),
    ),
    bookmarks=(Bookmark("lochkit_x_000000000000000b", 11, 1, 1_700_000_000),),
    origin="ssd/o@x",
    written=5,
    used=6,
    resume_token="1-abc",
    encryption_root="ssd",
    key_loaded=False,
    placeholder=True,
    properties={"lochkit:source": "17"},
)


def through_json(pages: list[dict[str, object]]) -> list[dict[str, object]]:
    return [json.loads(encode_page(page)) for page in pages]


def many(count: int, name: str = "hot_{:06}") -> Dataset:
    snapshots = tuple(
        Snapshot(name.format(number), 10**18 + number, number, 1_700_000_000 + number)
        for number in range(count)
    )
    return Dataset(name="ssd/a", guid=1, snapshots=snapshots)


def test_a_dataset_arrives_as_it_is() -> None:
    assert read_dataset(through_json(dataset_pages(WHOLE))) == WHOLE


def test_what_changes_all_the_time_can_be_left_out() -> None:
    found = read_dataset(through_json(dataset_pages(WHOLE, volatile=False)))
    assert (found.written, found.used) == (None, None)
    assert found.snapshots == WHOLE.snapshots


def test_many_snapshots_go_in_pages_each_of_which_fits() -> None:
    dataset = many(10_001, name="x" * 240 + "_{:06}")
    pages = dataset_pages(dataset)
    assert len(pages) > 3
    assert all(len(encode_page(page)) < MEBIBYTE for page in pages)
    assert read_dataset(through_json(pages)) == dataset


def test_a_page_has_so_many_rows_at_most() -> None:
    dataset = many(25)
    pages = dataset_pages(dataset, most_rows=10)
    assert [len(page["Snapshots"]) for page in pages] == [10, 10, 5]  # type: ignore[arg-type]
    assert read_dataset(pages) == dataset


def test_the_stamp_tells_states_apart() -> None:
    stamps = {
        dataset_pages(one, volatile=False)[0]["Stamp"]
        for one in (many(3), many(4), many(3, name="cold_{}"), WHOLE)
    }
    assert len(stamps) == 4
    assert dataset_pages(many(3))[0]["Stamp"] == dataset_pages(many(3))[0]["Stamp"]


def test_pages_of_two_states_are_never_put_together() -> None:
    before, after = (dataset_pages(many(count), most_rows=10) for count in (15, 16))
    with pytest.raises(BadInventory, match="another state"):
        read_dataset([before[0], after[1]])


@pytest.mark.parametrize("order", [[1], [0], [0, 0], [0, 2], [0, 1, 2, 2]])
def test_pages_that_are_missing_or_too_many_are_told(order: list[int]) -> None:
    pages = dataset_pages(many(25), most_rows=10)
    with pytest.raises(BadInventory):
        read_dataset([pages[number] for number in order])


def test_a_reader_takes_one_dataset_after_another() -> None:
    reader = DatasetReader()
    found = []
    for page in (*dataset_pages(many(25), most_rows=10), *dataset_pages(WHOLE)):
        if (dataset := reader.add(page)) is not None:
            assert reader.complete
            found.append(dataset)
    assert found == [many(25), WHOLE]


@pytest.mark.parametrize(
    "changes",
    [
        {"Name": "-r"},
        {"Name": "ssd/../x"},
        {"Name": 7},
        {"Kind": "snapshot"},
        {"Guid": "-1"},
        {"Guid": str(2**64)},
        {"Pages": 0},
        {"Pages": 10**9},
        {"Page": -1},
        {"Snapshots": {}},
        {"Snapshots": [["one", "1", 2]]},
        {"Snapshots": [["one", 1, 2, 3]]},
        {"Snapshots": [["one", "1", "2", 3]]},
        {"Snapshots": [["one", "1", True, 3]]},
        {"Snapshots": [["one", "1", -2, 3]]},
        {"Snapshots": [["a@b", "1", 2, 3]]},
        {"Snapshots": [["one", "1" * 30, 2, 3]]},
        {"Snapshots": [["one", "1", 2, 3, {"holds": -1}]]},
        {"Snapshots": [["one", "1", 2, 3, {"clones": "x"}]]},
        {"Snapshots": [["one", "1", 2, 3, 4]]},
        {"Bookmarks": [["#", "1", 2, 3]]},
        {"Properties": {"a": 1}},
        {"KeyLoaded": "yes"},
    ],
)
def test_what_is_no_dataset_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadInventory):
        read_dataset([dataset_pages(WHOLE)[0] | changes])


NAMES = st.text("abz019_.:-", min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and not name.startswith("-")
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.integers(0, 2**64 - 1), st.integers(0, 9)), max_size=30),
    st.integers(1, 10),
    st.integers(100, 2000),
)
def test_nothing_is_lost_however_the_pages_are_cut(
    rows: list[tuple[str, int, int]], most_rows: int, most_bytes: int
) -> None:
    snapshots = tuple(Snapshot(name, guid, 1, 2, holds) for name, guid, holds in rows)
    marks = tuple(Bookmark(name, guid, 1, 2) for name, guid, _ in rows)
    dataset = Dataset(name="a/b", guid=5, snapshots=snapshots, bookmarks=marks)
    pages = dataset_pages(dataset, most_rows=most_rows, most_bytes=most_bytes)
    assert read_dataset(through_json(pages)) == dataset
