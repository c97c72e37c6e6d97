"""The settings after a check's target: ``interval=10s``, ``status=200-299,401``, ``insecure``."""

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["Settings", "parse_duration"]

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RANGE: Final = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")
_TRUTH: Final = {"true": True, "yes": True, "false": False, "no": False}
_MOST_LOOKS: Final = 1000


def parse_duration(word: str) -> float:
    """The seconds in ``500ms``, ``10s``, ``1.5m`` or ``2h``.

    Raises:
        ValueError: it is none.
    """
    found = _DURATION.fullmatch(word)
    if not found:
        raise ValueError(f"{word[:40]!r} is no time such as 500ms, 10s or 2m")
    return float(found[1]) * _UNITS[found[2]]


class Settings:
    """The settings, taken out one by one; what nobody has asked for is a fault.

    Raises:
        ValueError: a word is no setting, or is said twice.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._left: dict[str, str] = {}
        self._known: list[str] = []
        for word in words:
            name, equals, value = word.partition("=")
            if not equals and name == "insecure":
                value = "true"
            elif not equals or not name or not value:
                raise ValueError(f"{word[:40]!r} is no setting such as interval=10s")
            if name in self._left:
                raise ValueError(f"{name[:40]}= is given twice")
            self._left[name] = value

    def text(self, name: str, default: str) -> str:
        """A text, as it is."""
        value = self._take(name)
        if value is None:
            return default
        if not value.isprintable():
            raise ValueError(f"{name}= holds a control character")
        return value

    def seconds(self, name: str, default: float, least: float, most: float) -> float:
        """A duration within bounds."""
        value = self._take(name)
        if value is None:
            return default
        try:
            found = parse_duration(value)
        except ValueError as exc:
            raise ValueError(f"{name}={exc}") from None
        if not least <= found <= most:
            raise ValueError(f"{name}={value} is not between {least:g}s and {most:g}s")
        return found

    def count(self, name: str, default: int) -> int:
        """How many looks, 1 or more."""
        value = self._take(name)
        if value is None:
            return default
        if not re.fullmatch("[0-9]{1,4}", value) or not 1 <= int(value) <= _MOST_LOOKS:
            raise ValueError(f"{name}={value[:40]} is not a number from 1 to {_MOST_LOOKS}")
        return int(value)

    def flag(self, name: str) -> bool:
        """Yes or no."""
        value = self._take(name)
        if value is None:
            return False
        if value not in _TRUTH:
            raise ValueError(f"{name}={value[:40]} is neither true nor false")
        return _TRUTH[value]

    def codes(
        self, name: str, default: tuple[tuple[int, int], ...], least: int, most: int
    ) -> tuple[tuple[int, int], ...]:
        """Numbers and ranges of them, separated by commas; ``none`` for none."""
        value = self._take(name)
        if value is None:
            return default
        if value == "none":
            return ()
        ranges = []
        for word in value.split(","):
            found = _RANGE.fullmatch(word)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
            if not found or not least <= first <= last <= most:
                raise ValueError(
                    f"{name}={value[:40]} is not of numbers from {least} to {most},"
                    " such as 200-299,401"
                )
            ranges.append((first, last))
        return tuple(ranges)

    def done(self) -> None:
        """Nothing more is asked for.

        Raises:
            ValueError: something is left.
        """
        if self._left:
            left = ", ".join(f"{name[:40]}=" for name in self._left)
            known = ", ".join(f"{name}=" for name in sorted(self._known))
            raise ValueError(f"{left} is no setting of this check, which has {known}")

    def _take(self, name: str) -> str | None:
        self._known.append(name)
        return self._left.pop(name, None)
