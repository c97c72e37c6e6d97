"""Snapshots in every shape lead to the same keys, and what is none is refused in a sentence."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.inventory import Inventory
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.model import Group
from lochkit.dhcp.snapshot import SnapshotError, read_snapshot
from lochkit.etcd.model import Appeared
from lochkit.etcdwatch.formats import Format, layout_for
from lochkit.etcdwatch.text import Base64
from tests.dhcp.hosts import GOLDEN, GOLDEN_UPDATE

LAYOUT = Layout()
TEXTS: dict[str, str] = json.loads((GOLDEN / "etcd-keys.json").read_text())
GUEST = "/lochness/guests/04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101/metadata"


def plain(content: bytes, layout: Layout = LAYOUT) -> dict[str, str]:
    return {
        key.decode(): entry.value.decode() for key, entry in read_snapshot(content, layout).items()
    }


def parsed(text: str) -> Any:
    return json.loads(text) if text.startswith("{") else text


def tree(texts: dict[str, str], wanted: Format) -> bytes:
    """What etcdwatch gives its command."""
    layout = layout_for(wanted)
    for key, text in texts.items():
        layout.put(key, text)
    return b"".join(layout.document().chunks)


def etcdctl(texts: dict[str, str]) -> bytes:
    kvs = [
        {
            "key": base64.b64encode(key.encode()).decode(),
            "create_revision": number,
            "mod_revision": number + 1,
            "version": 2,
            "value": base64.b64encode(text.encode()).decode(),
        }
        for number, (key, text) in enumerate(texts.items(), start=5)
    ]
    return json.dumps({"header": {"revision": 99}, "kvs": kvs, "count": len(kvs)}).encode()


def as_objects(texts: dict[str, str]) -> dict[str, Any]:
    return {key: parsed(text) for key, text in texts.items()}


def yaml_of(document: dict[str, Any]) -> bytes:
    """One line for each key, as somebody might write it."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in document.items()).encode()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(TEXTS).encode(),
        b"\xef\xbb\xbf" + json.dumps(as_objects(TEXTS), indent=2).encode(),
        tree(TEXTS, Format.FLAT),
        tree(TEXTS, Format.JSON),
        tree(TEXTS, Format.YAML),
        json.dumps(json.loads(tree(TEXTS, Format.JSON))["lochness"]).encode(),
        etcdctl(TEXTS),
        b"# by hand\n---\n" + yaml_of(TEXTS),
        yaml_of(as_objects(TEXTS)),
    ],
    ids=[
        *("flat", "objects", "etcdwatch-flat", "tree", "tree-yaml", "subtree"),
        *("etcdctl", "yaml", "yaml-objects"),
    ],
)
def test_every_shape_holds_the_same_keys(content: bytes) -> None:
    assert plain(content) == TEXTS
    inventory = Inventory(LAYOUT)
    inventory.apply(Appeared(read_snapshot(content, LAYOUT)))
    assert inventory.served(Group.GUESTS) == GOLDEN_UPDATE.guests
    assert inventory.served(Group.HYPERVISORS) == GOLDEN_UPDATE.hypervisors


def test_an_object_in_a_tree_may_be_a_value() -> None:
    found = json.loads(tree(TEXTS, Format.JSON))
    guests = found["lochness"]["guests"]
    for guest in guests.values():
        guest["metadata"] = json.loads(guest["metadata"])
    assert plain(json.dumps(found).encode()) == TEXTS


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        ({"lochness": {"guests": {"x": {"metadata": {"": "1", "y": "2"}}}}}, ["", "/y"]),
        ({"lochness": {"guests": {"x": {"metadata": "1"}}}}, [""]),
        ({"guests": {"x": {"metadata": {"id": "x"}}}}, [""]),
        ({"guests": {"x": {"metadata": {"base64": "/w=="}}}}, [""]),
        ({"guests": {"x": {"metadata": {}}}}, [""]),
    ],
)
def test_what_is_a_directory_in_a_tree_and_what_is_a_value(
    document: dict[str, Any], keys: list[str]
) -> None:
    found = read_snapshot(json.dumps(document).encode(), LAYOUT)
    assert [key.decode() for key in found] == [f"/lochness/guests/x/metadata{end}" for end in keys]


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        ("text", b"text"),
        ("", b""),
        (None, b""),
        (5, b"5"),
        (True, b"true"),
        ([1, None], b"[1,null]"),
        ({"a": "\u00e9"}, b'{"a":"\\u00e9"}'),
        ({"base64": "/w=="}, b"\xff"),
        ({"base64": "?"}, b'{"base64":"?"}'),
    ],
)
def test_values(value: Any, bytes_: bytes) -> None:
    found = read_snapshot(json.dumps({"/lochness/config/x": value}).encode(), LAYOUT)
    assert found[b"/lochness/config/x"].value == bytes_


def test_etcdctl_tells_when_keys_were_created() -> None:
    found = read_snapshot(etcdctl({"/lochness/b": "1", "/lochness/a": "2"}), LAYOUT)
    assert found[b"/lochness/b"].create_revision == 5
    assert found[b"/lochness/a"].create_revision == 6


@pytest.mark.parametrize(
    "content", [b"{}", b"", b"# nothing\n", b'{"header":{"revision":4}}', b'{"kvs":null}']
)
def test_a_snapshot_may_be_empty(content: bytes) -> None:
    assert read_snapshot(content, LAYOUT) == {}


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        ("/lochness", "/lochness/guests/x/metadata"),
        ("lochness", "lochness/guests/x/metadata"),
        ("/a/b/", "/a/b/guests/x/metadata"),
        ("/", "/guests/x/metadata"),
        ("", "guests/x/metadata"),
    ],
)
def test_the_prefix_tells_how_the_keys_of_a_tree_begin(prefix: str, key: str) -> None:
    for texts in ({key: "v"}, {key: "v", "/elsewhere": "w"}):
        assert plain(tree({key: "v"}, Format.JSON), Layout(prefix)) == {key: "v"}
        assert plain(tree(texts, Format.FLAT), Layout(prefix)) == texts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "not UTF-8"),
        (b"[]", "not an object"),
        (b"- a\n- b\n", "not an object"),
        (b"{", "not JSON"),
        (b'{"/lochness/a": NaN}', "NaN is not a number"),
        (b'{"/lochness/a": "", "/lochness/a": ""}', '"/lochness/a" stands twice'),
        (b'{"/lochness/a": {"b": 1, "b": 2}}', '"b" stands twice'),
        (b"[" * 100_000, "too deeply"),
        (b'{"/lochness/a": "\\ud800"}', "surrogate"),
        (b'{"/lochness/\\udfff": ""}', "surrogate"),
        (b"a: [\n", "not YAML: "),
        (b"a: b\na: c\n", 'duplicate key "a"'),
        (b"a: b: c\n", "(line 1, column 5)"),
        (b"---\na: b\n---\nc: d\n", "single document"),
        (b"a: !!python/object:x 1\n", "constructor for the tag"),
        (b"/lochness/a: &x {b: c}\n/lochness/d: *x\n", "is an alias"),
        (b"/lochness/a: &x [*x]\n", "is an alias"),
        (b"/lochness/a:\n  b: 2026-01-01\n", '"b" is a date'),
        (b"guests:\n  12: {}\n", '"guests" has the name 12'),
        (b"/lochness/a: .inf\n", "not JSON"),
        (b"/lochness/a: 2026-99-99\n", "not YAML"),
        (b'{"kvs": {}}', "not a list"),
        (b'{"kvs": [5]}', "entry 1"),
        (b'{"kvs": [{"key": "?"}]}', "entry 1"),
        (b'{"kvs": [{"key": 5}]}', "entry 1"),
        (b'{"kvs": [{"key": "eA==", "version": "x"}]}', "entry 1"),
        (b'{"kvs": [], "more": true}', "--limit"),
        (b'{"/other/guests/x/metadata": ""}', '"/lochness/"'),
        (b'{"other": {"guests": {}}}', "guests, hypervisors, subnets"),
        (b'{"lochness": "text"}', "nothing at"),
    ],
)
def test_what_is_no_snapshot_is_refused_in_a_sentence(content: bytes, words: str) -> None:
    with pytest.raises(SnapshotError) as caught:
        read_snapshot(content, LAYOUT)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


SEGMENTS = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=5)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
WORDS = st.text(st.characters(codec="utf-8"), max_size=10)


@given(st.dictionaries(KEYS, WORDS, max_size=6), st.sampled_from([Format.JSON, Format.YAML]))
def test_what_etcdwatch_writes_is_read_again(texts: dict[str, str], wanted: Format) -> None:
    texts = {f"/lochness/hypervisors/{key}": text for key, text in texts.items()}
    assert plain(tree(texts, wanted)) == texts
    assert plain(tree(texts, Format.FLAT)) == texts


def test_values_that_are_not_text_are_read_again() -> None:
    for wanted in (Format.JSON, Format.YAML, Format.FLAT):
        layout = layout_for(wanted)
        layout.put(GUEST, Base64(base64.b64encode(b"\xff\x00").decode()))
        content = b"".join(layout.document().chunks)
        assert read_snapshot(content, LAYOUT)[GUEST.encode()].value == b"\xff\x00"


@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_whatever_it_is_it_is_read_or_refused(content: bytes) -> None:
    with suppress(SnapshotError):
        read_snapshot(content, LAYOUT)
