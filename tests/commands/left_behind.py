"""Which processes a process of ours has left behind."""

import os
from pathlib import Path

__all__ = ["left_behind"]


def left_behind(mark: str, stop_timeout: str, but: int) -> set[int]:
    """The ids of the processes that are still there.

    Args:
        mark: in the environment of all that a command starts.
        stop_timeout: unlike anybody else's: among the arguments of the guardian.
        but: the process that they are of.
    """
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = Path(f"/proc/{name}/environ").read_bytes()
            words = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in environ or stop_timeout.encode() in words:
            found.add(int(name))
    return found - {but}
