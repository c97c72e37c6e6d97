"""Rules of what is kept: how they are written, what each keeps, and what is no rule."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.keep_grid import Grid, Interval
from lochkit.zfs.keep_phrases import Phrase
from lochkit.zfs.keep_rules import KeepPolicy, LastN, NameMatches, NotReplicated, parse_keep
from lochkit.zfs.model import Dataset, Snapshot
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.pruning import plan_pruning

NAMES = NameTemplate(prefix="hot", zone="UTC")
HOUR = 3600


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def kept(rules: list[str], times: list[str], now: str, zone: str = "UTC") -> list[str]:
    """Which of some instants are kept, but for the newest, which always is."""
    snapshots = [
        Snapshot(NAMES.name(at(one)), number, number, at(one))
        for number, one in enumerate(times, start=1)
    ]
    dataset = Dataset(name="tank/a", snapshots=tuple(snapshots))
    pruning = plan_pruning(dataset, parse_keep(rules, zone), template=NAMES, now=at(now))
    return [times[one.snapshot.guid - 1] for one in pruning.keep if set(one.reasons) & set(rules)]


def hours(*numbers: int) -> list[str]:
    return [f"2026-03-10T{number:02}:00" for number in numbers]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("24 in last day", Phrase(count=24, each=None, last="day")),
        (" 1/day  in last week ", Phrase(count=1, each="day", last="week")),
        ("2/week in last month", Phrase(count=2, each="week", last="month")),
        ("1/month in last year", Phrase(count=1, each="month", last="year")),
        ("last 10", LastN(count=10)),
        ("regex ^hot  x", NameMatches(pattern="^hot  x")),
        ("not regex _00", NameMatches(pattern="_00", negate=True)),
        ("not replicated", NotReplicated()),
        (
            "1x1h(keep=all)|24 x 1h | 30x1d ( keep=2 )",
            Grid(
                intervals=(
                    Interval(count=1, seconds=HOUR, keep=None),
                    Interval(count=24, seconds=HOUR),
                    Interval(count=30, seconds=24 * HOUR, keep=2),
                )
            ),
        ),
    ],
)
def test_rules_are_read_and_written(text: str, rule: object) -> None:
    policy = parse_keep([text])
    assert policy.rules == (rule,)
    assert parse_keep(policy.texts) == policy


@pytest.mark.parametrize(
    "text",
    [
        *("", "0 in last day", "24 in last week", "1/day in last day", "1/week in last week"),
        *("day in last day", "-1 in last day", "24 in the last day", "last 0", "last", "last -1"),
        *("0x1h", "1x0h", "1x1y", "1x1h(keep=0)", "1x1h(keep=some)", "1x1d | 1x1h", "1x1h |"),
        *("1x1h,2x1d", "regex (", "regex", "not last 3", "all", "keep", "1000001 in last day"),
        *("1x9999999w", "1000001x1h", "last 9999999999", "regex a{99999999999}"),
    ],
)
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(BadPolicy):
        parse_keep([text])


def test_no_rules_would_keep_nothing() -> None:
    with pytest.raises(BadPolicy, match="nothing would be kept"):
        parse_keep([])
    with pytest.raises(BadPolicy, match="nothing would be kept"):
        KeepPolicy(rules=())


def test_too_many_rules() -> None:
    with pytest.raises(BadPolicy, match="the limit is 100"):
        parse_keep(["last 1"] * 101)


def test_every_rule_that_is_wrong_is_named() -> None:
    with pytest.raises(BadPolicy, match=r"rule 'nonsense' is not understood.*rule 'last 0'"):
        parse_keep(["nonsense", "last 3", "last 0"])


def test_n_in_last_day() -> None:
    day = ["24 in last day"]
    assert kept(["3 in last day"], hours(7, 8, 9, 10, 11, 12), "2026-03-10T12:00") == hours(
        10, 11, 12
    )
    assert kept(day, ["2026-03-09T12:00", "2026-03-09T12:01"], "2026-03-10T12:00") == [
        "2026-03-09T12:01"
    ]


def test_n_of_a_day_in_last_week() -> None:
    times = [f"2026-03-{day:02}T{hour:02}:00" for day in (2, 3, 4, 10) for hour in (1, 2, 3)]
    # At half past two on the 10th, the 3rd begins at half past two; 03:00 of the 10th is to come.
    assert kept(["2/day in last week"], times, "2026-03-10T02:30") == [
        *("2026-03-03T03:00", "2026-03-04T02:00", "2026-03-04T03:00"),
        *("2026-03-10T01:00", "2026-03-10T02:00"),
    ]


def test_n_of_a_week_in_last_month() -> None:
    mondays = ["2026-02-09T00:00", "2026-02-16T00:00", "2026-02-23T00:00", "2026-03-02T00:00"]
    sundays = ["2026-02-15T23:59", "2026-02-22T23:59", "2026-03-01T23:59", "2026-03-08T23:59"]
    times = sorted(mondays + sundays)
    assert kept(["1/week in last month"], times, "2026-03-09T12:00") == sundays
    assert kept(["2/week in last month"], times, "2026-03-09T12:00") == times


def test_a_week_at_the_turn_of_the_year_is_one() -> None:
    times = ["2025-12-29T12:00", "2025-12-31T12:00", "2026-01-01T12:00"]  # all of 2026-W01
    assert kept(["1/week in last month"], times, "2026-01-04T12:00") == times[-1:]


def test_n_of_a_month_in_last_year() -> None:
    times = [
        *("2025-02-28T12:00", "2025-03-20T12:00", "2025-03-31T12:00", "2026-01-01T00:00"),
        *("2026-01-31T23:00", "2026-02-01T00:00"),
    ]
    assert kept(["1/month in last year"], times, "2026-03-10T12:00") == [
        *("2025-03-31T12:00", "2026-01-31T23:00", "2026-02-01T00:00")
    ]


def test_days_are_those_of_the_zone() -> None:
    times = ["2026-03-09T22:30", "2026-03-09T23:30"]  # in Paris the second is of the next day
    assert kept(["1/day in last week"], times, "2026-03-10T12:00") == times[1:]
    assert kept(["1/day in last week"], times, "2026-03-10T12:00", "Europe/Paris") == times


def test_a_longer_phrase_covers_what_a_shorter_one_does() -> None:
    times = hours(1, 2, 3)
    for phrase in ("1/day in last week", "1/week in last month", "1/month in last year"):
        assert kept([phrase], times, "2026-03-10T12:00") == hours(3)


def test_a_grid_counts_from_the_newest_and_keeps_the_oldest_of_each() -> None:
    grid = ["1x1h(keep=all) | 2x2h"]
    times = [f"2026-03-10T{hour:02}:{minute}" for hour in range(6) for minute in ("00", "30")]
    assert kept(grid, times, "2026-03-20T00:00") == [
        *("2026-03-10T01:00", "2026-03-10T03:00", "2026-03-10T05:00", "2026-03-10T05:30")
    ]


def test_a_grid_may_keep_several() -> None:
    assert kept(["1x1d(keep=2)"], hours(1, 2, 3, 4), "2026-03-10T12:00") == hours(1, 2, 4)


def test_a_grid_does_not_run_dry() -> None:
    """Hourly for twenty days: at the end of each hour there is one of each of the days before."""
    policy = parse_keep(["24x1h | 7x1d"])
    alive: list[Snapshot] = []
    for number in range(20 * 24):
        now = at("2026-03-01T00:00") + number * HOUR
        alive.append(Snapshot(NAMES.name(now), number + 1, number + 1, now))
        dataset = Dataset(name="tank/a", snapshots=tuple(alive))
        pruning = plan_pruning(dataset, policy, template=NAMES, now=now)
        alive = [one.snapshot for one in pruning.keep]
    ages = [(alive[-1].creation - one.creation) // HOUR for one in alive]
    assert sorted(ages)[:24] == list(range(24))
    older = sorted(age // 24 for age in ages if age >= 24)
    assert set(older) == set(range(1, 8))


def test_last_n() -> None:
    assert kept(["last 2"], hours(1, 2, 3), "2027-01-01T00:00") == hours(2, 3)


def test_regular_expressions() -> None:
    times = hours(1, 2, 12)
    assert kept(["regex T12"], times, "2026-03-11T00:00") == hours(12)
    assert kept(["not regex T12"], times, "2026-03-11T00:00") == hours(1, 2)


@pytest.mark.parametrize(
    ("replicated", "guids"),
    [
        ({}, [1, 2, 3]),
        ({"vault": None}, [1, 2, 3]),
        ({"vault": 2}, [3]),
        ({"vault": 3, "other": 1}, [2, 3]),
        ({"vault": 3, "other": None}, [1, 2, 3]),
        ({"vault": 3}, []),
    ],
)
def test_not_replicated(replicated: dict[str, int | None], guids: list[int]) -> None:
    snapshots = [Snapshot(f"x{txg}", txg, txg, txg) for txg in (1, 2, 3)]
    assert [one.guid for one in NotReplicated().keeps(snapshots, replicated)] == guids


@given(st.text(st.sampled_from("0123456789x hdwm|(keep=all)/in last day week regex"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_rule_or_a_fault(text: str) -> None:
    try:
        policy = parse_keep([text])
    except BadPolicy:
        return
    assert parse_keep(policy.texts) == policy
