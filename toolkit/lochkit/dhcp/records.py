"""The objects as they are in etcd: typed records of their JSON. Pure.

What is taken is what the programs that write them take (Go's ``encoding/json``): field names in any
case, where the last of two counts; absent, null and "" are all unset; unknown fields are ignored;
a value of the wrong type is an error, whether or not DHCP needs the field.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar, get_type_hints

from cattrs import Converter
from cattrs.cols import is_namedtuple, namedtuple_dict_structure_factory

from .values import quote

__all__ = [
    "GuestRecord",
    "HypervisorRecord",
    "RecordError",
    "Resources",
    "SubnetRecord",
    "read_guest",
    "read_hypervisor",
    "read_subnet",
]

Labels = dict[str, str]
"""The free texts of an object. One that is null is left out."""


class RecordError(ValueError):
    """The value is not the JSON of such an object; the message says where."""


class Resources(NamedTuple):
    """What a hypervisor has: memory and disk in megabytes, and processors."""

    memory: int
    disk: int
    cpu: int


class HypervisorRecord(NamedTuple):
    """A hypervisor. Texts are as written; "" is unset.

    Attributes:
        netmask: dotted quad, not a prefix length.
    """

    id: str
    metadata: Labels
    ip: str
    netmask: str
    gateway: str
    mac: str
    total_resources: Resources
    available_resources: Resources


class GuestRecord(NamedTuple):
    """A guest. Texts are as written; "" is unset.

    Attributes:
        hypervisor: id of the one it is placed on.
        subnet: id of the one it has its address in.
    """

    id: str
    metadata: Labels
    type: str
    flavor: str
    hypervisor: str
    network: str
    subnet: str
    fwgroup: str
    mac: str
    ip: str
    bridge: str


class SubnetRecord(NamedTuple):
    """A subnet. Texts are as written; "" is unset.

    Attributes:
        cidr: the network, perhaps with host bits.
        start: the first address that guests are given.
        end: the last.
    """

    id: str
    metadata: Labels
    network: str
    gateway: str
    cidr: str
    start: str
    end: str


class _Mismatch(Exception):
    """A value is not of its type."""


def _string(value: Any, _: Any = None) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise _Mismatch(f"{_found(value)}, not a string")


def _number(value: Any, _: Any = None) -> int:
    if type(value) is int:
        return value
    if value is None:
        return 0
    raise _Mismatch(f"{_found(value)}, not a whole number")


def _labels(value: Any, _: Any = None) -> Labels:
    if value is None:
        return {}
    if type(value) is not dict:
        raise _Mismatch(f"{_found(value)}, not an object")
    for name, text in value.items():
        if type(text) is not str:
            if text is not None:
                raise _Mismatch(f"an object in which {quote(name)} is {_found(text)}, not a string")
            return _labels({name: text for name, text in value.items() if text is not None})
    return value


def _found(value: Any) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)[:40]
    return "an object" if isinstance(value, dict) else "a list"


_PLAIN: Final[Mapping[Any, Callable[[Any], Any]]] = {str: _string, int: _number, Labels: _labels}
_RECORD = TypeVar("_RECORD", bound=tuple[Any, ...])


def _converter() -> Converter:
    # Detailed validation would cost a try for each field; the slow way below tells which it was.
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(int, _number)
    converter.register_structure_hook_func(lambda hint: hint == Labels, _labels)
    converter.register_structure_hook_factory(is_namedtuple, namedtuple_dict_structure_factory)
    return converter


_CONVERTER: Final = _converter()


class _Shape(Generic[_RECORD]):
    """How one class of records is made of a JSON object."""

    def __init__(self, record: type[_RECORD]) -> None:
        self._record = record
        self._hints = get_type_hints(record)
        self._usual: Callable[[Any, Any], _RECORD] = _CONVERTER.get_structure_hook(record)
        self._inner = {
            name: _Shape(hint) for name, hint in self._hints.items() if is_namedtuple(hint)
        }

    def read(self, value: bytes) -> _RECORD:
        """Return the record that a key's value is.

        Raises:
            RecordError: it is none; the message says why.
        """
        try:
            text = value.decode()
            found, end = _SCAN(text, 0)
            made = self._usual(found, self._record)
            if len(found) == len(made) and end == len(text):
                return made
        except (StopIteration, ValueError, RecursionError, KeyError, TypeError, _Mismatch):
            pass  # it is unusual, or wrong: the slow way tells which
        found = _read_object(value)
        if found.keys() >= self._hints.keys() and not any(
            name not in self._hints and _fold(name) in self._hints for name in found
        ):
            with suppress(KeyError, TypeError, _Mismatch):
                return self._usual(found, self._record)
        return self._make_slowly(found, "")

    def _make_slowly(self, found: Mapping[str, Any], where: str) -> _RECORD:
        fields: dict[str, Any] = {}
        for name, value in found.items():
            field = name if name in self._hints else _fold(name)
            if field in self._hints and (value is not None or field not in fields):
                fields[field] = self._value(field, value, where)
        for field in self._hints:
            if field not in fields:
                fields[field] = self._value(field, None, where)
        return self._record(**fields)

    def _value(self, field: str, value: Any, where: str) -> Any:
        inner = self._inner.get(field)
        try:
            if inner is None:
                return _PLAIN[self._hints[field]](value)
            if value is not None and type(value) is not dict:
                raise _Mismatch(f"{_found(value)}, not an object")
        except _Mismatch as exc:
            raise RecordError(f'the field "{where}{field}" is {exc}') from None
        return inner._make_slowly(value or {}, f"{where}{field}.")


def _fold(name: str) -> str:
    """Return the name that Go would take this for: of other letters only the long s is an s."""
    return name.lower().replace("\u017f", "s")  # lower() makes a k of the Kelvin sign by itself


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)
_SCAN: Final[Callable[[str, int], tuple[Any, int]]] = vars(_DECODER)[
    "scan_once"
]  # what its methods wrap: a value, and where it ends
_SPACE: Final = " \t\n\r"


def _read_object(value: bytes) -> dict[str, Any]:
    try:
        text = value.decode()
        if text[:1] != "{":
            text = text.lstrip(_SPACE)
        found, end = _DECODER.raw_decode(text)
    except RecursionError:
        raise RecordError("the value is nested too deeply") from None
    except UnicodeDecodeError:
        raise RecordError("the value is not JSON: it is not UTF-8") from None
    except ValueError as exc:
        raise RecordError(f"the value is not JSON: {exc}") from None
    if end != len(text) and text[end:].strip(_SPACE):
        raise RecordError("the value is not JSON: something follows its end")
    if type(found) is not dict:
        raise RecordError(f"the value is {_found(found)}, not an object")
    return found


read_hypervisor: Final = _Shape(HypervisorRecord).read
"""Return the hypervisor that a key's value is, or raise RecordError."""

read_guest: Final = _Shape(GuestRecord).read
"""Return the guest that a key's value is, or raise RecordError."""

read_subnet: Final = _Shape(SubnetRecord).read
"""Return the subnet that a key's value is, or raise RecordError."""
