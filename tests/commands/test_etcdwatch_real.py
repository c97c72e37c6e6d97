"""``lochkit etcdwatch`` as operators run it: a process beside a real etcd that is killed, cut and
compacted."""

import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.etcd.prefix import KeyRange
from tests.etcd.real import client_of, until
from tests.servers.binaries import Binaries
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_server import EtcdServer
from tests.servers.workspace import workspace

pytestmark = pytest.mark.real_etcd
ROOT = Path(__file__).parents[2]
LIMIT = 90

# Appends one line for each run: what it read, and what it was told.
RECORDER = """
import json, os, sys
state = json.load(sys.stdin)
changes = [json.loads(line) for line in open(os.environ["LOCHKIT_CHANGES_FILE"])]
told = {name: value for name, value in os.environ.items() if name.startswith("LOCHKIT_")}
with open(sys.argv[1], "a") as book:
    book.write(json.dumps({"state": state, "changes": changes, "told": told}) + "\\n")
"""


class Watching:
    """A running etcdwatch and what its command wrote down."""

    def __init__(self, process: trio.Process, book: Path, errors: Path) -> None:
        self.process = process
        self._book = book
        self._errors = errors

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What each run of the command saw, oldest first."""
        if not self._book.exists():
            return []
        lines = self._book.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    @property
    def errors(self) -> str:
        """What it logged."""
        return self._errors.read_text()

    async def sees(self, state: dict[str, Any], seconds: float = 30.0) -> None:
        """Wait until the last run saw `state`."""
        await until(seconds, lambda: bool(self.runs) and self.runs[-1]["state"] == state)
        assert self.runs, self.errors
        assert self.runs[-1]["state"] == state, self.errors

    async def ends(self, seconds: float = 5.0) -> int:
        """Wait for its end and return its exit code."""
        with trio.fail_after(seconds):
            return await self.process.wait()


@asynccontextmanager
async def watching(
    tmp_path: Path, *options: str, command: tuple[str, ...] = ()
) -> AsyncIterator[Watching]:
    """Run etcdwatch for as long as the block runs."""
    book, errors = tmp_path / "book", tmp_path / "errors"
    argv = [sys.executable, "-m", "lochkit", "etcdwatch", *options]
    argv += ["--", *(command or (sys.executable, "-c", RECORDER, str(book)))]
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "toolkit"),
        "TMPDIR": str(temporary),
        "LOCHKIT_TEST": str(tmp_path),
    }
    with errors.open("ab") as log:
        process = await trio.lowlevel.open_process(
            argv, env=environ, stdin=-3, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield Watching(process, book, errors)
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    await until(5, lambda: not processes_of(tmp_path))
    assert processes_of(tmp_path) == []
    assert list(temporary.iterdir()) == []


def processes_of(tmp_path: Path) -> list[int]:
    """Every living process that has inherited this test's environment."""
    mark = f"LOCHKIT_TEST={tmp_path}".encode()
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                continue
    return found


def tree(dump: dict[bytes, bytes]) -> dict[str, Any]:
    """The tree of keys that have no conflicts."""
    root: dict[str, Any] = {}
    for key, value in dump.items():
        *directories, name = key.decode().strip("/").split("/")
        node = root
        for directory in directories:
            node = node.setdefault(directory, {})
        node[name] = value.decode()
    return root


def assert_sound(runs: list[dict[str, Any]]) -> None:
    """No state twice in a row; the changes told lead from each state to the next."""
    flat: dict[str, str] = {}
    for earlier, later in zip([None, *runs], runs, strict=False):
        assert earlier is None or earlier["state"] != later["state"]
        for change in later["changes"]:
            assert flat.get(change["key"]) == change.get("prev_value"), change
            if change["type"] == "put":
                flat[change["key"]] = change["value"]
            else:
                del flat[change["key"]]
        encoded = {key.encode(): value.encode() for key, value in flat.items()}
        assert tree(encoded) == later["state"]


@pytest.fixture
async def server(etcd_binary: Binaries) -> AsyncIterator[EtcdServer]:
    async with EtcdServer.run(etcd_binary) as running:
        yield running


@pytest.fixture(scope="module")
def untouched_server(debian_etcd: Binaries) -> Iterator[EtcdServer]:
    """For tests that write nothing."""
    with workspace() as directory:
        running = EtcdServer(debian_etcd, directory)
        try:
            running.start_sync()
            yield running
        finally:
            running.kill()


async def test_changes_kill_cut_and_compaction_end_in_the_true_state(
    server: EtcdServer, tmp_path: Path
) -> None:
    rng = random.Random(1)
    with trio.fail_after(LIMIT):
        async with (
            CutProxy.run("127.0.0.1", server.port) as proxy,
            watching(tmp_path, "--etcd", proxy.url, "--quiet-time=0.05") as watch,
        ):
            await watch.sees({})
            for _ in range(6):
                async with client_of(server.endpoint) as etcd:
                    for number in range(40):
                        key = b"/%s/%d" % (rng.choice((b"a", b"b")), rng.randrange(20))
                        if rng.random() < 0.3:
                            await etcd.kv.delete(KeyRange.exact(key))
                        else:
                            await etcd.kv.put(key, b"%d" % number)
                    match rng.randrange(3):
                        case 0:
                            proxy.cut_after(rng.randrange(2000))
                        case 1:
                            proxy.refuse()
                            newest = (await etcd.kv.put(b"/c/d", b"")).header.revision
                            await etcd.kv.compact(newest)
                        case _:
                            server.kill()
                            await server.start()
                proxy.heal()
            await server.ctl("put", "/end/of", "it")
            await watch.sees(tree(await server.dump("/")))
            assert_sound(watch.runs)
            watch.process.terminate()
            assert await watch.ends() in (0, 128 + signal.SIGTERM)  # in a run: the command's own


async def test_it_waits_for_an_etcd_that_comes_late_and_again(
    server: EtcdServer, tmp_path: Path
) -> None:
    with trio.fail_after(LIMIT):
        await server.ctl("put", "/a", "1")
        server.kill()
        async with watching(tmp_path, "--etcd", server.endpoint, "--quiet-time=0") as watch:
            await trio.sleep(1.5)
            assert watch.process.poll() is None
            assert watch.runs == []
            await server.start()
            await watch.sees({"a": "1"})
            await server.restart()
            await trio.sleep(1.5)
            assert len(watch.runs) == 1  # nothing changed: nothing is run
            await server.ctl("put", "/a", "2")
            await watch.sees({"a": "2"})
            assert watch.errors.count("warning") == 2  # each outage once


async def test_no_reconnect_ends_with_75(server: EtcdServer, tmp_path: Path) -> None:
    options = ("--etcd", server.endpoint, "--no-reconnect", "--quiet-time=0")
    async with watching(tmp_path, *options) as watch:
        await watch.sees({})
        server.kill()
        assert await watch.ends() == 75
        assert "etcd is away" in watch.errors
        assert "Traceback" not in watch.errors


@pytest.mark.parametrize("code", [0, 3])
async def test_once_ends_with_the_commands_code(
    server: EtcdServer, tmp_path: Path, code: int
) -> None:
    command = (sys.executable, "-c", f"raise SystemExit({code})")
    options = ("--etcd", server.endpoint, "--once")
    async with watching(tmp_path, *options, command=command) as watch:
        assert await watch.ends(10) == code
        assert "Traceback" not in watch.errors


async def test_the_options_of_the_original(server: EtcdServer, tmp_path: Path) -> None:
    await server.ctl("put", "/w/a", "1")
    await server.ctl("put", "/w/b/c", "2")
    await server.ctl("put", "/x", "3")
    old: tuple[str, ...] = (
        "-H",
        "127.0.0.1",
        "-p",
        str(server.port),
        "--protocol",
        "http",
        "-d",
        "w/",
        "-f",
        "json",
    )
    old += ("--no-recursive", "--stable-timeout", "0.2", "--reconnect-timeout", "1", "--debug")
    async with watching(tmp_path, *old) as watch:
        await watch.sees({"w": {"a": "1"}})
        await server.ctl("put", "/w/n", "4")
        await watch.sees({"w": {"a": "1", "n": "4"}})
        watch.process.send_signal(signal.SIGINT)
        assert await watch.ends() == 130


async def test_no_stable_runs_once_for_each_revision(server: EtcdServer, tmp_path: Path) -> None:
    async with watching(tmp_path, "--etcd", server.endpoint, "--no-stable") as watch:
        await watch.sees({})
        async with client_of(server.endpoint) as etcd:
            revisions = [(await etcd.kv.put(b"/k", b"%d" % n)).header.revision for n in range(12)]
        await watch.sees({"k": "11"})
        seen = [int(run["told"]["LOCHKIT_REVISION"]) for run in watch.runs[1:]]
        assert seen == revisions
        assert_sound(watch.runs)


MOMENTS = [
    *((signal.SIGTERM, moment / 10) for moment in range(1, 15)),
    *((signal.SIGINT, moment) for moment in (0.3, 0.8, 1.3)),
    *((signal.SIGHUP, moment) for moment in (0.5, 1.3)),
]


@pytest.mark.parametrize(("number", "moment"), MOMENTS)
async def test_a_signal_at_any_moment_leaves_nothing_behind(
    untouched_server: EtcdServer, tmp_path: Path, number: signal.Signals, moment: float
) -> None:
    """Before the first read, in it, in the quiet time, in a run whose children ignore TERM."""
    stubborn = "trap '' TERM HUP; sleep 300 & sleep 300"
    command = ("/bin/sh", "-c", stubborn)
    options = ("--etcd", untouched_server.endpoint, "--quiet-time=0.2", "--stop-timeout=0.5")
    async with watching(tmp_path, *options, command=command) as watch:
        await trio.sleep(moment)
        watch.process.send_signal(number)
        if number is signal.SIGHUP:  # passed on to the command, which does not care
            await trio.sleep(0.1)
            if watch.process.poll() is not None:  # too early to be caught: the kernel's default
                return
            watch.process.terminate()
        began = trio.current_time()
        await watch.ends(5)
        assert trio.current_time() - began < 5
        await until(2, lambda: not processes_of(tmp_path))
        assert processes_of(tmp_path) == []


async def test_kill_9_leaves_no_command_behind(
    untouched_server: EtcdServer, tmp_path: Path
) -> None:
    command = ("/bin/sh", "-c", "sleep 300 & sleep 300")
    options = ("--etcd", untouched_server.endpoint, "--quiet-time=0", "--stop-timeout=0.5")
    async with watching(tmp_path, *options, command=command) as watch:
        await until(10, lambda: len(processes_of(tmp_path)) >= 4)
        assert len(processes_of(tmp_path)) >= 4
        watch.process.kill()
        await watch.ends()
        await until(10, lambda: not processes_of(tmp_path))
        assert processes_of(tmp_path) == []
