"""What the kernel knows of processes and their connections (Linux)."""

import os
from pathlib import Path

__all__ = ["is_gone", "live_processes_in", "local_ports"]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, perhaps without having been reaped yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def live_processes_in(directory: Path) -> list[int]:
    """Return the ids of the processes whose working directory it is."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = os.readlink(entry / "cwd")
            except OSError:  # gone, or not ours
                continue
            if where == str(directory) and not is_gone(int(entry.name)):
                found.append(int(entry.name))
    return found


def local_ports(pid: int) -> set[int]:
    """Return the local TCP ports of all sockets that a process has open."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:  # closed since
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
