"""The bare protobuf encoding: varints, tags, and how to step over a field one does not know.

Reading past the end of ``data`` raises ``IndexError``, which :func:`lochkit.etcd.wire.decode`
reports as :class:`~lochkit.etcd.wire_errors.Truncated`. Reading past the end of a message *inside*
``data`` is found afterwards, by position: so no byte is checked twice.
"""

from typing import Final

from .wire_errors import Malformed, Truncated

__all__ = [
    "FIXED32",
    "FIXED64",
    "LENGTH_DELIMITED",
    "VARINT",
    "encode_varint",
    "read_tag",
    "read_varint",
    "skip_field",
]

VARINT: Final = 0
FIXED64: Final = 1
LENGTH_DELIMITED: Final = 2
FIXED32: Final = 5

_LONGEST_VARINT: Final = 10  # bytes: 64 bits, seven a byte
_LONGEST_TAG: Final = 5  # bytes: 29 bits of field number and 3 of wire type
_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(0x80))


def encode_varint(number: int) -> bytes:
    """``number``, which is not negative, seven bits a byte, the lowest first."""
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, pos: int) -> tuple[int, int]:
    """Read an unsigned 64-bit number at ``pos``.

    Returns:
        The number, and the position behind it. Bits above the 64th are dropped.

    Raises:
        Malformed: it is longer than ten bytes.
    """
    number = 0
    for shift in range(0, 7 * _LONGEST_VARINT, 7):
        byte = data[pos]
        pos += 1
        if byte < 0x80:
            return (number | byte << shift) & 0xFFFF_FFFF_FFFF_FFFF, pos
        number |= (byte & 0x7F) << shift
    raise Malformed(f"a varint is longer than {_LONGEST_VARINT} bytes, at byte {pos}")


def read_tag(data: bytes, pos: int) -> tuple[int, int]:
    """Read a field's tag at ``pos``: its number, shifted by three, and its wire type.

    Raises:
        Malformed: no field may have this tag.
    """
    tag, behind = read_varint(data, pos)
    if tag > 0xFFFF_FFFF or behind - pos > _LONGEST_TAG:
        raise Malformed(f"a field number is too high, at byte {pos}")
    return tag, behind


def skip_field(tag: int, data: bytes, pos: int, end: int) -> int:
    """Step over the field whose tag was just read, ``pos`` being behind it.

    Returns:
        The position behind the field, at most ``end``.

    Raises:
        Truncated: the field goes on behind ``end``.
        Malformed: it is none. Groups, which proto3 does not have, count as such.
    """
    kind = tag & 7
    if tag < 8:
        raise Malformed(f"a field has the number 0, at byte {pos}")
    if kind == VARINT:
        _, pos = read_varint(data, pos)
    elif kind == FIXED64:
        pos += 8
    elif kind == LENGTH_DELIMITED:
        size, pos = read_varint(data, pos)
        pos += size
    elif kind == FIXED32:
        pos += 4
    else:
        raise Malformed(f"field {tag >> 3} has wire type {kind}, at byte {pos}")
    if pos > end:
        raise Truncated(f"field {tag >> 3} is cut off")
    return pos
