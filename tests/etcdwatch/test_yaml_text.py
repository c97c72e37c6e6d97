"""The YAML writer against PyYAML: the same data comes back, and where simple, the same text."""

import math
import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lochkit.etcdwatch.yaml_text import scalar, yaml_lines

WORDS = [
    "", " ", "a", "a b", " a", "a ", "a:b", "a: b", "a:", ":a", ": a", "a #b", "a#b", "#a", "-",
    "--", "-a", "- a", "---", "--- a", "---a", "...", "?", "?a", "? a", ":", "::", "!a", "&a",
    "*a", "|", ">", "%a", "@a", "`a", "'", '"', "it's", "[", "]", "{", "}", ",", "a,b", '{"j":1}',
    "[1]", "1", "-1", "+1", "01", "0o17", "0x1F", "0b1", "1_000", "1:30", "1:30.5", "1.5", "1.",
    ".5", ".", "..", "1e3", "1.0e+3", "1.0e3", ".inf", "-.inf", ".nan", "yes", "no", "Yes", "on",
    "off", "y", "n", "true", "True", "null", "Null", "~", "=", "<<", "<", "2001-01-01",
    "2001-01-01 10:00:00", "2001-01-01T10:00:00Z", "été", "\0", "\t", "\n", "a\nb", "a\n", "\r\n",
    "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ud7ff", "\ufffe", "\U0001f600", "\\",
    'a"b\\c\n', "/a/b", "http://x:1/", "1.2.3.4", "0", "00", "09", "1__", "_1", "+", "+.", "-.5",
    "1.e", "0.1_2",
]  # fmt: skip

names = st.one_of(
    st.sampled_from(WORDS), st.text(max_size=20), st.text("0123456789.:-+_eExob ", max_size=8)
)
trees = st.recursive(
    st.dictionaries(names, st.just("leaf"), min_size=1, max_size=4),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=4),
    max_leaves=8,
)

# YAML 1.2, core schema; and what looks like one with PyYAML's underscores. PyYAML writes them bare.
NUMBER = re.compile(
    r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|[-+]?0o[0-7]+"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?0[bx][_0-9a-fA-F]*|[-+]?\.inf"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"
)


def reference(data: Any) -> str:
    text = yaml.safe_dump(data, default_flow_style=False, width=math.inf)
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("word", WORDS)
def test_word_as_value_and_as_name_comes_back(word: str) -> None:
    document = "".join(yaml_lines({word: scalar(word)}))
    assert yaml.safe_load(document) == {word: word}


@given(st.text(max_size=200))
@example("x" * 2000)
@example("\U0001f600" * 200)
def test_any_text_comes_back(text: str) -> None:
    assert yaml.safe_load("".join(yaml_lines({text: scalar(text)}))) == {text: text}


def assert_as_pyyaml(text: str) -> None:
    """We write what PyYAML writes, but quote what other readers would take for a number."""
    ours = "".join(yaml_lines({"k": scalar(text)}))
    if NUMBER.fullmatch(text):
        assert ours == f"k: '{text}'\n"
    else:
        assert ours == reference({"k": text})


@given(st.one_of(names, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)))
@example("=")
def test_one_line_is_written_as_pyyaml_does(text: str) -> None:
    if "\n" not in text:
        assert_as_pyyaml(text)


@pytest.mark.parametrize("word", [word for word in WORDS if "\n" not in word])
def test_word_is_written_as_pyyaml_does(word: str) -> None:
    assert_as_pyyaml(word)


@given(trees)
def test_tree_comes_back(tree: dict[str, Any]) -> None:
    assert yaml.safe_load("".join(yaml_lines(tree))) == tree


def test_empty_tree_is_an_empty_mapping() -> None:
    assert yaml_lines({}) == ["{}\n"]


def test_long_key_is_explicit() -> None:
    tree = {"k" * 200: {"a": "x"}, "l" * 200: "y"}
    assert yaml.safe_load("".join(yaml_lines(tree))) == tree
