"""A file that a service touches to say that it is alive: silence is a failure.

No clocks are compared: that the file has been touched is seen by its time having changed since the
last look, and silence is counted from the look that saw it. Only what was there before the first
look is judged by its time, once: else each start of ours would take a healthy service down until it
touches the file again.
"""

import errno
import os
import stat
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from .check_model import TtlTarget
from .health import MOST_OUTPUT, Outcome, Result

__all__ = ["TtlFile", "is_there"]

_WORDS: Final = {
    "warn": Outcome.WARNING,
    "warning": Outcome.WARNING,
    "fail": Outcome.FAIL,
    "failing": Outcome.FAIL,
    "critical": Outcome.FAIL,
}


class _Stamp(NamedTuple):
    """Changes whenever the file is touched, written or replaced."""

    touched: int
    inode: int


class TtlFile:
    """What the file says, look after look. It blocks: to be called in a thread, once at a time.

    The first word of the file may be ``warn``, ``warning``, ``fail``, ``failing`` or ``critical``,
    and the rest of it says why; all else, nothing as well, is good.

    Args:
        target: the file, and how long it may be silent.
        clock: seconds of a clock that is never set.
        wall_clock: seconds of the clock that files are stamped with, for the first look.
    """

    def __init__(
        self,
        target: TtlTarget,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = target.path
        self._ttl = target.ttl
        self._clock = clock
        self._wall_clock = wall_clock
        self._stamp: _Stamp | None = None
        self._heard: float | None = None
        self._is_first = True

    def look(self) -> Result:
        """Look at the file."""
        try:
            stamp, content = _read(self._path)
        except OSError as exc:
            self._is_first = False  # what comes from now on has come since
            return Result(Outcome.FAIL, f"{self._path}: {exc.strerror}")
        if stamp != self._stamp:
            now = self._clock()
            if self._is_first:
                age = self._wall_clock() - stamp.touched / 1e9
                self._heard = now - age if 0 <= age < self._ttl else None
            else:
                self._heard = now
            self._stamp = stamp
        self._is_first = False
        if self._heard is None:
            return Result(Outcome.FAIL, "not touched yet since it is looked at")
        silent = self._clock() - self._heard
        if silent > self._ttl:
            return Result(Outcome.FAIL, f"silent for {silent:.0f} s")
        word = content.split(maxsplit=1)[0].rstrip(":,;.").lower() if content.strip() else ""
        return Result(_WORDS.get(word, Outcome.PASS), content.strip())


def is_there(path: str) -> bool:
    """Whether there is anything under that path, be it a broken link. It blocks.

    Raises:
        OSError: that can not be known.
    """
    try:
        os.lstat(path)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise
    return True


def _read(path: str) -> tuple[_Stamp, str]:
    """The file's stamp and the beginning of what it holds.

    Raises:
        OSError: it can not be read, or is no file.
    """
    # Without waiting: somebody may have put a named pipe there.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = os.read(descriptor, MOST_OUTPUT)
    finally:
        os.close(descriptor)
    return _Stamp(status.st_mtime_ns, status.st_ino), content.decode("utf-8", "replace")
