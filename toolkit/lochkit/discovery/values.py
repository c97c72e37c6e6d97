"""Reading JSON that anybody may have written: what can be understood is, the rest is told."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from .errors import BadRecord

__all__ = ["Fields", "parse_object"]

_MOST_BYTES: Final = 256 * 1024
_MOST_DEPTH: Final = 100
"""Objects and lists in each other. Far below what Python can read, for what has been read is
compared and written again, where the stack may be fuller."""
_SHOWN: Final = 60


def _finite(word: str) -> float:
    """A number that can be written again: Python reads more than JSON has."""
    number = float(word)
    if not isfinite(number):
        raise ValueError(word)
    return number


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def parse_object(value: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        BadRecord: it is none, or far too large for a record.
    """
    if len(value) > _MOST_BYTES:
        raise BadRecord(f"the value has {len(value)} bytes, far more than a record")
    try:
        # As text: of bytes, the module takes UTF-16 as well, which no other reader does.
        text = value.decode()
        found = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        # Not its whole text: that may show what surrounds the fault.
        raise BadRecord(f"the value is not JSON ({exc.msg})") from None
    except UnicodeDecodeError:
        raise BadRecord("the value is not UTF-8 text") from None
    except RecursionError:
        raise BadRecord("the value is nested too deeply") from None
    except ValueError:
        raise BadRecord("the value holds a number that is too large, or none") from None
    if not isinstance(found, dict):
        raise BadRecord(f"the value is JSON of another kind than an object: {_kind(found)}")
    if text.count("{") + text.count("[") > _MOST_DEPTH and _is_deeper(found, _MOST_DEPTH):
        raise BadRecord("the value is nested too deeply")
    return found


def _is_deeper(found: Any, most: int) -> bool:
    """Whether there are more than `most` objects and lists in each other."""
    level: list[Any] = [found]
    for _ in range(most):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


class Fields:
    """The fields of an object, taken out one by one; names as Go reads them, in any case.

    What has another type than it should is converted where its meaning is plain, left at its
    default otherwise, and told in `faults` either way. Values are never told: they may be secret.

    Attributes:
        faults: what was odd.
    """

    def __init__(self, found: Mapping[str, Any], where: str = "") -> None:
        self._left = dict(found)
        self._where = where
        self._exact = {name.lower(): name for name in found}
        self._exact.update({name: name for name in found})
        self.faults: list[str] = []

    def text(self, name: str) -> str:
        """A string."""
        value = self._take(name)
        if isinstance(value, str):
            return value
        if value is not None:
            self._odd(name, "a string", value)
        return str(value) if _is_number(value) else ""

    def flag(self, name: str) -> bool:
        """A boolean."""
        value = self._take(name)
        if isinstance(value, bool):
            return value
        if value is not None:
            self._odd(name, "true or false", value)
        return isinstance(value, str) and value.strip().lower() == "true"

    def number(self, name: str, default: int = 0) -> int:
        """An integer that is not negative."""
        value = self._take(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63:
            return value
        if value is not None:
            self._odd(name, "a number", value)
        return default

    def words(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._odd(name, "a list of strings", value)
            return ()
        return tuple(value)

    def table(self, name: str) -> dict[str, str] | None:
        """An object of strings; numbers in it are taken for their text. None when there is none."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self._odd(name, "an object", value)
            return None
        found = {}
        for key, item in value.items():
            if isinstance(item, str):
                found[key] = item
                continue
            self._odd(f"{name}.{_shown(key)}", "a string", item)
            if _is_number(item):
                found[key] = str(item)
        return found

    def inner(self, name: str) -> "Fields":
        """An object; its faults are to be read from it."""
        value = self._take(name)
        if value is not None and not isinstance(value, dict):
            self._odd(name, "an object", value)
        return Fields(value if isinstance(value, dict) else {}, f"{self._where}{name}.")

    def rest(self) -> dict[str, Any]:
        """What has not been taken."""
        return self._left

    def _take(self, name: str) -> Any:
        exact = name if name in self._left else self._exact.get(name)
        return None if exact is None else self._left.pop(exact, None)

    def _odd(self, name: str, wanted: str, found: Any) -> None:
        self.faults.append(f"{self._where}{name} is {_kind(found)} and should be {wanted}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _shown(name: str) -> str:
    """A name that somebody else has chosen, harmless in a log."""
    return name[:_SHOWN] if name.isprintable() else repr(name[:_SHOWN])


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
    return "an object"
