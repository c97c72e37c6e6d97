"""The records of a ZFS send stream, as far as they tell what the stream is and where it goes.

Source: include/sys/zfs_ioctl.h (dmu_replay_record_t), module/zfs/dmu_recv.c and
lib/libzfs/libzfs_sendrecv.c of OpenZFS. A record has 312 bytes, in the byte order of the host that
made it; some are followed by a payload. ``zfs send -i`` gives one stream: BEGIN, records, END.
``-I``, ``-p`` and ``-R`` give a package: BEGIN of the package, with the properties and the list of
its streams as payload, END, one stream after another, END.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

__all__ = ["RECORD", "BadStream", "Begin", "RecordType", "payload_length", "read_begin"]

RECORD: Final = 312
"""Bytes of a record."""

_MAGIC: Final = 0x2F5BACBAC
_PAYLOAD_MOST: Final = 32 * 1024 * 1024  # bytes; the largest block has 16 MiB
_PACKAGE: Final = 2  # DMU_COMPOUNDSTREAM
_SINGLE: Final = 1  # DMU_SUBSTREAM


class BadStream(Exception):
    """The stream is not what was agreed; the message says how."""


class RecordType(enum.IntEnum):
    """What a record is (drr_type)."""

    BEGIN = 0
    OBJECT = 1
    FREEOBJECTS = 2
    WRITE = 3
    FREE = 4
    END = 5
    WRITE_BYREF = 6
    SPILL = 7
    WRITE_EMBEDDED = 8
    OBJECT_RANGE = 9
    REDACT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The first record of a stream, or of a package of streams.

    Attributes:
        order: the byte order, as the module struct writes it.
        package: whether streams follow it.
        payload: bytes that follow it: of a package, its properties.
        to_guid: of the snapshot that the stream makes.
        from_guid: of its base; 0: it is a full stream.
        to_name: ``dataset@snapshot``, as the source called it.
    """

    order: str
    package: bool
    payload: int
    to_guid: int
    from_guid: int
    to_name: str


def read_begin(record: bytes) -> Begin:
    """Read the record that a stream begins with.

    Raises:
        BadStream: it is none.
    """
    for order in "<", ">":
        kind, payload, magic, version = struct.unpack_from(f"{order}IIQQ", record)
        if magic == _MAGIC and kind == RecordType.BEGIN:
            break
    else:
        raise BadStream("it does not begin as a ZFS stream does")
    _created, _type, _flags, to_guid, from_guid = struct.unpack_from(f"{order}QIIQQ", record, 24)
    header = version & 0b11
    if header not in (_SINGLE, _PACKAGE) or payload > _PAYLOAD_MOST:
        raise BadStream("its first record is out of bounds")
    name = record[56:312].split(b"\0", 1)[0].decode("utf-8", "replace")
    return Begin(
        order=order,
        package=header == _PACKAGE,
        payload=payload,
        to_guid=to_guid,
        from_guid=from_guid,
        to_name=name,
    )


def payload_length(record: bytes, order: str) -> tuple[RecordType, int]:
    """What a record is, and how many bytes follow it.

    Computed as the receiving kernel does (receive_read_record), not read from the record's head,
    which old versions leave empty.

    Raises:
        BadStream: it is no record, or an impossible one.
    """
    (number,) = struct.unpack_from(f"{order}I", record)
    try:
        kind = RecordType(number)
    except ValueError:
        raise BadStream(f"a record of the unknown type {number}") from None
    length = 0
    if kind is RecordType.BEGIN:
        (length,) = struct.unpack_from(f"{order}I", record, 4)
    elif kind is RecordType.OBJECT:
        bonus, _checksum, _compress, _slots, _flags, raw = struct.unpack_from(
            f"{order}IBBBBI", record, 28
        )
        length = raw or _padded(bonus)
    elif kind is RecordType.WRITE:
        # Compressed or raw: the size stored counts, otherwise the logical one.
        (length,) = struct.unpack_from(f"{order}Q", record, 96 if record[50] else 32)
    elif kind is RecordType.SPILL:
        (length,) = struct.unpack_from(f"{order}Q", record, 40 if record[33] else 16)
    elif kind is RecordType.WRITE_EMBEDDED:
        (stored,) = struct.unpack_from(f"{order}I", record, 52)
        length = _padded(stored)
    if length > _PAYLOAD_MOST:
        raise BadStream(f"a record of {length} bytes")
    return kind, length


def _padded(length: int) -> int:
    return (length + 7) & ~7
