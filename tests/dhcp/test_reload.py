"""Reloading by command, by signal and through systemd; all that can go wrong is one error."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGTERM
from typing import Literal

import pytest
import trio

from lochkit.dhcp.reload import (
    AutoReloader,
    CommandReloader,
    NoReloader,
    ReloadFailed,
    SignalReloader,
)
from lochkit.dhcp.systemd import Systemd

from .systemctl import FakeSystemctl

GUESTS = frozenset({"guests.conf"})


async def test_nothing_to_do_is_done() -> None:
    await NoReloader().reload(GUESTS)


# --- commands ---


def command(script: str, timeout: float = 5.0) -> CommandReloader:
    return CommandReloader(["sh", "-c", script], timeout=timeout)


async def test_a_command_is_run_to_its_end(tmp_path: Path) -> None:
    await command(f"sleep 0.1; echo run >> {tmp_path}/log").reload(GUESTS)
    assert (tmp_path / "log").read_text() == "run\n"


async def test_a_command_that_fails_is_quoted() -> None:
    with pytest.raises(ReloadFailed, match="the reload command sh: exit code 3: no such unit"):
        await command("echo no such unit >&2; exit 3").reload(GUESTS)
    with pytest.raises(ReloadFailed, match="the reload command sh: killed by SIGKILL"):
        await command("kill -KILL $$").reload(GUESTS)


async def test_a_command_that_hangs_is_stopped() -> None:
    with trio.fail_after(5), pytest.raises(ReloadFailed, match=r"did not end within 0\.2 s"):
        await command("sleep 60", 0.2).reload(GUESTS)


async def test_a_command_that_is_missing_is_a_failed_reload(tmp_path: Path) -> None:
    with pytest.raises(ReloadFailed, match="can not be run"):
        await CommandReloader([str(tmp_path / "none")]).reload(GUESTS)


async def test_a_server_that_the_command_starts_lives_on(tmp_path: Path) -> None:
    with trio.fail_after(5):
        await command(f"sleep 60 & echo $! > {tmp_path}/pid").reload(GUESTS)
    os.kill(int((tmp_path / "pid").read_text()), 9)  # it is there


# --- signals ---

SERVER = """\
import signal, sys, time
if sys.argv[2] != "dies":
    signal.signal(signal.SIGHUP, lambda *_: print("again", flush=True))
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, "server", request.param], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def pid_file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "pid"
    path.write_text(f"{content}\n")
    return path


@pytest.mark.parametrize("server", ["lives"], indirect=True)
async def test_a_signal_is_sent(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    await SignalReloader(pid_file(tmp_path, server.pid), SIGHUP).reload(GUESTS)
    assert server.stdout is not None
    assert server.stdout.readline() == b"again\n"


@pytest.mark.parametrize("server", ["dies"], indirect=True)
async def test_a_server_that_dies_of_the_signal_has_not_reloaded(
    server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with pytest.raises(ReloadFailed, match="has ended after SIGHUP"):
        await SignalReloader(pid_file(tmp_path, server.pid), SIGHUP).reload(GUESTS)


@pytest.mark.parametrize("server", ["dies"], indirect=True)
async def test_a_signal_that_is_meant_to_end_it_may(
    server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    await SignalReloader(pid_file(tmp_path, server.pid), SIGTERM).reload(GUESTS)
    assert server.wait(5) == -SIGTERM


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "does not hold a process id"),
        ("kea", "does not hold a process id"),
        ("-1", "can not be the server"),
        ("0", "can not be the server"),
        ("1", "can not be the server"),
        ("own", "can not be the server"),
        (2**22 + 1, "does not run"),
        ("9" * 100, "does not run"),
    ],
)
async def test_nobody_else_is_signalled(tmp_path: Path, content: object, said: str) -> None:
    if content == "own":  # a number in a test's name would differ from run to run
        content = os.getpid()
    with pytest.raises(ReloadFailed, match=said):
        await SignalReloader(pid_file(tmp_path, content), SIGHUP).reload(GUESTS)


async def test_a_missing_pid_file_is_a_failed_reload(tmp_path: Path) -> None:
    with pytest.raises(ReloadFailed, match="No such file"):
        await SignalReloader(tmp_path / "none", SIGHUP).reload(GUESTS)


# --- systemd ---


@pytest.fixture
def fake(tmp_path: Path) -> FakeSystemctl:
    return FakeSystemctl(tmp_path / "systemctl")


def auto(fake: FakeSystemctl, backend: Literal["isc", "kea", "dnsmasq"] = "isc") -> AutoReloader:
    systemd = Systemd(str(fake.path), timeout=5)
    return AutoReloader(backend, settle=0.05, find=lambda: systemd)


ISC = "isc-dhcp-server.service"


async def test_the_active_unit_is_restarted(fake: FakeSystemctl) -> None:
    fake.set("dhcpd.service", "active")
    await auto(fake).reload(GUESTS)
    assert fake.calls() == ["reset-failed dhcpd.service", "restart dhcpd.service"]


async def test_without_an_active_unit_nothing_is_done_and_that_is_said_once(
    fake: FakeSystemctl, caplog: pytest.LogCaptureFixture
) -> None:
    fake.set(ISC, "failed")  # by somebody else: it may never have been set up
    reloader = auto(fake)
    with caplog.at_level(logging.WARNING):
        await reloader.reload(GUESTS)
        await reloader.reload(GUESTS)
    assert fake.calls() == []
    assert len(caplog.messages) == 1
    assert f"not active: {ISC}, isc-dhcp-server4.service" in caplog.messages[0]


async def test_without_systemd_nothing_is_done_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reloader = AutoReloader("kea", find=lambda: None)
    with caplog.at_level(logging.WARNING):
        await reloader.reload(GUESTS)
        await reloader.reload(GUESTS)
    assert len(caplog.messages) == 1
    assert "systemd does not run here" in caplog.messages[0]


async def test_a_unit_that_fails_after_its_restart_is_restarted_with_the_last_good_files(
    fake: FakeSystemctl,
) -> None:
    fake.set(ISC, "active")
    reloader = auto(fake)
    fake.on("restart", f"echo failed > {fake.path.parent}/state-$2; echo broken >&2; exit 1")
    with pytest.raises(ReloadFailed, match="broken"):
        await reloader.reload(GUESTS)
    fake.calls()
    fake.on("restart", "")
    await reloader.reload(GUESTS)
    assert fake.calls() == [f"reset-failed {ISC}", f"restart {ISC}"]


async def test_a_unit_that_falls_over_a_moment_later_is_a_failed_reload(
    fake: FakeSystemctl,
) -> None:
    fake.set(ISC, "active")
    fake.on("restart", f"echo activating > {fake.path.parent}/state-$2; exit 0")
    with pytest.raises(ReloadFailed, match=f"{ISC} is activating"):
        await auto(fake).reload(GUESTS)


async def test_a_unit_that_its_operator_stops_stays_stopped(fake: FakeSystemctl) -> None:
    fake.set(ISC, "active")
    reloader = auto(fake)
    await reloader.reload(GUESTS)
    fake.calls()
    fake.set(ISC, "inactive")
    await reloader.reload(GUESTS)
    assert fake.calls() == []
    fake.set(ISC, "active")
    await reloader.reload(GUESTS)
    assert fake.calls() == [f"reset-failed {ISC}", f"restart {ISC}"]


async def test_dnsmasq_is_restarted_only_for_its_configuration(fake: FakeSystemctl) -> None:
    unit = "dnsmasq.service"
    fake.set(unit, "active")
    reloader = auto(fake, "dnsmasq")
    await reloader.reload(frozenset({"dnsmasq.hosts"}))
    await reloader.reload(frozenset({"dnsmasq.conf", "dnsmasq.hosts"}))
    calls = [call for call in fake.calls() if not call.startswith("reset-failed")]
    assert calls == [f"reload-or-restart {unit}", f"restart {unit}"]


async def test_only_the_kea_whose_file_has_changed_is_reloaded(fake: FakeSystemctl) -> None:
    fake.set("kea-dhcp4-server.service", "active")
    fake.set("kea-dhcp6.service", "active")
    await auto(fake, "kea").reload(frozenset({"kea-dhcp6.conf"}))
    assert fake.calls()[-1] == "reload-or-restart kea-dhcp6.service"


async def test_a_systemctl_that_says_nothing_but_success_is_believed(tmp_path: Path) -> None:
    fake = FakeSystemctl(tmp_path / "silent")
    fake.path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/silent/calls\n')
    await auto(fake).reload(GUESTS)
    assert fake.calls() == [f"reset-failed {ISC}", f"restart {ISC}"]
