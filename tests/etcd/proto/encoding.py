"""The two steps of the protobuf encoding that tests write by hand."""

__all__ = ["field", "varint"]


def varint(number: int, *, padding: int = 0) -> bytes:
    """A number as protobuf writes it, and with ``padding`` as nobody would but anybody may."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    if padding:
        out[-1] |= 128
        out += bytes([128] * (padding - 1) + [0])
    return bytes(out)


def field(number: int, kind: int, payload: bytes) -> bytes:
    """A field: tag, length if it has one, and payload."""
    length = varint(len(payload)) if kind == 2 else b""
    return varint(number << 3 | kind) + length + payload
