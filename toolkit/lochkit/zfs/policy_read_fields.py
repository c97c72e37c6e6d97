"""Reading a document table by table: every fault is noted with its path, and reading goes on.

What is asked for is known; `Table.close` reports the keys that nobody asked for.
"""

import difflib
import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TypeVar

from ..errors import ConfigError

__all__ = ["Table"]

_LONGEST: Final = 4096  # characters of a string
_MOST: Final = 10_000  # items of a list, keys of a table
_Made = TypeVar("_Made")
_Choice = TypeVar("_Choice", bound=Enum)


class Table:
    """A table of the document.

    Args:
        document: what was parsed.
        where: its path, as ``job[2].snapshot``; empty for the document itself.
        faults: where faults go, one line each, beginning with the path.
    """

    __slots__ = ("_asked", "_document", "_faults", "where")

    def __init__(self, document: object, where: str, faults: list[str]) -> None:
        self.where = where
        self._faults = faults
        self._asked: set[str] = set()
        self._document: Mapping[str, object] = {}
        if not isinstance(document, Mapping):
            faults.append(f"{where or 'policy'}: expected a table, found {_found(document)}")
        elif len(document) > _MOST:
            faults.append(f"{where or 'policy'}: {len(document)} keys: the limit is {_MOST}")
        else:
            self._document = document

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._document

    @property
    def faults(self) -> int:
        """How many faults there are so far, in the whole document."""
        return len(self._faults)

    def path(self, key: str) -> str:
        """The path of a key."""
        return f"{self.where}.{key}" if self.where else key

    def fault(self, key: str, what: str) -> None:
        """Note what is wrong with a key."""
        self._faults.append(f"{self.path(key)}: {what}")

    def close(self) -> None:
        """Note the keys that nobody asked for."""
        for key, hint in self.unknown():
            self.fault(key, f"unknown key; {hint}")

    def unknown(self) -> list[tuple[str, str]]:
        """The keys that nobody asked for, each with a hint for a person."""
        found = []
        for key in self._document:
            if key not in self._asked:
                near = difflib.get_close_matches(str(key), self._asked, n=1)
                known = ", ".join(sorted(self._asked))
                hint = f"did you mean {near[0]!r}?" if near else f"known are {known}"
                found.append((str(key)[:80], hint))
        return found

    def raw(self, key: str) -> object:
        """Whatever stands there; None: nothing."""
        self._asked.add(key)
        return self._document.get(key)

    def text(self, key: str, default: str | None = None) -> str | None:
        """A string."""
        if key not in self:
            return default
        return self._text(self.path(key), self._document[key])

    def needed(self, key: str, what: str) -> str | None:
        """A string that must be there; `what` says what it is."""
        if key not in self:
            self.fault(key, f"missing: {what}")
            return None
        return self.text(key)

    def made(self, key: str, text: str | None, make: Callable[[str], _Made]) -> _Made | None:
        """What `make` makes of a text; its ConfigError is a fault of the key."""
        if text is None:
            return None
        try:
            return make(text)
        except ConfigError as exc:
            self.fault(key, str(exc))
            return None

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.maybe_flag(key)
        return default if value is None else value

    def maybe_flag(self, key: str) -> bool | None:
        """True, false or nothing."""
        if key not in self:
            return None
        value = self._document[key]
        if isinstance(value, bool):
            return value
        self.fault(key, f"expected true or false, found {_found(value)}")
        return None

    def number(self, key: str, *, least: int, most: int) -> int | None:
        """A whole number; None: nothing."""
        if key not in self:
            return None
        value = self._document[key]
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(key, f"expected a whole number, found {_found(value)}")
        elif not least <= value <= most:
            self.fault(key, f"expected {least} to {most}, found {value}")
        else:
            return value
        return None

    def choice(self, key: str, default: _Choice) -> _Choice:
        """One of the words of an enum."""
        text = self.text(key)
        if text is None:
            return default
        words = {str(one.value): one for one in type(default)}
        if text not in words:
            self.fault(key, f"expected one of {', '.join(words)}; found {text!r}")
        return words.get(text, default)

    def texts(self, key: str, make: Callable[[str], str] = str) -> tuple[str, ...]:
        """A list of strings, each as `make` returns it."""
        found: list[str] = []
        for number, value in enumerate(self._items(key, "a list of strings")):
            text = self._text(f"{self.path(key)}[{number}]", value)
            made = self.made(f"{key}[{number}]", text, make)
            found.extend(() if made is None else (made,))
        return tuple(found)

    def words(self, key: str) -> dict[str, str]:
        """A table of strings."""
        if key not in self:
            return {}
        below = Table(self._document[key], self.path(key), self._faults)
        found = {name: below.text(name) for name in below._document}
        return {name: text for name, text in found.items() if text is not None}

    def table(self, key: str) -> "Table | None":
        """A table below this one; None: there is none."""
        if key not in self:
            return None
        return Table(self._document[key], self.path(key), self._faults)

    def tables(self, key: str) -> list["Table"]:
        """A list of tables."""
        items = enumerate(self._items(key, "a list of tables"))
        return [Table(one, f"{self.path(key)}[{number}]", self._faults) for number, one in items]

    def named(self, key: str) -> dict[str, "Table"]:
        """Tables by name."""
        below = self.table(key)
        if below is None:
            return {}
        return {
            str(name): Table(one, below.path(str(name)[:80]), self._faults)
            for name, one in below._document.items()
        }

    def _items(self, key: str, wanted: str) -> list[object]:
        if key not in self:
            return []
        value = self._document[key]
        if not isinstance(value, list):
            self.fault(key, f"expected {wanted}, found {_found(value)}")
        elif len(value) > _MOST:
            self.fault(key, f"{len(value)} items: the limit is {_MOST}")
        else:
            return value
        return []

    def _text(self, path: str, value: object) -> str | None:
        if not isinstance(value, str):
            self._faults.append(f"{path}: expected a string, found {_found(value)}")
        elif len(value) > _LONGEST:
            self._faults.append(f"{path}: {len(value)} characters: the limit is {_LONGEST}")
        else:
            return value
        return None


def _found(value: object) -> str:
    if value is None or isinstance(value, str | bool | int | float):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 80 else text[:77] + "..."
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"
