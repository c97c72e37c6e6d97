"""A file that is touched, or is not, on a clock of the test's own."""

import os
from pathlib import Path

import pytest

from lochkit.discovery.check_model import TtlTarget
from lochkit.discovery.health import Outcome, Result
from lochkit.discovery.ttl_file import TtlFile

NOW = 1_700_000_000  # on the wall


class Watched:
    """A file, and who looks at it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = 0.0
        self.wall = float(NOW)
        target = TtlTarget(path=str(path), ttl=30)
        self.file = TtlFile(target, clock=lambda: self.seconds, wall_clock=lambda: self.wall)

    def touch(self, at: float, content: str = "") -> None:
        self.path.write_text(content)
        os.utime(self.path, (at, at))

    def look(self, after: float = 0) -> Result:
        self.seconds += after
        return self.file.look()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "alive")


def test_no_file(watched: Watched) -> None:
    assert watched.look() == Result(Outcome.FAIL, f"{watched.path}: No such file or directory")


def test_touched_in_time_and_then_silent(watched: Watched) -> None:
    watched.look()
    watched.touch(1)  # whatever the time is that it is stamped with
    assert watched.look(1).outcome is Outcome.PASS
    assert watched.look(30).outcome is Outcome.PASS
    assert watched.look(1) == Result(Outcome.FAIL, "silent for 31 s")
    watched.touch(2)
    assert watched.look().outcome is Outcome.PASS


def test_a_clock_that_is_set_matters_not(watched: Watched) -> None:
    watched.look()
    for at in (NOW, NOW - 10**6, NOW + 10**6):
        watched.touch(at)
        watched.wall = at / 2
        assert watched.look(25).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("age", "outcome"), [(0, "pass"), (29, "pass"), (31, "fail"), (10**6, "fail"), (-60, "fail")]
)
def test_what_is_there_at_first_is_judged_by_its_time(
    watched: Watched, age: float, outcome: str
) -> None:
    watched.touch(NOW - age)
    assert watched.look().outcome.value == outcome
    if outcome == "pass":
        assert watched.look(30 - age).outcome is Outcome.PASS
        assert watched.look(1).outcome is Outcome.FAIL
    watched.touch(NOW + 1)
    assert watched.look().outcome is Outcome.PASS


def test_a_file_that_is_replaced_by_one_of_the_same_time(watched: Watched) -> None:
    watched.touch(NOW)
    watched.look()
    other = watched.path.with_name("other")
    other.write_text("")
    os.utime(other, (NOW, NOW))
    other.rename(watched.path)
    assert watched.look(40).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ("", Result(Outcome.PASS)),
        ("12:00:01\n", Result(Outcome.PASS, "12:00:01")),
        ("pass", Result(Outcome.PASS, "pass")),
        ("WARN: slow\n", Result(Outcome.WARNING, "WARN: slow")),
        ("fail", Result(Outcome.FAIL, "fail")),
        ("critical, all is lost", Result(Outcome.FAIL, "critical, all is lost")),
        ("failed never", Result(Outcome.PASS, "failed never")),
    ],
)
def test_its_word(watched: Watched, content: str, result: Result) -> None:
    watched.touch(NOW, content)
    assert watched.look() == result


def test_a_file_that_goes_away(watched: Watched) -> None:
    watched.touch(NOW)
    assert watched.look().outcome is Outcome.PASS
    watched.path.unlink()
    assert watched.look().outcome is Outcome.FAIL


def test_what_is_no_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path):
        assert Watched(path).look() == Result(Outcome.FAIL, f"{path}: not a regular file")
