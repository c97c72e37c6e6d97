"""The keeper beside a scripted applier: bursts, failures, retries, rechecks."""

import json
import logging
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.keeper import Keeper
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.model import Group
from lochkit.dhcp.outcome import Ending, Outcome
from lochkit.dhcp.pacing import Pacing
from lochkit.dhcp.settings import RenderSettings
from lochkit.dhcp.wanted import Wanted
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import Appeared, KeyChange, Origin, Step
from lochkit.runtime.backoff import Backoff
from lochkit.runtime.debounce import Debouncer

HYPERVISOR = "1f0c6c2e-6c1b-4d0f-9a55-3d1f5b1c7e01"
KEY = f"/lochness/hypervisors/{HYPERVISOR}/metadata".encode()


def hypervisor(last: int, mac: str = "52:54:00:10:00:01") -> bytes:
    fields = {"id": HYPERVISOR, "ip": f"192.168.100.{last}", "mac": mac}
    return json.dumps(fields).encode()


def put(revision: int, value: bytes, key: bytes = KEY) -> Step:
    kv = KeyValue(key=key, create_revision=2, mod_revision=revision, value=value)
    return Step(revision=revision, changes={key: KeyChange(key, None, kv)})


class ScriptedApplier:
    """Takes its time, and ends as it is told.

    Attributes:
        endings: how the next attempts end; then they install.
        texts: what is told of them; then always the same.
        takes: seconds for each.
        attempts: when each began, whether it was thorough, and the file it would have written.
    """

    def __init__(self) -> None:
        self.endings: Iterator[Ending] = iter(())
        self.takes = 0.1
        self.texts: Iterator[str] = iter(())
        self.attempts: list[tuple[float, bool, bytes]] = []

    async def apply(self, wanted: Wanted, *, thorough: bool = False) -> Outcome:
        content = b"".join(wanted.backend.documents()[0].pieces)
        self.attempts.append((trio.current_time(), thorough, content))
        await trio.sleep(self.takes)
        ending, text = next(self.endings, Ending.INSTALLED), next(self.texts, "so")
        return Outcome(ending=ending, text=text, generation=1)

    @property
    def times(self) -> list[float]:
        return [when for when, _, _ in self.attempts]


class Rig:
    """A keeper at work on what is sent to it, merged as in the daemon."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.applier = ScriptedApplier()
        self.reports: list[Outcome] = []
        self.steps, settled = trio.open_memory_channel[Step](0)
        merged, latest = trio.open_memory_channel[Step](0)
        self.wanted = Wanted(Layout(), IscBackend(RenderSettings.of("example.com")))
        self.keeper = Keeper(
            latest,
            self.wanted,
            self.applier,
            pacing=Pacing(limit=2.0),
            report=self._report,
            retry=Backoff(base=8, maximum=64),
            jitter=lambda: 1.0,
            clock=lambda: 1000.0,
        )
        nursery.start_soon(Debouncer(settled, merged, quiet=0, limit=0, merge=Step.merge).run)
        nursery.start_soon(self.keeper.run)

    async def _report(self, outcome: Outcome) -> None:
        await trio.lowlevel.checkpoint()
        self.reports.append(outcome)


@pytest.fixture
def rig(nursery: trio.Nursery) -> Rig:
    return Rig(nursery)


async def test_a_change_by_itself_is_installed_at_once(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    for number in range(1, 4):
        began = trio.current_time()
        await rig.steps.send(put(number, hypervisor(number)))
        await trio.sleep(10)
        assert rig.applier.times[-1] == pytest.approx(began)
        assert b"192.168.100.%d;" % number in rig.applier.attempts[-1][2]
    assert len(rig.applier.attempts) == 3
    assert [outcome.ending for outcome in rig.reports] == [Ending.INSTALLED] * 3


async def test_a_burst_is_few_generations_and_the_last_state_is_installed(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    for number in range(1000):
        await rig.steps.send(put(number + 1, hypervisor(number % 250 + 1)))
        await trio.sleep(0.005)
    await trio.sleep(10)
    assert len(rig.applier.attempts) <= 8
    assert b"192.168.100.250;" in rig.applier.attempts[-1][2]
    assert rig.wanted.revision == 1000


async def test_single_changes_after_a_burst_are_installed_without_its_pauses(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    for number in range(400):
        await rig.steps.send(put(number + 1, hypervisor(number % 250 + 1)))
        await trio.sleep(0.005)
    await trio.sleep(0.5)
    rig.applier.takes = 0.01
    delays = []
    for number in range(400, 410):
        attempts, began = len(rig.applier.attempts), trio.current_time()
        await rig.steps.send(put(number + 1, hypervisor(number % 250 + 1)))
        while len(rig.applier.attempts) == attempts:  # noqa: ASYNC110
            await trio.sleep(0.001)
        delays.append(rig.applier.times[-1] - began)
        await trio.sleep(0.2)
    assert max(delays[1:]) < 0.05


async def test_a_failure_is_tried_again_after_waits_that_grow(
    autojump_clock: trio.testing.MockClock, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.applier.takes = 0.0
    rig.applier.endings = iter([Ending.FAILED, Ending.FAILED, Ending.REJECTED, Ending.INSTALLED])
    await rig.steps.send(put(1, hypervisor(1)))
    await trio.sleep(1000)
    assert rig.applier.times == pytest.approx([0, 8, 24, 56])
    told = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == [
        "not installed: so",
        "rejected by the server's own checker: so",
        "the configuration is in step again",
    ]


async def test_the_same_failure_is_told_once_though_other_files_were_in_the_way(
    autojump_clock: trio.testing.MockClock, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.applier.endings = iter([Ending.FAILED] * 4)
    places = ("stage-2e0957142c9a/guests.conf", "stage-8eff6c1eea27/guests.conf", ".status")
    rig.applier.texts = iter([f"can not write /x/{place}: No space" for place in places])
    await rig.steps.send(put(1, hypervisor(1)))
    await trio.sleep(1000)
    told = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert [text.split()[5] for text in told[:2]] == [f"/x/{places[0]}:", f"/x/{places[2]}:"]
    assert told[2:] == ["not installed: so"]


async def test_a_change_does_not_wait_for_a_retry(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.applier.takes = 0.0
    rig.applier.endings = iter([Ending.REJECTED])
    await rig.steps.send(put(1, hypervisor(1)))
    await trio.sleep(1)
    await rig.steps.send(put(2, hypervisor(2)))
    await trio.sleep(1000)
    assert rig.applier.times == pytest.approx([0, 1])
    assert rig.keeper.last is not None
    assert rig.keeper.last.in_step


async def test_a_recheck_is_thorough_and_at_once_and_once(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.keeper.recheck()  # before anything is known: kept for the first attempt
    await trio.sleep(5)
    assert rig.applier.attempts == []
    await rig.steps.send(put(1, hypervisor(1)))
    await trio.sleep(5)
    rig.keeper.recheck()
    rig.keeper.recheck()
    await trio.sleep(5)
    assert [thorough for _, thorough, _ in rig.applier.attempts] == [True, True]
    assert rig.applier.times == pytest.approx([5, 10])


async def test_the_end_of_steps_is_the_end(
    autojump_clock: trio.testing.MockClock, rig: Rig, nursery: trio.Nursery
) -> None:
    await rig.steps.send(put(1, hypervisor(1)))
    await rig.steps.aclose()
    await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(1)
    assert not nursery.child_tasks
    assert len(rig.reports) == 1


async def test_what_is_left_out_is_logged_once(
    autojump_clock: trio.testing.MockClock, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for revision in (1, 2):
        await rig.steps.send(put(revision, hypervisor(1, mac="nonsense")))
        await trio.sleep(1)
    lines = [record for record in caplog.records if "left out" in record.message]
    assert [vars(line)["reason"] for line in lines] == ["bad-mac"]
    assert vars(lines[0])["key"] == KEY.decode()


async def test_very_many_left_out_are_summed_up(
    autojump_clock: trio.testing.MockClock, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    entries = {}
    for number in range(100):
        key = f"/lochness/guests/{number}/metadata".encode()
        entries[key] = KeyValue(key=key, create_revision=1, mod_revision=1, value=b"{")
    step = Step(revision=1, changes=Appeared(entries), origin=Origin.LISTED)
    await rig.steps.send(step)
    await trio.sleep(1)
    assert len([record for record in caplog.records if "left out" in record.message]) == 21
    assert "80 more" in caplog.text


async def test_a_heartbeats_rewrite_changes_no_file(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    await rig.steps.send(put(1, hypervisor(1)))
    await trio.sleep(1)
    before = rig.wanted.backend.documents()
    beat = json.loads(hypervisor(1)) | {"available_resources": {"memory": 1, "disk": 1, "cpu": 1}}
    await rig.steps.send(put(2, json.dumps(beat).encode()))
    await trio.sleep(1)
    assert [one.stamp for one in rig.wanted.backend.documents()] == [one.stamp for one in before]
    assert rig.wanted.hosts(Group.HYPERVISORS) == 1
