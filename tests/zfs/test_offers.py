"""Control messages of replication: what is written is read again, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.wire.control import MESSAGE_LIMIT, decode_message, encode_message
from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure
from lochkit.zfs.model import Kind
from lochkit.zfs.offers import (
    BETWEEN_MOST,
    RELEASABLE_MOST,
    AbortReceive,
    Accept,
    Answer,
    Base,
    Bye,
    Done,
    Failed,
    Greeting,
    InventoryEnd,
    InventoryRequest,
    Offer,
    Received,
    Refuse,
    Releasable,
    ReleasableRequest,
    Request,
    SnapshotId,
)
from lochkit.zfs.offers_answers import answer_message, read_answer
from lochkit.zfs.offers_fields import BadMessage
from lochkit.zfs.offers_requests import read_request, request_message

LAST = 2**64 - 1
PLAIN = Offer(
    replication="job", dataset="bulk/web1/data", to=SnapshotId(guid=7, name="hot_2026-01-01")
)
FULL = Offer(
    replication="a.b-c_1",
    dataset="bulk/web1/data",
    to=SnapshotId(guid=LAST, name="two"),
    kind=Kind.VOLUME,
    order="5d3c",
    source="ssd/data",
    base=Base(guid=1, name="one", bookmark=True),
    token="1-abc-def",
    between=(2, 3),
    raw=True,
    properties=True,
    size=12345,
    compression="zstd",
    set_properties={"readonly": "on", "lochkit:source": "17"},
    exclude_properties=("mountpoint",),
    resumable=True,
    rollback=True,
    would_lose=(8, 9),
    placeholders=("bulk/web1",),
    hold_tag="lochkit:a.b-c_1:last",
)
REQUESTS: list[Request] = [
    PLAIN,
    FULL,
    InventoryRequest(datasets=("bulk/a", "bulk/b"), recursive=False, properties=("x:y", "quota")),
    ReleasableRequest(datasets=("bulk/a",), replication="job"),
    AbortReceive(dataset="bulk/a", token="1-abc"),
    Bye(),
]
ANSWERS: list[Answer] = [
    Greeting(
        capabilities=Capabilities.everything("zfs-2.3.2"),
        compressions=("zstd", "gzip"),
        rollback=True,
        properties=True,
    ),
    Greeting(capabilities=Capabilities(version="zfs-fuse")),
    Refuse(failure=Failure.DENIED, message="no"),
    Received(guid=LAST, bytes=1, snapshots=2, warning="odd"),
    Failed(failure=Failure.RESUMABLE, message="cut", token="1-a", bytes=9),
    InventoryEnd(at=5),
    Releasable(guids=(1, LAST)),
    Accept(),
    Done(),
    Bye(),
]


def over_the_wire(message: dict[str, object]) -> dict[str, object]:
    return decode_message(encode_message(message))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
def test_requests_are_read_as_they_were_written(request_: Request) -> None:
    assert read_request(over_the_wire(request_message(request_))) == request_


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda one: type(one).__name__)
def test_answers_are_read_as_they_were_written(answer: Answer) -> None:
    assert read_answer(over_the_wire(answer_message(answer))) == answer


BAD_NAMES = [
    "",
    "/",
    "bulk/",
    "/bulk",
    "bulk//a",
    "bulk/..",
    "bulk/../root",
    "bulk/./a",
    "-F",
    "bulk/-a",
    "bulk/a@b",
    "bulk/a#b",
    "bulk/a%b",
    "bulk/a,b",
    "bulk/a\nb",
    "bulk/a\0",
    "bulk/ä",
    "bulk/" + "a" * 300,
    "bulk" + "/a" * 60,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_none_are_refused(name: str) -> None:
    for key, value in (("DestDataset", name), ("Placeholders", [name])):
        message = request_message(PLAIN) | {key: value}
        with pytest.raises(BadMessage):
            read_request(message)
    with pytest.raises(BadMessage):
        read_request({"Type": "inventory", "Datasets": [name]})
    with pytest.raises(BadMessage):
        read_request({"Type": "abort-receive", "DestDataset": name, "Token": "1"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "offers"),
        ("Type", None),
        ("Surprise", 1),
        ("Replication", "a:b"),
        ("Replication", "a" * 65),
        ("Replication", ""),
        ("OrderUUID", "x" * 65),
        ("Kind", "directory"),
        ("To", None),
        ("To", {"Guid": 7, "Name": "one"}),
        ("To", {"Guid": "0", "Name": "one"}),
        ("To", {"Guid": str(LAST + 1), "Name": "one"}),
        ("To", {"Guid": "-1", "Name": "one"}),
        ("To", {"Guid": "٣", "Name": "one"}),
        ("To", {"Guid": "7", "Name": "a@b"}),
        ("To", {"Guid": "7", "Name": "-one"}),
        ("To", {"Guid": "7", "Name": "one", "More": 1}),
        ("From", {"Guid": "7", "Name": "one", "Kind": "clone"}),
        ("From", []),
        ("Token", 5),
        ("Token", "x" * 5000),
        ("Token", "a\nb"),
        ("Between", ["7", "7"]),
        ("Between", [7]),
        ("Between", [str(n + 1) for n in range(BETWEEN_MOST + 1)]),
        ("WouldLose", [str(n + 1) for n in range(10_001)]),
        ("Raw", 1),
        ("Rollback", "yes"),
        ("Size", -1),
        ("Size", True),
        ("Size", 1.5),
        ("Size", 2**63),
        ("Compression", "xz"),
        ("Compression", "zstd; rm"),
        ("Set", {"readonly": 1}),
        ("Set", ["readonly"]),
        ("Set", {"readonly": "x" * 2000}),
        ("Set", {f"a:{n}": "" for n in range(101)}),
        ("Exclude", ["Mount Point"]),
        ("Exclude", ["-o"]),
        ("Placeholders", ["bulk/a"] * 51),
        ("HoldTag", 1),
    ],
)
def test_fields_that_are_out_of_bounds_are_refused(key: str, value: object) -> None:
    with pytest.raises(BadMessage):
        read_request(request_message(PLAIN) | {key: value})


def test_the_largest_messages_fit_a_frame() -> None:
    longest = "a" * 240
    offer = Offer(
        replication="r" * 64,
        dataset="bulk/" + longest,
        to=SnapshotId(guid=LAST, name=longest),
        between=tuple(range(LAST - BETWEEN_MOST, LAST)),
        would_lose=tuple(range(LAST - 10_000, LAST)),
        set_properties={f"lochkit:{n:03}{longest[:180]}": "x" * 1024 for n in range(100)},
        placeholders=tuple(f"bulk/{n:03}{longest}" for n in range(50)),
    )
    assert len(encode_message(request_message(offer))) < MESSAGE_LIMIT
    assert read_request(over_the_wire(request_message(offer))) == offer
    many = Releasable(guids=tuple(range(LAST - RELEASABLE_MOST - 5, LAST)))
    assert len(encode_message(answer_message(many))) < MESSAGE_LIMIT


def test_words_for_people_are_made_to_fit() -> None:
    answer = read_answer(answer_message(Refuse(failure=Failure.OTHER, message="a\nb" * 5000)))
    assert isinstance(answer, Refuse)
    assert answer.message.startswith("a ba b")
    assert len(answer.message) <= 2000


def test_a_capability_that_is_unknown_here_is_not_used() -> None:
    message = answer_message(Greeting(capabilities=Capabilities(version="zfs-9")))
    message["Flags"] = ["resume", "time_travel"]
    answer = read_answer(message)
    assert isinstance(answer, Greeting)
    assert answer.capabilities == Capabilities(version="zfs-9", resume=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
MESSAGES = [*map(request_message, REQUESTS), *map(answer_message, ANSWERS)]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_comes_is_read_or_refused(data: st.DataObject) -> None:
    message: dict[str, Any] = dict(data.draw(st.sampled_from(MESSAGES)))
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from([*message, "Other"]))
        message[key] = data.draw(JSON)
    for read in (read_request, read_answer):
        complaint = ""
        try:
            read(message)
        except BadMessage as exc:
            complaint = str(exc)
        assert complaint.isprintable()
