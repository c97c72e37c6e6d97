"""Telling the service manager how we are doing: the datagrams of sd_notify(3).

Nothing here waits or fails: a service manager that does not listen is no reason to stop.
"""

import logging
import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["Notifier"]

log = logging.getLogger(__name__)

_MOST_STATUS: Final = 1000
"""Bytes of a status text: more is of no use in one line."""


class Notifier:
    """Speaks to the service manager that started this process, if one did.

    Args:
        environ: where the service manager has put what it wants; copied.
        clock: seconds of the monotonic clock.

    Attributes:
        watchdog_seconds: the service manager acts when it has heard no `watchdog` for so long; None
            when it does not care. Half of it is a good interval.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._clock = clock
        self._failed = False
        self.watchdog_seconds = _watchdog_seconds(environ) if self._address else None

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told."""
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """Started, or done with reloading.

        Returns:
            Whether it was sent; likewise below.
        """
        return self._send("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """What we are doing, for people, in one line."""
        return self._send(*_status(text))

    def reloading(self, status: str = "") -> bool:
        """Reading our configuration again; `ready` is to follow."""
        now = int(self._clock() * 1_000_000)
        return self._send("RELOADING=1", f"MONOTONIC_USEC={now}", *_status(status))

    def stopping(self, status: str = "") -> bool:
        """About to end."""
        return self._send("STOPPING=1", *_status(status))

    def watchdog(self) -> bool:
        """Alive."""
        return self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> bool:
        if self._address is None or not lines:
            return False
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sender:
                sender.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError as exc:
            if not self._failed:
                log.warning("can not tell the service manager: %s", exc)
            self._failed = True
            return False
        self._failed = False
        return True


def _address(word: str) -> str | None:
    """The socket's address; None when there is none that we can speak to."""
    if word.startswith("@") and len(word) > 1:
        return "\0" + word[1:]
    if word.startswith("/"):
        return word
    if word:
        log.warning("can not tell the service manager: %r is no unix socket", word)
    return None


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not re.fullmatch(r"[0-9]{1,18}", microseconds) or int(microseconds) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000


def _status(text: str) -> list[str]:
    """The line for a text; none for no text. A line break in it would begin another statement."""
    line = " ".join(text.split()).encode(errors="replace")[:_MOST_STATUS].decode(errors="ignore")
    return [f"STATUS={line}"] if line else []
