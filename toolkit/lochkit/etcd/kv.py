"""Keys and values: read, list, write, transactions, compaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from .caller import Caller, Rpc
from .errors import MessageTooLarge
from .messages import (
    CompactionRequest,
    CompactionResponse,
    Compare,
    DeleteRangeRequest,
    DeleteRangeResponse,
    KeyValue,
    PutRequest,
    PutResponse,
    RangeRequest,
    RangeResponse,
    RequestOp,
    ResponseHeader,
    TxnRequest,
    TxnResponse,
)
from .prefix import KeyRange

__all__ = ["KeyValues", "Listing", "Pages"]

RANGE: Final = Rpc("/etcdserverpb.KV/Range", RangeRequest, RangeResponse, repeatable=True)
PUT: Final = Rpc("/etcdserverpb.KV/Put", PutRequest, PutResponse)
DELETE_RANGE: Final = Rpc("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest, DeleteRangeResponse)
TXN: Final = Rpc("/etcdserverpb.KV/Txn", TxnRequest, TxnResponse)
COMPACT: Final = Rpc("/etcdserverpb.KV/Compact", CompactionRequest, CompactionResponse)

# Each page makes the server count what is left of the range, so few large pages beat many small
# ones; beyond 10,000 keys nothing is gained (measured) and memory is lost.
_FIRST_PAGE: Final = 2_000
_LARGEST_PAGE: Final = 10_000
_PAGE_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All keys of a range at one revision.

    Attributes:
        header: of the last answer; its `revision` is at least `revision`.
        revision: the revision all the keys are of.
        kvs: the keys in order.
    """

    header: ResponseHeader
    revision: int
    kvs: list[KeyValue]


class Pages:
    """A range of any size in pages, all of one revision; an async iterator of lists of keys.

    Args:
        kv: where to read.
        wanted: the range.
        revision: the revision to read at, 0 for the newest when the first page is read.
        keys_only: leave the values out.
        serializable: let the member answer from its own, perhaps older state.
        persist: see `Caller.call`.

    Attributes:
        revision: the revision of all pages, known after the first.
        header: of the newest page.
    """

    def __init__(
        self,
        kv: "KeyValues",
        wanted: KeyRange,
        *,
        revision: int = 0,
        keys_only: bool = False,
        serializable: bool = False,
        persist: bool = True,
    ) -> None:
        self._kv = kv
        self._persist = persist
        self._end = wanted.range_end
        self._next: bytes | None = wanted.key
        self._limit = _FIRST_PAGE
        self._keys_only = keys_only
        self._serializable = serializable
        self.revision = revision
        self.header = ResponseHeader()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[KeyValue]:
        """The next page.

        Raises:
            Compacted: the revision was compacted between two pages; start over.
        """
        if self._next is None:
            raise StopAsyncIteration
        page = await self._read(self._next)
        self.header = page.header
        self.revision = self.revision or page.header.revision
        if page.more and page.kvs:
            self._next = page.kvs[-1].key + b"\0"
            self._adapt(page.kvs)
        else:
            self._next = None
        return page.kvs

    async def _read(self, start: bytes) -> RangeResponse:
        while True:
            request = RangeRequest(
                key=start,
                range_end=self._end,
                limit=self._limit,
                revision=self.revision,
                keys_only=self._keys_only,
                serializable=self._serializable,
            )
            try:
                return await self._kv.range(request, persist=self._persist)
            except MessageTooLarge:
                if self._limit == 1:
                    raise
                self._limit = max(1, self._limit // 16)

    def _adapt(self, kvs: Sequence[KeyValue]) -> None:
        """Aim at pages of some megabytes, whatever the size of the values."""
        mean = sum(len(kv.key) + len(kv.value) for kv in kvs) // len(kvs) + 16
        self._limit = max(1, min(_LARGEST_PAGE, _PAGE_BYTES // mean))


class KeyValues:
    """etcd's KV service."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(
        self, key: bytes, *, revision: int = 0, serializable: bool = False
    ) -> KeyValue | None:
        """One key, or None when it does not exist.

        Args:
            key: the key.
            revision: the past revision to read at, 0 for now.
            serializable: let the member answer from its own, perhaps older state, even without a
                leader.

        Raises:
            Compacted: that revision is no longer kept.
        """
        request = RangeRequest(key=key, revision=revision, serializable=serializable)
        answer = await self.range(request)
        return answer.kvs[0] if answer.kvs else None

    async def range(
        self, request: RangeRequest, *, timeout: float | None = None, persist: bool = True
    ) -> RangeResponse:
        """One range request as it is: limits, sort orders, count only, keys only.

        Args:
            request: what to read.
            timeout: seconds it may take, None for the client's own limit.
            persist: see `Caller.call`.
        """
        return await self._caller.call(RANGE, request, timeout=timeout, persist=persist)

    async def count(self, wanted: KeyRange) -> int:
        """How many keys a range has."""
        request = RangeRequest(key=wanted.key, range_end=wanted.range_end, count_only=True)
        return (await self.range(request)).count

    def pages(
        self,
        wanted: KeyRange,
        *,
        revision: int = 0,
        keys_only: bool = False,
        serializable: bool = False,
    ) -> Pages:
        """A range of any size, page by page, at one revision; see `Pages`."""
        return Pages(
            self, wanted, revision=revision, keys_only=keys_only, serializable=serializable
        )

    async def list(self, wanted: KeyRange, *, revision: int = 0, persist: bool = True) -> Listing:
        """A range of any size at one revision, in memory. Each page has the client's time limit.

        Args:
            wanted: the range.
            revision: the revision to read at, 0 for the newest.
            persist: see `Caller.call`.

        Raises:
            Compacted: the revision was compacted meanwhile; start over.
        """
        pages = Pages(self, wanted, revision=revision, persist=persist)
        kvs: list[KeyValue] = []
        async for page in pages:
            kvs += page
        return Listing(header=pages.header, revision=pages.revision, kvs=kvs)

    async def put(
        self, key: bytes, value: bytes, *, lease: int = 0, prev_kv: bool = False
    ) -> PutResponse:
        """Write one key.

        Args:
            key: the key.
            value: its new value.
            lease: the lease to attach it to; it is deleted when the lease ends.
            prev_kv: answer with what it replaces.

        Raises:
            LeaseNotFound: the lease has ended.
            Unavailable: no answer; the write may or may not have been committed.
        """
        request = PutRequest(key=key, value=value, lease=lease, prev_kv=prev_kv)
        return await self._caller.call(PUT, request)

    async def delete(self, wanted: KeyRange, *, prev_kv: bool = False) -> DeleteRangeResponse:
        """Delete a range; `KeyRange.exact` for one key. Deleting nothing is no error."""
        request = DeleteRangeRequest(key=wanted.key, range_end=wanted.range_end, prev_kv=prev_kv)
        return await self._caller.call(DELETE_RANGE, request)

    async def txn(
        self,
        compare: Sequence[Compare],
        success: Sequence[RequestOp],
        failure: Sequence[RequestOp] = (),
    ) -> TxnResponse:
        """Do all of `success` if every comparison holds, else all of `failure`, as one revision."""
        request = TxnRequest(compare=tuple(compare), success=tuple(success), failure=tuple(failure))
        return await self._caller.call(TXN, request)

    async def compact(self, revision: int, *, physical: bool = False) -> CompactionResponse:
        """Forget everything before `revision`; with `physical`, answer when the space is free."""
        request = CompactionRequest(revision=revision, physical=physical)
        return await self._caller.call(COMPACT, request)
