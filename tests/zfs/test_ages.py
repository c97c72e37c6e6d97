"""How old copies may be: levels, words, and what follows from schedules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.ages import (
    AgeLimits,
    Level,
    expected_limits,
    judge_age,
    summary,
    worst,
)
from lochkit.zfs.durations import in_words, parse_duration
from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.schedule import parse_schedule

NOW = 1_773_144_000  # Tuesday, 2026-03-10 12:00:00 UTC
HOUR = 3600
LIMITS = AgeLimits(warning=2 * HOUR, critical=6 * HOUR)


@pytest.mark.parametrize(
    ("age", "level", "text"),
    [
        (-60, Level.OK, "the newest copy is 0s old"),
        (2 * HOUR, Level.OK, "the newest copy is 2h old"),
        (2 * HOUR + 1, Level.WARNING, "the newest copy is 2h old, more than 2h"),
        (6 * HOUR, Level.WARNING, "the newest copy is 6h old, more than 2h"),
        (6 * HOUR + 60, Level.CRITICAL, "the newest copy is 6h 1m old, more than 6h"),
    ],
)
def test_levels(age: int, level: Level, text: str) -> None:
    found = judge_age("vault", "ssd/pg", NOW - age, now=NOW, limits=LIMITS)
    assert (found.level, found.text) == (level, f"ssd/pg by vault: {text}")


def test_what_was_never_replicated() -> None:
    found = judge_age("vault", "ssd/pg", None, now=NOW, limits=LIMITS)
    assert (found.level, found.age) == (Level.CRITICAL, None)
    assert found.text == "ssd/pg by vault: never replicated"


def test_a_check_as_a_whole() -> None:
    ok, late, lost = (
        judge_age("vault", f"ssd/{number}", NOW - age, now=NOW, limits=LIMITS)
        for number, age in enumerate((HOUR, 3 * HOUR, 9 * HOUR))
    )
    assert worst([]) is Level.UNKNOWN
    assert summary([]) == "UNKNOWN: no replication to judge"
    assert summary([ok, ok]) == "OK: 2 replicated, the oldest copy is 1h old"
    assert summary([ok, late]) == f"WARNING: {late.text}"
    assert summary([ok, late, lost]) == f"CRITICAL: {lost.text} (and 1 more of 3)"
    assert worst([ok, late, lost]) == 2


def test_what_follows_from_snapshots_every_quarter_of_an_hour() -> None:
    limits = expected_limits(
        snapshots=parse_schedule("*/15 * * * *", "UTC"), replication=None, now=NOW + 60
    )
    assert limits == AgeLimits(warning=31 * 60, critical=76 * 60)


def test_what_follows_from_replication_once_a_day() -> None:
    """At 12:00 of the 10th: the third night back is the 8th, and 02:15 what it could send."""
    limits = expected_limits(
        snapshots=parse_schedule("*/15 * * * *", "UTC"),
        replication=parse_schedule("20 2 * * *", "UTC"),
        now=NOW,
    )
    assert limits == AgeLimits(
        warning=(9 * 60 + 45 + 48 * 60) * 60, critical=(9 * 60 + 45 + 120 * 60) * 60
    )


def test_weekends_are_no_alarm() -> None:
    workdays = parse_schedule("0 8 * * 1-5", "UTC")
    sunday = NOW - 2 * 24 * HOUR
    limits = expected_limits(snapshots=workdays, replication=None, now=sunday)
    friday = workdays.due(None, sunday)
    assert limits is not None
    assert judge_age("v", "a", friday, now=sunday, limits=limits).level is Level.OK


def test_nothing_follows_from_no_schedule() -> None:
    assert expected_limits(snapshots=None, replication=None, now=NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("26h", 26 * HOUR), ("1d 12h", 36 * HOUR), ("2w", 14 * 24 * HOUR)],
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1y", "-1h", "1.5h", "1h;", "99999w"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(BadPolicy):
        parse_duration(text)


@pytest.mark.parametrize(("warning", "critical"), [(2, 1), (-1, 1)])
def test_limits_the_wrong_way_round(warning: int, critical: int) -> None:
    with pytest.raises(BadPolicy, match="must not be less"):
        AgeLimits(warning=warning, critical=critical)


@given(st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_words_are_near_the_truth(seconds: int) -> None:
    if seconds < 99_999 * 86400:
        read = parse_duration(in_words(seconds)) if seconds < 36_000 * 86400 else seconds
        assert 0 <= seconds - read < max(1, seconds / 24)
    assert in_words(-seconds - 1).startswith("-")
