"""What the looks of some checks say of an instance: pure, with neither clock nor network.

A check is failing at first, and until as many looks in a row have been good as it asks for: who is
not known to be well gets no work. After that it takes as many bad ones in a row to fail again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from .check_model import AbsentFile, CheckSpec
from .host import State

__all__ = [
    "MOST_OUTPUT",
    "Change",
    "CheckStatus",
    "Health",
    "Outcome",
    "Result",
    "Turn",
    "one_line",
]

MOST_OUTPUT: Final = 4096
"""Bytes of a check's output that are kept."""

_MOST_LINE: Final = 200  # characters of it in a line of the log


class Outcome(Enum):
    """What one look says."""

    PASS = "pass"
    WARNING = "warning"
    """Well, with something to be told."""
    FAIL = "fail"

    @property
    def good(self) -> bool:
        """Whether that is well enough to get work."""
        return self is not Outcome.FAIL


@dataclass(frozen=True, slots=True)
class Result:
    """One look.

    Attributes:
        outcome: what it says.
        output: why, for people; cut at `MOST_OUTPUT` bytes.
    """

    outcome: Outcome
    output: str = ""

    def __post_init__(self) -> None:
        """Cut the output."""
        encoded = self.output.encode(errors="replace")[:MOST_OUTPUT]
        object.__setattr__(self, "output", encoded.decode(errors="ignore"))


class Turn(Enum):
    """What has become of a check, where that is worth a line in the log. Each comes once."""

    WORSE = "worse"
    """It was passing, and the last look was bad."""
    FAILING = "failing"
    """It has failed too often; or the very first look was bad."""
    PASSING = "passing"
    WARNING = "warning"
    """It is passing, now with a warning."""
    WELL = "well"
    """It is passing as before; the bad looks or the warning are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStatus:
    """Where a check stands.

    Attributes:
        name: of the check.
        passing: what it counts as.
        last: the last look, None before the first.
        streak: the number of looks in a row that speak against `passing`.
    """

    name: str
    passing: bool = False
    last: Result | None = None
    streak: int = 0

    def after(self, result: Result, passes: int, failures: int) -> "CheckStatus":
        """Where it stands after one more look."""
        if result.outcome.good is self.passing:
            return replace(self, last=result, streak=0)
        streak = self.streak + 1
        if streak >= (failures if self.passing else passes):
            return replace(self, last=result, passing=not self.passing, streak=0)
        return replace(self, last=result, streak=streak)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one look has changed.

    Attributes:
        check: where the check stands now.
        turn: what has become of it; None when that has been told before.
        state: of the instance now.
        is_new: whether the state was another before.
        text: of the state, for people, in one line; empty when all is well.
    """

    check: CheckStatus
    turn: Turn | None
    state: State
    is_new: bool
    text: str


class Health:
    """The checks of one instance, and the state that follows from them.

    Args:
        specs: the checks. An instance without any is passing.
    """

    def __init__(self, specs: Sequence[CheckSpec]) -> None:
        self._specs = tuple(specs)
        self._statuses: list[CheckStatus] = []
        self.reset()

    @property
    def statuses(self) -> tuple[CheckStatus, ...]:
        """Where each check stands, in their order."""
        return tuple(self._statuses)

    def reset(self) -> None:
        """Forget all looks: what is looked at is another process than before."""
        self._statuses = [CheckStatus(name=spec.name) for spec in self._specs]

    @property
    def state(self) -> State:
        """Of the instance: maintenance where one asks for it, else critical where one fails."""
        if any(status.last is not None and not status.passing for status in self._absent()):
            return State.MAINTENANCE
        if all(status.passing for status in self._statuses):
            return State.PASSING
        return State.CRITICAL

    @property
    def text(self) -> str:
        """Why the state is not passing, for people, in one line; empty when it is."""
        match self.state:
            case State.PASSING:
                return ""
            case State.MAINTENANCE:
                those: Iterable[CheckStatus] = self._absent()
            case _:
                those = self._statuses
        bad = [status for status in those if not status.passing]
        return "; ".join(
            f"{status.name}: {one_line(status.last.output) if status.last else 'not looked at yet'}"
            for status in bad
        )

    def take(self, index: int, result: Result) -> Change:
        """Take in a look at the check with that number."""
        spec, before, state = self._specs[index], self._statuses[index], self.state
        now = before.after(result, spec.passes, spec.failures)
        self._statuses[index] = now
        return Change(
            check=now,
            turn=_turn(before, now),
            state=self.state,
            is_new=self.state is not state,
            text=self.text,
        )

    def _absent(self) -> list[CheckStatus]:
        return [
            status
            for spec, status in zip(self._specs, self._statuses, strict=True)
            if isinstance(spec.target, AbsentFile)
        ]


def _turn(before: CheckStatus, now: CheckStatus) -> Turn | None:
    assert now.last is not None
    was = before.last.outcome if before.last else None
    outcome = now.last.outcome
    if now.passing is not before.passing:
        return Turn.PASSING if now.passing else Turn.FAILING
    if not now.passing:
        return Turn.FAILING if was is None and not outcome.good else None
    if outcome is was:
        return None
    match outcome:
        case Outcome.FAIL:
            return Turn.WORSE
        case Outcome.WARNING:
            return Turn.WARNING
        case Outcome.PASS:
            return Turn.WELL


def one_line(output: str) -> str:
    """The beginning of an output, as one line of printable characters."""
    words = " ".join(output.split())
    text = "".join(char if char.isprintable() else "?" for char in words)
    return text if len(text) <= _MOST_LINE else text[: _MOST_LINE - 3] + "..."
