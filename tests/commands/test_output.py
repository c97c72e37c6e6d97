"""What the modes of ``lochkit dhcp`` print: nothing that a terminal acts on, nor endless blanks."""

import sys

import pytest

from lochkit.commands.output import instant, print_lines, shown, table
from lochkit.errors import LochkitError


@pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "\x9b2J", "\u202eevil", "\u2028", "\u2069"])
def test_what_a_terminal_acts_on_is_shown_instead(text: str) -> None:
    assert shown(text).isprintable()
    assert "\\" in shown(text)


def test_one_long_cell_does_not_widen_all_rows() -> None:
    first, second, third = table([("a", "1"), ("bbb", "2"), ("c" * 5000, "3")])
    assert first.split() == ["a", "1"]
    assert len(first) == len(second) < 120
    assert third == "c" * 5000 + "  3"
    assert list(table([("a", "1"), ("bbb", "2")])) == ["a    1", "bbb  2"]


@pytest.mark.parametrize("seconds", [1e300, -1e18, float("inf"), float("nan")])
def test_a_time_that_no_clock_shows(seconds: float) -> None:
    assert instant(seconds) == f"@{seconds:g}"


async def test_no_output_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # as of ``>&-``
    with pytest.raises(LochkitError, match="no standard output"):
        await print_lines(["x"])
