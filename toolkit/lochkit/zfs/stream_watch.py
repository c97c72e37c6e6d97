"""Watches a stream on its way into ``zfs receive``: that it is the one that was agreed upon.

``zfs receive`` does what the stream says, not what the client said of it. An incremental stream for
a dataset that does not exist yet, which is what a client may pretend with an offer of a full one,
goes to whatever dataset of the pool has its base; a package of streams (``send -R``) makes, and
updates, other datasets as well. So the guids in the stream itself are held against the offer: of a
single stream those of its first record, of a package (``send -I``, ``send -p``) those of each of
its streams, for which all its records are gone through.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from .offers import Offer
from .stream_begin import RECORD, BadStream, Begin, RecordType, payload_length, read_begin

__all__ = ["Watch", "WatchMaker", "ZfsWatch"]

_PROPERTIES_MOST: Final = 4 * 1024 * 1024  # bytes; those of one dataset with 4,000 snapshots


class Watch(Protocol):
    """Looks at all that goes into ``zfs receive``, until it has seen enough."""

    @property
    def settled(self) -> bool:
        """Whether it need not see the rest."""
        ...

    def see(self, chunk: memoryview) -> None:
        """Look at what comes next.

        Raises:
            BadStream: it is not the stream that was agreed upon.
        """
        ...


WatchMaker: TypeAlias = Callable[[Offer], Watch]


class ZfsWatch:
    """A `Watch` of real ZFS streams.

    Args:
        offer: what was agreed upon.
    """

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._base = offer.base.guid if offer.base else 0
        self._head = bytearray()
        self._payload = 0
        self._package: Begin | None = None
        self._inner: Begin | None = None
        self._settled = False

    @property
    def settled(self) -> bool:
        """Whether it need not see the rest: a single stream has the end that it has."""
        return self._settled

    def see(self, chunk: memoryview) -> None:
        """Look at what comes next.

        Raises:
            BadStream: it is not the stream that was agreed upon.
        """
        at, end = 0, len(chunk)
        while at < end and not self._settled:
            if self._payload:
                taken = min(self._payload, end - at)
                self._payload -= taken
            else:
                taken = min(RECORD - len(self._head), end - at)
                self._head += chunk[at : at + taken]
                if len(self._head) == RECORD:
                    record = bytes(self._head)
                    self._head.clear()
                    self._record(record)
            at += taken

    def _record(self, record: bytes) -> None:
        if self._package is None:
            self._first(read_begin(record))
            return
        kind, length = payload_length(record, self._package.order)
        if kind is RecordType.BEGIN:
            self._next(read_begin(record))
        elif kind is RecordType.END:
            self._inner = None
        elif self._inner is None:
            raise BadStream("data outside of the streams of a package")
        self._payload = length

    def _first(self, begin: Begin) -> None:
        if not begin.package:
            self._check(begin)
            self._settled = True
            return
        if begin.payload > (_PROPERTIES_MOST if self._offer.properties else 0):
            raise BadStream("it carries properties, which were not agreed upon")
        if self._offer.token is not None:
            raise BadStream("a package of streams where an interrupted one was to go on")
        self._package = self._inner = begin
        self._payload = begin.payload

    def _next(self, begin: Begin) -> None:
        assert self._package is not None  # the caller has seen to it
        if begin.package or self._inner is not None:
            raise BadStream("a stream within a stream")
        if _dataset(begin) != _dataset(self._package):
            raise BadStream("a package with streams of more than one dataset")
        if begin.from_guid != self._base:
            raise BadStream(f"a stream from guid {begin.from_guid}, and not from {self._base}")
        self._inner, self._base = begin, begin.to_guid

    def _check(self, begin: Begin) -> None:
        if begin.to_guid != self._offer.to.guid:
            raise BadStream(f"a stream of guid {begin.to_guid}, and not of {self._offer.to.guid}")
        if begin.from_guid != self._base:
            raise BadStream(f"a stream from guid {begin.from_guid}, and not from {self._base}")


def _dataset(begin: Begin) -> str:
    return begin.to_name.partition("@")[0]
