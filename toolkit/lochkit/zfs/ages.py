"""How old the newest replicated snapshot may be: OK, WARNING, CRITICAL or UNKNOWN.

Sources: levels, exit codes and the one line of text are those of the Monitoring Plugins Development
Guidelines, sections "Plugin Return Codes" and "Performance data".
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from .durations import in_words
from .errors import BadPolicy
from .schedule import Schedule

__all__ = [
    "Age",
    "AgeLimits",
    "Level",
    "expected_limits",
    "judge_age",
    "summary",
    "worst",
]

_MISSED_WARNING: Final = 2
_MISSED_CRITICAL: Final = 5


class Level(enum.IntEnum):
    """How bad it is; the value is the exit code of a check."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeLimits:
    """From which age on somebody is to be told.

    Attributes:
        warning: seconds; older is a WARNING.
        critical: seconds, not less than `warning`; older is CRITICAL.

    Raises:
        BadPolicy: they are negative, or the wrong way round.
    """

    warning: int
    critical: int

    def __post_init__(self) -> None:
        if not 0 <= self.warning <= self.critical:
            raise BadPolicy(
                f"ages: warning after {in_words(self.warning)} and critical after "
                f"{in_words(self.critical)}: the second must not be less than the first"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old the copy of a dataset is.

    Attributes:
        replication: by name.
        dataset: of the source.
        level: how bad that is.
        age: seconds since the newest replicated snapshot was made; None: nothing is replicated.
        text: the same for a person, in one line.
    """

    replication: str
    dataset: str
    level: Level
    age: int | None
    text: str


def judge_age(
    replication: str, dataset: str, newest: int | None, *, now: int, limits: AgeLimits
) -> Age:
    """Judge one replication of one dataset.

    Args:
        replication: by name.
        dataset: of the source.
        newest: when the newest snapshot that the destination has was made, seconds since 1970;
            None: it has none.
        now: seconds since 1970.
        limits: how old it may be.
    """
    where = f"{dataset} by {replication}"
    if newest is None:
        return Age(
            replication=replication,
            dataset=dataset,
            level=Level.CRITICAL,
            age=None,
            text=f"{where}: never replicated",
        )
    age = max(0, now - newest)
    level, limit = Level.OK, limits.warning
    if age > limits.critical:
        level, limit = Level.CRITICAL, limits.critical
    elif age > limits.warning:
        level = Level.WARNING
    more = f", more than {in_words(limit)}" if level else ""
    text = f"{where}: the newest copy is {in_words(age)} old{more}"
    return Age(replication=replication, dataset=dataset, level=level, age=age, text=text)


def expected_limits(
    *, snapshots: Schedule | None, replication: Schedule | None, now: int
) -> AgeLimits | None:
    """The limits that follow from when snapshots are taken and sent.

    A WARNING when the newest copy misses more than two rounds, CRITICAL when it misses more than
    five. A round is a tick of `replication`, or of `snapshots` when they are sent as soon as there
    are any.

    Returns:
        None when neither has a schedule: somebody must say what is too old.
    """
    rounds = replication or snapshots
    if rounds is None:
        return None
    ticks: list[int] = []
    at: int | None = now
    while len(ticks) <= _MISSED_CRITICAL and at is not None:
        at = rounds.due(None, at)
        if at is not None:
            ticks.append(at)
            at -= 1
    if not ticks:
        return None
    ticks += [ticks[-1]] * (_MISSED_CRITICAL + 1 - len(ticks))
    warning, critical = (
        now - _taken_before(snapshots, ticks[missed])
        for missed in (_MISSED_WARNING, _MISSED_CRITICAL)
    )
    return AgeLimits(warning=warning, critical=max(warning, critical))


def _taken_before(snapshots: Schedule | None, tick: int) -> int:
    """When the snapshot was taken that a round at `tick` could send."""
    taken = snapshots.due(None, tick) if snapshots else None
    return tick if taken is None else taken


def worst(ages: Iterable[Age]) -> Level:
    """The level of a check as a whole; UNKNOWN when there is nothing to judge."""
    return max((one.level for one in ages), default=Level.UNKNOWN)


def summary(ages: Sequence[Age]) -> str:
    """The first line of a check: its level, what is wrong, and how many are well."""
    level = worst(ages)
    if not ages:
        return f"{level.name}: no replication to judge"
    wrong = sorted((one for one in ages if one.level), key=lambda one: -one.level)
    if not wrong:
        oldest = max((one.age or 0 for one in ages), default=0)
        return f"{level.name}: {len(ages)} replicated, the oldest copy is {in_words(oldest)} old"
    more = f" (and {len(wrong) - 1} more of {len(ages)})" if len(wrong) > 1 else ""
    return f"{level.name}: {wrong[0].text}{more}"
