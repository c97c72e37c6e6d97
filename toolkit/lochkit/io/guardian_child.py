"""The program of the guardian's process; :mod:`lochkit.io.guardian` says what it is for.

It is run from its text by an interpreter of its own, without this package and without
site-packages: only the standard library, and as little of that as possible, since all it does is
wait.

Arguments: the signal that asks a command to stop, and the seconds until what is left is killed.
Standard input, a line each: ``directory PATH``, the next command's socket is in there;
``mark TEXT``, a command with this entry in its environment is about to start; ``group ID``, this is
its process group; ``none``, it is over. At the end of the input what there is then is stopped, and
removed.
"""

import os
import signal
import sys
import time

POLL_SECONDS = 0.02
SEARCH_SECONDS = 1.0


def stat_of(pid: str) -> tuple[str, int]:
    """Return a process's state, such as ``Z``, and its process group.

    Raises:
        OSError: it is gone.
    """
    with open(f"/proc/{pid}/stat") as file:
        # The command's name, in parentheses, may hold anything, parentheses too.
        fields = file.read().rpartition(")")[2].split()
    return fields[0], int(fields[2])


def pids() -> list[str]:
    """Return the ids of all processes we can see; none where /proc is not mounted."""
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def group_is_alive(group: int) -> bool:
    """Return whether a process group has a member that is not merely waiting to be reaped.

    In a container whose first process does not reap, what has ended stays in its group for ever.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    known = pids()
    for pid in known:
        try:
            state, its_group = stat_of(pid)
        except OSError:
            continue
        if its_group == group and state not in "ZX":
            return True
    return not known


def groups_marked(entry: bytes) -> set[int]:
    """Return the groups of all processes with ``entry`` in their environment, but our own."""
    found = set()
    for pid in pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if entry in file.read().split(b"\0"):
                    found.add(os.getpgid(int(pid)))
        except OSError:
            continue
    return found - {0, os.getpgrp()}


def search(entry: bytes) -> set[int]:
    """Return :func:`groups_marked`, looking again for a moment: the command may not be that far."""
    give_up = time.monotonic() + SEARCH_SECONDS
    while True:
        found = groups_marked(entry)
        if found or time.monotonic() > give_up:
            return found
        time.sleep(POLL_SECONDS)


def send(groups: set[int], number: int) -> None:
    """Send a signal to every group that is still there."""
    for group in groups:
        try:
            os.killpg(group, number)
        except OSError:
            continue


def stop(groups: set[int], number: int, patience: float) -> None:
    """Stop the groups: ask, wait for ``patience`` seconds, kill."""
    send(groups, number)
    send(groups, signal.SIGCONT)
    give_up = time.monotonic() + patience
    while any(map(group_is_alive, groups)):
        if time.monotonic() > give_up:
            send(groups, signal.SIGKILL)
            return
        time.sleep(POLL_SECONDS)


def clear(directory: bytes) -> None:
    """Remove a directory with nothing but a socket in it."""
    for remove, path in ((os.unlink, directory + b"/socket"), (os.rmdir, directory)):
        try:
            remove(path)
        except OSError:
            continue


def main() -> None:
    """Wait for the end of the input, and stop what is left then."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    mark = group = directory = b""
    for line in sys.stdin.buffer:
        what, _, value = line.strip().partition(b" ")
        directory = value if what == b"directory" else b"" if what == b"none" else directory
        mark = value if what == b"mark" else mark if what == b"group" else b""
        group = value if what == b"group" else b""
    groups = {int(group)} if group else search(mark) if mark else set()
    stop(groups, int(sys.argv[1]), float(sys.argv[2]))
    if directory:
        clear(directory)


if __name__ == "__main__":
    main()
