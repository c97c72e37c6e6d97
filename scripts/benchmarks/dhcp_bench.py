"""`scripts/bench dhcp`: from a put to the installed file, beside the naive way and a bare write."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import trio

from lochkit.etcd import operations as op
from lochkit.etcd.client import open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints

from .dhcp_cluster import Cluster, fill
from .dhcp_naive import bare_write, render_naively, time_naively
from .server import etcd_server
from .verdict import Figure

__all__ = ["bench_dhcp"]

DOMAIN = "example.com"
PUTS = 15
BURST = 10_000
LARGE, SMALL = 110_000, 10_000
FOLDERS = (1_000, 10_000, 100_000)
POLL = 0.0005  # seconds: how finely an installation is seen


class Daemon:
    """`lochkit dhcp` at work, without checker and reload."""

    def __init__(self, address: str, directory: Path, *words: str) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "lochkit", "dhcp", "--domain", DOMAIN, "--etcd"]
        command += [f"http://{address}", "--conf-dir", str(directory), "--no-check"]
        command += ["--quiet-time", "0", "--reload-command", "none", *words]
        self.began = time.perf_counter()
        self.process = subprocess.Popen(command)

    def wait_for(self, path: Path, before: tuple[int, int] | None) -> float:
        """When a file is there that is not the one of `before`."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if mark(path) != before:
                return time.perf_counter()
            if self.process.poll() is not None:
                raise RuntimeError("lochkit dhcp has ended")
            time.sleep(POLL)
        raise RuntimeError(f"{path} was not installed")

    def peak(self) -> float:
        """The most memory it has had, in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1000

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


def mark(path: Path) -> tuple[int, int] | None:
    """What tells one installed file from the next."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def bench_dhcp(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Measure; the numbers, and what was promised."""
    numbers: dict[str, object] = {}
    figures: list[Figure] = []
    for objects in (SMALL, LARGE):
        found, promised = _isc(objects, rounds)
        numbers[f"isc {objects}"] = found
        figures += promised
    medians = {count: _folder(count, rounds) for count in FOLDERS}
    numbers["hosts directory"] = medians
    ratio = medians[FOLDERS[-1]] / medians[FOLDERS[0]]
    text = ", ".join(f"{count} guests {value * 1e3:.1f} ms" for count, value in medians.items())
    print(f"\nhosts directory, put to installed: {text}")
    figures.append(
        Figure(name="hosts directory, 100,000 / 1,000 guests", measured=ratio, limit=1.5)
    )
    return numbers, figures


@dataclass(slots=True)
class Isc:
    """What was measured with dhcpd's files; times in seconds, memory in megabytes."""

    objects: int
    starts: list[float] = field(default_factory=list)
    puts: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    naive: float = 0.0
    burst: int = 0
    size: int = 0

    def round(self, address: str, cluster: Cluster, directory: Path, number: int) -> None:
        """Start a daemon, change single guests, and then very many."""
        directory.mkdir()
        target = directory / "guests.conf"
        daemon = Daemon(address, directory)
        try:
            self.starts.append(daemon.wait_for(target, None) - daemon.began)
            for turn in range(PUTS):
                self.puts.append(_put(address, cluster, daemon, target, number * PUTS + turn))
                content = target.read_bytes()
                self.bare.append(bare_write(directory / "bare", content))
                self.size = len(content)
            self.peaks.append(daemon.peak())
            self.burst = max(self.burst, _burst(address, cluster, daemon, target, number))
        finally:
            daemon.stop()

    def show(self) -> None:
        """Print it."""
        put = statistics.median(self.puts)
        print(f"\n{self.objects} objects, {self.size / 1e6:.1f} MB")
        print(f"  put to installed {_ms(self.puts)}, bare write {_ms(self.bare)}")
        print(f"  naive way {self.naive * 1e3:.0f} ms, {self.naive / put:.1f} times as long")
        start = statistics.median(self.starts)
        print(f"  start to first file {start:.2f} s, peak memory {max(self.peaks):.0f} MB")
        print(f"  a burst of {BURST} changes: {self.burst} generations, final file exact")

    def figures(self) -> list[Figure]:
        """What was promised."""
        put, bare = statistics.median(self.puts), statistics.median(self.bare)
        burst = Figure(name=f"generations in a burst, {self.objects}", measured=self.burst, limit=8)
        if self.objects <= SMALL * 1.1:
            name = "put to installed, 10,000"
            return [Figure(name=name, measured=put * 1e3, limit=30, unit="ms"), burst]
        start = statistics.median(self.starts)
        return [
            Figure(name="put to installed / bare write, 110,000", measured=put / bare, limit=5),
            Figure(name="start to first file, 110,000", measured=start, limit=2.5, unit="s"),
            Figure(name="peak memory, 110,000", measured=max(self.peaks), limit=300, unit="MB"),
            burst,
        ]


def _isc(objects: int, rounds: int) -> tuple[dict[str, object], list[Figure]]:
    cluster = Cluster.of(objects)
    found = Isc(cluster.objects)
    with etcd_server() as address, tempfile.TemporaryDirectory(dir=".") as scratch:
        fill(address, cluster)
        for number in range(rounds):
            found.round(address, cluster, Path(scratch) / f"{number}", number)
        found.naive, _ = time_naively(address, DOMAIN, Path(scratch) / "naive")
    found.show()
    return asdict(found), found.figures()


def _put(address: str, cluster: Cluster, daemon: Daemon, target: Path, turn: int) -> float:
    """Seconds from just before a put to the file that has it."""
    time.sleep(0.2)
    before = mark(target)
    key, value = cluster.guest(turn * 37 % cluster.guests, moved=1 + turn)
    began = _write(address, [(key, value)])
    return daemon.wait_for(target, before) - began


def _write(address: str, pairs: list[tuple[bytes, bytes]]) -> float:
    """Put them one after another, 16 at a time; when the first was sent."""

    async def main() -> float:
        async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
            await etcd.kv.txn([], [op.put(b"/warm", b"")])  # the connection is not what is measured
            began = time.perf_counter()

            async def lane(first: int) -> None:
                for key, value in pairs[first::16]:
                    await etcd.kv.put(key, value)

            async with trio.open_nursery() as nursery:
                for first in range(16):
                    nursery.start_soon(lane, first)
            return began

    return trio.run(main)


def _burst(address: str, cluster: Cluster, daemon: Daemon, target: Path, number: int) -> int:
    """How many generations 10,000 changes make; the final file must be exact."""
    time.sleep(2.5)
    before = _generation(daemon.directory)
    pairs = [
        cluster.guest(change % cluster.guests, moved=1000 * (number + 1) + change // cluster.guests)
        for change in range(BURST)
    ]
    _write(address, pairs)
    time.sleep(5)
    wanted = trio.run(render_naively, address, DOMAIN)
    if target.read_bytes() != wanted:
        raise RuntimeError("the final file is not exact")
    return _generation(daemon.directory) - before


def _generation(directory: Path) -> int:
    return int(os.readlink(directory / ".lochkit" / "current").split("-")[1])


def _folder(guests: int, rounds: int) -> float:
    """Median seconds from a put to the host's own file."""
    cluster = Cluster(guests)
    found = []
    with etcd_server() as address, tempfile.TemporaryDirectory(dir=".") as scratch:
        fill(address, cluster)
        directory = Path(scratch)
        hosts = directory / "hosts"
        hosts.mkdir()
        daemon = Daemon(address, directory, "--backend", "dnsmasq", "--hosts-dir", str(hosts))
        try:
            daemon.wait_for(directory / "dnsmasq.conf", None)
            while len(os.listdir(hosts)) < cluster.guests + cluster.hypervisors:
                time.sleep(0.1)
            time.sleep(2)
            for turn in range(PUTS * rounds):
                key, _ = cluster.guest(turn * 37 % guests)
                target = hosts / f"guests-{key.decode().split('/')[-2]}"
                found.append(_put(address, cluster, daemon, target, turn))
        finally:
            daemon.stop()
    return statistics.median(found)


def _ms(times: list[float]) -> str:
    return f"{statistics.median(times) * 1e3:.1f} ms (worst {max(times) * 1e3:.1f})"
