"""Our end of a pipe to or from another process, made fit for a relay."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["non_blocking"]

_CAPACITY: Final = 1 << 20
"""Bytes; what anybody may ask for on Linux, sixteen times what a pipe has by itself."""


@contextmanager
def non_blocking(fileno: int) -> Iterator[None]:
    """Make our end of a pipe large, and non-blocking as long as the block lasts.

    The other end, which is another open file of the kernel's, stays as it is: programs such as
    ``zfs`` take EAGAIN for an error.

    Raises:
        ValueError: it is no pipe.
    """
    if not stat.S_ISFIFO(os.fstat(fileno).st_mode):
        raise ValueError("a stream comes out of a pipe, and goes into one")
    with suppress(OSError):  # this user has many large pipes already
        if fcntl.fcntl(fileno, fcntl.F_GETPIPE_SZ) < _CAPACITY:
            fcntl.fcntl(fileno, fcntl.F_SETPIPE_SZ, _CAPACITY)
    blocking = os.get_blocking(fileno)
    os.set_blocking(fileno, False)
    try:
        yield
    finally:
        os.set_blocking(fileno, blocking)
