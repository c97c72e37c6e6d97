"""How a range of any size is read: which page next, how large, and where a page ends. Pure."""

from typing import Final, NamedTuple

from .messages import RangeRequest
from .prefix import KeyRange
from .wire_errors import Malformed, Truncated
from .wire_varint import read_varint

__all__ = ["PageEnd", "PagePlan", "page_end"]

# Each page makes the server count what is left of the range, so few large pages beat many small
# ones; beyond 10,000 keys nothing is gained (measured) and memory is lost.
_FIRST_PAGE: Final = 2_000
_LARGEST_PAGE: Final = 10_000
_PAGE_BYTES: Final = 4 << 20

_HEADER, _KVS, _MORE, _COUNT = 0x0A, 0x12, 0x18, 0x20  # the tags of a RangeResponse
_KEY: Final = 0x0A  # and that of a KeyValue's first field


class PageEnd(NamedTuple):
    """What is to be known of a page before the next can be asked for.

    Attributes:
        last_key: empty when the page is.
        more: the range goes on behind it.
        keys: how many it has.
    """

    last_key: bytes
    more: bool
    keys: int


class PagePlan:
    """The state of reading one range page by page, all at one revision.

    Args:
        wanted: the range.
        revision: the revision to read at, 0 for the newest when the first page is read.
        keys_only: leave the values out.
        serializable: let the member answer from its own, perhaps older state.

    Attributes:
        revision: of all pages; to be set after the first one when it was 0.
        done: there is no further page.
    """

    def __init__(
        self,
        wanted: KeyRange,
        *,
        revision: int = 0,
        keys_only: bool = False,
        serializable: bool = False,
    ) -> None:
        self._next = wanted.key
        self._end = wanted.range_end
        self._limit = _FIRST_PAGE
        self._keys_only = keys_only
        self._serializable = serializable
        self.revision = revision
        self.done = False

    def request(self) -> RangeRequest:
        """What asks for the next page."""
        return RangeRequest(
            key=self._next,
            range_end=self._end,
            limit=self._limit,
            revision=self.revision,
            keys_only=self._keys_only,
            serializable=self._serializable,
        )

    def shrink(self) -> bool:
        """The page was too large a message: ask for less; False when it cannot be less."""
        if self._limit == 1:
            return False
        self._limit = max(1, self._limit // 16)
        return True

    def took(self, end: PageEnd, size: int) -> None:
        """A page of `size` bytes came: go on behind it, and aim at pages of some megabytes."""
        if not end.more or not end.keys:
            self.done = True
            return
        self._next = end.last_key + b"\0"
        self._limit = max(1, min(_LARGEST_PAGE, _PAGE_BYTES // (size // end.keys + 1)))


def page_end(body: bytes) -> PageEnd | None:
    """Find the end of an encoded ``RangeResponse`` without decoding its keys: a tenth of the work.

    Returns:
        None when it is not laid out as etcd does; then it must be decoded.
    """
    pos, size = 0, len(body)
    last = keys = 0
    more = False
    try:
        while pos < size:
            tag = body[pos]
            if tag == _KVS:
                # Lengths of one and two bytes here: a call for each would double the time.
                if (length := body[pos + 1]) < 0x80:
                    pos += 2
                elif (high := body[pos + 2]) < 0x80:
                    length += (high << 7) - 0x80
                    pos += 3
                else:
                    length, pos = read_varint(body, pos + 1)
                last, keys = pos, keys + 1
                pos += length
            elif tag == _HEADER:
                length, pos = read_varint(body, pos + 1)
                pos += length
            elif tag in (_MORE, _COUNT):
                value, pos = read_varint(body, pos + 1)
                more = bool(value) if tag == _MORE else more
            else:
                return None
        if not keys:
            return PageEnd(b"", more, 0)
        if body[last] != _KEY:
            return None
        length, pos = read_varint(body, last + 1)
    except (IndexError, Malformed, Truncated):
        return None
    return PageEnd(body[pos : pos + length], more, keys)
