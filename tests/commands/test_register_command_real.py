"""``lochkit register NAME -- CMD`` on a real etcd: registered exactly while the command is up."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.commands.registering import registering, until_dead
from tests.commands.servicing import RegistryBench, registry_bench
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
WEB = ("web", "--port", "http=8080")
PYTHON = (sys.executable, "-u", "-c")

# Says its pid, and what signals it gets; TERM ends it after a look at what is registered then.
SERVER = """
import os, signal, subprocess, sys
def heard(number, frame):
    open("heard", "a").write(signal.Signals(number).name + "\\n")
for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, heard)
def leave(number, frame):
    left = subprocess.run(sys.argv[1:], capture_output=True, text=True).stdout
    open("left", "w").write("keys: " + left)
    sys.exit(3)
signal.signal(signal.SIGTERM, leave)
open("pid", "w").write(str(os.getpid()))
while True:
    signal.pause()
"""

# Tells by sd_notify what is in the file `say`, as soon as there is one.
NOTIFIER = """
import os, pathlib, socket, time
say = pathlib.Path("say")
open("pid", "w").write(str(os.getpid()))
while True:
    if say.exists() and (words := say.read_text()).endswith("END"):
        say.unlink()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto(words.removesuffix("END").encode(), os.environ["NOTIFY_SOCKET"])
    time.sleep(0.02)
"""


@pytest.fixture
async def bench(one_etcd: EtcdServer) -> AsyncIterator[RegistryBench]:
    async with registry_bench(one_etcd.endpoint) as opened:
        yield opened


def server(bench: RegistryBench, one_etcd: EtcdServer) -> tuple[str, ...]:
    """The command, with what it looks with at its end."""
    ctl = (one_etcd.programs.etcdctl, f"--endpoints={bench.endpoint}", "get", "--prefix")
    keys = (f"{bench.namespace}/services/", "--keys-only")
    return ("--", *PYTHON, SERVER, "env", "ETCDCTL_API=3", *ctl, *keys)


async def test_a_stop_first_deregisters_and_then_stops_the_command(
    bench: RegistryBench, one_etcd: EtcdServer, tmp_path: Path
) -> None:
    async with registering(bench, tmp_path, *WEB, *server(bench, one_etcd)) as web:
        await web.until_there()
        pid = int(await web.until_file("pid"))
        assert await web.stop() == 0
        assert until_dead(pid, 1)
        assert (await web.until_file("left")).strip() == "keys:"
        assert await web.records() == []


async def test_a_drain_comes_before_the_end(
    bench: RegistryBench, one_etcd: EtcdServer, tmp_path: Path
) -> None:
    words = (*WEB, "--drain", "2", *server(bench, one_etcd))
    async with registering(bench, tmp_path, *words) as web:
        await web.until_there()
        await web.until_file("pid")
        began = trio.current_time()
        web.process.send_signal(signal.SIGTERM)
        await web.until_state("leaving")
        assert not (tmp_path / "left").exists()
        await web.until_there(0)
        assert trio.current_time() - began >= 2
        assert await web.ends() == 0
        assert (tmp_path / "left").exists()


async def test_signals_are_passed_on(
    bench: RegistryBench, one_etcd: EtcdServer, tmp_path: Path
) -> None:
    async with registering(bench, tmp_path, *WEB, *server(bench, one_etcd)) as web:
        await web.until_there()
        await web.until_file("pid")
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            web.process.send_signal(number)
            with trio.fail_after(10):
                while number.name not in (  # noqa: ASYNC110 (real servers tell no trio.Event)
                    (tmp_path / "heard").read_text() if (tmp_path / "heard").exists() else ""
                ):
                    await trio.sleep(0.02)
        assert len(await web.records()) == 1


@pytest.mark.parametrize(("ending", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
async def test_the_end_of_the_command_is_ours(
    bench: RegistryBench, tmp_path: Path, ending: str, code: int
) -> None:
    script = f"until [ -e end ]; do sleep 0.05; done; {ending}"
    async with registering(bench, tmp_path, *WEB, "--", "sh", "-c", script) as web:
        await web.until_there()
        (tmp_path / "end").touch()
        assert await web.ends() == code
        assert await web.records() == []
        assert ("the command ended" in web.errors) is bool(code)


@pytest.mark.parametrize(("command", "code"), [("/nowhere/x", 127), ("/etc/hostname", 126)])
async def test_a_command_that_can_not_be_started(
    bench: RegistryBench, tmp_path: Path, command: str, code: int
) -> None:
    async with registering(bench, tmp_path, *WEB, "--", command) as web:
        assert await web.ends() == code
        assert await web.records() == []


async def test_no_command_outlives_a_kill_of_lochkit(
    bench: RegistryBench, one_etcd: EtcdServer, tmp_path: Path
) -> None:
    words = (*WEB, "--ttl", "2", *server(bench, one_etcd))
    async with registering(bench, tmp_path, *words) as web:
        await web.until_there()
        pid = int(await web.until_file("pid"))
        web.process.kill()
        assert until_dead(pid)
        await web.until_there(0)


async def test_a_command_says_itself_when_it_is_ready(bench: RegistryBench, tmp_path: Path) -> None:
    words = (*WEB, "--notify", "--", *PYTHON, NOTIFIER)
    async with registering(bench, tmp_path, *words) as web:
        pid = int(await web.until_file("pid"))
        assert await web.records() == []
        (tmp_path / "say").write_text("READY=1\nSTATUS=serving\nEND")
        await web.until_there()
        (tmp_path / "say").write_text("STOPPING=1END")
        await web.until_there(0)
        os.kill(pid, 0)  # it is still there
        assert await web.stop() == 0


async def test_a_command_that_hangs_is_started_again(bench: RegistryBench, tmp_path: Path) -> None:
    policy = ("--notify", "--watchdog", "0.5", "--restart", "on-failure", "--stop-timeout", "0.2")
    async with registering(bench, tmp_path, *WEB, *policy, "--", *PYTHON, NOTIFIER) as web:
        first = await web.until_file("pid")
        (tmp_path / "say").write_text("READY=1END")
        [before] = await web.until_there()
        await web.until_there(0)  # it has said nothing more
        assert until_dead(int(first))
        with trio.fail_after(10):
            while (tmp_path / "pid").read_text() in ("", first):  # noqa: ASYNC110 (real servers tell no trio.Event)
                await trio.sleep(0.02)
        (tmp_path / "say").write_text("READY=1END")
        [after] = await web.until_there()
        assert after["uuid"] != before["uuid"]


async def test_it_is_registered_not_before_its_checks_have_passed(
    bench: RegistryBench, tmp_path: Path
) -> None:
    check = "exec interval=100ms warn=none -- test -e well"
    async with registering(bench, tmp_path, *WEB, "--check", check, "--", "sleep", "60") as web:
        await trio.sleep(1.5)
        assert await web.records() == []
        (tmp_path / "well").touch()
        await web.until_state("passing")
        (tmp_path / "well").unlink()
        await web.until_state("critical")


async def test_a_service_manager_is_told_of_the_service(
    bench: RegistryBench, one_etcd: EtcdServer, tmp_path: Path
) -> None:
    """Its own socket is not the command's."""
    environ = {"NOTIFY_SOCKET": str(tmp_path / "ours"), "WATCHDOG_USEC": "60000000"}
    show = ("--", "sh", "-c", "env >environ; sleep 60")
    async with registering(bench, tmp_path, *WEB, *show, **environ) as web:
        await web.until_there()
        told = await web.until_file("environ")
        assert "NOTIFY_SOCKET" not in told
        assert "WATCHDOG" not in told
