"""How one message type is read and written: a table from tags to fields, made once per class.

While a message is being read its values are a plain list, one place per field in the order of the
class, holding the defaults at first. Repeated fields collect in lists of their own. So does a
sub-message: it stays a list of values until its parent is complete, because protobuf lets it arrive
in pieces that are merged.

What a message costs in memory is bounded by a small multiple of its bytes: nothing is allocated for
an announced length before the bytes are known to be there, and the empty message is one shared
object.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar, Final

from .wire_errors import Malformed, Truncated
from .wire_varint import read_tag, skip_field

__all__ = ["Field", "Plan", "Reader", "Straight", "Values"]

Values = list[Any]
Straight = Callable[[bytes, int, int], Any]
"""``straight(data, pos, end)``: the message, or ``None`` if its layout is not the usual one."""


Reader = Callable[[bytes, int, int, int, Values], int]
"""``reader(data, pos, end, depth, values)``: read a field into ``values``, say where it ended.

``pos`` is behind its tag, ``end`` that of the message. A number may be read past ``end`` (the
position returned tells), but nothing is copied from behind it. ``depth`` is how many more messages
may nest. Raises ``DecodeError``, and ``IndexError`` where ``data`` ends (see
:mod:`lochkit.etcd.wire_varint`).
"""


class Field(ABC):
    """One field: how it is read into the values of its message, and written from them.

    Attributes:
        index: its place in the values.
        name: its name, for errors.
        collects: its place may hold a list while the message is being read.
    """

    collects: ClassVar[bool] = True

    def __init__(self, index: int, name: str) -> None:
        self.index: Final = index
        self.name: Final = name

    @abstractmethod
    def readers(self) -> Mapping[int, Reader]:
        """The tags the field may arrive under, and what reads it then."""

    @abstractmethod
    def write(self, value: Any, out: bytearray) -> None:
        """Append the field to ``out``, tag included, or nothing if ``value`` is the default."""

    def finish(self, collected: Values) -> Any:
        """Turn the list a field collected in into the value its message holds."""
        raise NotImplementedError(f"{self.name} does not collect")


class Plan:
    """How to read and write the messages of one class.

    A plan is made empty and then told its fields, since messages may contain themselves.
    """

    def __init__(self, cls: type, straight: Straight | None) -> None:
        self.cls: Final = cls
        self.straight: Final = straight
        self.empty: Any = cls()
        self._readers: dict[int, Reader] = {}
        self._numbers: frozenset[int] = frozenset()
        self._fields: tuple[Field, ...] = ()
        self._collecting: tuple[tuple[int, Callable[[Values], Any]], ...] = ()
        self._oneofs: tuple[tuple[int, ...], ...] = ()
        self._setters: list[Callable[[Any, Any], None]] | None = None
        self._values_of: Callable[[Any], Sequence[Any]] = _no_values

    def define(self, fields: Sequence[Field], oneofs: Iterable[tuple[int, ...]]) -> None:
        """Say what the fields are, in the order of the class, and which exclude each other."""
        self._fields = tuple(fields)
        self._collecting = tuple((field.index, field.finish) for field in fields if field.collects)
        self._oneofs = tuple(oneofs)
        self._readers = {tag: read for field in fields for tag, read in field.readers().items()}
        self._numbers = frozenset(tag >> 3 for tag in self._readers)
        self._values_of = _values_of(self.cls, [field.name for field in fields])
        if not issubclass(self.cls, tuple):
            # Setting slots one by one takes half the time of calling a frozen dataclass.
            self._setters = [getattr(self.cls, field.name).__set__ for field in fields]

    def decode(self, data: bytes, pos: int, end: int, depth: int) -> Any:
        """The message in ``data[pos:end]``."""
        if pos == end:
            return self.empty
        values = self.values_of(self.empty)
        self.read(data, pos, end, depth, values)
        return self.build(values)

    def read(self, data: bytes, pos: int, end: int, depth: int, values: Values) -> None:
        """Merge the fields in ``data[pos:end]`` into ``values``."""
        readers = self._readers
        while pos < end:
            tag = data[pos]
            if tag < 0x80:
                pos += 1
            else:
                tag, pos = read_tag(data, pos)
            reader = readers.get(tag)
            if reader is not None:
                pos = reader(data, pos, end, depth, values)
            elif tag >> 3 in self._numbers:
                raise Malformed(f"field {tag >> 3} has wire type {tag & 7}, at byte {pos}")
            else:
                pos = skip_field(tag, data, pos, end)
        if pos > end:
            raise Truncated(f"a field goes on {pos - end} bytes behind its message, at byte {end}")

    def values_of(self, message: Any) -> Values:
        """The values of a message, to merge more into; only the first level is unpacked."""
        return list(self._values_of(message))

    def build(self, values: Values) -> Any:
        """The message with these values."""
        for index, finish in self._collecting:
            value = values[index]
            if type(value) is list:
                values[index] = finish(value)
        if self._setters is None:
            return tuple.__new__(self.cls, values)
        message: Any = object.__new__(self.cls)
        for set_value, value in zip(self._setters, values, strict=True):
            set_value(message, value)
        return message

    def encode(self, message: Any) -> bytearray:
        """The bytes of a message.

        Raises:
            ValueError: a field cannot hold its value, or two members of a oneof are set.
        """
        values = self._values_of(message)
        for members in self._oneofs:
            if sum(values[index] is not None for index in members) > 1:
                names = ", ".join(self._fields[index].name for index in members)
                raise ValueError(f"{self.cls.__name__} may have only one of {names}")
        out = bytearray()
        for field, value in zip(self._fields, values, strict=True):
            try:
                field.write(value, out)
            except ValueError as exc:
                exc.add_note(f"in {self.cls.__name__}.{field.name}")
                raise
        return out


def _no_values(_message: Any) -> Sequence[Any]:
    return ()


def _values_of(cls: type, names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    """A function for the values of a message, as fast as the class allows."""
    if issubclass(cls, tuple):
        return tuple
    if not names:
        return _no_values
    if len(names) == 1:
        get_one = attrgetter(names[0])
        return lambda message: (get_one(message),)
    return attrgetter(*names)
