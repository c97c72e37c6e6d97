"""The fast path: key-values, events and headers laid out the way etcd writes them.

etcd writes fields in the order of their numbers, leaves out those that are zero, and uses the
shortest form of every number. Each function here knows one such layout and nothing else. It walks
the bytes in a straight line and gives up, with ``None``, at the first byte that does not fit: the
table-driven decoder then reads the same bytes from their start, so that what a message *means* (and
what is wrong with one) is decided in one place only.

Two rules make the straight line safe:

* It never checks a field against the end of its message. It looks at the very end whether it
  arrived *exactly* there. The position only ever grows, so one step too far, be it into the bytes
  of the next message, can never be taken back and is always noticed.
* ``IndexError`` means that the line left the buffer, and is one more way not to fit. (Slices do not
  raise it: ``end`` must be within the buffer, and every caller has seen to that.)

The functions are longer than our house allows, and repeat the steps for a number of one, two, three
and four bytes: a call per number would double the time of a load.
"""

from typing import Final

from .messages_header import ResponseHeader
from .messages_kv import KeyValue
from .messages_watch import Event, EventType
from .wire_errors import Malformed
from .wire_varint import read_varint

__all__ = ["straight_event", "straight_header", "straight_key_value"]

_new: Final = tuple.__new__  # skips the Python-level __new__ of a NamedTuple
_PUT: Final = EventType.PUT
_DELETE: Final = EventType.DELETE


def straight_key_value(data: bytes, pos: int, end: int) -> KeyValue | None:
    """Read ``data[pos:end]`` if it is a key-value in one of etcd's layouts.

    They are ``key create mod version [value [lease]]``, and ``key mod`` of a deleted key. A key
    below 128 bytes, revisions below 2**28, a version below 128 and a value below 2**21 bytes are
    fast.
    """
    lease = version = create = 0
    value = b""
    try:
        if data[pos] != 0x0A:
            return None
        if (size := data[pos + 1]) < 0x80:
            pos += 2
        else:
            size, pos = read_varint(data, pos + 1)
        key = data[pos : (pos := pos + size)]

        if data[pos] == 0x10:
            if (create := data[pos + 1]) < 0x80:
                pos += 2
            elif (b := data[pos + 2]) < 0x80:
                create += (b << 7) - 0x80
                pos += 3
            elif (c := data[pos + 3]) < 0x80:
                create += (b << 7) + (c << 14) - 0x4080
                pos += 4
            elif (d := data[pos + 4]) < 0x80:
                create += (b << 7) + (c << 14) + (d << 21) - 0x20_4080
                pos += 5
            else:
                create, pos = _read_positive(data, pos + 1)

        if data[pos] != 0x18:
            return None
        if (mod := data[pos + 1]) < 0x80:
            pos += 2
        elif (b := data[pos + 2]) < 0x80:
            mod += (b << 7) - 0x80
            pos += 3
        elif (c := data[pos + 3]) < 0x80:
            mod += (b << 7) + (c << 14) - 0x4080
            pos += 4
        elif (d := data[pos + 4]) < 0x80:
            mod += (b << 7) + (c << 14) + (d << 21) - 0x20_4080
            pos += 5
        else:
            mod, pos = _read_positive(data, pos + 1)
        if mod == create:
            mod = create  # most keys are written once: keep one int object, not two

        if pos != end:
            if data[pos] != 0x20:
                return None
            if (version := data[pos + 1]) < 0x80:
                pos += 2
            else:
                version, pos = _read_positive(data, pos + 1)
            if pos != end:
                if data[pos] != 0x2A:
                    return None
                if (size := data[pos + 1]) < 0x80:
                    pos += 2
                elif (b := data[pos + 2]) < 0x80:
                    size += (b << 7) - 0x80
                    pos += 3
                elif (c := data[pos + 3]) < 0x80:
                    size += (b << 7) + (c << 14) - 0x4080
                    pos += 4
                else:
                    return None
                value = data[pos : (pos := pos + size)]
                if pos != end:
                    if data[pos] != 0x30:
                        return None
                    lease, pos = _read_positive(data, pos + 1)
    except (IndexError, Malformed):
        return None
    if pos != end:
        return None
    return _new(KeyValue, (key, create, mod, version, value, lease))


def straight_event(data: bytes, pos: int, end: int) -> Event | None:
    """Read ``data[pos:end]`` if it is an event as etcd writes it: ``[type] kv [prev_kv]``."""
    kind = _PUT
    previous = None
    try:
        if data[pos] == 0x08:
            if data[pos + 1] != 1:
                return None
            kind = _DELETE
            pos += 2
        if data[pos] != 0x12:
            return None
        if (size := data[pos + 1]) < 0x80:
            pos += 2
        elif (b := data[pos + 2]) < 0x80:
            size += (b << 7) - 0x80
            pos += 3
        else:
            size, pos = read_varint(data, pos + 1)
        stop = pos + size
        if stop > end or (kv := straight_key_value(data, pos, stop)) is None:
            return None
        if stop != end:
            if data[stop] != 0x1A:
                return None
            size, pos = read_varint(data, stop + 1)
            if pos + size != end:
                return None
            previous = straight_key_value(data, pos, end)
            if previous is None:
                return None
    except (IndexError, Malformed):
        return None
    return _new(Event, (kind, kv, previous))


def _read_positive(data: bytes, pos: int) -> tuple[int, int]:
    """A number of any length; a negative one is not for the straight line."""
    number, pos = read_varint(data, pos)
    if number >> 63:
        raise Malformed("negative")
    return number, pos


# The ids of the server one talks to, twenty bytes that open every header: how they are written, and
# what they mean. A cache of one, replaced as a whole: whoever reads it sees a pair that belongs
# together.
_known_ids: tuple[bytes, int, int] = (b"", 0, 0)


def straight_header(data: bytes, pos: int, end: int) -> ResponseHeader | None:
    """Read ``data[pos:end]`` if it is a header as etcd writes it: all of its four fields."""
    global _known_ids
    start = pos
    try:
        prefix, cluster_id, member_id = _known_ids
        if prefix and data.startswith(prefix, pos):
            pos += len(prefix)
        elif data[pos] == 0x08:
            cluster_id, pos = read_varint(data, pos + 1)
            if data[pos] != 0x10:
                return None
            member_id, pos = read_varint(data, pos + 1)
            _known_ids = (data[start:pos], cluster_id, member_id)
        else:
            return None
        if data[pos] != 0x18:
            return None
        if (revision := data[pos + 1]) < 0x80:
            pos += 2
        elif (b := data[pos + 2]) < 0x80:
            revision += (b << 7) - 0x80
            pos += 3
        elif (c := data[pos + 3]) < 0x80:
            revision += (b << 7) + (c << 14) - 0x4080
            pos += 4
        elif (d := data[pos + 4]) < 0x80:
            revision += (b << 7) + (c << 14) + (d << 21) - 0x20_4080
            pos += 5
        else:
            revision, pos = _read_positive(data, pos + 1)
        if data[pos] != 0x20:
            return None
        if (raft_term := data[pos + 1]) < 0x80:
            pos += 2
        else:
            raft_term, pos = read_varint(data, pos + 1)
    except (IndexError, Malformed):
        return None
    if pos != end:
        return None
    return ResponseHeader(
        cluster_id=cluster_id, member_id=member_id, revision=revision, raft_term=raft_term
    )
