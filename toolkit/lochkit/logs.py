"""Logging to stderr: one line per event for people, or one JSON object per line for machines.

Call sites use the standard library as usual; facts go into ``extra`` and come out as ``key=value``.
"""

import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from .options import option

__all__ = [
    "JsonFormatter",
    "LogOptions",
    "TextFormatter",
    "default_level",
    "facts_of",
    "is_journal",
    "setup",
]

Level = Literal["debug", "info", "warning", "error"]

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS: Final = {"debug": "2", "warning": "33", "error": "31", "critical": "1;31"}
_TALKATIVE: Final = ("hpack",)
"""Loggers of others that write headers at debug level, and so the token of a login."""
_SYSLOG: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
# A key in etcd or a server's answer may hold anything: it must not forge lines or drive a terminal.
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160))} | {
    code: f"\\u{code:04x}"  # line and paragraph separators, and what turns the direction of text
    for code in (*range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The options of the table ``[log]``."""

    level: Level | None = option(
        "--log-level",
        default=None,
        default_text="info; of some subcommands warning",
        help="Least important level to log.",
    )
    format: Literal["text", "json"] = option(
        "--log-format", default="text", help="Lines for people or one JSON object per line."
    )


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the call site passed as ``extra``, in its order."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class TextFormatter(logging.Formatter):
    """``TIME level logger: message key=value``, on one line but for a traceback.

    Args:
        timestamps: whether to say when; not under a journal, which knows.
        colour: whether the level is coloured.
        priorities: whether to begin with the ``<4>`` that journald reads as the priority.
    """

    def __init__(
        self, *, timestamps: bool = True, colour: bool = False, priorities: bool = False
    ) -> None:
        super().__init__()
        self._timestamps = timestamps
        self._colour = colour
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback if there is one on lines of its own."""
        level = record.levelname.lower()
        message = record.getMessage().translate(_CONTROL)
        words = [f"{self._shown(level)} {record.name}: {message}"]
        words += [f"{name}={_quoted(value)}" for name, value in facts_of(record).items()]
        if self._timestamps:
            words.insert(0, _instant(record))
        text = " ".join(words)
        if trace := _trace(self, record):
            text = f"{text}\n{trace}"
        if self._priorities:
            prefix = f"<{_SYSLOG.get(level, 6)}>"
            text = "\n".join(prefix + line for line in text.splitlines())
        return text

    def _shown(self, level: str) -> str:
        if self._colour and level in _COLOURS:
            return f"\x1b[{_COLOURS[level]}m{level}\x1b[0m"
        return level


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, facts, and the exception's text."""

    def __init__(self, *, timestamps: bool = True) -> None:
        super().__init__()
        self._timestamps = timestamps

    def format(self, record: logging.LogRecord) -> str:
        """Return the object; a fact can not replace one of the fields every line has."""
        fields: dict[str, Any] = {"time": _instant(record)} if self._timestamps else {}
        fields |= {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := _trace(self, record):
            fields["exception"] = trace
        return json.dumps(facts_of(record) | fields, default=_plain)


class _Handler(logging.StreamHandler[TextIO]):
    """What `setup` installs; it remembers whether the operator has chosen a level."""

    level_was_chosen = False


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether ``stream`` is the connection to journald that ``JOURNAL_STREAM`` names."""
    named = environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or a stream without a descriptor
        return False
    return bool(named) and named == f"{status.st_dev}:{status.st_ino}"


def setup(
    options: LogOptions | None = None,
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Send everything that is logged to ``stream``; may be called again with other options.

    Args:
        options: level and format.
        stream: where to; default stderr.
        environ: default the process's own; JOURNAL_STREAM, NO_COLOR and TERM are read.
    """
    options = options or LogOptions()
    stream = stream or sys.stderr
    environ = os.environ if environ is None else environ
    journal = is_journal(stream, environ)
    formatter: logging.Formatter
    if options.format == "json":
        formatter = JsonFormatter(timestamps=not journal)
    else:
        colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        formatter = TextFormatter(timestamps=not journal, colour=colour, priorities=journal)
    handler = _Handler(stream)
    handler.level_was_chosen = options.level is not None
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=(options.level or "info").upper(), force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)


def default_level(level: str) -> None:
    """Log from `level` on, unless the operator has named one."""
    root = logging.getLogger()
    if not any(isinstance(one, _Handler) and one.level_was_chosen for one in root.handlers):
        root.setLevel(level.upper())


def _instant(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _quoted(value: object) -> str:
    text = _plain(value)
    if text and not any(char in ' "=\\' or not char.isprintable() for char in text):
        return text
    return json.dumps(text, ensure_ascii=False).translate(_CONTROL)


def _plain(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
