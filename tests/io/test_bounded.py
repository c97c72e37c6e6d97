"""Real commands on the real clock: none is waited for too long, and nothing of it is left."""

import os
import sys
from pathlib import Path

import pytest
import trio

from lochkit.io.bounded import Finished, run_bounded
from lochkit.io.guardian_child import stat_of
from lochkit.io.process import CommandNotExecutable, CommandNotFound

CEILING = 10


async def shell(script: str, *, timeout: float = 5.0, leave: bool = False) -> Finished:
    with trio.fail_after(CEILING):
        return await run_bounded(["sh", "-c", script], timeout=timeout, leave=leave)


def runs(path: Path) -> bool:
    """Whether the process whose id is in a file is there, and not merely waiting to be reaped."""
    try:
        return stat_of(path.read_text().strip())[0] != "Z"
    except OSError:
        return False


async def gone(path: Path) -> None:
    with trio.fail_after(CEILING):
        while runs(path):  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_both_outputs_are_kept_and_the_exit_told() -> None:
    ended = await shell("echo one; echo two >&2; exit 3")
    assert ended.output == b"one\ntwo\n"
    assert ended.exit is not None
    assert ended.exit.status == 3
    assert not ended.ok
    assert (await shell("true")).ok


async def test_it_has_nothing_to_read_and_no_terminal() -> None:
    assert (await shell("cat; test -t 0 || echo none")).output == b"none\n"


async def test_a_signal_is_told() -> None:
    ended = await shell("kill -SEGV $$")
    assert str(ended.exit) == "killed by SIGSEGV"


async def test_one_that_hangs_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    began = trio.current_time()
    ended = await shell(
        f"trap '' TERM; (trap '' TERM; sleep 60) & echo $! > {tmp_path}/pid; echo waiting; wait",
        timeout=0.3,
    )
    assert ended == Finished(exit=None, output=b"waiting\n")
    assert trio.current_time() - began < 5
    await gone(tmp_path / "pid")


async def test_what_it_leaves_in_the_background_is_killed(tmp_path: Path) -> None:
    began = trio.current_time()
    ended = await shell(f"sleep 60 & echo $! > {tmp_path}/pid; echo done")
    assert ended.ok
    assert ended.output == b"done\n"
    assert trio.current_time() - began < 5
    await gone(tmp_path / "pid")


async def test_what_it_leaves_on_purpose_stays_and_is_not_waited_for(tmp_path: Path) -> None:
    began = trio.current_time()
    ended = await shell(f"sleep 60 & echo $! > {tmp_path}/pid; echo done", leave=True)
    assert ended.output == b"done\n"
    assert trio.current_time() - began < 5
    assert runs(tmp_path / "pid")
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_one_that_leaves_its_group_and_keeps_the_pipe_is_not_waited_for() -> None:
    began = trio.current_time()
    assert (await shell("setsid sleep 8 & sleep 0.1; echo done")).output == b"done\n"
    assert trio.current_time() - began < 5


async def test_a_flood_is_read_and_cut_in_the_middle() -> None:
    script = "import sys; sys.stdout.write('begin' + 'x' * 3_000_000 + 'end')"
    with trio.fail_after(CEILING):
        ended = await run_bounded([sys.executable, "-c", script], timeout=5, limit=1000)
    assert ended.ok
    assert ended.output.startswith(b"beginx")
    assert ended.output.endswith(b"xend")
    assert len(ended.output) < 1100


async def test_an_endless_flood_ends_with_its_time() -> None:
    ended = await shell("yes", timeout=0.3)
    assert ended.exit is None
    assert len(ended.output) <= 64 * 1024 + 16


async def test_a_cancelled_one_is_stopped(tmp_path: Path) -> None:
    with trio.move_on_after(0.3) as scope:
        await shell(f"echo $$ > {tmp_path}/pid; sleep 60")
    assert scope.cancelled_caught
    await gone(tmp_path / "pid")


async def test_environment_is_added_and_the_directory_chosen(tmp_path: Path) -> None:
    with trio.fail_after(CEILING):
        ended = await run_bounded(
            ["sh", "-c", 'echo "$ADDED"; pwd'],
            timeout=5,
            environment={"ADDED": "yes"},
            directory=str(tmp_path),
        )
    assert ended.output.decode().split() == ["yes", str(tmp_path)]


async def test_one_that_is_not_there_or_not_executable_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandNotFound):
        await run_bounded([str(tmp_path / "none")], timeout=1)
    (tmp_path / "plain").write_text("")
    with pytest.raises(CommandNotExecutable):
        await run_bounded([str(tmp_path / "plain")], timeout=1)
