"""Every format: the golden rows of the original, and the same bytes for the same state."""

import json
import pickle
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcdwatch.formats import Format, layout_for
from lochkit.etcdwatch.text import Base64, Leaf

ROWS: dict[str, Leaf] = {"/a/x": "1", "/a/y/z": '{"j":1}', "/b": "été"}
NESTED = {"a": {"x": "1", "y": {"z": '{"j":1}'}}, "b": "été"}

GOLDEN = {
    Format.JSON: b'{"a": {"x": "1", "y": {"z": "{\\"j\\":1}"}}, "b": "\\u00e9t\\u00e9"}',
    Format.YAML: b"a:\n  x: '1'\n  y:\n    z: '{\"j\":1}'\nb: \"\\xE9t\\xE9\"\n",
    Format.FLAT: b'{"/a/x": "1", "/a/y/z": "{\\"j\\":1}", "/b": "\\u00e9t\\u00e9"}',
    Format.ENV: "a_x='1'\na_y_z='{\"j\":1}'\nb='été'\n".encode(),
    Format.TOML: 'b = "été"\n\n[a]\nx = "1"\n\n[a.y]\nz = "{\\"j\\":1}"\n'.encode(),
}
EMPTY = {
    Format.JSON: b"{}",
    Format.YAML: b"{}\n",
    Format.FLAT: b"{}",
    Format.ENV: b"",
    Format.TOML: b"",
}
READERS: dict[Format, Callable[[bytes], Any]] = {
    Format.JSON: json.loads,
    Format.YAML: yaml.safe_load,
    Format.TOML: lambda data: tomllib.loads(data.decode()),
    Format.PICKLE: pickle.loads,
}
STATE_FORMATS = [wanted for wanted in Format if wanted is not Format.NDJSON]


def written(wanted: Format, entries: dict[str, Leaf]) -> bytes:
    layout = layout_for(wanted)
    for key, leaf in entries.items():
        layout.put(key, leaf)
    return b"".join(layout.document().chunks)


@pytest.mark.parametrize("wanted", GOLDEN)
def test_golden(wanted: Format) -> None:
    assert written(wanted, ROWS) == GOLDEN[wanted]


@pytest.mark.parametrize("wanted", EMPTY)
def test_empty_state(wanted: Format) -> None:
    assert written(wanted, {}) == EMPTY[wanted]


@pytest.mark.parametrize("wanted", READERS)
def test_reader_gets_the_tree_back(wanted: Format) -> None:
    assert READERS[wanted](written(wanted, ROWS)) == NESTED


@pytest.mark.parametrize("wanted", READERS)
def test_binary_value_is_an_object(wanted: Format) -> None:
    assert READERS[wanted](written(wanted, {"/a": Base64("_w==")})) == {"a": {"base64": "_w=="}}


def test_values_are_never_parsed() -> None:
    """1, true, null and JSON stay the strings that were stored."""
    entries: dict[str, Leaf] = {
        f"/{n}": word for n, word in enumerate(["1", "true", "null", "{}", "~", "1e3"])
    }
    for wanted, read in READERS.items():
        assert list(read(written(wanted, entries)).values()) == list(entries.values())


keys = st.lists(st.text('ab/"é\n', max_size=3), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
histories = st.lists(st.tuples(keys, st.one_of(st.none(), st.text(max_size=5))), max_size=20)


@pytest.mark.parametrize("wanted", STATE_FORMATS)
@given(history=histories)
def test_same_state_gives_the_same_bytes(
    wanted: Format, history: list[tuple[str, str | None]]
) -> None:
    layout = layout_for(wanted)
    entries: dict[str, Leaf] = {}
    for key, leaf in history:
        if leaf is not None:
            # Another object than any equal one: pickle would tell them apart.
            layout.put(key, leaf[:1] + leaf[1:])
            entries[key] = leaf
        elif key in entries:
            layout.remove(key)
            del entries[key]
    assert b"".join(layout.document().chunks) == written(wanted, dict(sorted(entries.items())))


@given(history=st.dictionaries(keys, st.text(max_size=8), max_size=12))
def test_json_is_what_json_dumps_writes(history: dict[str, str]) -> None:
    data = written(Format.JSON, dict(history))
    assert data == json.dumps(json.loads(data), sort_keys=True).encode()
    flat = written(Format.FLAT, dict(history))
    assert flat == json.dumps(history, sort_keys=True).encode()


def test_large_document_comes_in_chunks() -> None:
    layout = layout_for(Format.JSON)
    entries = {f"/k/{n:05}": "v" for n in range(5000)}
    for key, leaf in entries.items():
        layout.put(key, leaf)
    chunks = layout.document().chunks
    assert len(chunks) > 1
    assert json.loads(b"".join(chunks)) == {"k": {key[3:]: leaf for key, leaf in entries.items()}}
