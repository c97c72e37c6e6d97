"""One attempt after another on real files, beside scripted checkers and reloaders."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from lochkit.dhcp.applier import Applier, ApplyPolicy
from lochkit.dhcp.checker import Outcome as Judgement
from lochkit.dhcp.checker import Verdict
from lochkit.dhcp.handover import ReloadPolicy
from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.outcome import Ending
from lochkit.dhcp.reload import NotReached, ReloadFailed
from lochkit.dhcp.settings import RenderSettings
from lochkit.dhcp.shrink import ShrinkGuard
from lochkit.dhcp.wanted import Wanted
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import KeyChange, Step
from lochkit.io.generations import Generation, GenerationStore, InstallError

FILES = ("hypervisors.conf", "guests.conf")


def hypervisor(number: int) -> tuple[bytes, bytes]:
    path_id = f"1f0c6c2e-6c1b-4d0f-9a55-3d1f5b1c{number:04x}"
    fields = {"ip": f"192.168.100.{number}", "mac": f"52:54:00:10:00:{number:02x}"}
    return f"/lochness/hypervisors/{path_id}/metadata".encode(), json.dumps(fields).encode()


class ScriptedChecker:
    """Judges as told; what it was shown is kept."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.seen: list[dict[str, bytes]] = []

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        await trio.lowlevel.checkpoint()
        self.seen.append({name: path.read_bytes() for name, path in staged.items()})
        return self.verdicts.pop(0) if self.verdicts else Verdict(outcome=Judgement.ACCEPTED)


class ScriptedReloader:
    """Fails as often as told; notes when, what for, and what the files were then."""

    def __init__(self, directory: Path) -> None:
        self.failures = 0
        self.reads: Sequence[str] = FILES
        self.failure: type[ReloadFailed] = ReloadFailed
        self.hangs: trio.CancelScope | None = None
        self.calls: list[tuple[float, frozenset[str], bytes]] = []
        self._directory = directory

    async def reload(self, changed: frozenset[str]) -> None:
        await trio.lowlevel.checkpoint()
        content = b"".join((self._directory / name).read_bytes() for name in self.reads)
        self.calls.append((trio.current_time(), changed, content))
        if self.hangs is not None:
            self.hangs.cancel()
            await trio.sleep_forever()
        if self.failures:
            self.failures -= 1
            raise self.failure("the server does not want to")


class Rig:
    """An applier on files in a directory, and the state that is wanted."""

    def __init__(self, directory: Path, **policy: Any) -> None:
        self.directory = directory
        self.store = GenerationStore(
            directory / ".lochkit", {name: directory / name for name in FILES}
        )
        self.store.open()
        self.checker = ScriptedChecker()
        self.reloader = ScriptedReloader(directory)
        self.wanted = Wanted(Layout(), IscBackend(RenderSettings.of("example.com")))
        self.applier = Applier(
            self.store, self.checker, self.reloader, ApplyPolicy(**policy), jitter=lambda: 1.0
        )
        self._values: dict[bytes, KeyValue] = {}
        self._revision = 1

    def want(self, *numbers: int) -> None:
        """Let just these hypervisors be wanted."""
        fresh = {
            key: KeyValue(key=key, create_revision=1, mod_revision=1, value=value)
            for key, value in map(hypervisor, numbers)
        }
        changes = {
            key: KeyChange(key, self._values.get(key), fresh.get(key))
            for key in self._values.keys() | fresh.keys()
        }
        self._values = fresh
        self._revision += 1
        self.wanted.take(Step(revision=self._revision, changes=changes), 0)

    @property
    def served(self) -> list[int]:
        """The hypervisors in the file, by the last byte of their address."""
        text = (self.directory / FILES[0]).read_text()
        return [
            int(line.strip(" ;\n").rpartition(".")[2])
            for line in text.splitlines()
            if "fixed-address" in line
        ]

    def restarted(self, **policy: Any) -> "Rig":
        """The same after the end of this process."""
        self.store.close()
        later = Rig(self.directory, **policy)
        later.reloader.calls = self.reloader.calls
        return later


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_what_is_wanted_is_installed_once(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1, 2)
    first = await rig.applier.apply(rig.wanted)
    assert (first.ending, first.changed) == (Ending.INSTALLED, tuple(sorted(FILES)))
    assert (first.generation, first.hosts) == (1, 2)
    assert rig.served == [1, 2]
    again = await rig.applier.apply(rig.wanted)
    assert (again.ending, again.changed) == (Ending.UNCHANGED, ())
    assert len(rig.reloader.calls) == len(rig.checker.seen) == 1
    assert set(rig.checker.seen[0]) == set(FILES)


async def test_only_the_file_that_changes_is_written(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    guests = os.stat(rig.directory / "guests.conf").st_ino
    rig.want(1, 2)
    outcome = await rig.applier.apply(rig.wanted)
    assert outcome.changed == ("hypervisors.conf",)
    assert rig.reloader.calls[-1][1] == {"hypervisors.conf"}
    assert os.stat(rig.directory / "guests.conf").st_ino == guests


async def test_nothing_is_done_at_a_start_when_the_files_are_right(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    """Ours or another program's: they are plain files in the second case, and stay so."""
    rig.want(1, 2)
    await rig.applier.apply(rig.wanted)
    for name in FILES:
        content = (rig.directory / name).read_bytes()
        (rig.directory / name).unlink()
        (rig.directory / name).write_bytes(content)
    later = rig.restarted()
    later.want(1, 2)
    assert (await later.applier.apply(later.wanted)).ending is Ending.UNCHANGED
    assert not (rig.directory / FILES[0]).is_symlink()
    assert len(rig.reloader.calls) == 1


async def test_a_server_that_was_not_told_before_a_crash_is_told_after_it(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    with trio.CancelScope() as rig.reloader.hangs:
        await rig.applier.apply(rig.wanted)
    later = rig.restarted()
    assert rig.served == [1, 2]
    later.want(1, 2)
    assert (await later.applier.apply(later.wanted)).ending is Ending.INSTALLED
    assert later.store.last_good == later.store.current


async def test_what_the_checker_rejects_is_not_installed(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    rig.checker.verdicts = [Verdict(outcome=Judgement.REJECTED, text="line 7: no")]
    outcome = await rig.applier.apply(rig.wanted)
    assert (outcome.ending, outcome.text) == (Ending.REJECTED, "line 7: no")
    assert (outcome.generation, outcome.hosts) == (1, 1)
    assert rig.served == [1]
    assert len(rig.reloader.calls) == 1
    assert [path.name for path in (rig.directory / ".lochkit").glob("stage*")] == []
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert rig.served == [1, 2]


async def test_a_checker_that_is_missing_is_a_warning_or_an_error(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = Verdict(outcome=Judgement.SKIPPED, text="there is no dhcpd")
    rig = Rig(tmp_path)
    for number in (1, 2):
        rig.checker.verdicts = [missing]
        rig.want(number)
        assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert caplog.text.count("there is no dhcpd") == 1
    strict = rig.restarted(require_check=True)
    strict.checker.verdicts = [missing]
    strict.want(3)
    outcome = await strict.applier.apply(strict.wanted)
    assert outcome.ending is Ending.REJECTED
    assert "--require-check" in outcome.text
    assert strict.served == [2]


async def test_a_reload_that_fails_is_tried_again_and_then_taken_back(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    rig.reloader.failures = 3
    outcome = await rig.applier.apply(rig.wanted)
    assert outcome.ending is Ending.FAILED
    assert "does not want to; the last good files are back (generation 1)" in outcome.text
    assert (outcome.generation, outcome.hosts) == (1, 1)
    assert rig.served == [1]
    assert len(rig.reloader.calls) == 1 + 3 + 1
    assert rig.reloader.calls[-1][2] == rig.reloader.calls[0][2]
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert rig.served == [1, 2]


async def test_a_reload_that_fails_once_is_no_failure(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    rig.reloader.failures = 2
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert len(rig.reloader.calls) == 3


async def test_a_reload_that_fails_at_first_has_nothing_to_go_back_to(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    rig.reloader.failures = 3
    outcome = await rig.applier.apply(rig.wanted)
    assert outcome.ending is Ending.FAILED
    assert "no earlier generation" in outcome.text
    assert rig.served == [1]
    # The files are as wanted: what is owed is the reload.
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert len(rig.checker.seen) == 1


async def test_the_one_file_that_there_was_is_put_back(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    (tmp_path / FILES[0]).write_text("# by hand\n")
    rig = Rig(tmp_path)
    rig.want(1)
    rig.reloader.failures = 3
    rig.reloader.reads = FILES[:1]
    outcome = await rig.applier.apply(rig.wanted)
    assert "the last good files are back (generation 0)" in outcome.text
    assert (tmp_path / FILES[0]).read_text() == "# by hand\n"


async def test_what_was_good_for_another_server_is_nothing_to_go_back_to(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    """Its generation has none of our files, so that the names would lead nowhere."""
    other = {"dnsmasq.conf": tmp_path / "dnsmasq.conf"}
    with GenerationStore(tmp_path / ".lochkit", other) as store:
        store.mark_good(store.commit(store.stage({"dnsmasq.conf": [b"no-ping\n"]}, {})))
    rig = Rig(tmp_path)
    rig.want(1)
    rig.reloader.failures = 3
    outcome = await rig.applier.apply(rig.wanted)
    assert "no earlier generation" in outcome.text
    assert rig.served == [1]


async def test_a_reload_that_fails_for_ever_is_warned_of_once(
    autojump_clock: trio.testing.MockClock, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.want(1)
    rig.reloader.failures = 9
    for ending in (Ending.FAILED, Ending.FAILED, Ending.FAILED, Ending.INSTALLED):
        assert (await rig.applier.apply(rig.wanted)).ending is ending
    assert caplog.text.count("does not want to") == 1
    rig.want(1, 2)
    rig.reloader.failures = 1
    await rig.applier.apply(rig.wanted)
    assert caplog.text.count("does not want to") == 2


async def test_neither_is_taken(autojump_clock: trio.testing.MockClock, rig: Rig) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    rig.reloader.failures = 4
    outcome = await rig.applier.apply(rig.wanted)
    assert "are back, and not taken either" in outcome.text
    assert rig.served == [1]


async def test_a_way_back_that_fails_tells_of_both_failures(
    autojump_clock: trio.testing.MockClock, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    rig.reloader.failures = 3

    def broken(generation: Generation) -> None:
        raise InstallError("the disk is gone", rig.directory)

    with monkeypatch.context() as context:
        context.setattr(rig.store, "restore", broken)
        outcome = await rig.applier.apply(rig.wanted)
    assert outcome.ending is Ending.FAILED
    assert "does not want to; and the last good files can not be put back" in outcome.text
    assert "the disk is gone" in outcome.text
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert rig.served == [1, 2]


async def test_what_nobody_is_there_to_take_stays_installed(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    rig.reloader.failures, rig.reloader.failure = 3, NotReached
    outcome = await rig.applier.apply(rig.wanted)
    assert (outcome.ending, outcome.generation, rig.served) == (Ending.FAILED, 2, [1, 2])
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert len(rig.checker.seen) == 2


async def test_reloads_keep_their_distance(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, reloads=ReloadPolicy(interval=5.0))
    for number in (1, 2, 3):
        rig.want(number)
        await rig.applier.apply(rig.wanted)
    assert [when for when, _, _ in rig.reloader.calls] == pytest.approx([0, 5, 10])


async def test_too_many_hosts_gone_at_once_are_held_back_also_after_a_restart(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(*range(1, 11))
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.HELD
    rig.want()
    outcome = await rig.applier.apply(rig.wanted)
    assert (outcome.ending, outcome.hosts) == (Ending.HELD, 10)
    assert "--allow-empty" in outcome.text
    later = rig.restarted()
    later.want(1)
    assert (await later.applier.apply(later.wanted)).ending is Ending.HELD
    assert later.served == list(range(1, 11))
    allowed = later.restarted(guard=ShrinkGuard(allow_empty=True))
    allowed.want()
    allowed_outcome = await allowed.applier.apply(allowed.wanted)
    assert (allowed_outcome.ending, allowed.served) == (Ending.INSTALLED, [])


async def test_hosts_of_another_program_that_were_put_back_do_not_vanish_either(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    for name in FILES:
        (tmp_path / name).write_text("group x {\n    host a {\n    }\n\n    host b {\n    }\n}\n")
    rig = Rig(tmp_path)
    rig.want(1, 2, 3)
    rig.reloader.failures = 3
    outcome = await rig.applier.apply(rig.wanted)
    assert "the last good files are back" in outcome.text
    for numbers in ((), (1,)):
        rig.want(*numbers)
        outcome = await rig.applier.apply(rig.wanted)
        assert (outcome.ending, outcome.hosts) == (Ending.HELD, 4)
    assert "host a" in (tmp_path / FILES[0]).read_text()


async def test_a_file_that_somebody_else_has_changed_is_put_right(
    autojump_clock: trio.testing.MockClock, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    (rig.directory / "guests.conf").unlink()
    (rig.directory / "guests.conf").write_text("mine")
    outcome = await rig.applier.apply(rig.wanted)
    assert outcome.changed == ("guests.conf",)
    assert b"Generated" in (rig.directory / "guests.conf").read_bytes()
    assert "somebody else" in caplog.text


async def test_an_edited_file_behind_a_plain_one_that_is_right_stops_nothing(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    guests = rig.directory / "guests.conf"
    content = guests.read_bytes()
    guests.resolve().write_text("edited in our own store")
    guests.unlink()
    guests.write_bytes(content)
    rig.want(1, 2)
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert rig.served == [1, 2]
    assert guests.read_bytes() == content


async def test_what_was_another_servers_is_nothing_for_the_checker(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    """The backend was another one before, in the same directory."""
    other = {"dnsmasq.conf": tmp_path / "dnsmasq.conf"}
    with GenerationStore(tmp_path / ".lochkit", other) as store:
        store.commit(store.stage({"dnsmasq.conf": [b"no-ping\n"]}, {}))
    rig = Rig(tmp_path)
    rig.want(1)
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert set(rig.checker.seen[0]) == set(FILES)
    assert (tmp_path / "dnsmasq.conf").read_bytes() == b"no-ping\n"


async def test_a_disk_that_is_full_is_reported_and_the_last_good_files_stay(
    autojump_clock: trio.testing.MockClock, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.want(1)
    await rig.applier.apply(rig.wanted)
    rig.want(1, 2)
    real = os.fsync

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = await rig.applier.apply(rig.wanted)
    assert outcome.ending is Ending.FAILED
    assert "No space left" in outcome.text
    assert rig.served == [1]
    monkeypatch.setattr(os, "fsync", real)
    assert (await rig.applier.apply(rig.wanted)).ending is Ending.INSTALLED
    assert rig.served == [1, 2]
