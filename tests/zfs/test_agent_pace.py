"""When a chore is due: by its ticks, by reasons, after failures."""

from math import inf

from lochkit.runtime.backoff import Backoff
from lochkit.zfs.agent_pace import Pace
from lochkit.zfs.schedule import parse_schedule

NOON = 1_800_014_400
HOURLY = parse_schedule("0 * * * *", "UTC")
HOUR = 3600


def test_a_tick_is_done_once_however_many_were_missed() -> None:
    pace = Pace(HOURLY, handled=NOON - 100 * HOUR)
    assert pace.next_at(NOON + 5) == NOON + 5
    pace.begin(NOON + 5)
    assert pace.due_tick == NOON
    pace.succeeded(NOON + 9)
    assert pace.handled == NOON
    assert pace.next_at(NOON + 9) == NOON + HOUR


def test_a_tick_that_comes_while_it_is_done_is_another_reason() -> None:
    pace = Pace(HOURLY, handled=None)
    pace.begin(NOON)
    pace.succeeded(NOON + HOUR + 1)
    assert pace.next_at(NOON + HOUR + 1) == NOON + HOUR + 1


def test_being_poked_is_a_reason_until_it_is_begun() -> None:
    pace = Pace()
    assert pace.next_at(0.0) == inf
    pace.poke()
    assert pace.next_at(5.0) == 5.0
    pace.begin(5.0)
    pace.poke()  # while it is done
    pace.succeeded(6.0)
    assert pace.next_at(6.0) == 6.0
    pace.begin(6.0)
    pace.succeeded(7.0)
    assert pace.next_at(7.0) == inf


def test_it_is_done_anyhow_after_a_while() -> None:
    pace = Pace(every=60.0)
    assert pace.next_at(100.0) <= 100.0
    pace.begin(100.0)
    pace.succeeded(101.0)
    assert pace.next_at(101.0) == 161.0


def test_a_failure_waits_longer_each_time_whatever_reasons_there_are() -> None:
    pace = Pace(HOURLY, backoff=Backoff(base=10.0, maximum=30.0))
    waits = []
    now = float(NOON)
    for _ in range(4):
        pace.begin(now)
        pace.failed(now, 0.0)
        pace.poke()
        waits.append(pace.next_at(now) - now)
        now = pace.next_at(now)
    assert waits == [5.0, 10.0, 15.0, 15.0]
    assert pace.failures == 4
    pace.begin(now)
    pace.succeeded(now)
    assert (pace.failures, pace.retry_at, pace.handled) == (0, None, NOON)


def test_a_clock_that_is_set_back_stops_nothing_for_long() -> None:
    pace = Pace(HOURLY, every=60.0, backoff=Backoff(base=10.0, maximum=30.0))
    pace.begin(NOON)
    pace.failed(NOON, 0.9)
    year_before = NOON - 365 * 86400.0
    assert pace.next_at(year_before) <= year_before + 30.0
    pace.begin(year_before)
    pace.succeeded(year_before)
    assert pace.next_at(year_before) <= year_before + 60.0
    ahead = Pace(HOURLY, handled=NOON)
    assert ahead.next_at(NOON - 10 * HOUR + 1) == NOON - 10 * HOUR + 1


def test_the_next_tick_is_told() -> None:
    assert Pace(HOURLY).next_tick(NOON + 1) == NOON + HOUR
    assert Pace().next_tick(NOON) is None
