"""ISC dhcpd's files: the original's bytes, and what dhcpd says of them."""

import subprocess
from pathlib import Path

from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.model import Update
from lochkit.dhcp.settings import RenderSettings

from .hosts import GOLDEN, GOLDEN_UPDATE
from .servers import dhcp_server

SETTINGS = RenderSettings.of("example.com")


def contents(backend: IscBackend) -> dict[str, bytes]:
    return {document.name: b"".join(document.pieces) for document in backend.documents()}


def rendered(update: Update, settings: RenderSettings = SETTINGS, subnets: bool = False) -> str:
    backend = IscBackend(settings, subnets=subnets)
    backend.update(update)
    return b"".join(contents(backend).values()).decode()


def accepts(directory: Path, text: str) -> None:
    """Have the real dhcpd check a configuration."""
    path = directory / "dhcpd.conf"
    path.write_text(text)
    argv = [dhcp_server("dhcpd"), "-4", "-t", "-cf", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_golden_data_gives_the_bytes_of_the_original() -> None:
    backend = IscBackend(SETTINGS)
    backend.update(GOLDEN_UPDATE)
    assert contents(backend) == {
        name: (GOLDEN / name).read_bytes() for name in ("hypervisors.conf", "guests.conf")
    }
    assert backend.hosts == 4


def test_nothing_gives_the_bytes_of_the_original() -> None:
    backend = IscBackend(RenderSettings.of("ex"))
    assert contents(backend) == {
        name: (GOLDEN / "empty" / name).read_bytes() for name in ("hypervisors.conf", "guests.conf")
    }
