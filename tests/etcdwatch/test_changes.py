import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import KeyChange
from lochkit.etcdwatch.changes import (
    MAX_KEYS_BYTES,
    Ledger,
    ShownChange,
    Summary,
    change_line,
    shown_changes,
)
from lochkit.etcdwatch.text import Base64, Binary

from .steps import MiniStore


def line(change: ShownChange, revision: int = 9) -> object:
    text = change_line(change, revision)
    assert text.endswith("}\n")
    assert text.isascii()
    assert text.count("\n") == 1
    return json.loads(text)


def test_put() -> None:
    kv = KeyValue(b"/a", 3, 7, 2, b"x", 5)
    assert line(ShownChange("/a", "old\n", "é", kv)) == {
        "type": "put",
        "key": "/a",
        "value": "é",
        "prev_value": "old\n",
        "revision": 7,
        "create_revision": 3,
        "version": 2,
        "lease": 5,
    }


def test_delete() -> None:
    assert line(ShownChange("/a", Base64("_w=="), None, None)) == {
        "type": "delete",
        "key": "/a",
        "value": None,
        "prev_value": {"base64": "_w=="},
        "revision": 9,
    }


def test_value_that_is_not_text_is_not_there_when_skipped() -> None:
    old, new = KeyValue(b"/a", 1, 1, 1, b"\xff", 0), KeyValue(b"/a", 1, 2, 2, b"x", 0)
    forth, back = KeyChange(b"/a", old, new), KeyChange(b"/a", new, old)
    assert list(shown_changes([forth], Binary.SKIP)) == [ShownChange("/a", None, "x", new)]
    assert list(shown_changes([back], Binary.SKIP)) == [ShownChange("/a", "x", None, None)]
    assert list(shown_changes([KeyChange(b"/a", None, old)], Binary.SKIP)) == []
    assert list(shown_changes([forth], Binary.BASE64)) == [
        ShownChange("/a", Base64("/w=="), "x", new)
    ]


ops = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", None])), max_size=12)


@given(first=ops, handed=ops, later=ops, failed=st.booleans())
def test_net_is_the_difference_to_what_the_command_saw(
    first: list[tuple[str, str | None]],
    handed: list[tuple[str, str | None]],
    later: list[tuple[str, str | None]],
    failed: bool,
) -> None:
    store, ledger = MiniStore(), Ledger()

    def play(operations: list[tuple[str, str | None]]) -> None:
        for key, value in operations:
            step = store.delete(key) if value is None else store.put(key, value)
            for change in step.changes.values():
                ledger.note(change)

    def values() -> dict[bytes, bytes]:
        return {key: kv.value for key, kv in store.entries.items()}

    play(first)
    ledger.clear()
    seen = values()
    play(handed)
    given_to_command = ledger.net(store.entries)
    ledger.clear()
    if not failed:
        seen = values()
    play(later)
    if failed:
        ledger.reopen(given_to_command)
    now = values()
    net = {c.key: (c.old and c.old.value, c.new and c.new.value) for c in ledger.net(store.entries)}
    assert net == {
        key: (seen.get(key), now.get(key))
        for key in seen.keys() | now.keys()
        if seen.get(key) != now.get(key)
    }
    assert list(net) == sorted(net)


def test_ledger_does_not_grow_with_keys_that_come_and_go() -> None:
    store, ledger = MiniStore(), Ledger()
    for n in range(1000):
        for step in (store.put(f"/{n}", "x"), store.delete(f"/{n}")):
            for change in step.changes.values():
                ledger.note(change)
    assert len(vars(ledger)["_before"]) == 0


def summary_of(*keys: str) -> Summary:
    summary = Summary()
    changes = [ShownChange(key, None, "x", None) for key in keys]
    assert list(summary.watch(changes)) == changes
    return summary


def test_summary() -> None:
    assert (summary_of().count, summary_of().keys) == (0, "")
    assert (summary_of("/a", "/b").count, summary_of("/a", "/b").keys) == (2, "/a\n/b")


@pytest.mark.parametrize(
    "keys", [("/a\nb",), ("/a\0",), ("k" * MAX_KEYS_BYTES,), ("é" * 100,) * 100]
)
def test_keys_that_do_not_fit_into_a_variable_are_not_told(keys: tuple[str, ...]) -> None:
    summary = summary_of(*keys, "/z")
    assert summary.keys is None
    assert summary.count == len(keys) + 1


def test_keys_told_are_bounded() -> None:
    keys = summary_of(*["k" * 100] * 10_000).keys
    assert keys is None
    fitting = summary_of(*["k" * 99] * (MAX_KEYS_BYTES // 100)).keys
    assert fitting is not None
    assert len(fitting) <= MAX_KEYS_BYTES
