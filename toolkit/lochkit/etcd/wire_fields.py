"""The four shapes of a field: a scalar or a message, once or repeated."""

from collections.abc import Mapping
from typing import Any

from .wire_errors import Malformed, Truncated
from .wire_plan import Field, Plan, Reader, Values
from .wire_scalars import Scalar
from .wire_varint import LENGTH_DELIMITED, VARINT, encode_varint, read_varint

__all__ = ["MessageField", "RepeatedMessage", "RepeatedScalar", "ScalarField"]


class ScalarField(Field):
    """A number or a piece of bytes or text: what arrives last counts."""

    collects = False

    def __init__(
        self,
        index: int,
        name: str,
        number: int,
        scalar: Scalar[Any],
        default: Any,
        rivals: tuple[int, ...],
    ) -> None:
        super().__init__(index, name)
        self._tag = number << 3 | scalar.wire_type
        self._key = encode_varint(self._tag)
        self._scalar = scalar
        self._default = default
        self._rivals = rivals

    def readers(self) -> Mapping[int, Reader]:
        """A scalar has one form."""
        return {self._tag: self._read}

    def _read(self, data: bytes, pos: int, end: int, depth: int, values: Values) -> int:
        for rival in self._rivals:
            values[rival] = None
        values[self.index], pos = self._scalar.read(data, pos, end)
        return pos

    def write(self, value: Any, out: bytearray) -> None:
        """Append the value unless it is the default."""
        if value != self._default:
            out += self._key
            out += self._scalar.write(value)


class RepeatedScalar(Field):
    """Any number of scalars. Numbers are written packed, and read packed or one by one."""

    def __init__(self, index: int, name: str, number: int, scalar: Scalar[Any]) -> None:
        super().__init__(index, name)
        self._packs = scalar.wire_type == VARINT
        self._tag = number << 3 | scalar.wire_type
        self._packed_tag = number << 3 | LENGTH_DELIMITED
        self._key = encode_varint(self._packed_tag)
        self._scalar = scalar

    def readers(self) -> Mapping[int, Reader]:
        """Numbers have two forms; a packed run looks like one piece of bytes."""
        if self._packs:
            return {self._tag: self._read_one, self._packed_tag: self._read_packed}
        return {self._tag: self._read_one}

    def _read_one(self, data: bytes, pos: int, end: int, depth: int, values: Values) -> int:
        item, pos = self._scalar.read(data, pos, end)
        _collected(values, self.index).append(item)
        return pos

    def _read_packed(self, data: bytes, pos: int, end: int, depth: int, values: Values) -> int:
        pos, stop = _read_size(data, pos, end)
        items = _collected(values, self.index)
        while pos < stop:
            item, pos = self._scalar.read(data, pos, stop)
            items.append(item)
        if pos > stop:
            raise Truncated(f"a packed number is cut off, at byte {stop}")
        return pos

    def write(self, value: Any, out: bytearray) -> None:
        """Append all elements."""
        if not value:
            return
        if self._packs:
            packed = b"".join([self._scalar.write(item) for item in value])
            out += self._key + encode_varint(len(packed)) + packed
        else:
            for item in value:
                out += self._key
                out += self._scalar.write(item)

    def finish(self, collected: Values) -> Any:
        """The elements, for good."""
        return tuple(collected)


class MessageField(Field):
    """A sub-message. If it arrives in pieces, these are merged, as protobuf wants it."""

    def __init__(
        self,
        index: int,
        name: str,
        number: int,
        plan: Plan,
        default: Any,
        rivals: tuple[int, ...],
    ) -> None:
        super().__init__(index, name)
        self._tag = number << 3 | LENGTH_DELIMITED
        self._key = encode_varint(self._tag)
        self._plan = plan
        self._default = default
        self._rivals = rivals

    def readers(self) -> Mapping[int, Reader]:
        """A message has one form."""
        return {self._tag: self._read}

    def _read(self, data: bytes, pos: int, end: int, depth: int, values: Values) -> int:
        pos, stop = _read_size(data, pos, end)
        _check_depth(depth, pos)
        for rival in self._rivals:
            values[rival] = None
        plan = self._plan
        held = values[self.index]
        if held is self._default:  # the first piece, and nearly always the only one
            if plan.straight is not None:
                whole = plan.straight(data, pos, stop)
                if whole is not None:
                    values[self.index] = whole
                    return stop
            held = plan.empty
        if pos != stop:
            if type(held) is not list:
                held = plan.values_of(held)
            plan.read(data, pos, stop, depth - 1, held)
        values[self.index] = held
        return stop

    def write(self, value: Any, out: bytearray) -> None:
        """Append the message unless it is the default; an empty one that is not, counts."""
        if value != self._default:
            _write_message(self._key, self._plan, value, out)

    def finish(self, collected: Values) -> Any:
        """The message, now that all its pieces are there."""
        return self._plan.build(collected)


class RepeatedMessage(Field):
    """Any number of messages: what the bulk of a load is made of."""

    def __init__(self, index: int, name: str, number: int, plan: Plan) -> None:
        super().__init__(index, name)
        self._tag = number << 3 | LENGTH_DELIMITED
        self._key = encode_varint(self._tag)
        self._plan = plan

    def readers(self) -> Mapping[int, Reader]:
        """Messages have one form."""
        return {self._tag: self._read}

    def _read(self, data: bytes, pos: int, end: int, depth: int, values: Values) -> int:
        """Read this element and those right behind it: that saves the way back to the table."""
        _check_depth(depth, pos)
        tag, plan, straight = self._tag, self._plan, self._plan.straight
        append = _collected(values, self.index).append
        while True:
            size = data[pos]
            if size < 0x80:
                pos += 1
            elif (high := data[pos + 1]) < 0x80:
                size += (high << 7) - 0x80
                pos += 2
            else:
                size, pos = read_varint(data, pos)
            stop = pos + size
            if stop > end:
                raise Truncated(f"{size} bytes are announced at byte {pos}, {end - pos} are there")
            item = straight(data, pos, stop) if straight is not None else None
            append(plan.decode(data, pos, stop, depth - 1) if item is None else item)
            if stop == end or data[stop] != tag:
                return stop
            pos = stop + 1

    def write(self, value: Any, out: bytearray) -> None:
        """Append all messages."""
        for item in value:
            _write_message(self._key, self._plan, item, out)

    def finish(self, collected: Values) -> Any:
        """The messages, for good."""
        return tuple(collected)


def _collected(values: Values, index: int) -> Values:
    """The list a repeated field collects in, made when its first element arrives."""
    items: Values = values[index]
    if type(items) is not list:
        items = values[index] = []
    return items


def _read_size(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Read an announced length; return where the announced bytes begin and end."""
    size = data[pos]
    if size < 0x80:
        pos += 1
    else:
        size, pos = read_varint(data, pos)
    stop = pos + size
    if stop > end:
        raise Truncated(f"{size} bytes are announced at byte {pos}, {end - pos} are there")
    return pos, stop


def _check_depth(depth: int, pos: int) -> None:
    if not depth:
        raise Malformed(f"messages nest too deep, at byte {pos}")


def _write_message(key: bytes, plan: Plan, message: Any, out: bytearray) -> None:
    body = plan.encode(message)
    out += key
    out += encode_varint(len(body))
    out += body
