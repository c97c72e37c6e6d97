"""What an etcd child says on its error output, made fit for our log and for error messages. Pure.

etcd 3.4 and later write one JSON object per line (``--logger=zap``); a panic, or a complaint about
an option, is plain text.
"""

import json
import logging
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["LastWords", "LogLine", "parse_line"]

_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.DEBUG,  # etcd's normal life is a detail of ours
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "dpanic": logging.ERROR,
    "panic": logging.ERROR,
    "fatal": logging.ERROR,
}
# True of a server that others can reach; this one has no users and no network.
_NOISE: Final = frozenset({"simple token is not cryptographically signed"})
_LONGEST: Final = 400
_KEPT: Final = 6


class LogLine(NamedTuple):
    """One line of etcd's.

    Attributes:
        level: of the logging module.
        message: what it says, with the error it names, cut to a sane length.
        is_plain: whether it was not one of etcd's JSON objects.
    """

    level: int
    message: str
    is_plain: bool


def parse_line(line: bytes) -> LogLine:
    """Read one line, whatever it is."""
    text = line.decode("utf-8", "replace").strip()
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):  # the latter when it nests without end
        fields = None
    if not isinstance(fields, dict) or "msg" not in fields:
        return LogLine(logging.INFO, text[:_LONGEST], is_plain=True)
    message = str(fields["msg"])
    if error := fields.get("error"):
        message = f"{message}: {error}"
    level = _LEVELS.get(str(fields.get("level")), logging.DEBUG)
    if message in _NOISE:
        level = logging.DEBUG
    return LogLine(level, message[:_LONGEST], is_plain=False)


class LastWords:
    """Remembers the few lines that tell why a process ended: complaints, else the last ones.

    Bounded: a few lines of bounded length, however much is said.
    """

    def __init__(self) -> None:
        self._complaints: deque[str] = deque(maxlen=_KEPT)
        self._last: deque[str] = deque(maxlen=_KEPT)

    def hear(self, line: LogLine) -> None:
        """Take note of a line."""
        if not line.message:
            return
        self._last.append(line.message)
        # Plain text is how a panic, the dynamic linker and an option that is not known speak.
        if line.level >= logging.ERROR or line.is_plain:
            self._complaints.append(line.message)

    @property
    def complaints(self) -> str:
        """What sounds like the reason of an end, on one line; empty if nothing did."""
        return " | ".join(self._complaints)

    def __str__(self) -> str:
        """The complaints, else the last lines whatever they are, or a word that there were none."""
        return self.complaints or " | ".join(self._last) or "it said nothing"
