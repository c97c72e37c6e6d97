"""Real children on the real clock: whatever happens, none is left behind.

A helper command writes the ids of its processes to a file, so that a test can tell whether they are
gone. Every wait has a ceiling far above what it takes.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from lochkit.errors import TransientError
from lochkit.io.anonymous import anonymous_file
from lochkit.io.guardian_child import stat_of
from lochkit.io.process import (
    Child,
    CommandNotExecutable,
    CommandNotFound,
    CommandNotStarted,
    Exit,
    StopPlan,
    check_command,
    open_child,
    signal_named,
    start_error,
)

CEILING = 10
QUICK = StopPlan(timeout=0.3)


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


@asynccontextmanager
async def opened(
    *argv: str, stop: StopPlan = QUICK, env: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    with anonymous_file("nothing", []) as nothing:
        env = os.environ if env is None else env
        async with open_child(argv, stdin=nothing.fileno(), env=env, stop=stop) as child:
            yield child


def ids_in(path: Path) -> list[int]:
    """Return the ids that the helper has written so far."""
    return [int(word) for word in path.read_text().split()] if path.exists() else []


async def lines_in(path: Path, count: int) -> list[int]:
    """Wait until the helper has written as many ids."""
    await exists(path)
    while len(words := (await trio.Path(path).read_text()).split()) < count:  # noqa: ASYNC110
        await trio.sleep(0.01)
    return [int(word) for word in words]


def is_running(pid: int) -> bool:
    """Return whether the process is there and not merely waiting to be reaped."""
    try:
        return stat_of(str(pid))[0] != "Z"
    except OSError:
        return False


async def exists(path: Path) -> None:
    """Wait until the helper has written a file."""
    while not await trio.Path(path).exists():  # noqa: ASYNC110
        await trio.sleep(0.01)


async def test_exit_code_is_reported() -> None:
    with trio.fail_after(CEILING):
        async with opened("sh", "-c", "exit 3") as child:
            assert await child.wait() == Exit(status=3)
            assert child.exit == Exit(status=3)


async def test_death_by_signal_is_reported_as_a_shell_does() -> None:
    with trio.fail_after(CEILING):
        async with opened("sh", "-c", "kill -9 $$") as child:
            ended = await child.wait()
    assert ended.code == 137
    assert str(ended) == "killed by SIGKILL"


def test_exit_in_words() -> None:
    assert str(Exit(status=7)) == "exit code 7"
    assert str(Exit(status=-40)) == "killed by signal 40"


async def test_leaving_stops_the_command_and_what_it_started(pids: Path) -> None:
    with trio.fail_after(CEILING):
        async with opened("sh", "-c", f"sleep 60 & echo $! $$ >{pids}; wait"):
            started = await lines_in(pids, 2)
        assert not any(map(is_running, started))


async def test_grandchild_that_ignores_the_signal_is_killed(pids: Path) -> None:
    script = f"(trap '' TERM; exec sleep 60) & echo $! $$ >{pids}; trap 'exit 0' TERM; wait"
    with trio.fail_after(CEILING):
        async with opened("sh", "-c", script):
            started = await lines_in(pids, 2)
        assert not any(map(is_running, started))


async def test_command_that_ignores_the_signal_is_killed_after_the_timeout() -> None:
    script = "trap '' TERM; while :; do sleep 0.01; done"
    with trio.fail_after(CEILING):
        async with opened("sh", "-c", script) as child:
            await trio.sleep(0.1)  # for the trap
        assert child.exit == Exit(status=-signal.SIGKILL)


async def test_command_has_its_time_to_stop(tmp_path: Path) -> None:
    done = tmp_path / "done"
    trap = f"trap 'sleep 0.2; echo yes >{done}; exit 5' TERM"
    script = f"{trap}; echo >{done}.ready; while :; do sleep 0.01; done"
    with trio.fail_after(CEILING):
        async with opened("sh", "-c", script, stop=StopPlan(timeout=CEILING)) as child:
            await exists(Path(f"{done}.ready"))
        assert child.exit == Exit(status=5)
    assert done.read_text() == "yes\n"


async def test_what_the_command_started_has_its_time_to_stop_too(tmp_path: Path) -> None:
    """Even when the command itself is gone at once."""
    ready, done = tmp_path / "ready", tmp_path / "done"
    trap = f"trap 'sleep 0.2; echo yes >{done}; exit' TERM"
    inner = f"{trap}; echo >{ready}; while :; do sleep 0.01; done"
    with trio.fail_after(CEILING):
        script = 'sh -c "$0" & trap "exit 0" TERM; while :; do sleep 0.01; done'
        async with opened("sh", "-c", script, inner, stop=StopPlan(timeout=CEILING)) as child:
            await exists(ready)
        assert child.exit == Exit(status=0)
    assert done.read_text() == "yes\n"


async def test_stop_signal_is_the_one_asked_for() -> None:
    with trio.fail_after(CEILING):
        async with opened("sleep", "60", stop=StopPlan(signal=signal.SIGUSR1)) as child:
            pass
    assert child.exit == Exit(status=-signal.SIGUSR1)


async def test_stopped_process_is_ended() -> None:
    with trio.fail_after(CEILING):
        async with opened("sleep", "60", stop=StopPlan(timeout=CEILING)) as child:
            child.signal(signal.SIGSTOP)
        assert child.exit == Exit(status=-signal.SIGTERM)


async def test_what_a_finished_command_left_running_is_left_alone(pids: Path) -> None:
    with trio.fail_after(CEILING):
        async with opened("sh", "-c", f"sleep 60 >/dev/null 2>&1 & echo $! >{pids}") as child:
            await child.wait()
        (left,) = await lines_in(pids, 1)
    assert is_running(left)
    os.kill(left, signal.SIGKILL)


async def test_cancellation_stops_the_command(pids: Path) -> None:
    with trio.fail_after(CEILING):
        with trio.move_on_after(0.2):
            async with opened("sh", "-c", f"sleep 60 & echo $! $$ >{pids}; wait") as child:
                await child.wait()
        assert not any(map(is_running, await lines_in(pids, 2)))


async def test_cancelled_before_the_start_starts_nothing(pids: Path) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with opened("sh", "-c", f"echo $$ >{pids}"):
            pass
    assert not await trio.Path(pids).exists()


@pytest.mark.parametrize("ticks", range(12))
async def test_cancelled_at_any_moment_leaves_nothing(ticks: int, pids: Path) -> None:
    with trio.fail_after(CEILING):
        with trio.move_on_after(ticks * 0.001):
            async with opened("sh", "-c", f"sleep 60 & echo $! $$ >{pids}; wait") as child:
                await child.wait()
        assert not any(map(is_running, ids_in(pids)))


async def test_it_leads_a_session_of_its_own() -> None:
    with trio.fail_after(CEILING):
        async with opened("sleep", "60") as child:
            assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid


async def test_environment_is_exactly_the_one_given(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with trio.fail_after(CEILING):
        async with opened(
            "/usr/bin/env", "sh", "-c", f"env >{out}", env={"A": "1", "PATH": "/bin"}
        ) as c:
            await c.wait()
    lines = out.read_text().splitlines()
    assert "A=1" in lines
    assert not any(line.startswith("HOME=") for line in lines)


@pytest.mark.parametrize("name", ["no-such-command-here", "/no/such/command", "./none"])
async def test_missing_command(name: str) -> None:
    with pytest.raises(CommandNotFound) as early:
        check_command([name])
    assert early.value.exit_code == 127
    with pytest.raises(CommandNotFound):
        async with opened(name):
            raise AssertionError("it does not exist")


async def test_missing_interpreter_is_not_found_when_started(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    check_command([str(script)])  # can not be told without starting it
    with pytest.raises(CommandNotFound):
        async with opened(str(script)):
            raise AssertionError("it can not run")


@pytest.mark.parametrize("kind", ["plain", "directory", "garbage"])
async def test_not_executable(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"\x00\x01")
    if kind == "garbage":
        path.chmod(0o755)
    else:
        with pytest.raises(CommandNotExecutable) as early:
            check_command([str(path)])
        assert early.value.exit_code == 126
    with pytest.raises(CommandNotExecutable):
        async with opened(str(path)):
            raise AssertionError("it can not run")


def test_command_on_path_is_found() -> None:
    check_command(["sh"])
    check_command([sys.executable, "-c", "pass"])


def test_full_host_is_transient() -> None:
    error = start_error("x", BlockingIOError(11, "Resource temporarily unavailable"))
    assert isinstance(error, CommandNotStarted)
    assert isinstance(error, TransientError)


def test_anonymous_file_is_a_file_with_an_end_and_no_name() -> None:
    with anonymous_file("test", [b"ab", b"", b"c" * 100_000]) as file:
        out = subprocess.run(
            ["cat"], stdin=file.fileno(), capture_output=True, check=True, timeout=CEILING
        )
        assert out.stdout == b"ab" + b"c" * 100_000
        assert os.fstat(file.fileno()).st_nlink == 0
        file.seek(1)
        assert file.read(2) == b"bc"
        assert not os.get_inheritable(file.fileno())


def test_anonymous_file_without_memfd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(label: str, flags: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refused)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with anonymous_file("test", [b"abc"]) as file:
        assert file.read() == b"abc"
        assert list(tmp_path.iterdir()) == []


def test_anonymous_file_is_closed_when_its_content_fails() -> None:
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(ZeroDivisionError):
        anonymous_file("test", (b"x" * (1 // n) for n in (1, 0)))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("word", ["TERM", "SIGTERM", "term", "15"])
def test_signal_names(word: str) -> None:
    assert signal_named(word) is signal.SIGTERM


@pytest.mark.parametrize("word", ["", "NONE", "0", "1000", "SIG", "-1"])
def test_no_signal_of_this_name(word: str) -> None:
    with pytest.raises(ValueError, match="is not a signal"):
        signal_named(word)
