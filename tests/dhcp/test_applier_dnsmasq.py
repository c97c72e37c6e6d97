"""Attempts with dnsmasq's files: what its checker is shown, and the directory of hosts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from lochkit.dhcp.applier import Applier, ApplyPolicy
from lochkit.dhcp.checker import Checker, Verdict
from lochkit.dhcp.checker import Outcome as Judgement
from lochkit.dhcp.dnsmasq import DnsmasqBackend, is_host_file
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.outcome import Ending
from lochkit.dhcp.reload import NoReloader
from lochkit.dhcp.settings import RenderSettings
from lochkit.dhcp.wanted import Wanted
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import KeyChange, Step
from lochkit.io.folder import FileFolder
from lochkit.io.generations import GenerationStore

KEY = b"/lochness/hypervisors/1f0c6c2e-6c1b-4d0f-9a55-3d1f5b1c%04x/metadata"
ACCEPTED = Verdict(outcome=Judgement.ACCEPTED)
REJECTED = Verdict(outcome=Judgement.REJECTED, text="the main file is wrong")


class ScriptedChecker:
    """Judges as told; the hosts it was shown are kept, by MAC."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.shown: list[list[str]] = []

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        await trio.lowlevel.checkpoint()
        macs = [line[10:27].decode() for line in lines if line.startswith(b"dhcp-host=")]
        self.shown.append(sorted(macs))
        return self.verdicts.pop(0) if self.verdicts else ACCEPTED


class Rig:
    """An applier on dnsmasq's files, and the state that is wanted."""

    def __init__(self, directory: Path, *, by_directory: bool, check: bool = True) -> None:
        self.hosts_dir = directory / "hosts"
        self.hosts_dir.mkdir()
        self.checker = ScriptedChecker()
        backend = DnsmasqBackend(
            RenderSettings.of("example.com"),
            opts_file="/d/opts",
            hosts_file=None if by_directory else "/d/hosts",
            hosts_dir="/d/hosts.d" if by_directory else None,
        )
        names = ["dnsmasq.conf", "dnsmasq.opts"] + ["dnsmasq.hosts"] * (not by_directory)
        store = GenerationStore(directory / ".lochkit", {name: directory / name for name in names})
        store.open()
        checker: Checker | None = self.checker if check else None
        folder = FileFolder(self.hosts_dir, is_host_file) if by_directory else None
        self.backend, self.wanted = backend, Wanted(Layout(), backend)
        policy = ApplyPolicy(require_check=check)
        self.applier = Applier(store, checker, NoReloader(), policy, folder=folder, lines=backend)
        self._revision = 1

    async def put(self, number: int, mac: str) -> Ending:
        """Let a hypervisor have this MAC, and make an attempt."""
        self._revision += 1
        value = b'{"ip":"10.0.0.%d","netmask":"255.255.255.0","mac":"%s"}' % (number, mac.encode())
        key = KEY % number
        now = KeyValue(key=key, create_revision=1, mod_revision=self._revision, value=value)
        change = KeyChange(key, None, now)
        self.wanted.take(Step(revision=self._revision, changes={key: change}), 0)
        return (await self.applier.apply(self.wanted)).ending

    def files(self) -> set[int]:
        return {int(path.name[-4:], 16) for path in self.hosts_dir.iterdir()}


A, B, C, D = (f"52:54:00:00:00:0{number}" for number in range(1, 5))


@pytest.fixture(params=[False, True], ids=["file", "directory"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return Rig(tmp_path, by_directory=request.param)


async def test_what_was_rejected_is_checked_again_as_it_is_then(
    autojump_clock: trio.testing.MockClock, rig: Rig
) -> None:
    """Not as it was: a host that has changed meanwhile would be there twice, and never accepted."""
    assert await rig.put(1, A) is Ending.INSTALLED
    rig.checker.verdicts = [REJECTED, Verdict(outcome=Judgement.SKIPPED, text="not installed")]
    assert await rig.put(1, B) is Ending.REJECTED
    assert await rig.put(2, C) is Ending.REJECTED
    assert await rig.put(1, D) is Ending.INSTALLED
    assert rig.checker.shown == [[A], [B], [B, C], [C, D]]


async def test_nothing_is_kept_for_a_checker_that_nobody_wants(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    for number, by_directory in enumerate((False, True)):
        (place := tmp_path / str(number)).mkdir()
        rig = Rig(place, by_directory=by_directory, check=False)
        for mac in (A, B):
            assert await rig.put(1, mac) is Ending.INSTALLED
            assert rig.backend.lines_to_check() == []


async def test_a_directory_that_was_away_is_filled_again(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, by_directory=True)
    await rig.put(1, A)
    rig.hosts_dir.rename(tmp_path / "elsewhere")
    assert await rig.put(2, B) is Ending.FAILED
    rig.hosts_dir.mkdir()
    assert await rig.put(3, C) is Ending.INSTALLED
    assert rig.files() == {1, 2, 3}
