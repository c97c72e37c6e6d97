"""Lengths of time, as people read and write them: ``26h``, ``1d 12h``."""

import re
from itertools import pairwise
from typing import Final

from .errors import BadPolicy

__all__ = ["in_words", "parse_duration"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION: Final = re.compile(r"(?:\d{1,9}[smhdw] ?)+")
_PART: Final = re.compile(r"(\d+)([smhdw])")
_LONGEST: Final = 100 * 366 * 86400  # seconds


def parse_duration(text: str) -> int:
    """Return the seconds of a text as ``90s``, ``26h`` or ``1d 12h``.

    Raises:
        BadPolicy: it is something else, or longer than 100 years.
    """
    if not _DURATION.fullmatch(text.strip()):
        raise BadPolicy(f"{text!r} is not a length of time: use 90s, 15m, 26h, 7d, 2w or 1d 12h")
    seconds = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    if seconds > _LONGEST:
        raise BadPolicy(f"{text!r} is longer than 100 years")
    return seconds


def in_words(seconds: int) -> str:
    """A length of time for a person: its two largest units, as ``3d 4h``."""
    if seconds < 0:
        return f"-{in_words(-seconds)}"
    units = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]
    for (unit, length), (smaller, part) in pairwise(units):
        if seconds >= length:
            rest = seconds % length // part
            return f"{seconds // length}{unit}" + (f" {rest}{smaller}" if rest else "")
    return f"{seconds}s"
