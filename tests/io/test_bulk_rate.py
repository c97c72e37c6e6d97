"""Limits of rate, and meters, by a clock that tests set."""

import pytest

from lochkit.io.bulk_meter import Meter
from lochkit.io.rate import RateLimit


class Clock:
    """Stands still unless it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_portions_are_given_out_in_turn() -> None:
    clock = Clock()
    limit = RateLimit(1000, clock=clock)
    assert [limit.reserve(500) for _ in range(4)] == [0, 0.5, 1.0, 1.5]
    clock.now += 2.0
    assert limit.reserve(500) == 0


def test_no_more_than_a_quarter_of_a_second_is_saved_up() -> None:
    clock = Clock()
    limit = RateLimit(1000, clock=clock)
    clock.now += 60
    assert limit.reserve(1000) == 0
    assert limit.reserve(1000) == pytest.approx(0.75)


def test_over_any_time_the_rate_is_kept() -> None:
    clock = Clock()
    limit = RateLimit(1_000_000, clock=clock)
    moved = 0
    while clock.now < 110:
        clock.now += limit.reserve(limit.portion)
        moved += limit.portion
    assert moved == pytest.approx(10_000_000, rel=0.06)


@pytest.mark.parametrize(("rate", "portion"), [(1, 4096), (1_000_000, 250_000)])
def test_a_portion_is_a_quarter_of_a_second(rate: float, portion: int) -> None:
    assert RateLimit(rate).portion == portion


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_is_above_zero(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        RateLimit(rate)


def test_a_meter_knows_the_rate_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    meter = Meter()
    assert meter.rate() == 0
    for _ in range(100):
        clock.now += 1
        meter.add(50)
    assert (meter.bytes, meter.last_progress) == (5000, 200.0)
    assert meter.rate() == pytest.approx(50)
    clock.now += 5
    assert meter.rate() == pytest.approx(25)
    clock.now += 60
    assert meter.rate() == 0
