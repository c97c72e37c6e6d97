"""What is run, and what is not: the promises of etcdwatch, without a process or a clock."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.model import Origin, Step
from lochkit.etcdwatch.changes import Summary
from lochkit.etcdwatch.desk import Desk, Job
from lochkit.etcdwatch.formats import Format
from lochkit.etcdwatch.guards import Guards, NotReadable, Refusal, Shrunk, TooFew
from lochkit.etcdwatch.selection import Selection
from lochkit.etcdwatch.text import Binary

from .steps import MiniStore

ROOT = Selection(paths=("/",))


def desk_of(wanted: Format = Format.JSON, selection: Selection = ROOT, **options: Any) -> Desk:
    return Desk(selection, wanted, **options)


def run(desk: Desk, *steps: Step) -> Any:
    """Apply the steps and run what there is then; return what the command would read, or None."""
    for step in steps:
        desk.apply(step)
    job = desk.next()
    if job is None:
        return None
    desk.began(job)
    return json.loads(text_of(job))


def refusal_of(desk: Desk) -> Refusal | None:
    return desk.refusal


def left_out_of(desk: Desk) -> tuple[str, ...]:
    return desk.left_out


def text_of(job: Job) -> str:
    return b"".join(job.content).decode()


def lines_of(job: Job) -> list[Any]:
    return [json.loads(line) for line in job.change_lines(Summary())]


def test_nothing_is_run_before_the_first_step() -> None:
    assert desk_of().next() is None


def test_first_state_is_run_even_when_it_is_empty() -> None:
    assert run(desk_of(), MiniStore().listed()) == {}
    assert run(desk_of(), MiniStore(a="1").listed()) == {"a": "1"}


def test_change_is_run() -> None:
    store, desk = MiniStore(a="1"), desk_of()
    run(desk, store.listed())
    assert run(desk, store.put("/a", "2")) == {"a": "2"}


def test_same_state_is_not_run_again() -> None:
    """A7.13 and A4: neither after a rewrite, nor a put and its deletion, nor a reconnect."""
    store, desk = MiniStore(a="1"), desk_of()
    run(desk, store.listed())
    assert run(desk, store.put("/a", "1")) is None
    assert run(desk, store.put("/b", "1"), store.delete("/b")) is None
    assert run(desk, Step(revision=store.revision, changes={}, origin=Origin.RESYNCED)) is None


def test_same_state_is_run_when_asked_for() -> None:
    store, desk = MiniStore(a="1"), desk_of(run_unchanged=True)
    run(desk, store.listed())
    assert run(desk, store.put("/a", "1")) == {"a": "1"}


def test_deleted_and_expired_keys_are_gone_with_their_directory() -> None:
    """A7.3 and A7.7: no null, no {}."""
    store, desk = MiniStore(), desk_of()
    run(desk, store.put("/a/b/c", "1"), store.put("/x", "1"))
    assert run(desk, store.delete("/a/b/c")) == {"x": "1"}


def test_key_replaced_by_a_directory_and_back() -> None:
    """A7.6: a crash of the original's."""
    store, desk = MiniStore(), desk_of()
    assert run(desk, store.put("/a", "1"), store.put("/a/b", "2")) == {"a": {"": "1", "b": "2"}}
    assert run(desk, store.delete("/a")) == {"a": {"b": "2"}}
    assert run(desk, store.transact({"/a/b": None, "/a": "3"})) == {"a": "3"}


def test_top_is_the_root_whatever_the_path() -> None:
    store, desk = MiniStore(), desk_of(selection=Selection(paths=("/a/x",)))
    assert run(desk, store.put("/a/x", "1")) == {"a": {"x": "1"}}


def test_not_recursive_shows_the_keys_directly_below_and_their_updates() -> None:
    store, desk = MiniStore(), desk_of(selection=Selection(paths=("/a",), recursive=False))
    assert run(desk, store.put("/a/x", "1"), store.put("/a/y/z", "2")) == {"a": {"x": "1"}}
    assert run(desk, store.put("/a/y/z", "3")) is None
    assert run(desk, store.put("/a/x", "4")) == {"a": {"x": "4"}}


def test_changes_are_those_since_the_state_the_command_saw() -> None:
    store, desk = MiniStore(a="1", b="1"), desk_of(Format.FLAT)
    run(desk, store.listed())
    for step in (
        store.put("/a", "2"),
        store.put("/a", "3"),
        store.delete("/b"),
        store.put("/c", "x"),
    ):
        desk.apply(step)
    job = desk.next()
    assert job is not None
    assert [(c["type"], c["key"], c["value"], c["prev_value"]) for c in lines_of(job)] == [
        ("put", "/a", "3", "1"),
        ("delete", "/b", None, "1"),
        ("put", "/c", "x", None),
    ]
    assert (job.previous_revision, job.revision) == (3, 7)
    summary = Summary()
    list(job.change_lines(summary))
    assert job.environment(summary) == {
        "LOCHKIT_REVISION": "7",
        "LOCHKIT_PREVIOUS_REVISION": "3",
        "LOCHKIT_KEY_COUNT": "2",
        "LOCHKIT_CHANGED_COUNT": "3",
        "LOCHKIT_CHANGED_KEYS": "/a\n/b\n/c",
    }


def test_first_run_changes_everything() -> None:
    store, desk = MiniStore(a="1", b="2"), desk_of()
    desk.apply(store.listed())
    job = desk.next()
    assert job is not None
    assert [c["key"] for c in lines_of(job)] == ["/a", "/b"]
    assert job.previous_revision == 0


def test_ndjson_is_the_changes() -> None:
    store, desk = MiniStore(a="1"), desk_of(Format.NDJSON)
    desk.apply(store.listed())
    job = desk.next()
    assert job is not None
    assert json.loads(text_of(job))["key"] == "/a"
    desk.began(job)
    desk.apply(store.put("/a", "1"))
    assert desk.next() is None
    desk.apply(store.delete("/a"))
    job = desk.next()
    assert job is not None
    assert json.loads(text_of(job))["type"] == "delete"


def test_ndjson_of_nothing_is_run_once() -> None:
    desk = desk_of(Format.NDJSON)
    desk.apply(MiniStore().listed())
    job = desk.next()
    assert job is not None
    assert job.content == ()


def test_failed_run_is_run_again_with_the_same_changes_and_the_newest_state() -> None:
    store, desk = MiniStore(a="1"), desk_of()
    run(desk, store.listed())
    desk.apply(store.put("/a", "2"))
    job = desk.next()
    assert job is not None
    desk.began(job)
    desk.apply(store.put("/b", "x"))
    desk.failed(job)
    again = desk.next()
    assert again is not None
    assert json.loads(text_of(again)) == {"a": "2", "b": "x"}
    assert [(c["key"], c["prev_value"]) for c in lines_of(again)] == [("/a", "1"), ("/b", None)]
    assert again.previous_revision == 2


def test_failed_run_is_run_again_even_when_the_state_went_back() -> None:
    """Half a run with another state may have been done since."""
    store, desk = MiniStore(a="1"), desk_of()
    run(desk, store.listed())
    desk.apply(store.put("/a", "2"))
    job = desk.next()
    assert job is not None
    desk.began(job)
    desk.failed(job)
    assert run(desk, store.put("/a", "1")) == {"a": "1"}


def test_while_a_job_runs_only_another_state_is_news() -> None:
    store, desk = MiniStore(a="1"), desk_of()
    assert run(desk, store.listed()) == {"a": "1"}
    desk.apply(store.put("/a", "2"))
    assert desk.next() is not None
    assert desk.next() is None  # asked already
    desk.apply(store.put("/a", "1"))
    assert desk.next() is None  # back to what is running
    desk.look_again()
    assert desk.next() is None


def test_refused_state_is_kept_and_the_next_good_one_runs() -> None:
    store, desk = MiniStore(a="1", b="2", c="3"), desk_of(guards=Guards(min_keys=2))
    run(desk, store.listed())
    assert run(desk, store.delete("/a", "/b")) is None
    assert refusal_of(desk) == TooFew(count=1, wanted=2)
    desk.apply(store.put("/d", "4"))
    job = desk.next()
    assert job is not None
    assert refusal_of(desk) is None
    assert json.loads(text_of(job)) == {"c": "3", "d": "4"}
    assert [(c["type"], c["key"]) for c in lines_of(job)] == [
        ("delete", "/a"),
        ("delete", "/b"),
        ("put", "/d"),
    ]


def test_shrinking_is_measured_against_the_last_state_let_through() -> None:
    store = MiniStore(a="1", b="2", c="3", d="4")
    desk = desk_of(guards=Guards(max_shrink_percent=50))
    run(desk, store.listed())
    assert run(desk, store.delete("/a", "/b")) == {"c": "3", "d": "4"}
    assert run(desk, store.delete("/c", "/d")) is None
    assert desk.refusal == Shrunk(before=2, count=0, allowed_percent=50)
    assert run(desk, store.put("/e", "5")) == {"e": "5"}


@pytest.mark.parametrize("wanted", [Format.JSON, Format.FLAT])
def test_binary_value_is_refused_until_it_is_gone(wanted: Format) -> None:
    store, desk = MiniStore(a="1"), desk_of(wanted)
    run(desk, store.listed())
    assert run(desk, store.put("/b", b"\xff"), store.put("/c", b"\xfe")) is None
    assert desk.refusal == NotReadable(key=b"/b", count=2, reason="not UTF-8; see --binary")
    assert str(desk.refusal) == "b'/b' (and 1 more): not UTF-8; see --binary"
    assert run(desk, store.put("/b", "text")) is None
    assert run(desk, store.delete("/c")) is not None


def test_binary_value_can_be_skipped_or_encoded() -> None:
    store = MiniStore(a="1")
    steps = [store.listed(), store.put("/b", b"\xff"), store.put(b"/\xff", "x")]
    skipping, encoding = desk_of(binary=Binary.SKIP), desk_of(binary=Binary.BASE64)
    assert run(skipping, *steps) == {"a": "1"}
    assert left_out_of(skipping) == ("/\\xff", "/b")
    assert run(encoding, *steps) == {"a": "1", "b": {"base64": "/w=="}, "base64:_w==": "x"}
    assert encoding.left_out == ()
    gone = store.delete("/b", b"/\xff")
    assert run(skipping, gone) is None
    assert left_out_of(skipping) == ()
    assert run(encoding, gone) == {"a": "1"}


def test_key_too_deep_for_parsers_is_refused_but_not_by_flat() -> None:
    store = MiniStore()
    deep = store.put("/x" * 129, "1")
    desk, flat = desk_of(), desk_of(Format.FLAT)
    assert run(desk, deep) is None
    assert isinstance(desk.refusal, NotReadable)
    assert run(flat, deep) == {"/x" * 129: "1"}
    assert run(desk, store.delete("/x" * 129)) == {}


def test_key_as_deep_as_allowed_is_shown_in_every_format() -> None:
    for wanted in Format:
        desk = desk_of(wanted)
        desk.apply(MiniStore().put("/x" * 128, "1"))
        assert desk.next() is not None


def test_keys_without_a_place_are_named() -> None:
    store, desk = MiniStore(), desk_of()
    run(desk, store.transact({"/a": "1", "/a/": "2", "/a/b": "3"}))
    assert desk.left_out == ("/a/",)


keys = st.sampled_from([b"/a", b"/a/b", b"/a/", b"/b", b"c", b"/\xff"])
values = st.one_of(st.none(), st.sampled_from([b"1", b"2", b"\xff"]))


@pytest.mark.parametrize("binary", list(Binary))
@pytest.mark.parametrize("wanted", [Format.JSON, Format.FLAT, Format.ENV])
@given(history=st.lists(st.tuples(keys, values, st.booleans()), max_size=20))
def test_what_is_run_depends_on_the_state_alone(
    wanted: Format, binary: Binary, history: list[tuple[bytes, bytes | None, bool]]
) -> None:
    """Any history, with runs in between, ends with what a fresh start would run."""
    selection = Selection(prefixes=(b"",))
    store, desk = MiniStore(), desk_of(wanted, selection, binary=binary)
    last: tuple[bytes, ...] | None = None
    desk.apply(store.listed())
    for key, value, ask in history:
        desk.apply(store.delete(key) if value is None else store.put(key, value))
        if ask and (job := desk.next()):
            desk.began(job)
            last = job.content
    if job := desk.next():
        last = job.content
    fresh = desk_of(wanted, selection, binary=binary)
    fresh.apply(store.listed())
    expected = fresh.next()
    assert desk.refusal == fresh.refusal
    if expected is not None:
        assert last == expected.content
