"""The `zfs` and `zpool` programs of this machine, and which ZFS they belong to."""

import os
import re
import shutil
import subprocess
from functools import cache
from time import monotonic, sleep

__all__ = ["ZFS_FUSE", "ZfsFailed", "answers", "flavour", "openzfs_version", "patiently", "program"]
__all__ += ["send", "zfs", "zpool"]

ZFS_FUSE = "zfs-fuse 0.7"
COMMAND_SECONDS = 60.0
BUSY_SECONDS = 10.0
POLL_SECONDS = 0.1


class ZfsFailed(AssertionError):
    """A command failed that a test needs; the text has the command and its complaint."""


def zfs(*words: str, stdin: bytes = b"") -> str:
    """Run ``zfs`` in the C locale and return what it printed.

    It blocks: an actor under test in the same Trio loop stands still meanwhile.

    Raises:
        ZfsFailed: it returned anything but 0, or took more than a minute.
    """
    return _run("zfs", words, stdin).decode()


def zpool(*words: str) -> str:
    """As `zfs`, for ``zpool``."""
    return _run("zpool", words, b"").decode()


def send(*words: str) -> bytes:
    """Return the stream of ``zfs send``."""
    return _run("zfs", ("send", *words), b"")


def patiently(*argv: str) -> None:
    """Run ``zfs`` or ``zpool`` again and again while it says that something is busy.

    zfs-fuse releases files late, and a killed `zfs receive` leaves its dataset busy for a second.

    Raises:
        ZfsFailed: still busy after ten seconds, or another complaint.
    """
    deadline = monotonic() + BUSY_SECONDS
    while True:
        try:
            _run(argv[0], argv[1:], b"")
        except ZfsFailed as failed:
            if "busy" not in str(failed) or monotonic() > deadline:
                raise
            sleep(POLL_SECONDS)
        else:
            return


def answers() -> bool:
    """Return whether a ZFS answers: its kernel module, or the daemon of zfs-fuse."""
    done = subprocess.run(
        [program("zpool"), "list"], capture_output=True, timeout=COMMAND_SECONDS, check=False
    )
    return done.returncode == 0


@cache
def flavour() -> str:
    """Return which ZFS it is: "zfs-fuse 0.7", "openzfs 2.1", "openzfs 2.3".

    A machine without the programs counts as one of zfs-fuse, which is what scripts/servers installs
    there; the fixtures fail when it is missing.
    """
    # Whether its daemon runs or not, zfs-fuse's `zfs version` fails.
    if found := shutil.which("zfs", path=_path()):
        done = subprocess.run(
            [found, "version"], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        if done.returncode == 0 and (version := re.match(r"zfs-(\d+\.\d+)\.", done.stdout)):
            return f"openzfs {version[1]}"
    return ZFS_FUSE


def openzfs_version() -> tuple[int, int] | None:
    """Return the version of OpenZFS, such as (2, 3), or None for zfs-fuse."""
    name, _, version = flavour().partition(" ")
    if name != "openzfs":
        return None
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def program(name: str) -> str:
    """Return the path of a program; ordinary users' PATH may not lead there.

    Raises:
        ZfsFailed: it is not installed.
    """
    found = shutil.which(name, path=_path())
    if found is None:
        raise ZfsFailed(f"{name} is not installed: apt-get install zfs-fuse, or scripts/servers")
    return found


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _run(name: str, words: tuple[str, ...], stdin: bytes) -> bytes:
    try:
        done = subprocess.run(
            [program(name), *words],
            input=stdin,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ZfsFailed(f"{name} {' '.join(words)}: {COMMAND_SECONDS:.0f} s are over") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip()
        raise ZfsFailed(f"{name} {' '.join(words)}: exit code {done.returncode}: {complaint}")
    return done.stdout
