"""Keys and values: read, list, write, transactions, compaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import trio

from .answers import read_answer
from .caller import Caller, Rpc
from .errors import EtcdError, MessageTooLarge
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
from .page_plan import PageEnd, PagePlan, page_end
from .prefix import KeyRange
from .showing import Ahead, show

__all__ = ["KeyValues", "Listing", "Pages"]

_PAGES_AHEAD: Final = 2  # of some megabytes each

RANGE: Final = Rpc("/etcdserverpb.KV/Range", RangeRequest, RangeResponse, repeatable=True)
PUT: Final = Rpc("/etcdserverpb.KV/Put", PutRequest, PutResponse)
DELETE_RANGE: Final = Rpc("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest, DeleteRangeResponse)
TXN: Final = Rpc("/etcdserverpb.KV/Txn", TxnRequest, TxnResponse)
COMPACT: Final = Rpc("/etcdserverpb.KV/Compact", CompactionRequest, CompactionResponse)


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
        self._plan = PagePlan(
            wanted, revision=revision, keys_only=keys_only, serializable=serializable
        )
        self.header = ResponseHeader()

    @property
    def revision(self) -> int:
        """The revision of all pages; 0 before the first unless one was asked for."""
        return self._plan.revision

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[KeyValue]:
        """The next page.

        Raises:
            Compacted: the revision was compacted between two pages; start over.
        """
        if self._plan.done:
            raise StopAsyncIteration
        body = await self._body()
        page = self._read(body)
        kvs = page.kvs
        last = kvs[-1].key if kvs else b""
        self._plan.took(PageEnd(last, page.more, len(kvs)), len(body))
        return kvs

    async def rest(self, ahead: Ahead | None = None) -> list[KeyValue]:
        """All pages that are left, in memory.

        Each page is asked for before the one before it is decoded, so that the server and this
        process work at the same time.

        Args:
            ahead: shown the keys of each page while the next is on its way.

        Raises:
            Compacted: as for a single page.
        """
        kvs: list[KeyValue] = []
        if not self._plan.done:
            kvs += await anext(self)  # which settles the revision
        # A few ahead of what is decoded and shown, so that the server is never without work.
        send, receive = trio.open_memory_channel[bytes | EtcdError](_PAGES_AHEAD)
        failure: EtcdError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_ahead, send)
            await show(kvs, ahead)
            async for body in receive:
                # Time for the next request to leave; a wrong guess costs nothing but time.
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                try:
                    page = self._read(body).kvs
                except EtcdError as error:  # kept, so that it does not leave in a group
                    failure = error
                    nursery.cancel_scope.cancel()
                    break
                kvs += page
                await show(page, ahead)
        if failure is not None:
            raise failure
        return kvs

    async def _read_ahead(self, bodies: trio.MemorySendChannel[bytes | EtcdError]) -> None:
        with bodies:
            while not self._plan.done:
                try:
                    body = await self._body()
                    end = page_end(body)
                    if end is None:
                        page = read_answer(RangeResponse, body)
                        last = page.kvs[-1].key if page.kvs else b""
                        end = PageEnd(last, page.more, len(page.kvs))
                except EtcdError as error:
                    await bodies.send(error)
                    return
                self._plan.took(end, len(body))
                await bodies.send(body)

    def _read(self, body: bytes | EtcdError) -> RangeResponse:
        if isinstance(body, EtcdError):
            raise body
        page = read_answer(RangeResponse, body)
        self.header = page.header
        self._plan.revision = self._plan.revision or page.header.revision
        return page

    async def _body(self) -> bytes:
        while True:
            try:
                return await self._kv.page(self._plan.request(), persist=self._persist)
            except MessageTooLarge:
                if not self._plan.shrink():
                    raise


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

    async def page(self, request: RangeRequest, *, persist: bool) -> bytes:
        """A range response as etcd encoded it; see `Pages`."""
        return await self._caller.ask(RANGE, request, persist=persist)

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

    async def list(
        self,
        wanted: KeyRange,
        *,
        revision: int = 0,
        persist: bool = True,
        ahead: Ahead | None = None,
    ) -> Listing:
        """A range of any size at one revision, in memory. Each page has the client's time limit.

        Args:
            wanted: the range.
            revision: the revision to read at, 0 for the newest.
            persist: see `Caller.call`.
            ahead: see `Pages.rest`.

        Raises:
            Compacted: the revision was compacted meanwhile; start over.
        """
        pages = Pages(self, wanted, revision=revision, persist=persist)
        kvs = await pages.rest(ahead)
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
        *,
        timeout: float | None = None,
    ) -> TxnResponse:
        """Do all of `success` if every comparison holds, else all of `failure`, as one revision.

        It may take `timeout` seconds, None for the client's own limit.
        """
        request = TxnRequest(compare=tuple(compare), success=tuple(success), failure=tuple(failure))
        return await self._caller.call(TXN, request, timeout=timeout)

    async def compact(self, revision: int, *, physical: bool = False) -> CompactionResponse:
        """Forget everything before `revision`; with `physical`, answer when the space is free."""
        request = CompactionRequest(revision=revision, physical=physical)
        return await self._caller.call(COMPACT, request)
