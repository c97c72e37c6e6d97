"""What a service tells whoever started it: the datagrams of sd_notify(3), read. Pure."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["MOST_NOTICE", "Notice", "parse_notice"]

MOST_NOTICE: Final = 4096
"""Bytes of a datagram; a longer one is not read, as the service manager does not."""

_MOST_STATUS: Final = 1000  # bytes
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One datagram. What it does not speak of is False or None.

    Attributes:
        ready: started, or done with reloading.
        reloading: reading its configuration again.
        stopping: about to end.
        alive: a sign of life for the watchdog.
        failed: the service itself asks to be treated as one that gives none.
        status: what it is doing, for people, in one line; may be empty.
        main_pid: the process it wants to be known by.
        watchdog_seconds: how long it may be silent from now on.
        extend_seconds: how long it needs for what it is doing, from now.
    """

    ready: bool = False
    reloading: bool = False
    stopping: bool = False
    alive: bool = False
    failed: bool = False
    status: str | None = None
    main_pid: int | None = None
    watchdog_seconds: float | None = None
    extend_seconds: float | None = None


_SILENT: Final = Notice()


def parse_notice(data: bytes) -> Notice:
    """Read a datagram; what is not understood is passed over.

    Of a field that is given twice the first counts. A datagram with a zero byte within says
    nothing.
    """
    data = data.rstrip(b"\0")
    if len(data) > MOST_NOTICE or b"\0" in data:
        return _SILENT
    fields: dict[bytes, bytes] = {}
    for line in data.split(b"\n"):
        name, equals, value = line.partition(b"=")
        if equals:
            fields.setdefault(name, value)
    return Notice(
        ready=fields.get(b"READY") == b"1",
        reloading=fields.get(b"RELOADING") == b"1",
        stopping=fields.get(b"STOPPING") == b"1",
        alive=fields.get(b"WATCHDOG") == b"1",
        failed=fields.get(b"WATCHDOG") == b"trigger",
        status=_text(fields.get(b"STATUS")),
        main_pid=_number(fields.get(b"MAINPID")),
        watchdog_seconds=_seconds(fields.get(b"WATCHDOG_USEC")),
        extend_seconds=_seconds(fields.get(b"EXTEND_TIMEOUT_USEC")),
    )


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    text = value.decode("utf-8", "replace").encode()[:_MOST_STATUS].decode("utf-8", "ignore")
    return "".join(char if char.isprintable() else " " for char in text).strip()


def _number(value: bytes | None) -> int | None:
    if value is None or not _NUMBER.fullmatch(value):
        return None
    return int(value) or None


def _seconds(value: bytes | None) -> float | None:
    microseconds = _number(value)
    return None if microseconds is None else microseconds / 1_000_000
