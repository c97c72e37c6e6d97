"""What a real command finds: its standard input, its environment, the file of changes."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import trio

from lochkit.errors import LochkitError
from lochkit.etcdwatch.desk import Desk, Job
from lochkit.etcdwatch.formats import Format
from lochkit.etcdwatch.launch import ChildLauncher, DiffPrinter, OutputClosed, StatePrinter
from lochkit.etcdwatch.selection import Selection
from lochkit.io.guardian import Guardian
from lochkit.io.process import CommandNotFound, Exit, StopPlan

from .steps import MiniStore

CEILING = 10

REPORT = """
import json, os, stat, sys
status = os.fstat(0)
told = {
    "stdin": sys.stdin.read(),
    "size": status.st_size,
    "is_file": stat.S_ISREG(status.st_mode),
    "links": status.st_nlink,
    "again": (sys.stdin.seek(0), sys.stdin.read())[1],
    "env": {name: value for name, value in os.environ.items() if name.startswith("LOCHKIT_")},
    "cwd": os.getcwd(),
    "argv": sys.argv[2:],
}
path = os.environ.get("LOCHKIT_CHANGES_FILE")
told["changes"] = [json.loads(line) for line in open(path)] if path else None
open(sys.argv[1], "w").write(json.dumps(told))
"""


def job_of(store: MiniStore | None = None, wanted: Format = Format.JSON) -> Job:
    desk = Desk(Selection(paths=("/",)), wanted)
    desk.apply((store or MiniStore(a="1")).listed())
    job = desk.next()
    assert job is not None
    return job


def launcher_of(*argv: str, environ: dict[str, str] | None = None, **options: Any) -> ChildLauncher:
    environ = dict(os.environ) if environ is None else environ
    stop = StopPlan(timeout=0.5)
    return ChildLauncher(argv, stop=stop, guardian=Guardian(None), environ=environ, **options)


async def report(job: Job, out: Path, *words: str, **options: Any) -> Any:
    """Run a command that tells what it found."""
    launcher = launcher_of(sys.executable, "-c", REPORT, str(out), *words, **options)
    with trio.fail_after(CEILING):
        async with launcher.launch(job) as running:
            assert await running.wait() == Exit(status=0)
    return json.loads(await trio.Path(out).read_text())


async def test_standard_input_is_a_nameless_file_at_its_start(tmp_path: Path) -> None:
    told = await report(job_of(), tmp_path / "out")
    assert told["stdin"] == told["again"] == '{"a": "1"}'
    assert (told["is_file"], told["size"], told["links"]) == (True, 10, 0)


async def test_arguments_are_words_and_the_directory_is_ours(tmp_path: Path) -> None:
    """No shell: nothing in a word is expanded."""
    words = ["$HOME", "a b", "*", "; touch pwned", ""]
    told = await report(job_of(), tmp_path / "out", *words)
    assert told["argv"] == words
    assert told["cwd"] == os.getcwd()


async def test_environment_and_changes(tmp_path: Path) -> None:
    store = MiniStore(a="1", b="2")
    told = await report(job_of(store), tmp_path / "out", environ={"LOCHKIT_OTHER": "x"})
    env = told["env"]
    assert len(env.pop("LOCHKIT_RUN_ID")) == 32
    assert env.pop("LOCHKIT_CHANGES_FILE").startswith("/dev/fd/")
    assert env == {
        "LOCHKIT_REVISION": "3",
        "LOCHKIT_PREVIOUS_REVISION": "0",
        "LOCHKIT_KEY_COUNT": "2",
        "LOCHKIT_CHANGED_COUNT": "2",
        "LOCHKIT_CHANGED_KEYS": "/a\n/b",
        "LOCHKIT_OTHER": "x",
    }
    assert [change["key"] for change in told["changes"]] == ["/a", "/b"]


async def test_variables_of_an_outer_run_are_not_passed_on(tmp_path: Path) -> None:
    store = MiniStore(**{f"k{'x' * 200}{n}": "1" for n in range(200)})
    stale = {"LOCHKIT_CHANGED_KEYS": "stale", "LOCHKIT_CHANGES_FILE": "stale"}
    told = await report(job_of(store), tmp_path / "out", environ=stale, changes_file=False)
    assert told["changes"] is None
    assert "LOCHKIT_CHANGED_KEYS" not in told["env"]
    assert told["env"]["LOCHKIT_CHANGED_COUNT"] == "200"


async def test_large_first_state_does_not_overflow_the_environment(tmp_path: Path) -> None:
    store = MiniStore()
    store.transact({f"/some/long/directory/{n:06}": "x" * 300 for n in range(20_000)})
    told = await report(job_of(store), tmp_path / "out")
    assert len(told["changes"]) == 20_000
    assert told["stdin"] == json.dumps(json.loads(told["stdin"]), sort_keys=True)


async def test_no_descriptor_of_ours_is_left_open_or_inherited(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    out = tmp_path / "out"
    with trio.fail_after(CEILING):
        launcher = launcher_of("sh", "-c", f"ls /proc/self/fd >{out}")
        async with launcher.launch(job_of()) as running:
            await running.wait()
    # 0, 1, 2, the file of changes, and the directory that ls reads.
    assert len((await trio.Path(out).read_text()).split()) == 5
    assert sorted(os.listdir("/proc/self/fd")) == before


class RecordingGuardian(Guardian):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.told: list[str] = []

    def expect(self, mark: str) -> None:
        self.told.append(f"expect {len(mark)}")

    def watch(self, group: int) -> None:
        self.told.append(f"watch {os.getpgid(group) == group}")

    def withdraw(self) -> None:
        self.told.append("withdraw")


@pytest.mark.parametrize("argv", [("sleep", "60"), ("/no/such/command",)])
async def test_guardian_is_told_of_every_run(argv: tuple[str, ...]) -> None:
    guardian = RecordingGuardian()
    stop = StopPlan(timeout=CEILING)
    launcher = ChildLauncher(argv, stop=stop, guardian=guardian, environ=os.environ)
    with trio.fail_after(CEILING), suppress(CommandNotFound):
        async with launcher.launch(job_of()):
            assert guardian.told == ["expect 32", "watch True"]
    assert guardian.told[0] == "expect 32"
    assert guardian.told[-1] == "withdraw"


async def test_kill_now_kills_without_waiting() -> None:
    launcher = launcher_of("sh", "-c", "trap '' TERM; while :; do sleep 0.01; done")
    launcher.kill_now()  # nothing is running
    with trio.fail_after(CEILING):
        async with launcher.launch(job_of()) as running:
            launcher.kill_now()
            assert await running.wait() == Exit(status=-SIGKILL)


@asynccontextmanager
async def done(printer: StatePrinter | DiffPrinter, job: Job) -> AsyncIterator[None]:
    with trio.fail_after(CEILING):
        async with printer.launch(job) as running:
            running.signal(SIGKILL)
            assert await running.wait() == Exit(status=0)
            yield


@pytest.mark.parametrize(
    ("wanted", "printed"), [(Format.JSON, b'{"a": "1"}\n'), (Format.YAML, b"a: '1'\n")]
)
async def test_document_is_printed_with_one_line_end(wanted: Format, printed: bytes) -> None:
    out: list[bytes] = []
    async with done(StatePrinter(out.append), job_of(wanted=wanted)):
        assert b"".join(out) == printed


async def test_diff_is_against_what_was_printed_before() -> None:
    out: list[bytes] = []
    printer = DiffPrinter(out.append, colour=False)
    store, desk = MiniStore(a="1", b="1"), Desk(Selection(paths=("/",)), Format.JSON)
    steps = [store.listed(), store.transact({"/a": "2", "/b": None}), store.put("/b", "3")]
    for step in steps:
        desk.apply(step)
        job = desk.next()
        assert job is not None
        desk.began(job)
        async with done(printer, job):
            pass
    assert [text.decode().splitlines()[2:] for text in out] == [
        ["@@ -0,0 +1,2 @@", '+"/a": "1"', '+"/b": "1"'],
        ["@@ -1,2 +1 @@", '-"/a": "1"', '-"/b": "1"', '+"/a": "2"'],
        ["@@ -1 +1,2 @@", ' "/a": "2"', '+"/b": "3"'],
    ]


async def test_coloured_diff() -> None:
    out: list[bytes] = []
    async with done(DiffPrinter(out.append, colour=True), job_of()):
        assert b'\x1b[32m+"/a": "1"\x1b[0m\n' in b"".join(out)


async def test_closed_output_ends_us_and_is_no_reason_to_try_again() -> None:
    def closed(data: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputClosed) as caught:
        async with done(StatePrinter(closed), job_of()):
            pass
    assert caught.value.exit_code == 141
    with pytest.raises(LochkitError, match="No space left"):
        async with done(DiffPrinter(full, colour=False), job_of()):
            pass
