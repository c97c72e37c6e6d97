"""The end of a stream: what its sender says of it."""

from dataclasses import dataclass
from typing import Final

from .control import decode_message, encode_message
from .faults import WireFault
from .frames import TRAILER_LIMIT

__all__ = ["Trailer", "decode_trailer", "encode_trailer"]

_ERROR_LIMIT: Final = 4096  # characters of an error that are sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """The sender's verdict.

    Attributes:
        ok: whether the stream is whole.
        bytes: of it that were sent.
        error: why it is not whole, in one line; empty when it is.
    """

    ok: bool
    bytes: int
    error: str = ""


def encode_trailer(trailer: Trailer) -> bytes:
    """The payload of its frame; a long error is cut."""
    error = trailer.error[:_ERROR_LIMIT]
    message = {"Ok": trailer.ok, "Bytes": trailer.bytes, "Error": error}
    return encode_message(message, limit=TRAILER_LIMIT)


def decode_trailer(data: bytes) -> Trailer:
    """Read the payload of its frame.

    Raises:
        WireFault: it is none.
    """
    match decode_message(data):
        case {"Ok": bool(ok), "Bytes": int(count), "Error": str(error)} if count >= 0:
            # True is an int for Python, and no count for us.
            if not isinstance(count, bool):
                return Trailer(ok=ok, bytes=count, error=error)
    raise WireFault("a trailer came without the verdict that it should hold")
