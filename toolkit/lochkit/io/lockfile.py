"""One process at a time: a lock that ends with its holder, however that ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import TransientError
from .faults import telling

__all__ = ["LockFile", "LockHeld"]

_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW


class LockHeld(TransientError):
    """Another process has it, and may end.

    Attributes:
        pid: of the holder; None when it has not said.
    """

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{path} is locked by {holder}; only one may work there at a time")
        self.pid = pid


class LockFile:
    """An exclusive lock on a file that holds the pid of who has it. The file stays.

    Children do not inherit it once they execute something. It is not open for writing while it is
    held, so that its file system can be made read-only meanwhile.

    Args:
        path: of the file, created when needed in a directory that exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether it is ours."""
        return self._fd is not None

    def acquire(self) -> None:
        """Take it, without waiting.

        Raises:
            LockHeld: somebody else has it.
            InstallError: the file can not be opened.
            ConfigError: it can never be.
        """
        if self._fd is not None:
            raise RuntimeError(f"{self._path} is ours already")
        with telling("can not lock", self._path):
            fd = os.open(self._path, _FLAGS | os.O_RDONLY | os.O_CREAT, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _pid_in(fd)
                os.close(fd)
                raise LockHeld(self._path, holder) from None
            except BaseException:
                os.close(fd)
                raise
        self._fd = fd
        self._say(b"%d\n" % os.getpid())

    def release(self) -> None:
        """Give it back; nothing happens when it is not ours."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _say(self, text: bytes) -> None:
        """Tell others who has it: a courtesy, so a full disk does not matter."""
        with suppress(OSError):
            fd = os.open(self._path, _FLAGS | os.O_WRONLY | os.O_TRUNC)
            try:
                os.write(fd, text)
            finally:
                os.close(fd)


def _pid_in(fd: int) -> int | None:
    word = os.pread(fd, 32, 0).strip()
    return int(word) if word.isdigit() else None
