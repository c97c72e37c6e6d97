"""What looks make of checks, and checks of a state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.check_model import CheckSpec
from lochkit.discovery.check_spec import parse_check
from lochkit.discovery.health import (
    MOST_OUTPUT,
    CheckStatus,
    Health,
    Outcome,
    Result,
    Turn,
    one_line,
)
from lochkit.discovery.host import State

LOOKS = {
    "+": Result(Outcome.PASS),
    "!": Result(Outcome.WARNING, "slow"),
    "-": Result(Outcome.FAIL, "refused"),
}


def tcp(passes: int = 1, failures: int = 3) -> CheckSpec:
    return parse_check(f"tcp:x passes={passes} failures={failures}")


@pytest.mark.parametrize(
    ("passes", "failures", "looks", "states"),
    [
        (1, 1, "+-+-", "PCPC"),
        (1, 3, "+--+---+", "PPPPPPCP"),
        (2, 1, "++-+-++", "CPCCCCP"),
        (3, 2, "++-+++-!--", "CCCCCPPPPC"),
        (1, 3, "---", "CCC"),
        (1, 1, "!", "P"),
    ],
)
def test_thresholds(passes: int, failures: int, looks: str, states: str) -> None:
    health = Health([tcp(passes, failures)])
    assert health.state is State.CRITICAL
    found = [health.take(0, LOOKS[look]).state for look in looks]
    assert "".join("P" if state is State.PASSING else "C" for state in found) == states


@given(st.integers(1, 4), st.integers(1, 4), st.text(alphabet="+-!", max_size=40))
def test_a_flip_takes_a_whole_row(passes: int, failures: int, looks: str) -> None:
    """Against the plain rule: the last flip was made by the last row that was long enough."""
    health = Health([tcp(passes, failures)])
    passing = False
    for end in range(1, len(looks) + 1):
        seen = looks[:end].replace("!", "+")
        if not passing and seen.endswith("+" * passes):
            passing = True
        elif passing and seen.endswith("-" * failures):
            passing = False
        change = health.take(0, LOOKS[looks[end - 1]])
        assert change.check.passing is passing


@pytest.mark.parametrize(
    ("looks", "turns"),
    [
        ("+++", ["PASSING", None, None]),
        ("---", ["FAILING", None, None]),
        ("+----+", ["PASSING", "WORSE", None, "FAILING", None, "PASSING"]),
        ("+-+-", ["PASSING", "WORSE", "WELL", "WORSE"]),
        ("+!!+", ["PASSING", "WARNING", None, "WELL"]),
        ("-+", ["FAILING", "PASSING"]),
    ],
)
def test_each_turn_is_told_once(looks: str, turns: list[str | None]) -> None:
    health = Health([tcp()])
    found = [health.take(0, LOOKS[look]).turn for look in looks]
    assert found == [turn and Turn[turn] for turn in turns]


def test_one_failing_check_is_enough() -> None:
    health = Health([tcp(), parse_check("http:web failures=1")])
    assert health.take(0, LOOKS["+"]).is_new is False
    assert health.text == "http:web: not looked at yet"
    assert health.take(1, LOOKS["+"]).is_new is True
    assert (health.state, health.text) == (State.PASSING, "")
    change = health.take(1, LOOKS["-"])
    assert (change.state, change.is_new, change.text) == (
        State.CRITICAL,
        True,
        "http:web: refused",
    )


def test_maintenance_goes_before_all_else() -> None:
    health = Health([tcp(), parse_check("absent:/run/off")])
    health.take(0, LOOKS["-"])
    health.take(1, Result(Outcome.FAIL, "/run/off is there"))
    assert (health.state, health.text) == (
        State.MAINTENANCE,
        "absent:/run/off: /run/off is there",
    )
    assert health.take(1, LOOKS["+"]).state is State.CRITICAL
    assert health.take(0, LOOKS["+"]).state is State.PASSING
    assert health.take(1, LOOKS["-"]).state is State.MAINTENANCE


def test_no_checks_are_all_well() -> None:
    assert Health([]).state is State.PASSING


def test_reset() -> None:
    health = Health([tcp(failures=1)])
    health.take(0, LOOKS["+"])
    health.reset()
    assert health.state is State.CRITICAL
    assert health.statuses == (CheckStatus(name="tcp:x"),)


def test_output_is_bounded() -> None:
    result = Result(Outcome.FAIL, "é" * MOST_OUTPUT)
    assert result.output == "é" * (MOST_OUTPUT // 2)
    assert Result(Outcome.FAIL, "a" + "é" * MOST_OUTPUT).output.encode()[-2:] == "é".encode()
    assert len(one_line(result.output)) == 200
    assert one_line("a\n\x1b[31m b\0") == "a ?[31m b?"
