"""``lochkit dhcp`` as operators run it, a process of its own, and what it is to have written."""

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import trio

from lochkit.dhcp.status import Status
from tests.etcd.real import until

__all__ = ["Dhcp", "dhcping", "guest", "hypervisor", "key_of", "rendered", "subnet"]

ROOT = Path(__file__).parents[2]


class Dhcp:
    """A running ``lochkit dhcp``.

    Attributes:
        process: of it.
        conf: its directory.
    """

    def __init__(self, process: trio.Process, conf: Path, errors: Path) -> None:
        self.process = process
        self.conf = conf
        self._errors = errors

    @property
    def errors(self) -> str:
        """What it logged."""
        return self._errors.read_text()

    @property
    def generation(self) -> int:
        """The number of what is installed; 0 when nothing is."""
        try:
            return int(os.readlink(self.conf / ".lochkit" / "current").split("-")[1])
        except FileNotFoundError:
            return 0

    def status(self) -> Status:
        """What it says of itself; nothing yet when it is not."""
        path = self.conf / ".lochkit" / "status.json"
        if not path.exists():
            return Status(pid=0, backend="", written=0)
        return Status.from_json(path.read_bytes())

    def files(self) -> dict[str, str]:
        """The two files of dhcpd."""
        names = ("hypervisors.conf", "guests.conf")
        found = {name: self.conf / name for name in names}
        return {name: path.read_text() for name, path in found.items() if path.exists()}

    async def has(self, files: Mapping[str, str], seconds: float = 30.0) -> None:
        """Wait until the files are exactly these."""
        await until(seconds, lambda: self.files() == files)
        assert self.files() == files, self.errors

    async def tells(self, seconds: float = 20.0) -> None:
        """Wait until the status is of this process, not of one before it, and it is in step."""
        await until(
            seconds,
            lambda: self.status().pid == self.process.pid and bool(self.status().in_step),
        )
        assert self.status().pid == self.process.pid, self.errors

    async def ends(self, seconds: float = 30.0) -> int:
        """Wait for its end and return its exit code."""
        with trio.fail_after(seconds):
            return await self.process.wait()


@asynccontextmanager
async def dhcping(
    tmp_path: Path, *words: str, domain: str = "example.com", environ: Mapping[str, str] = {}
) -> AsyncIterator[Dhcp]:
    """Run it for as long as the block runs; without words of its own, beside no server."""
    conf, errors = tmp_path / "conf", tmp_path / "errors"
    conf.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "lochkit", "dhcp", "--domain", domain]
    argv += ["--conf-dir", str(conf), "--reload-command", "none", *words]
    with errors.open("ab") as log:
        process = await trio.lowlevel.open_process(
            argv,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "toolkit"), **environ},
            stdin=-3,
            stdout=log,
            stderr=log,
        )
    try:
        yield Dhcp(process, conf, errors)
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    assert "Traceback" not in errors.read_text(), errors.read_text()


def key_of(kind: str, number: int) -> str:
    """The key of an object that is made up."""
    return f"/lochness/{kind}/{_id(kind, number)}/metadata"


def hypervisor(number: int, **other: Any) -> str:
    """A hypervisor in 192.168.0.0/16."""
    fields = {
        "id": _id("hypervisors", number),
        "ip": f"192.168.{number >> 8}.{number & 255}",
        "netmask": "255.255.0.0",
        "gateway": "192.168.255.254",
        "mac": f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}",
    }
    return json.dumps(fields | other)


def subnet(number: int) -> str:
    """A subnet: 10.number.0.0/16."""
    fields = {
        "id": _id("subnets", number),
        "cidr": f"10.{number}.0.0/16",
        "gateway": f"10.{number}.0.1",
    }
    return json.dumps(fields)


def guest(number: int, *, address: int | None = None, **other: Any) -> str:
    """A guest in subnet 1, at 10.1.x.y; `address` is x and y as one number, else its own."""
    last = number + 256 if address is None else address
    fields = {
        "id": _id("guests", number),
        "hypervisor": _id("hypervisors", 1),
        "subnet": _id("subnets", 1),
        "ip": f"10.1.{last >> 8}.{last & 255}",
        "mac": f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}",
    }
    return json.dumps(fields | other)


def rendered(store: Mapping[bytes, bytes], domain: str = "example.com") -> dict[str, str]:
    """The two files for a store of objects that are all valid: naively, from the format alone."""
    found: dict[str, dict[str, Any]] = {"hypervisors": {}, "guests": {}, "subnets": {}}
    for key, value in store.items():
        _, _, kind, path_id, *rest = key.decode().split("/")
        if rest == ["metadata"]:
            found[kind][path_id] = json.loads(value)
    hypervisors = {
        path_id: (one["mac"], one["ip"], one["gateway"], one["netmask"])
        for path_id, one in found["hypervisors"].items()
    }
    guests = {}
    for path_id, one in found["guests"].items():
        if home := found["subnets"].get(one["subnet"]):
            netmask = str(ip_network(home["cidr"]).netmask)
            guests[path_id] = (one["mac"], one["ip"], home["gateway"], netmask)
    boot = (
        '    if exists user-class and option user-class = "iPXE" {\n'
        f'        filename "http://ipxe.services.{domain}:8888/ipxe/${{net0/ip}}";\n'
        "    } else {\n"
        f"        next-server tftp.services.{domain};\n"
        '        filename "undionly.kpxe";\n    }\n'
    )
    return {
        "hypervisors.conf": _group("hypervisors", f"nodes.{domain}", boot, hypervisors),
        "guests.conf": _group("guests", f"guests.{domain}", "", guests),
    }


def _group(name: str, domain: str, boot: str, hosts: Mapping[str, tuple[str, ...]]) -> str:
    text = (
        f'\n# Generated by Dobharchu\n\ngroup {name} {{\n    option domain-name "{domain}";\n{boot}'
    )
    for path_id, (mac, address, gateway, netmask) in sorted(hosts.items()):
        text += (
            f"\n    host {path_id} {{\n        hardware ethernet  {mac.upper()};\n"
            f"        fixed-address      {address};\n        option routers     {gateway};\n"
            f"        option subnet-mask {netmask};\n    }}\n"
        )
    return text + "\n}\n"


def _id(kind: str, number: int) -> str:
    first = {"hypervisors": "aaaaaaaa", "guests": "bbbbbbbb", "subnets": "cccccccc"}[kind]
    return f"{first}-0000-4000-8000-{number:012x}"
