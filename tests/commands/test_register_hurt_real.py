"""``lochkit register`` on a real etcd while somebody hurts it: with signals, kills and silence."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.commands.registering import registering, until_dead
from tests.commands.servicing import RegistryBench, registry_bench
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
WEB = ("web", "--port", "http=8080")
PYTHON = (sys.executable, "-u", "-c")

# Writes down what signals it gets; it takes its time after TERM.
LISTENER = """
import os, signal
def heard(number, frame):
    open("heard", "a").write(signal.Signals(number).name + "\\n")
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, heard)
open("pid", "w").write(str(os.getpid()))
while True:
    signal.pause()
"""

# Says READY=1 at once, and does not stop.
NOTIFIER = """
import os, signal, socket, time
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
    to.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("pid", "w").write(str(os.getpid()))
time.sleep(60)
"""


@pytest.fixture
async def bench(one_etcd: EtcdServer) -> AsyncIterator[RegistryBench]:
    async with registry_bench(one_etcd.endpoint) as opened:
        yield opened


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
async def test_a_signal_during_the_drain_is_passed_on(
    bench: RegistryBench, tmp_path: Path, number: signal.Signals
) -> None:
    """And does not kill us, which would leave the key, and the command without its own time."""
    words = (*WEB, "--drain", "1", "--stop-timeout", "0.3", "--", *PYTHON, LISTENER)
    async with registering(bench, tmp_path, *words) as web:
        await web.until_file("pid")
        await web.until_there()
        web.process.send_signal(signal.SIGTERM)
        await web.until_state("leaving")
        web.process.send_signal(number)
        assert await web.ends() == 0
        assert (tmp_path / "heard").read_text().split() == [number.name, "SIGTERM"]
        assert await web.records() == []


async def test_a_signal_for_a_command_does_no_harm_without_one(
    bench: RegistryBench, tmp_path: Path
) -> None:
    async with registering(bench, tmp_path, *WEB) as web:
        await web.until_there()
        web.process.send_signal(signal.SIGUSR1)
        assert await web.stop() == 0
        assert await web.records() == []


@pytest.mark.parametrize("ttl", ["5", "600"])
async def test_a_stop_is_bounded_when_etcd_is_silent(
    bench: RegistryBench, tmp_path: Path, ttl: str
) -> None:
    """It is none that has to be forced, and the command is asked before it is killed."""
    words = (*WEB, "--ttl", ttl, "--drain", "1", "--stop-timeout", "0.5")
    async with CutProxy.run("127.0.0.1", int(bench.endpoint.rpartition(":")[2])) as proxy:
        bench.endpoint = proxy.url
        async with registering(bench, tmp_path, *words, "--", *PYTHON, LISTENER) as web:
            pid = int(await web.until_file("pid"))
            await web.until_there()
            proxy.black_hole()
            began = trio.current_time()
            assert await web.stop() == 0, web.errors
            assert trio.current_time() - began < 1 + 3 + 0.5 + 1
            assert (tmp_path / "heard").read_text().split() == ["SIGTERM"]
            assert until_dead(pid, 1)


async def test_another_run_of_the_command_brings_no_old_credentials_back(
    bench: RegistryBench, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("old")
    given = ("--public", "--takeover", "--service-user", "u", "--service-password-file", "password")
    policy = ("--restart", "always", "--restart-max-wait", "0.2")
    async with registering(bench, tmp_path, *WEB, *given, *policy, "--", *PYTHON, LISTENER) as web:
        pid = int(await web.until_file("pid"))
        [first] = await web.until_there()
        await bench.infos("web", hostname="there", user="u", password="new", public=True)
        await web.until("web", lambda records: records[0].get("password") == "new")
        (tmp_path / "pid").unlink()
        os.kill(pid, signal.SIGKILL)
        await web.until_file("pid")
        [again] = await web.until(
            "web", lambda records: len(records) == 1 and records[0]["uuid"] != first["uuid"]
        )
        assert again["password"] == "new"
        infos = json.loads((await bench.keys())["/services_infos/web"].value)
        assert infos["password"] == "new"


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(signal.SIGKILL,), (signal.SIGTERM,) * 3])
async def test_no_directory_is_left_behind(
    bench: RegistryBench, tmp_path: Path, numbers: tuple[signal.Signals, ...]
) -> None:
    """When it is killed, or forced to end by one signal too many."""
    place = tmp_path / "tmp"
    place.mkdir()
    words = (*WEB, "--drain", "20", "--ttl", "2", "--notify", "--stop-timeout", "9")
    command = ("--", *PYTHON, NOTIFIER)
    async with registering(bench, tmp_path, *words, *command, TMPDIR=str(place)) as web:
        pid = int(await web.until_file("pid"))
        await web.until_there()
        assert len(list(place.iterdir())) == 1
        for number in numbers:
            web.process.send_signal(number)
            await trio.sleep(0.7)
        assert await web.ends() in (-signal.SIGKILL, 128 + signal.SIGTERM)
        assert until_dead(pid)
        with trio.move_on_after(5):
            while list(place.iterdir()):  # noqa: ASYNC110 - another process removes it
                await trio.sleep(0.02)
        assert list(place.iterdir()) == []
        await web.until_there(0)


async def test_a_drain_ends_with_the_command(bench: RegistryBench, tmp_path: Path) -> None:
    words = (*WEB, "--drain", "20", "--", "sh", "-c", "until [ -e end ]; do sleep 0.05; done")
    async with registering(bench, tmp_path, *words) as web:
        await web.until_there()
        web.process.send_signal(signal.SIGTERM)
        await web.until_state("leaving")
        (tmp_path / "end").touch()
        began = trio.current_time()
        assert await web.ends() == 0
        assert trio.current_time() - began < 3
        assert await web.records() == []


async def test_an_open_credentials_file_costs_no_registration(
    bench: RegistryBench, tmp_path: Path
) -> None:
    """What is no file to begin with is refused; later nobody is taken out for it."""
    words = (*WEB, "--public", "--generate-credentials", "--credentials-file", "credentials")
    path = tmp_path / "credentials"
    async with registering(bench, tmp_path, *words) as web:
        await web.until_there()
        old = await web.until_file("credentials")
        path.chmod(0o644)
        await bench.infos("web", hostname="here", user="u", password="n3w", public=True)
        await web.until("web", lambda records: records[0].get("password") == "n3w")
        await trio.sleep(1)
        assert path.read_text() == old
        assert "chmod" in web.errors
        assert len(await web.records()) == 1
        path.chmod(0o600)
        with trio.fail_after(15):
            while "n3w" not in path.read_text():  # noqa: ASYNC110 - another process writes it
                await trio.sleep(0.05)
        path.chmod(0o644)
        assert await web.stop() == 0
    async with registering(bench, tmp_path, *words) as web:
        assert await web.ends() == 78


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_request_ends_the_drain_and_leaves_in_order(
    bench: RegistryBench, tmp_path: Path, number: signal.Signals
) -> None:
    words = (*WEB, "--drain", "60", "--ttl", "600", "--stop-timeout", "0.5")
    async with registering(bench, tmp_path, *words, "--", *PYTHON, LISTENER) as web:
        pid = int(await web.until_file("pid"))
        await web.until_there()
        web.process.send_signal(signal.SIGTERM)
        await web.until_state("leaving")
        await trio.sleep(0.6)
        began = trio.current_time()
        assert await web.stop(number) == 0
        assert trio.current_time() - began < 3
        assert (tmp_path / "heard").read_text().split() == ["SIGTERM"]
        assert until_dead(pid, 1)
        assert await web.records() == []
