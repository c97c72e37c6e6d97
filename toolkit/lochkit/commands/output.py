"""What commands print, and how."""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import trio

from ..errors import LochkitError

__all__ = [
    "Refused",
    "counted",
    "has_colours",
    "instant",
    "print_lines",
    "shown",
    "table",
    "write_pieces",
]

_LINES: Final = 4096
# What a terminal might act on: keys and names are what anybody wrote.
_ESCAPED: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}"  # line and paragraph separators, and what turns the direction of text
    for code in (*range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}
_WIDEST: Final = 100  # characters; what is longer, as a key can be, shifts its own row only


class Refused(LochkitError):
    """What was given on the command line does not fit what there is."""

    exit_code: int = 2


async def write_pieces(pieces: Iterable[bytes]) -> None:
    """Write to standard output.

    Raises:
        LochkitError: it can not be written; BrokenPipeError when nobody reads it any more.
    """
    if sys.stdout is None:  # so it is when it was closed from the beginning
        raise LochkitError("there is no standard output to write to")
    sys.stdout.flush()

    def write() -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(sys.stdout.fileno(), rest) :]

    try:
        # A reader that has stalled must not hold up our end.
        await trio.to_thread.run_sync(write, abandon_on_cancel=True)
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise LochkitError(f"the output can not be written: {exc.strerror or exc}") from exc


async def print_lines(lines: Iterable[str]) -> None:
    """Write lines, without their ends, to standard output.

    Raises:
        LochkitError: it can not be written; BrokenPipeError when nobody reads it any more.
    """

    def batches() -> Iterable[bytes]:
        batch: list[str] = []
        for line in lines:
            batch.append(line)
            if len(batch) == _LINES:
                yield _encoded(batch)
                batch = []
        yield _encoded(batch)

    await write_pieces(batches())


def _encoded(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def has_colours() -> bool:
    """Whether standard output is a terminal that wants them."""
    environ = os.environ
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def shown(text: str) -> str:
    """Return a text in one line that no terminal acts on."""
    return text.translate(_ESCAPED)


def table(rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Yield rows as lines, with the columns below each other."""
    rows = [[shown(cell) for cell in row] for row in rows]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def counted(number: int, noun: str) -> str:
    """Return a number of things: ``1 guest``, ``2 guests``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def instant(seconds: float) -> str:
    """Return a time in UTC: ``2026-11-21 11:00:47Z``."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return f"@{seconds:g}"
