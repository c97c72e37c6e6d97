"""Reading JSON objects of others field by field: every value is of its type and within its bounds.

Unknown fields are left alone, so that a newer program may say more; what is missing has a default.
"""

from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["Fields"]

LONGEST_TEXT: Final = 4096
MOST_ITEMS: Final = 100_000


class Fields:
    """The fields of one object.

    Args:
        document: the object, as it was parsed.
        fault: makes the error to raise, of one line.
        where: what the object is, for that line.
    """

    __slots__ = ("_document", "_fault", "_where")

    def __init__(self, document: object, fault: Callable[[str], Exception], where: str) -> None:
        self._fault = fault
        self._where = where
        if not isinstance(document, Mapping):
            raise fault(f"{where}: not an object")
        self._document: Mapping[str, object] = document

    def __contains__(self, name: str) -> bool:
        return self._document.get(name) is not None

    def wrong(self, name: str, what: str) -> Exception:
        """The error for a field."""
        return self._fault(f"{self._where}: {name}: {what}")

    def text(self, name: str, default: str = "", *, longest: int = LONGEST_TEXT) -> str:
        """A string."""
        value = self._document.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "not a string")
        if len(value) > longest:
            raise self.wrong(name, f"longer than {longest} characters")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._document.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "neither true nor false")
        return value

    def number(self, name: str, default: int = 0, *, least: int = 0, most: int = 2**63) -> int:
        """A whole number."""
        value = self._document.get(name)
        return default if value is None else self._whole(name, value, least, most)

    def maybe_number(self, name: str, *, least: int = 0, most: int = 2**63) -> int | None:
        """A whole number, or nothing."""
        value = self._document.get(name)
        return None if value is None else self._whole(name, value, least, most)

    def real(self, name: str, default: float = 0.0) -> float:
        """A number."""
        value = self._document.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "not a number")
        number = float(value) if abs(value) < 2**1000 else float("inf")
        if number != number or number in (float("inf"), float("-inf")):
            raise self.wrong(name, "not a finite number")
        return number

    def guid(self, name: str, default: int = 0) -> int:
        """A guid: a decimal string, since 64 bits are more than some programs keep of a number."""
        value = self._document.get(name)
        if value is None:
            return default
        if isinstance(value, str) and 0 < len(value) <= 20 and value.isascii() and value.isdigit():
            value = int(value)
        return self._whole(name, value, 0, 2**64 - 1)

    def items(self, name: str, *, most: int = MOST_ITEMS) -> list[object]:
        """A list."""
        value = self._document.get(name)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            raise self.wrong(name, "not a list")
        if len(value) > most:
            raise self.wrong(name, f"more than {most} items")
        return list(value)

    def texts(
        self, name: str, *, most: int = MOST_ITEMS, longest: int = LONGEST_TEXT
    ) -> tuple[str, ...]:
        """A list of strings."""
        found = self.items(name, most=most)
        return tuple(
            Fields({name: one}, self._fault, self._where).text(name, longest=longest)
            for one in found
        )

    def table(self, name: str) -> Mapping[str, object] | None:
        """An object, or nothing."""
        value = self._document.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(name, "not an object")
        return value

    def _whole(self, name: str, value: object, least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "not a whole number")
        if not least <= value <= most:
            raise self.wrong(name, f"not from {least} to {most}")
        return value
