"""JSON that anybody may have written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.errors import BadRecord
from lochkit.discovery.values import Fields, parse_object


def test_an_object_is_read() -> None:
    assert parse_object(b' {"a": [1, null], "b": {"c": "\\u00fc"}}\n') == {
        "a": [1, None],
        "b": {"c": "ü"},
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "not JSON"),
        (b"10.0.0.1:80", "not JSON"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1}}', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b"\xff\xfe{\0}\0", "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        ('{"a":1}'.encode("utf-16-le"), "not JSON"),
        (b'{"a":"\xfc"}', "not UTF-8"),
        (b'{"a":"\n"}', "not JSON"),
        (b'{"a":NaN}', "a number that is too large, or none"),
        (b'{"a":-Infinity}', "a number that is too large, or none"),
        (b'{"a":1e999}', "a number that is too large, or none"),
        (b'{"a":' + b"9" * 5000 + b"}", "a number that is too large, or none"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "nested too deeply"),
        (b"{" + b" " * 300_000 + b"}", "has 300002 bytes, far more than a record"),
        (b"[]", "of another kind than an object: a list"),
        (b'"x"', "of another kind than an object: a string"),
        (b"1", "of another kind than an object: a number"),
        (b"null", "of another kind than an object: null"),
        (b"true", "of another kind than an object: true or false"),
    ],
)
def test_what_is_no_object_is_refused(value: bytes, why: str) -> None:
    with pytest.raises(BadRecord, match=why):
        parse_object(value)


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_what_was_read_can_be_compared_and_written_from_a_deep_stack(brackets: str) -> None:
    """Otherwise one record could end all who follow its service."""
    opening = {"[]": "[", "{}": '{"a":'}[brackets]

    def nested(levels: int) -> bytes:
        inner = opening * levels + brackets + brackets[1] * levels
        return f'{{"x":{inner}}}'.encode()

    def deeper(calls: int, value: bytes) -> bool:
        if calls:
            return deeper(calls - 1, value)
        return bool(json.loads(json.dumps(parse_object(value))) == parse_object(value))

    assert deeper(600, nested(98))
    for levels in (99, 500, 930):
        with pytest.raises(BadRecord, match="nested too deeply"):
            parse_object(nested(levels))
    assert parse_object(b'{"x":[' + b"[]," * 1000 + b"[]]}")  # many, and not deep


def test_a_fault_does_not_tell_what_is_around_it() -> None:
    with pytest.raises(BadRecord) as caught:
        parse_object(b'{"password": "hunter2}')
    shown: BaseException | None = caught.value
    assert "hunter" not in str(shown)
    assert caught.value.__suppress_context__


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_bad_record(value: bytes) -> None:
    for wrapped in (value, b'{"a":' + value + b"}", b'{"a":"' + value + b'"}'):
        try:
            found = parse_object(wrapped)
        except BadRecord:
            continue
        assert isinstance(found, dict)


def test_fields_are_taken_by_their_types() -> None:
    fields = Fields({"t": "x", "f": True, "n": 3, "w": ["a", "b"], "p": {"http": "80"}, "o": 1})
    assert (fields.text("t"), fields.flag("f"), fields.number("n")) == ("x", True, 3)
    assert (fields.words("w"), fields.table("p")) == (("a", "b"), {"http": "80"})
    assert (fields.faults, fields.rest()) == ([], {"o": 1})


@pytest.mark.parametrize("number", [0, 1, (1 << 63) - 1])
def test_any_number_that_is_not_negative_is_one(number: int) -> None:
    fields = Fields({"n": number})
    assert (fields.number("n", 7), fields.faults) == (number, [])


def test_fields_that_are_missing_or_null_are_empty() -> None:
    fields = Fields({"a": None})
    for name in ("a", "b"):
        assert (fields.text(name), fields.flag(name), fields.number(name, 7)) == ("", False, 7)
        assert (fields.words(name), fields.table(name)) == ((), None)
        assert fields.inner(name).rest() == {}
    assert fields.faults == []


@pytest.mark.parametrize(
    ("take", "value", "found", "fault"),
    [
        ("text", 80, "80", "a number and should be a string"),
        ("text", 1.5, "", "a number and should be a string"),
        ("text", True, "", "true or false and should be a string"),
        ("text", ["x"], "", "a list and should be a string"),
        ("flag", "TRUE ", True, "a string and should be true or false"),
        ("flag", "yes", False, "a string and should be true or false"),
        ("flag", 1, False, "a number and should be true or false"),
        ("number", "3", 0, "a string and should be a number"),
        ("number", -1, 0, "a number and should be a number"),
        ("number", True, 0, "true or false and should be a number"),
        ("number", 1 << 63, 0, "a number and should be a number"),
        ("number", 1.0, 0, "a number and should be a number"),
        ("words", "x", (), "a string and should be a list of strings"),
        ("words", ["x", 1], (), "a list and should be a list of strings"),
        ("table", ["x"], None, "a list and should be an object"),
    ],
)
def test_another_type_is_told_and_taken_where_it_is_plain(
    take: str, value: Any, found: Any, fault: str
) -> None:
    fields = Fields({"a": value}, "own.")
    assert getattr(fields, take)("a") == found
    assert fields.faults == [f"own.a is {fault}"]


def test_numbers_in_a_table_are_taken_for_their_text() -> None:
    fields = Fields({"ports": {"http": 80, "ws": "81", "x": None, "y": 1.5, "z": [1]}})
    assert fields.table("ports") == {"http": "80", "ws": "81"}
    assert fields.faults == [
        "ports.http is a number and should be a string",
        "ports.x is null and should be a string",
        "ports.y is a number and should be a string",
        "ports.z is a list and should be a string",
    ]


def test_a_name_in_a_table_is_harmless_in_a_log() -> None:
    fields = Fields({"ports": {"\x1b[2J\n": 80, "x" * 100: 80}})
    fields.table("ports")
    assert fields.faults == [
        "ports.'\\x1b[2J\\n' is a number and should be a string",
        f"ports.{'x' * 60} is a number and should be a string",
    ]


def test_what_is_no_object_inside_has_nothing_in_it() -> None:
    fields = Fields({"own": [1]})
    assert fields.inner("own").rest() == {}
    assert fields.faults == ["own is a list and should be an object"]


def test_faults_inside_tell_where() -> None:
    inner = Fields({"own": {"weight": "3"}}).inner("own")
    inner.number("weight")
    assert inner.faults == ["own.weight is a string and should be a number"]


@pytest.mark.parametrize(
    ("found", "value", "rest"),
    [
        ({"User": "a"}, "a", {}),
        ({"USER": "a", "x": 1}, "a", {"x": 1}),
        ({"User": "a", "user": "b"}, "b", {"User": "a"}),
        ({"user": "b", "User": "a"}, "b", {"User": "a"}),
    ],
)
def test_names_are_found_in_any_case_and_best_in_their_own(
    found: dict[str, Any], value: str, rest: dict[str, Any]
) -> None:
    fields = Fields(found)
    assert (fields.text("user"), fields.rest()) == (value, rest)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["a", "A", "b"]), json_values))
def test_any_value_can_be_taken_as_any_type(record: dict[str, Any]) -> None:
    try:
        found = parse_object(json.dumps(record).encode())
    except BadRecord:
        return
    for take, kind in (("text", str), ("flag", bool), ("number", int), ("words", tuple)):
        fields = Fields(found)
        assert isinstance(getattr(fields, take)("a"), kind)
        assert len(fields.faults) <= 1
    table = Fields(found).table("a")
    assert table is None or all(isinstance(item, str) for item in table.values())
