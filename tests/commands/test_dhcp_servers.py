"""``lochkit dhcp`` beside real DHCP servers that run: what they serve follows etcd."""

import json
import os
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.dhcp.kea_socket import KeaSocket
from tests.dhcp.kea_server import real_kea
from tests.dhcp.servers import dhcp_server
from tests.etcd.real import until
from tests.servers.binaries import Binaries
from tests.servers.etcd_server import EtcdServer
from tests.servers.workspace import workspace

from .dhcping import dhcping, guest, hypervisor, key_of, subnet

pytestmark = pytest.mark.real_etcd
LIMIT = 90


@pytest.fixture
async def server(debian_etcd: Binaries) -> AsyncIterator[EtcdServer]:
    async with EtcdServer.run(debian_etcd) as running:
        await running.ctl("put", key_of("hypervisors", 1), hypervisor(1))
        await running.ctl("put", key_of("subnets", 1), subnet(1))
        await running.ctl("put", key_of("guests", 1), guest(1))
        yield running


async def in_force(socket: KeaSocket) -> dict[str, str]:
    """The reservations of a running Kea: MAC and address."""
    config: Any = await socket.demand("config-get")
    return {
        one["hw-address"]: one["ip-address"]
        for network in config["Dhcp4"]["subnet4"]
        for one in network["reservations"]
    }


async def comes_to(socket: KeaSocket, macs: set[str]) -> None:
    with trio.move_on_after(20):
        while set(await in_force(socket)) != macs:  # noqa: ASYNC110 (Kea tells no trio.Event)
            await trio.sleep(0.05)
    assert set(await in_force(socket)) == macs


def base_of(directory: Path) -> dict[str, Any]:
    return {
        "Dhcp4": {
            "interfaces-config": {"interfaces": []},
            "control-socket": {"socket-type": "unix", "socket-name": f"{directory}/kea.sock"},
            "lease-database": {"type": "memfile", "persist": False},
        }
    }


HYPERVISOR, FIRST, SECOND = "52:54:00:00:00:01", "02:00:00:00:00:01", "02:00:00:00:00:02"


async def test_a_running_kea_follows_etcd(server: EtcdServer, tmp_path: Path) -> None:
    with workspace() as directory, trio.fail_after(LIMIT):  # a short path, as sockets need
        base = tmp_path / "base.json"
        base.write_text("// mine\n" + json.dumps(base_of(directory)))
        base.chmod(0o600)  # it may hold the password of a database
        options = ["--etcd", server.endpoint, "--backend", "kea", "--kea-base", str(base)]
        options += ["--kea-socket", f"{directory}/kea.sock", "--reload-retries", "0"]
        async with dhcping(tmp_path, *options, "--reload-interval", "0") as dhcp:
            await until(20, lambda: "nobody there to take it" in dhcp.errors)
            installed = dhcp.conf / "kea-dhcp4.conf"
            assert stat.S_IMODE(installed.stat().st_mode) == 0o600
            ids = json.loads((dhcp.conf / ".lochkit" / "kea-subnet-ids.json").read_text())
            assert set(ids) == {"10.1.0.0/16", "192.168.0.0/16"}
            # It is started now, with what is installed: nothing was taken back.
            async with real_kea(directory, json.loads(installed.read_text())) as socket:
                await comes_to(socket, {HYPERVISOR, FIRST})
                await server.ctl("put", key_of("guests", 2), guest(2))
                await comes_to(socket, {HYPERVISOR, FIRST, SECOND})
                await server.ctl("put", key_of("guests", 2), guest(2, address=999))
                await until(10, lambda: "10.1.3.231" in installed.read_text())
                with trio.fail_after(10):
                    while (await in_force(socket))[SECOND] != "10.1.3.231":  # noqa: ASYNC110
                        await trio.sleep(0.05)
                await server.ctl("del", key_of("guests", 1))
                await comes_to(socket, {HYPERVISOR, SECOND})
                await until(5, lambda: dhcp.status().in_step)
                assert dhcp.status().in_step


async def test_kea_without_a_base_is_told_what_to_do(tmp_path: Path) -> None:
    async with dhcping(tmp_path, "--backend", "kea") as dhcp:
        assert await dhcp.ends() == 78
        assert "--kea-base" in dhcp.errors


@asynccontextmanager
async def running_dnsmasq(directory: Path, conf: Path) -> AsyncIterator[Path]:
    """A dnsmasq that reads what we write, on ports that need no rights; its log."""
    log = directory / "dnsmasq.log"
    main = directory / "main.conf"
    main.write_text(f"port=0\ndhcp-alternate-port=16967\ninterface=lo\nconf-file={conf}\n")
    # Raw sockets are for root, and be it root of a namespace.
    argv = [] if os.geteuid() == 0 else ["unshare", "-rn"]
    argv += [dhcp_server("dnsmasq"), "--keep-in-foreground", f"--conf-file={main}", "--no-hosts"]
    argv += [f"--pid-file={directory}/pid", f"--log-facility={log}", "--log-dhcp"]
    argv += [f"--dhcp-leasefile={directory}/leases", "--user=root", "--no-ping"]
    process = await trio.lowlevel.open_process(argv, stderr=subprocess.STDOUT)
    try:
        await until(10, lambda: (directory / "pid").exists() and log.exists())
        assert process.poll() is None
        yield log
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@pytest.mark.xdist_group("dnsmasq")  # its port for DHCP can not be left to the system
@pytest.mark.parametrize("folder", [False, True])
async def test_a_running_dnsmasq_reads_what_is_new(
    server: EtcdServer, tmp_path: Path, folder: bool
) -> None:
    conf, hosts = tmp_path / "conf", tmp_path / "hosts"
    hosts.mkdir()
    options = ["--etcd", server.endpoint, "--backend", "dnsmasq", "--reload-interval", "0"]
    options += ["--hosts-dir", str(hosts)] if folder else []
    with trio.fail_after(LIMIT):
        async with dhcping(tmp_path, *options, "--once") as dhcp:
            assert await dhcp.ends(20) == 0, dhcp.errors
        async with running_dnsmasq(tmp_path, conf / "dnsmasq.conf") as log:
            options += ["--reload-command", "auto", "--pid-file", str(tmp_path / "pid")]
            read = "guests-" if folder else "dnsmasq.hosts"
            before = log.read_text().count(read)
            assert before
            async with dhcping(tmp_path, *options) as dhcp:
                await server.ctl("put", key_of("guests", 2), guest(2))
                await until(20, lambda: log.read_text().count(read) > before)
                assert log.read_text().count(read) > before, dhcp.errors + log.read_text()
                await until(5, lambda: dhcp.status().guests == 2 and dhcp.status().in_step)
                assert dhcp.status().in_step
                await server.ctl("del", key_of("guests", 1))
                if folder:
                    await until(10, lambda: len(list(hosts.iterdir())) == 2)
                    assert len(list(hosts.iterdir())) == 2
                else:
                    text = conf / "dnsmasq.hosts"
                    await until(10, lambda: FIRST not in text.read_text())
                    assert FIRST not in text.read_text()
