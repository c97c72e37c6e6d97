"""`scripts/bench etcdwatch`: how soon the command sees the state, and what that costs in memory."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints

from .server import etcd_server, fill
from .verdict import Figure

__all__ = ["bench_etcdwatch"]

KEYS = 100_000
VALUE = b"0123456789" * 30
QUIET = 0.1
CHANGES = 100_000
# The command: reads all of its standard input and says when it was done.
READER = """
import sys, time
size = len(sys.stdin.buffer.read())
open(sys.argv[1], "a").write(f"{time.time()} {size}\\n")
"""


class Watched:
    """`lochkit etcdwatch` at work."""

    def __init__(self, address: str, book: Path) -> None:
        self._book = book
        reader = [sys.executable, "-S", "-c", READER, str(book)]
        options = [f"--etcd=http://{address}", f"--quiet-time={QUIET}"]
        self.began = time.time()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lochkit", "etcdwatch", *options, "--", *reader],
            stderr=subprocess.DEVNULL,
        )

    def run_after(self, count: int) -> float:
        """When the run after the first `count` ones had read everything."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            lines = self._book.read_text().splitlines() if self._book.exists() else []
            if len(lines) > count:
                return float(lines[count].split()[0])
            time.sleep(0.005)
        raise RuntimeError("the command was not run")

    def runs(self) -> int:
        """How often the command has read everything."""
        return len(self._book.read_text().splitlines()) if self._book.exists() else 0

    def memory(self) -> float:
        """Resident megabytes now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def bench_etcdwatch(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Measure; the numbers, and what was promised."""
    firsts: list[float] = []
    reactions: list[float] = []
    memory: list[float] = []
    with etcd_server() as address, tempfile.TemporaryDirectory() as scratch:
        fill(address, "/w/", KEYS, VALUE)
        for number in range(rounds):
            watched = Watched(address, Path(scratch) / f"book{number}")
            try:
                firsts.append(watched.run_after(0) - watched.began)
                reactions += trio.run(_react, address, watched)
                if number == rounds - 1:
                    memory = trio.run(_churn, address, watched)
            finally:
                watched.process.terminate()
                watched.process.wait()
    first, reaction = statistics.median(firsts), statistics.median(reactions)
    print(f"\nfirst run, from the start of the process: {first:.2f} s, all {_text(firsts)}")
    print(f"from a put to the whole state read: {reaction:.2f} s, all {_text(reactions)}")
    print(f"memory at each tenth of {CHANGES} changes, MB: {_text(memory)}")
    growth = max(memory[5:]) / max(memory[:5])
    figures = [
        Figure(name="first run", measured=first, limit=2.5, unit="s"),
        Figure(name="reaction", measured=reaction, limit=0.5 + QUIET, unit="s"),
        Figure(name="memory, second half / first half", measured=growth, limit=1.1),
    ]
    return {"first": firsts, "reaction": reactions, "memory": memory}, figures


async def _react(address: str, watched: Watched) -> list[float]:
    found = []
    async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
        for number in range(5):
            await trio.sleep(0.5)
            runs = watched.runs()
            await etcd.kv.put(b"/w/changing", b"%f %d" % (time.time(), number))
            committed = time.time()
            found.append(await trio.to_thread.run_sync(watched.run_after, runs) - committed)
    return found


async def _churn(address: str, watched: Watched) -> list[float]:
    found = []

    async def write(etcd: Client, tenth: int, lane: int) -> None:
        for number in range(lane, CHANGES // 10, 16):
            await etcd.kv.put(b"/w/key-%020d" % (number % 5000), b"%d-%d" % (tenth, number) * 25)

    async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
        for tenth in range(10):
            async with trio.open_nursery() as nursery:
                for lane in range(16):
                    nursery.start_soon(write, etcd, tenth, lane)
            found.append(watched.memory())
    return found


def _text(numbers: list[float]) -> str:
    return " ".join(f"{number:.2f}" for number in numbers)
