"""Replications that are cut, cancelled or starved at any point, and what comes after."""

import os
import random
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
import trio

from lochkit.io.rate import RateLimit
from lochkit.runtime.backoff import Backoff
from lochkit.zfs.errors import Failure, StreamLost, ZfsError
from lochkit.zfs.plan_types import Step, Verdict
from lochkit.zfs.progress import Silent
from lochkit.zfs.replicator import replicate
from lochkit.zfs.reports import DatasetReport, Outcome
from lochkit.zfs.stream_limits import Retries

from ..fakes.zfs_host import Call, FakeHost
from .scissors import Scissors
from .transfer_scenes import (
    DATA,
    FAST,
    TREE,
    local,
    receiver_of,
    remote,
    run,
    source_host,
    target_at,
    target_host,
    wish,
)

PATIENT = Retries(most=60, backoff=Backoff(base=0.001, factor=1.0, maximum=0.001))


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert [one.name for one in threading.enumerate() if one.name.startswith("lochkit-")] == []


async def test_it_goes_on_wherever_the_connection_was_cut() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two", size=1_500_000)
    dice = random.Random(26)
    cuts = sorted(dice.randrange(3000, 2_500_000) for _ in range(50))
    scissors = Scissors(iter([max(3000, two - one) for one, two in pairwise([0, *cuts])]))
    async with remote(there, through=scissors.through) as target:
        report = await run(here, target, retries=PATIENT)
    assert report.ok, report.datasets[0].message
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")
    assert scissors.connections == 51
    assert scissors.passed < 6_000_000
    assert len(here.state.find("ssd/data").bookmarks) == 1
    assert not any(here.state.tags(f"ssd/data@{name}") for name in ("one", "two"))
    assert there.state.tags("bulk/data@two") == {"lochkit:job:last"}


async def test_a_line_that_gets_nowhere_is_given_up() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=1_500_000)
    scissors = Scissors(iter([300] * 100))
    async with remote(there, through=scissors.through) as target:
        report = await run(here, target)
    assert report.datasets[0].outcome is Outcome.FAILED
    assert report.datasets[0].failure is Failure.CUT
    assert report.retryable
    assert scissors.connections < 20


async def test_a_target_that_is_not_there_is_said_to_be() -> None:
    here = source_host()
    with pytest.raises(StreamLost, match="vault"):
        await run(here, target_at(9), retries=Retries(most=1, backoff=FAST.backoff))


class _Cancel:
    """Cancels a run when a host is asked for the nth time."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.scope = trio.CancelScope()
        self.said = ""

    async def __call__(self, call: Call) -> None:
        if self.left == 0:
            self.said = call.what
            self.scope.cancel()
        self.left -= 1


def _tree() -> tuple[FakeHost, FakeHost]:
    here, there = source_host(), target_host()
    here.state.make("ssd/data/a")
    for name in ("ssd/data", "ssd/data/a"):
        here.state.snaps(name, "one", "two", size=100_000)
    return here, there


@pytest.mark.parametrize("kind", ["local", "remote"])
async def test_cancelled_anywhere_the_next_run_puts_everything_right(kind: str) -> None:
    said: set[str] = set()
    for number in range(60):
        here, there = _tree()
        cancel = _Cancel(number)
        here.before = there.before = cancel
        if kind == "local":
            with cancel.scope:
                await run(here, local(there), TREE)
        else:
            async with remote(there) as target:
                with cancel.scope:
                    await run(here, target, TREE)
        here.before = there.before = None
        said.add(cancel.said)
        if not cancel.scope.cancelled_caught:
            break
        report = await run(here, local(there), TREE)
        assert report.ok, (number, cancel.said, report)
        _all_is_well(here, there)
    else:
        pytest.fail("it asks for more and more")
    assert {"inventory", "hold", "send", "receive", "dataset", "bookmark", "release"} <= said


def _all_is_well(here: FakeHost, there: FakeHost) -> None:
    for name in ("data", "data/a"):
        assert there.state.guids(f"bulk/{name}") == here.state.guids(f"ssd/{name}")
        assert len(here.state.find(f"ssd/{name}").bookmarks) == 1
        assert not any(here.state.tags(f"ssd/{name}@{one}") for one in ("one", "two"))
        assert not there.state.find(f"bulk/{name}").receiving


@pytest.mark.parametrize("what", ["hold", "release", "bookmark", "destroy_bookmark"])
async def test_a_failure_besides_is_a_warning_or_tried_again(what: str) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    await run(here, local(there))
    here.state.snaps("ssd/data", "two")
    here.fail_next(what, Failure.BUSY)
    there.fail_next(what, Failure.BUSY)
    report = await run(here, local(there))
    assert report.ok
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")
    again = await run(here, local(there))
    assert again.ok
    assert not again.warnings
    assert not here.state.tags("ssd/data@two")
    assert len(here.state.find("ssd/data").bookmarks) == 1


class _Heard(Silent):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.sent: list[int] = []

    def planned(self, dataset: str, target: str, verdict: Verdict) -> None:
        self.said.append(f"planned {dataset} {target} {type(verdict).__name__}")

    def started(self, dataset: str, step: Step, size: int | None) -> None:
        self.said.append(f"started {dataset} {step.to.name} {size}")

    def moved(self, dataset: str, sent: int, rate: float) -> None:
        self.sent.append(sent)

    def received(self, dataset: str, step: Step, result: object) -> None:
        self.said.append(f"received {dataset} {step.to.name}")

    def retrying(self, dataset: str, why: str, seconds: float) -> None:
        self.said.append(f"retrying {dataset}")

    def finished(self, report: DatasetReport) -> None:
        self.said.append(f"finished {report.source} {report.outcome.value}")


async def test_a_reporter_is_told_how_it_goes() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two", size=200_000)
    there.fail_next("receive", Failure.BUSY)
    heard = _Heard()
    with trio.fail_after(20):
        report = await replicate(
            here,
            local(there),
            wish(),
            DATA,
            reporter=heard,
            retries=FAST,
            rate=RateLimit(400_000),
        )
    assert report.ok
    first = next(one for one in heard.said if one.startswith("started"))
    assert int(first.split()[-1]) >= 200_000
    assert [one for one in heard.said if not one.startswith("started")] == [
        "planned ssd/data bulk/data Full",
        "retrying ssd/data",
        "planned ssd/data bulk/data Full",
        "received ssd/data one",
        "received ssd/data two",
        "finished ssd/data sent",
    ]
    assert heard.sent
    assert heard.sent[0] < report.bytes


async def test_a_rate_is_kept() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=300_000)
    before = trio.current_time()
    assert (await run(here, local(there), rate=300_000)).ok
    assert trio.current_time() - before > 0.6


async def test_no_more_streams_than_there_are_slots() -> None:
    here, there = source_host(), target_host()
    for number in range(8):
        here.state.make(f"ssd/data/{number}")
        here.state.snaps(f"ssd/data/{number}", "one")
    most = 0

    async def look(call: Call) -> None:
        nonlocal most
        if call.what == "receive":
            most = max(most, 3 - slots.value)
            await trio.sleep(0.01)

    there.before = look
    slots = trio.Semaphore(3)
    assert (await run(here, local(there), TREE, concurrency=8, slots=slots)).ok
    assert most == 3
    assert slots.value == 3


async def test_a_client_that_is_gone_leaves_holds_behind_all_the_same() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two")
    receiver = receiver_of(there)

    class _Gone(Silent):
        def received(self, dataset: str, step: Step, result: object) -> None:
            scope.cancel()

    async with remote(there, receiver=receiver) as target:
        with trio.CancelScope() as scope:
            await run(here, target, reporter=_Gone())
        with trio.fail_after(5):
            while not any(call.what == "hold" for call in there.calls):  # noqa: ASYNC110
                await trio.sleep(0.01)
    assert there.state.tags("bulk/data@one") == {"lochkit:job:last"}


async def test_an_error_of_the_source_is_not_blamed_on_the_target() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=100_000)
    here.fail_next("send", Failure.KEY_NOT_LOADED, message="the key is not loaded", after=10)
    async with remote(there) as target:
        report = await run(here, target)
    assert report.datasets[0].failure is Failure.KEY_NOT_LOADED
    assert "the key is not loaded" in report.datasets[0].message


async def test_a_source_that_can_not_be_looked_at_is_an_error() -> None:
    here, there = source_host(), target_host()
    here.fail_next("inventory", Failure.OTHER, message="no pool today")
    for target in (local(there),):
        with pytest.raises(ZfsError, match="no pool today"):
            await run(here, target, TREE)
