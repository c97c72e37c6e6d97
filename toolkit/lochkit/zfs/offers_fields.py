"""Strict reading of control messages, which come from a host that we do not trust.

Every field has a type and a limit; a key that nobody asked for is refused, since it may mean
something that we would then not do.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from ..errors import ConfigError
from .errors import Failure, Refused

__all__ = ["BadMessage", "Fields", "guid_text"]

_T = TypeVar("_T")
_LAST_GUID: Final = 2**64 - 1
_LAST_COUNT: Final = 2**63 - 1


class BadMessage(Refused):
    """A control message that can not be read; nothing was done because of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, failure=Failure.BAD_REQUEST)


def guid_text(guid: int) -> str:
    """How a guid looks in a message: decimal, as text, since many readers of JSON have 53 bits."""
    return str(guid)


class Fields:
    """The fields of one JSON object, each taken once.

    Args:
        message: the object.
        what: how to call it in complaints.

    Every method raises `BadMessage` if the field is not what it should be.
    """

    def __init__(self, message: object, what: str) -> None:
        if not isinstance(message, Mapping):
            raise BadMessage(f"{what}: not an object")
        self._left = dict(message)
        self._what = what

    def done(self) -> None:
        """Refuse what nobody asked for."""
        if self._left:
            raise self._bad(str(next(iter(self._left)))[:40], "is not known here")

    def text(self, key: str, *, longest: int = 255, default: str | None = None) -> str:
        """A text of bounded length, in characters that can be shown."""
        value = self._left.pop(key, default)
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise self._bad(key, f"not a text of up to {longest} characters")
        return value

    def optional_text(self, key: str, *, longest: int = 255) -> str | None:
        """As `text`; None when it is null, or not there."""
        if self._left.get(key) is None:
            self._left.pop(key, None)
            return None
        return self.text(key, longest=longest)

    def checked(self, key: str, check: Callable[[str], str], *, longest: int = 255) -> str:
        """A text that `check` returns, and raises a `ConfigError` if it is not right."""
        text = self.text(key, longest=longest)
        try:
            return check(text)
        except ConfigError as exc:
            raise self._bad(key, str(exc)) from None

    def checked_list(self, key: str, check: Callable[[str], str], *, most: int) -> tuple[str, ...]:
        """A list of such texts."""
        found = []
        for value in self.list(key, most=most):
            inner = Fields({key: value}, self._what)
            found.append(inner.checked(key, check))
        return tuple(found)

    def texts(self, key: str, *, most: int, longest: int) -> Mapping[str, str]:
        """An object of texts."""
        value = self._left.pop(key, {})
        if not isinstance(value, Mapping) or len(value) > most:
            raise self._bad(key, f"not an object of up to {most} texts")
        inner = Fields(value, f"{self._what}: {key}")
        return {
            Fields({"name": name}, self._what).text("name"): inner.text(name, longest=longest)
            for name in value
        }

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            raise self._bad(key, "neither true nor false")
        return value

    def count(self, key: str, *, default: int | None = None) -> int:
        """A number of things: not negative, below 2**63."""
        value = self._left.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LAST_COUNT:
            raise self._bad(key, "not a count")
        return value

    def optional_count(self, key: str) -> int | None:
        """As `count`; None when it is null, or not there."""
        if self._left.get(key) is None:
            self._left.pop(key, None)
            return None
        return self.count(key)

    def guid(self, key: str) -> int:
        """A guid."""
        return self._guid(self._left.pop(key, None), key)

    def guids(self, key: str, *, most: int) -> tuple[int, ...]:
        """A list of guids, each once."""
        found = tuple(self._guid(value, key) for value in self.list(key, most=most))
        if len(set(found)) != len(found):
            raise self._bad(key, "names one twice")
        return found

    def list(self, key: str, *, most: int) -> list[object]:
        """A list of bounded length; empty when it is not there."""
        value = self._left.pop(key, [])
        if not isinstance(value, list) or len(value) > most:
            raise self._bad(key, f"not a list of up to {most}")
        return value

    def one_of(self, key: str, choices: Mapping[str, _T], *, default: str | None = None) -> _T:
        """What one of some words stands for."""
        word = self._left.pop(key, default)
        if not isinstance(word, str) or word not in choices:
            raise self._bad(key, f"none of {', '.join(choices)}")
        return choices[word]

    def inner(self, key: str) -> "Fields | None":
        """An object within; None when it is null, or not there."""
        value = self._left.pop(key, None)
        return None if value is None else Fields(value, f"{self._what}: {key}")

    def _guid(self, value: object, key: str) -> int:
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
            number = int(value)
            if 0 < number <= _LAST_GUID:
                return number
        raise self._bad(key, "not a guid: up to 20 digits, as text")

    def _bad(self, key: str, why: str) -> BadMessage:
        return BadMessage(f"{self._what}: {key}: {why}")
