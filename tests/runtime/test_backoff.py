"""Backoff: growth, ceiling, jitter, and what it refuses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.runtime.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (10**9, 30.0)]
)
def test_it_doubles_up_to_the_ceiling(failures: int, seconds: float) -> None:
    assert Backoff(base=0.5, factor=2, maximum=30).delay(failures) == seconds


def test_a_factor_of_one_is_a_constant_wait() -> None:
    constant = Backoff(base=3, factor=1, maximum=5)
    assert [constant.delay(n) for n in (1, 2, 10**6)] == [3, 3, 3]


def test_jitter_keeps_at_least_half() -> None:
    backoff = Backoff(base=4, maximum=4)
    assert backoff.jittered(1, 0.0) == 2
    assert backoff.jittered(1, 0.5) == 3
    assert 3.9 < backoff.jittered(1, math.nextafter(1, 0)) <= 4


@pytest.mark.parametrize(
    "values",
    [
        {"base": 0},
        {"base": -1},
        {"base": math.nan},
        {"base": 31},
        {"factor": 0.9},
        {"factor": math.inf},
        {"maximum": math.inf},
        {"maximum": math.nan},
        {"reset_after": -1},
        {"reset_after": math.nan},
    ],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Backoff(**values)


def test_there_is_no_delay_before_a_failure() -> None:
    with pytest.raises(ValueError, match="at least one failure"):
        Backoff().delay(0)


@given(
    base=st.floats(0.001, 10),
    factor=st.floats(1, 10),
    failures=st.integers(1, 10_000),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_it_never_shrinks_and_never_leaves_its_bounds(
    base: float, factor: float, failures: int, jitter: float
) -> None:
    backoff = Backoff(base=base, factor=factor, maximum=20)
    assert base <= backoff.delay(failures) <= backoff.delay(failures + 1) <= 20
    assert backoff.delay(failures) / 2 <= backoff.jittered(failures, jitter)
    assert backoff.jittered(failures, jitter) <= backoff.delay(failures)
