"""Damaged conversations give faults of ours, and nothing else."""

from random import Random

from .mutation import WHOLE, damaged, outcomes


def test_what_is_not_damaged_is_taken() -> None:
    assert outcomes(iter(WHOLE)) == {"taken": len(WHOLE)}


def test_damage_is_refused_or_makes_no_difference() -> None:
    found = outcomes(damaged(Random(5), 20_000))
    assert found.total() == 20_000
    assert found["refused"] > 5000
    assert found["taken"] > 1000  # it may be in the bytes of a stream, or within a word
