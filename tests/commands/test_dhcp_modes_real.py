"""The modes of ``lochkit dhcp`` on a real etcd, and on the leases of a real Kea."""

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from lochkit.etcd.prefix import KeyRange
from tests.commands.dhcping import dhcping
from tests.dhcp.hosts import GOLDEN
from tests.dhcp.kea_server import fake_kea, real_kea
from tests.etcd.real import client_of, until
from tests.servers.binaries import Binaries
from tests.servers.etcd_server import EtcdServer

ROOT = Path(__file__).parents[2]
SNAPSHOT = GOLDEN / "etcd-keys.json"
WEB, DB = "04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101", "6e4f9c20-1d88-4b37-8a4c-52d0c7e3b202"
HALF = "f27d3b84-0c59-4a6e-8e97-91b2d8c6f404"
LIMIT = 60
HOOKS = [*Path("/usr/lib").glob("*/kea/hooks/libdhcp_lease_cmds.so")]


class Ran(NamedTuple):
    """What a mode printed, and what it logged."""

    out: str
    errors: str


async def ran(*words: str, code: int = 0) -> Ran:
    """Run a mode in a process of its own."""
    done = await trio.run_process(
        [sys.executable, "-m", "lochkit", "dhcp", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "toolkit")},
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return Ran(done.stdout.decode(), done.stderr.decode())


@pytest.mark.slow
@pytest.mark.real_etcd
async def test_they_read_etcd_at_one_revision(debian_etcd: Binaries, tmp_path: Path) -> None:
    texts: dict[str, str] = json.loads(SNAPSHOT.read_text())
    view = ("-d", "example.com", "-c", str(tmp_path))
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(debian_etcd) as server,
            client_of(server.endpoint) as client,
        ):
            for key, text in texts.items():
                await client.kv.put(key.encode(), text.encode())
            etcd = ("-e", server.endpoint)
            for name in ("hypervisors.conf", "guests.conf"):
                out = (await ran("render", *view, *etcd, "--only", name)).out
                assert out == (GOLDEN / name).read_text()
            await ran("diff", *view, *etcd, code=1)
            await ran("render", *view, *etcd, "-o", str(tmp_path))
            assert (await ran("diff", *view, *etcd)).out == ""
            assert "2 faults found" in (await ran("audit", *etcd, code=1)).out
            report = json.loads((await ran("check", *view, *etcd, "--json")).out)
            assert report["revision"] == await server.revision()
            dump = await server.ctl("get", "--prefix", "/lochness", "-w", "json")
            (tmp_path / "dump.json").write_bytes(dump)
            words = ("-d", "example.com", "--from-file", str(tmp_path / "dump.json"))
            assert (await ran("render", *words)).out == (await ran("render", *view, *etcd)).out
            key = f"/lochness/guests/{WEB}/metadata"
            await client.kv.delete(KeyRange.exact(key.encode()))
            out = (await ran("diff", *view, *etcd, code=1)).out
            assert f"-    host {WEB}" in out
            out = (await ran("audit", *etcd, code=1)).out
            assert "orphan-reservation" in out


@pytest.mark.real_etcd
async def test_status_of_a_real_daemon(debian_etcd: Binaries, tmp_path: Path) -> None:
    texts: dict[str, str] = json.loads(SNAPSHOT.read_text())
    words = ("status", "-c", str(tmp_path / "conf"))
    golden = {name: (GOLDEN / name).read_text() for name in ("hypervisors.conf", "guests.conf")}
    with trio.fail_after(LIMIT):
        async with EtcdServer.run(debian_etcd) as server:
            async with client_of(server.endpoint) as client:
                for key, text in texts.items():
                    await client.kv.put(key.encode(), text.encode())
            async with dhcping(tmp_path, "-e", server.endpoint) as daemon:
                await daemon.has(golden)
                await until(10, lambda: (tmp_path / "conf/.lochkit/status.json").exists())
                out = (await ran(*words)).out
                assert f"running, process {daemon.process.pid}, for isc" in out
                assert "2 hypervisors, 2 guests" in out
                assert f"{HALF}/metadata  no-address  since" in out
                assert "unplaced" in out
                server.kill()
                await until(20, lambda: daemon.status().etcd is not None)
                told = json.loads((await ran(*words, "--json", code=1)).out)
                assert told["reporting"]
                assert told["in_step"]
                assert told["etcd"]
            assert "not running" in (await ran(*words, code=1)).out


def config(directory: Path, hooks: list[Path]) -> dict[str, Any]:
    """A Kea that keeps its leases in a file, and serves nobody."""
    return {
        "Dhcp4": {
            "interfaces-config": {"interfaces": []},
            "control-socket": {"socket-type": "unix", "socket-name": str(directory / "s")},
            "lease-database": {
                "type": "memfile",
                "persist": True,
                "lfc-interval": 0,
                "name": str(directory / "leases.csv"),
            },
            "hooks-libraries": [{"library": str(path)} for path in hooks],
            "subnet4": [{"id": 1, "subnet": "10.20.0.0/24"}],
        }
    }


async def test_audit_asks_a_real_kea(tmp_path: Path) -> None:
    assert HOOKS, "this Kea has no libdhcp_lease_cmds.so"
    words = ("audit", "--from-file", str(SNAPSHOT), "--json")
    socket = ("--kea-socket", str(tmp_path / "s"))
    with trio.fail_after(LIMIT):
        async with real_kea(tmp_path, config(tmp_path, HOOKS[:1])) as kea:
            told = json.loads((await ran(*words, *socket, code=1)).out)
            assert told["counts"] == {"left-out": 1, "mirror": 1}  # no lease yet
            for address, mac in (("10.20.0.37", "02:1a:4f:c3:77:02"), ("10.20.0.9", "02::9")):
                mac = mac.replace("::", ":00:00:00:00:0")
                arguments = {"ip-address": address, "hw-address": mac, "hostname": "a,b"}
                await kea.demand("lease4-add", arguments)
            for given in (socket, ("--leases", str(tmp_path / "leases.csv"))):
                found = json.loads((await ran(*words, *given, code=1)).out)["findings"]
                assert [(one["kind"], one["where"], one["fault"]) for one in found[2:]] == [
                    ("leased-to-other", "10.20.0.37", True),
                    ("unknown-lease", "10.20.0.9", False),
                ]
                assert DB in found[2]["text"]


async def test_audit_says_why_kea_can_not_tell(tmp_path: Path) -> None:
    words = ("audit", "--from-file", str(SNAPSHOT), "--kea-socket", str(tmp_path / "s"))
    answers: list[tuple[dict[str, Any], int, str]] = [
        ({"result": 2, "text": "unknown command"}, 1, "libdhcp_lease_cmds.so"),
        ({"result": 1, "text": "no memory"}, 75, "no memory"),
        ({"result": 0, "arguments": {}}, 1, "no list of leases"),
    ]
    with trio.fail_after(LIMIT):
        for answer, code, text in answers:
            async with fake_kea(tmp_path / "s", lambda *_, answer=answer: answer):
                assert text in (await ran(*words, code=code)).errors
        assert "nobody listens" in (await ran(*words, code=75)).errors
