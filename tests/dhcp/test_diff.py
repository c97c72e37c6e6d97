"""Diffs are what ``patch`` takes, minimal where that is cheap, and quick for large files."""

import subprocess
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.diff import Kind, coloured, unified_diff

LABELS = ("a/f", "b/f")


def texts(before: bytes | None, after: bytes | None) -> list[str]:
    return [line.text for line in unified_diff(before, after, LABELS)]


def applied(before: bytes, diff: list[str]) -> bytes:
    """Do what a diff says, as strictly as can be."""
    old = before.split(b"\n")
    ends = old.pop() == b""
    lines = [line.decode() for line in old] + ([] if ends else [before.split(b"\n")[-1].decode()])
    made: list[str] = []
    place = 0
    ended, sign = True, " "
    for text in diff[2:]:
        if text.startswith("@@"):
            spans = [word[1:].split(",") for word in text.split()[1:3]]
            begin, size = int(spans[0][0]), int(spans[0][1]) if len(spans[0]) > 1 else 1
            begin -= size > 0
            made += lines[place:begin]
            place = begin
            assert int(spans[1][0]) - (spans[1][1:] != ["0"]) == len(made)
        elif text.startswith("\\"):
            ended = sign == "-"
        else:
            sign = text[0]
            if sign in " -":
                assert lines[place] == text[1:]
                place += 1
            if sign in " +":
                made.append(text[1:])
    if place < len(lines):
        made += lines[place:]
        ended = ends
    return "\n".join(made).encode() + (b"\n" if ended and made else b"")


def test_a_small_change_with_its_context() -> None:
    before = b"".join(b"%d\n" % number for number in range(1, 21))
    after = before.replace(b"10\n", b"ten\n").replace(b"20\n", b"20\n21\n")
    assert texts(before, after) == [
        "--- a/f",
        "+++ b/f",
        "@@ -7,7 +7,7 @@",
        *(" 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"),
        "@@ -18,3 +18,4 @@",
        *(" 18", " 19", " 20", "+21"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (b"a\n", b"a\n", []),
        (None, None, []),
        (None, b"", ["--- /dev/null", "+++ b/f"]),
        (None, b"a\n", ["--- /dev/null", "+++ b/f", "@@ -0,0 +1 @@", "+a"]),
        (b"a\n", None, ["--- a/f", "+++ /dev/null", "@@ -1 +0,0 @@", "-a"]),
        (
            b"a\nb",
            b"a\nb\n",
            [
                *("--- a/f", "+++ b/f", "@@ -1,2 +1,2 @@", " a"),
                *("-b", "\\ No newline at end of file", "+b"),
            ],
        ),
        (b"\x1b[2J\xff\xc2\x9b\ta\n", b"", ["--- a/f", "+++ b/f", "@@ -1 +0,0 @@"]),
    ],
)
def test_ends(before: bytes | None, after: bytes | None, lines: list[str]) -> None:
    assert texts(before, after)[: len(lines)] == lines


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    assert texts(b"\x1b[2J\xff\xc2\x9b\ta\r\n", b"")[-1] == "-\\x1b[2J\\xff\\x9b\ta\\x0d"


def test_colours() -> None:
    lines = [coloured(line) for line in unified_diff(b"a\n-- x\n", b"a\n", LABELS)]
    assert lines == [
        *("\x1b[1m--- a/f\x1b[0m", "\x1b[1m+++ b/f\x1b[0m"),
        *("\x1b[36m@@ -1,2 +1 @@\x1b[0m", " a", "\x1b[31m--- x\x1b[0m"),
    ]


FEW = st.lists(st.sampled_from([b"a\n", b"b\n", b"}\n", b"\n", b"c\n", b"d\n"]), max_size=25)
MANY = st.lists(st.integers(0, 40).map(lambda number: b"%d\n" % number), max_size=25)
CONTENTS = st.tuples(FEW | MANY, st.sampled_from([b"", b"", b"a", b"end"])).map(
    lambda parts: b"".join([*parts[0], parts[1]])
)


@given(CONTENTS, CONTENTS, CONTENTS, CONTENTS)
def test_a_diff_leads_from_the_one_to_the_other(
    head: bytes, before: bytes, after: bytes, tail: bytes
) -> None:
    before, after = head + before + tail, head + after + tail
    diff = texts(before, after)
    assert bool(diff) == (before != after)
    assert applied(before, diff) == after if diff else True


def test_patch_takes_it(tmp_path: Path) -> None:
    before = b"".join(b"host %d {\n}\n" % number for number in range(100))
    after = before.replace(b"host 40 {\n}\n", b"").replace(b"host 70", b"host x")
    (tmp_path / "f").write_bytes(before)
    diff = "\n".join(texts(before, after)) + "\n"
    subprocess.run(["patch", "-s", "-p1"], input=diff.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "f").read_bytes() == after


def hosts(numbers: range, domain: str = "x") -> bytes:
    block = "host %06d {\n  hardware ethernet 02:00:00:%06x;\n  option domain-name %s;\n}\n"
    return "".join(block % (number, number, domain) for number in numbers).encode()


@pytest.mark.parametrize("change", ["one", "scattered", "all lines", "all hosts", "half"])
def test_large_files_take_seconds_at_most(change: str) -> None:
    size = 60_000
    before = hosts(range(size))
    changed = size
    if change == "one":
        after, changed = before.replace(b"host 030000 {", b"host 030000 { #"), 1
    elif change == "scattered":
        after, some = before, range(0, size, 1000)
        for number in some:
            after = after.replace(b"host %06d" % number, b"host new%d" % number)
        changed = len(some)
    elif change == "all lines":
        after = hosts(range(size), "y")
    elif change == "all hosts":
        after, changed = hosts(range(size, 2 * size)), 4 * size
    else:
        after, changed = hosts(range(0, size, 2)), 2 * size
    began = process_time()
    lines = list(unified_diff(before, after, LABELS))
    assert process_time() - began < 10
    assert sum(line.kind is Kind.REMOVED for line in lines) == changed
