"""Child processes of the host: bounded, timed, never left behind; with scripts in place of zfs."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from lochkit.io.process import Child, StopPlan
from lochkit.zfs import processes
from lochkit.zfs.errors import Failure, ZfsError, ZfsUnavailable
from lochkit.zfs.processes import environment, find_program, open_running, run_streaming

ENV = environment(os.environ)


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    before = sorted(os.listdir("/proc/self/fd")), children()
    yield
    assert (sorted(os.listdir("/proc/self/fd")), children()) == before


def children() -> set[str]:
    """The ids of our child processes, dead ones too."""
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text().split()}


def python(source: str) -> list[str]:
    return [sys.executable, "-S", "-c", source]


async def test_output_and_complaints_are_read_at_once() -> None:
    """More than any pipe holds, of both."""
    source = "import os\nfor _ in range(40): os.write(2, b'e' * 65536); os.write(1, b'o' * 65536)"
    got: list[bytes] = []
    with trio.fail_after(20):
        ended = await run_streaming(python(source), ENV, timeout=15, take=got.append)
    assert ended.status == 0
    assert sum(map(len, got)) == 40 * 65536
    assert len(ended.stderr) == 64 * 1024


async def test_the_beginning_and_the_end_of_complaints_are_kept() -> None:
    source = "import sys; sys.stderr.write('first' + 'x' * 200000 + 'last'); sys.exit(3)"
    ended = await run_streaming(python(source), ENV, timeout=15, take=lambda _: None)
    assert ended.status == 3
    assert ended.stderr.startswith("first")
    assert ended.stderr.endswith("last")


async def test_a_process_that_takes_too_long_is_killed() -> None:
    with trio.fail_after(10):
        ended = await run_streaming(["sleep", "60"], ENV, timeout=0.1, take=lambda _: None)
        assert ended.status is None
        # Nor does one that will not go when it is asked to.
        stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True)"
        async with open_running(
            python(stubborn + "\ntime.sleep(60)"), ENV, stdout=subprocess.PIPE
        ) as running:
            await running.stdout.receive_some(1)
            assert (await running.ended(0.1)).status is None


async def test_one_that_the_kernel_does_not_let_go_is_waited_for_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one is that waits for a pool which does not answer: not even killing ends it."""
    deaf = trio.Event()

    async def no_stop(child: Child, plan: StopPlan) -> None:
        deaf.set()

    monkeypatch.setattr(Child, "stop", no_stop)
    monkeypatch.setattr(processes, "_KERNEL_SECONDS", 0.01)
    async with open_running(["sleep", "60"], ENV):
        pass
    assert deaf.is_set()
    (pid,) = (child for child in children() if comm(child) == "sleep")
    os.kill(int(pid), signal.SIGKILL)
    with trio.fail_after(5):
        while pid in children():  # noqa: ASYNC110 (it is waited for by nobody we could ask)
            await trio.sleep(0.01)


async def test_what_it_leaves_running_keeps_nobody_waiting() -> None:
    with trio.fail_after(10):
        async with open_running(["sh", "-c", "sleep 5 & echo hello >&2"], ENV) as running:
            ended = await running.ended(5)
            assert (ended.status, ended.stderr) == (0, "hello\n")
            running.terminate()


async def test_cancelling_kills_it_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "note"
    source = f"sleep 60 & echo $! > {note}.new; mv {note}.new {note}; wait"
    with trio.move_on_after(5) as scope:
        async with open_running(["sh", "-c", source], ENV):
            while not note.exists():  # noqa: ASYNC110, ASYNC240 (another process makes it)
                await trio.sleep(0.01)
            scope.cancel()
            await trio.sleep_forever()
    stat = Path(f"/proc/{int(note.read_text())}/stat")  # noqa: ASYNC240
    with trio.fail_after(5):
        # Gone, or dead and not yet buried by whoever has adopted it.
        while stat.exists() and stat.read_text().split()[2] != "Z":  # noqa: ASYNC110, ASYNC240
            await trio.sleep(0.01)


async def test_errors_of_the_block_come_out_as_they_are() -> None:
    with trio.fail_after(10), pytest.raises(KeyError):
        async with open_running(["sleep", "60"], ENV):
            raise KeyError

    def refuse(chunk: bytes) -> None:
        raise ZfsError("no")

    endless = "import os\nwhile True: os.write(1, b'x' * 65536)"
    with trio.fail_after(10), pytest.raises(ZfsError, match="no"):
        await run_streaming(python(endless), ENV, timeout=15, take=refuse)


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    for program in ("/nonexistent/zfs", str(plain)):
        with pytest.raises(ZfsUnavailable) as caught:
            await run_streaming([program], ENV, timeout=5, take=lambda _: None)
        assert caught.value.failure is Failure.UNAVAILABLE
    with pytest.raises(ZfsUnavailable, match="no such program"):
        find_program("no-such-zfs", ENV)


def comm(child: str) -> str:
    return Path(f"/proc/{child}/comm").read_text().strip()


async def test_the_environment_is_plain() -> None:
    env = environment({"PATH": "/bin", "LC_ALL": "fr_FR", "LANGUAGE": "fr", "ZFS_COLOR": "1"})
    assert env == {"PATH": "/bin:/usr/local/sbin:/usr/sbin:/sbin", "LC_ALL": "C"}
    assert environment({})["PATH"].startswith(os.defpath)
