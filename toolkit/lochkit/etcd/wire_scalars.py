"""The scalar types of protobuf that etcd's messages use: one value to bytes and back."""

from enum import IntEnum
from typing import Any, Final, Generic, Protocol, TypeVar

from .wire_errors import Malformed, Truncated
from .wire_varint import LENGTH_DELIMITED, VARINT, encode_varint, read_varint

__all__ = ["BOOL", "BYTES", "INT64", "STRING", "UINT64", "Enumeration", "Scalar"]

_T = TypeVar("_T")
_E = TypeVar("_E", bound=IntEnum)
_2_31: Final = 1 << 31
_2_32: Final = 1 << 32
_2_63: Final = 1 << 63
_2_64: Final = 1 << 64


class Scalar(Protocol[_T]):
    """How one value of a scalar type looks on the wire, tag aside."""

    wire_type: int

    def read(self, data: bytes, pos: int, end: int) -> tuple[_T, int]:
        """Read the value at ``pos`` and say where it ended.

        Only a value that is copied out of ``data`` is checked against ``end`` here.
        """
        ...

    def write(self, value: _T) -> bytes:
        """The value as bytes; ``ValueError`` if the type cannot hold it."""
        ...


class _Int64:
    wire_type = VARINT

    def read(self, data: bytes, pos: int, end: int) -> tuple[int, int]:
        number = data[pos]
        if number < 0x80:
            return number, pos + 1
        number, pos = read_varint(data, pos)
        return number - _2_64 if number >= _2_63 else number, pos

    def write(self, value: int) -> bytes:
        if not -_2_63 <= value < _2_63:
            raise ValueError(f"{value} is no 64-bit integer")
        return encode_varint(value if value >= 0 else value + _2_64)


class _UInt64:
    wire_type = VARINT

    def read(self, data: bytes, pos: int, end: int) -> tuple[int, int]:
        return read_varint(data, pos)

    def write(self, value: int) -> bytes:
        if not 0 <= value < _2_64:
            raise ValueError(f"{value} is no unsigned 64-bit integer")
        return encode_varint(value)


class _Bool:
    wire_type = VARINT

    def read(self, data: bytes, pos: int, end: int) -> tuple[bool, int]:
        number, pos = read_varint(data, pos)
        return number != 0, pos

    def write(self, value: bool) -> bytes:
        return b"\x01" if value else b"\x00"


class _Bytes:
    wire_type = LENGTH_DELIMITED

    def read(self, data: bytes, pos: int, end: int) -> tuple[bytes, int]:
        size, pos = read_varint(data, pos)
        stop = pos + size
        if stop > end:
            raise Truncated(f"{size} bytes are announced at byte {pos}, {end - pos} are there")
        return data[pos:stop], stop

    def write(self, value: bytes) -> bytes:
        return encode_varint(len(value)) + value


class _String:
    wire_type = LENGTH_DELIMITED

    def read(self, data: bytes, pos: int, end: int) -> tuple[str, int]:
        raw, stop = BYTES.read(data, pos, end)
        try:
            return raw.decode(), stop
        except UnicodeDecodeError as exc:
            raise Malformed(f"a text is not UTF-8, before byte {stop}: {exc.reason}") from exc

    def write(self, value: str) -> bytes:
        raw = value.encode()
        return encode_varint(len(raw)) + raw


class Enumeration(Generic[_E]):
    """An open enum: 32 bits, signed; a number that is no member of ``kind`` stays a number."""

    wire_type = VARINT

    def __init__(self, kind: type[_E]) -> None:
        self._members: dict[int, _E] = {member.value: member for member in kind}

    def read(self, data: bytes, pos: int, end: int) -> tuple[_E | int, int]:
        number, pos = read_varint(data, pos)
        number &= _2_32 - 1
        if number >= _2_31:
            number -= _2_32
        return self._members.get(number, number), pos

    def write(self, value: _E | int) -> bytes:
        if not -_2_31 <= value < _2_31:
            raise ValueError(f"{value} is no 32-bit integer")
        return encode_varint(int(value) if value >= 0 else value + _2_64)


INT64: Final[Scalar[int]] = _Int64()
UINT64: Final[Scalar[int]] = _UInt64()
BOOL: Final[Scalar[bool]] = _Bool()
BYTES: Final[Scalar[bytes]] = _Bytes()
STRING: Final[Scalar[str]] = _String()

OF_TYPE: Final[dict[type, Scalar[Any]]] = {int: INT64, bool: BOOL, bytes: BYTES, str: STRING}
"""The scalar for an annotation that says no more than a Python type."""
