"""What the tests of all renderers do alike."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lochkit.dhcp.documents import Backend
from lochkit.dhcp.model import Host, Update
from lochkit.dhcp.settings import RenderSettings

from .hosts import World

__all__ = ["SETTINGS", "WORDS", "contents", "hosts_of", "load", "run_checker"]

WORDS = [
    "hypervisors.uefi-x64=ipxe.efi",
    "hypervisors.http-x64=http://h/x.efi",
    "hypervisors.next-server=192.0.2.9",
    "guests.uefi-arm64=arm.efi",
    "guests.next-server=tftp.example.com",
]
SETTINGS = RenderSettings.of("example.com", WORDS)


def contents(backend: Backend) -> dict[str, bytes]:
    """Return the content of each document, and of each file of the hosts directory."""
    found = {document.name: b"".join(document.pieces) for document in backend.documents()}
    return found | dict(backend.files())


def load(backend: Backend, world: World) -> None:
    """Give a backend all at once."""
    backend.update(world.update_from(None))


def hosts_of(world: World | Update) -> dict[str, Host]:
    """Return all hosts, by id."""
    both: Mapping[str, Host | None] = {**world.hypervisors, **world.guests}
    return {key: host for key, host in both.items() if host is not None}


def run_checker(argv: Sequence[str], directory: Path) -> None:
    """Run a server's own checker, which must be content."""
    environment = {"KEA_PIDFILE_DIR": str(directory), "KEA_LOCKFILE_DIR": str(directory)}
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
