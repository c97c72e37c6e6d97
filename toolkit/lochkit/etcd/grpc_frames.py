"""gRPC's length-prefixed messages (gRPC over HTTP/2, ``PROTOCOL-HTTP2.md``), without I/O.

A message on the wire is one byte (0: not compressed), its length as four bytes, big-endian, and its
body. HTTP/2 cuts the sequence of messages anywhere; `MessageReader` puts it together again in
linear time.
"""

from typing import Final

from .errors import MessageTooLarge, ProtocolError

__all__ = ["PREFIX_BYTES", "MessageReader", "frame_message"]

PREFIX_BYTES: Final = 5


def frame_message(body: bytes) -> bytes:
    """One uncompressed message, ready for DATA frames."""
    return b"\0" + len(body).to_bytes(4, "big") + body


class MessageReader:
    """Cuts the bytes of one stream into messages.

    Args:
        limit: the longest body accepted, in bytes. It bounds the memory a peer can claim: a longer
            message is refused when its prefix is read, before any of its body is kept.
    """

    __slots__ = ("_chunks", "_have", "_limit", "_need")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._have = 0
        # Bytes (prefix included) at which the first unfinished message is whole; just its prefix
        # while that is unknown.
        self._need = PREFIX_BYTES

    @property
    def pending(self) -> int:
        """Bytes held of a message that is not whole yet."""
        return self._have

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, oldest first.

        Raises:
            MessageTooLarge: a message announces more than the limit.
            ProtocolError: a message is marked compressed; none was offered.
        """
        if self._have:
            self._chunks.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._chunks)
            self._chunks.clear()
        elif len(data) > PREFIX_BYTES and self._whole(data, 0) == len(data):
            return [data[PREFIX_BYTES:]]  # as most messages come: alone in a frame
        messages: list[bytes] = []
        start = 0
        size = len(data)
        need = PREFIX_BYTES
        while size - start >= PREFIX_BYTES:
            end = start + self._whole(data, start)
            if end > size:
                need = end - start
                break
            messages.append(data[start + PREFIX_BYTES : end])
            start = end
        self._have = size - start
        self._need = need
        if self._have:
            self._chunks.append(data[start:])
        return messages

    def _whole(self, data: bytes, start: int) -> int:
        if data[start]:
            raise ProtocolError(
                "the server sent a compressed message although compression was not offered"
            )
        length = int.from_bytes(data[start + 1 : start + PREFIX_BYTES], "big")
        if length > self._limit:
            raise MessageTooLarge(
                f"the server announces a message of {length} bytes,"
                f" over the limit of {self._limit} (max_message_bytes)"
            )
        return PREFIX_BYTES + length
