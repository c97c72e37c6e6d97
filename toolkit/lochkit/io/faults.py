"""What can go wrong with files, told with the path and with what to do about it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import ConfigError, TransientError

__all__ = ["InstallError", "install_error", "telling"]


class InstallError(TransientError):
    """A file could not be installed, and what was installed before is still in force.

    Attributes:
        path: where it happened.
        errno: of the system call; None when it was none.
    """

    def __init__(self, message: str, path: Path, number: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.errno = number


_NEVER: Final = frozenset(
    {errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.EXDEV}
)
"""Waiting does not help: the operator has named a path that can not work."""

_ADVICE: Final = {
    errno.ENOSPC: "make room on that file system",
    errno.EDQUOT: "make room, or raise the quota",
    errno.EFBIG: "raise the limit on the size of files (LimitFSIZE=, ulimit -f)",
    errno.EROFS: "mount it writable, or name another directory",
    errno.ENOENT: "create the directory, or mount what holds it",
    errno.EIO: "the disk is failing: see the kernel's log",
    errno.EMFILE: "raise the limit on open files (LimitNOFILE=)",
    errno.EISDIR: "a directory is in the way",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.ELOOP: "symbolic links lead in a circle",
}


def install_error(exc: OSError, doing: str, path: Path) -> InstallError | ConfigError:
    """The error for whoever must act on `exc`.

    Args:
        exc: what the system said.
        doing: what was tried, in words that go before a path: ``can not write``.
        path: the one it was tried on.
    """
    what = f"{doing} {path}: {os.strerror(exc.errno) if exc.errno else exc}"
    advice = _ADVICE.get(exc.errno or 0)
    if exc.errno in (errno.EACCES, errno.EPERM):
        advice = f"give user {os.geteuid()} the right to write in {path.parent}"
    if advice:
        what = f"{what}; {advice}"
    if exc.errno in _NEVER:
        return ConfigError(what)
    return InstallError(what, path, exc.errno)


@contextmanager
def telling(doing: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into one that says what was tried on which path.

    Raises:
        InstallError: time, or an operator who need not restart anything, can heal it.
        ConfigError: the path can never work.
    """
    try:
        yield
    except OSError as exc:
        raise install_error(exc, doing, path) from exc
