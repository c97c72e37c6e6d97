"""Schedules: cron's fields, its days, and clocks that change; beside a search minute by minute."""

import time
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.schedule import Schedule, parse_schedule
from lochkit.zfs.zones import LOCAL, local_date, zone_of

DAY = 86400


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=zone_of(zone), fold=fold)
    return int(moment.timestamp())


@pytest.mark.parametrize(
    ("cron", "now", "tick"),
    [
        ("0 * * * *", "2026-03-10T12:10", "2026-03-10T12:00"),
        ("0 * * * *", "2026-03-10T13:00", "2026-03-10T13:00"),
        ("*/15 * * * *", "2026-03-10T12:16", "2026-03-10T12:15"),
        ("5-10 * * * *", "2026-03-10T12:30", "2026-03-10T12:10"),
        ("15,45 * * * *", "2026-03-10T12:44", "2026-03-10T12:15"),
        ("10-50/20 * * * *", "2026-03-10T12:49", "2026-03-10T12:30"),
        ("0 */2 * * *", "2026-03-10T13:59", "2026-03-10T12:00"),
        ("0 1-5 * * *", "2026-03-10T13:59", "2026-03-10T05:00"),
        ("0 0 1,15 * *", "2026-03-10T13:59", "2026-03-01T00:00"),
        ("0 0 * jan,mar *", "2026-02-10T00:00", "2026-01-31T00:00"),
        ("0 0 * * mon,wed", "2026-03-12T00:00", "2026-03-11T00:00"),
        ("0 0 * * 5-7", "2026-03-12T00:00", "2026-03-08T00:00"),
        ("0 0 * * 7", "2026-03-12T00:00", "2026-03-08T00:00"),
        ("0 0 13 * fri", "2026-03-12T00:00", "2026-03-06T00:00"),  # either
        ("0 0 */13 * fri", "2026-03-12T00:00", "2026-02-27T00:00"),  # both: begins with a star
        ("0 0 31 * *", "2026-04-30T12:00", "2026-03-31T00:00"),
        ("0 0 L * *", "2026-03-12T00:00", "2026-02-28T00:00"),
        ("0 0 29 2 *", "2027-06-01T00:00", "2024-02-29T00:00"),
        ("@hourly", "2026-03-10T12:10", "2026-03-10T12:00"),
        ("@daily", "2026-03-10T12:10", "2026-03-10T00:00"),
        ("@midnight", "2026-03-10T12:10", "2026-03-10T00:00"),
        ("@weekly", "2026-03-10T12:10", "2026-03-08T00:00"),
        ("@monthly", "2026-03-10T12:10", "2026-03-01T00:00"),
        ("@yearly", "2026-03-10T12:10", "2026-01-01T00:00"),
        ("@annually", "2026-03-10T12:10", "2026-01-01T00:00"),
    ],
)
def test_the_newest_tick(cron: str, now: str, tick: str) -> None:
    schedule = parse_schedule(cron, "UTC")
    assert schedule.due(None, at(now)) == at(tick)
    assert schedule.due(at(tick) - 1, at(now)) == at(tick)
    assert schedule.due(at(tick), at(now)) is None


@pytest.mark.parametrize(
    "cron",
    [
        *("", "* * * *", "* * * * * *", "*/0 * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *"),
        *("* * 32 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "a * * * *", "@reboot"),
        *("0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *", "0 0 */31 2 1#5", "-1 * * * *", "asap"),
        *("@daily @daily", "*" * 2000, "1//2 * * * *", ", * * * *", "0 0 * * 1#6"),
    ],
)
def test_what_is_no_schedule(cron: str) -> None:
    with pytest.raises(BadPolicy):
        parse_schedule(cron, "UTC")


def test_a_fault_names_the_field() -> None:
    with pytest.raises(BadPolicy, match=r"'60 \* \* \* \*': the minute is not understood"):
        parse_schedule("60 * * * *")


@pytest.mark.parametrize(
    "zone", ["Europe/Pari", "../../etc/passwd", "", "Europe", "/etc/localtime"]
)
def test_what_is_no_zone(zone: str) -> None:
    with pytest.raises(BadPolicy, match="there is no time zone"):
        parse_schedule("@daily", zone)


def test_a_zone_that_is_nearly_one_gets_a_hint() -> None:
    with pytest.raises(BadPolicy, match="did you mean 'Europe/Paris'"):
        parse_schedule("@daily", "Europe/Pari")


def test_a_host_without_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lochkit.zfs.zones.available_timezones", set)
    with pytest.raises(BadPolicy, match="install tzdata"):
        zone_of("Nowhere/Atall")
    assert parse_schedule("@daily", "UTC").due(None, DAY) == DAY
    assert parse_schedule("@daily", LOCAL).next(0) > 0


def test_years_of_missed_ticks_are_one() -> None:
    minutely = parse_schedule("* * * * *", "Europe/Paris")
    began = time.process_time()
    assert minutely.due(0, at("2026-03-10T12:00")) == at("2026-03-10T12:00")
    assert time.process_time() - began < 0.5


def test_a_day_in_many_years_is_found() -> None:
    rare = parse_schedule("0 0 * 2 1#5", "UTC")  # a 29 February that is a Monday
    assert rare.due(None, at("2026-03-10T12:00")) == at("2016-02-29T00:00")
    assert rare.next(at("2026-03-10T12:00")) == at("2044-02-29T00:00")


@pytest.mark.parametrize(
    ("cron", "ticks"),
    [
        # 02:00 to 03:00 is left out on 29 March 2026 in Paris.
        ("30 2 * * *", ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]),
        # It comes twice on 25 October.
        ("45 2 * 10 *", ["2026-10-24T00:45", "2026-10-25T00:45", "2026-10-26T01:45"]),
        ("0 * 25 10 *", [f"2026-10-25T{hour:02}:00" for hour in range(4)]),
        ("*/30 2 29 3 *", ["2027-03-29T00:00", "2027-03-29T00:30"]),
    ],
)
def test_where_clocks_change(cron: str, ticks: list[str]) -> None:
    schedule = parse_schedule(cron, "Europe/Paris")
    wanted = [at(tick) for tick in ticks]
    for before, after in pairwise(wanted):
        assert schedule.next(before) == after
        assert schedule.due(None, after) == after
        assert schedule.due(None, after - 1) == before


def test_a_time_that_came_before_in_an_hour_that_comes_again() -> None:
    schedule = parse_schedule("30 2 * * *", "Europe/Paris")
    first = at("2026-10-25T02:30", "Europe/Paris")
    again = at("2026-10-25T02:10", "Europe/Paris", fold=1)
    assert first < again
    assert schedule.due(None, again) == first
    assert schedule.next(again) == at("2026-10-26T02:30", "Europe/Paris")


# Zones and days (UTC) around which their clocks change, by whole hours and others.
CHANGES = (
    ("Europe/Paris", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Havana", "2026-11-01"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("Pacific/Apia", "2011-12-30"),
)
CRONS = (
    "*/20 2 * * *",
    "30 2 * * *",
    "30 0 * * *",
    "10 1-4 * * *",
    "*/30 0,23 * * *",
    "0 */2 * * *",
)


@cache
def every_tick(cron: str, zone: str, start: int, end: int) -> list[int]:
    """Search for ticks minute by minute, as cron(8) of Debian describes it; few fields only."""
    place = zone_of(zone)
    minute_field, hour_field, *_ = cron.split()
    minutes, hours = _values(minute_field, 60), _values(hour_field, 24)
    if minute_field.startswith("*") or hour_field.startswith("*"):
        moments = (datetime.fromtimestamp(one, place) for one in range(start, end, 60))
        return [int(m.timestamp()) for m in moments if m.minute in minutes and m.hour in hours]
    days = range(start // DAY - 1, end // DAY + 2)
    found = {
        _first(datetime(1970, 1, 1, hour, minute) + timedelta(days=day), zone)  # noqa: DTZ001
        for day in days
        for hour in hours
        for minute in minutes
    }
    return sorted(one for one in found if start <= one < end)


def _first(shown: datetime, zone: str) -> int:
    """When the clock shows it first; when it never does, the end of the gap."""
    place = zone_of(zone)
    while True:
        moment = shown.replace(tzinfo=place)
        if moment.astimezone(UTC).astimezone(place).replace(tzinfo=None) == shown:
            return int(moment.timestamp())
        shown += timedelta(minutes=1)


def _values(field: str, end: int) -> set[int]:
    if field.startswith("*"):
        return set(range(0, end, int(field.partition("/")[2] or 1)))
    low, _, high = field.partition("-")
    return set(range(int(low), int(high) + 1)) if high else {int(one) for one in field.split(",")}


@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_every_tick_around_a_change_of_clocks(zone: str, day: str, cron: str) -> None:
    middle = at(f"{day}T00:00")
    ticks = every_tick(cron, zone, middle - 3 * DAY, middle + 3 * DAY)
    schedule = parse_schedule(cron, zone)
    for now in range(middle - DAY, middle + DAY, 2011):
        place = bisect_right(ticks, now)
        assert schedule.due(None, now) == ticks[place - 1]
        assert schedule.next(now) == ticks[place]


@given(
    st.sampled_from(["*/7 * * * *", "5 4 * * *", "0 0 1 * *", "0 12 * * 1-5", "*/10 8-18 * * *"]),
    st.sampled_from(["UTC", "Europe/Paris", "Australia/Lord_Howe", "America/New_York"]),
    st.integers(0, 4_000_000_000),
    st.integers(0, 400 * DAY),
)
@settings(max_examples=60, deadline=None)
def test_due_and_next_agree(cron: str, zone: str, last: int, passed: int) -> None:
    schedule = Schedule(cron=cron, zone=zone)
    now = last + passed
    due = schedule.due(last, now)
    if due is None:
        assert schedule.next(last) > now
    else:
        assert last < due <= now < schedule.next(due)
        assert schedule.due(due, now) is None
        assert schedule.next(last) <= due


@pytest.fixture
def in_paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Paris")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_paris")
def test_the_zone_of_the_host_is_followed_where_its_clocks_change() -> None:
    local, named = zone_of(LOCAL), zone_of("Europe/Paris")
    for day in ("2026-03-29", "2026-10-25", "2026-07-01", "1999-12-31"):
        for moment in range(at(f"{day}T00:00") - DAY, at(f"{day}T00:00") + DAY, 1800):
            here, there = (datetime.fromtimestamp(moment, zone) for zone in (local, named))
            assert here.replace(tzinfo=None) == there.replace(tzinfo=None)
            assert (here.fold, here.utcoffset(), here.tzname()) == (
                (there.fold, there.utcoffset(), there.tzname())
            )
            assert int(here.timestamp()) == moment
            assert local_date(local, moment) == there.date()
    for now in range(at("2026-10-24T22:00"), at("2026-10-25T04:00"), 600):
        for cron in CRONS:
            assert parse_schedule(cron).due(None, now) == (
                parse_schedule(cron, "Europe/Paris").due(None, now)
            )
