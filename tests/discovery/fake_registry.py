"""A small etcd in memory that can be cut off, compacted, and slow to tell what happened."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from lochkit.etcd.errors import (
    Compacted,
    ConnectionLost,
    EtcdError,
    PermissionDenied,
    Unavailable,
)
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import (
    Compare,
    Event,
    EventType,
    KeyValue,
    RangeRequest,
    RangeResponse,
    RequestOp,
    ResponseHeader,
    ResponseOp,
    TxnResponse,
    WatchCreateRequest,
    WatchResponse,
)
from lochkit.etcd.prefix import KeyRange
from lochkit.etcd.showing import Ahead

__all__ = ["FakeRegistry"]


class FakeRegistry:
    """A store of one member.

    Attributes:
        away: what everything fails with as long as it is not None.
        held: whether watches stand and say nothing.
        faults: what the next lists and transactions fail with.
        range_faults: what the next reads of single ranges fail with.
        answers_take: seconds that the answers to these are on their way.
        forbidden: keys that begin so may not be read.
        requests: what transactions have asked for.
        lists: how many lists were read.
        watches: how many watches stand.
    """

    def __init__(self) -> None:
        self.keys: dict[bytes, KeyValue] = {}
        self.revision = 1
        self.away: EtcdError | None = None
        self.held = False
        self.faults: list[EtcdError] = []
        self.range_faults: list[EtcdError] = []
        self.lists = self.watches = 0
        self.answers_take = 0.0
        self.forbidden = b""
        self.requests: list[RangeRequest] = []
        self._events: list[Event] = []
        self._compacted = 0
        self._cut = trio.Event()
        self._news = trio.Event()

    @property
    def kv(self) -> "FakeRegistry":
        return self

    def header(self) -> ResponseHeader:
        return ResponseHeader(cluster_id=1, revision=self.revision, raft_term=2)

    def put(self, key: bytes, value: bytes, *, lease: int = 7) -> None:
        self.revision += 1
        old = self.keys.get(key)
        kv = KeyValue(
            key=key,
            create_revision=old.create_revision if old else self.revision,
            mod_revision=self.revision,
            version=old.version + 1 if old else 1,
            value=value,
            lease=lease,
        )
        self.keys[key] = kv
        self._happened(Event(EventType.PUT, kv))

    def delete(self, *keys: bytes) -> None:
        self.revision += 1
        for key in keys:
            del self.keys[key]
            self._happened(Event(EventType.DELETE, KeyValue(key=key, mod_revision=self.revision)))

    def _happened(self, event: Event) -> None:
        self._events.append(event)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def cut(self, *, away: bool = False) -> None:
        """End all watches, with `away` for good."""
        self.away = Unavailable("nobody home") if away else None
        self._cut.set()
        self._cut = trio.Event()
        self._tell()

    def heal(self, *, held: bool = False) -> None:
        """Be there again."""
        self.away = None
        self.held = held
        self._tell()

    def compact(self) -> None:
        self._compacted = self.revision

    def _ask(self, *wanted: bytes) -> None:
        if self.away is not None:
            raise self.away
        if self.forbidden and any(key.startswith(self.forbidden) for key in wanted):
            raise PermissionDenied(7, "etcdserver: permission denied")

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        await trio.lowlevel.checkpoint()
        self._ask(wanted.key)
        self.lists += 1
        if self.faults:
            raise self.faults.pop(0)
        kvs = [kv for key, kv in sorted(self.keys.items()) if wanted.contains(key)]
        return Listing(header=self.header(), revision=revision or self.revision, kvs=kvs)

    async def list(self, wanted: KeyRange, *, revision: int = 0) -> Listing:
        return await self.list_range(wanted, revision=revision)

    async def range(
        self, request: RangeRequest, *, timeout: float | None = None, persist: bool = True
    ) -> RangeResponse:
        await trio.lowlevel.checkpoint()
        self._ask(request.key)
        if self.range_faults:
            raise self.range_faults.pop(0)
        answer = self._range(request)
        await trio.sleep(self.answers_take)
        return answer

    def _range(self, request: RangeRequest) -> RangeResponse:
        wanted = KeyRange(request.key, request.range_end)
        kvs = [kv for key, kv in sorted(self.keys.items()) if wanted.contains(key)]
        count = len(kvs)
        if request.limit:
            kvs = sorted(kvs, key=lambda kv: -kv.mod_revision)[: request.limit]
        return RangeResponse(header=self.header(), kvs=tuple(kvs), count=count)

    async def txn(
        self,
        compare: Sequence[Compare],
        success: Sequence[RequestOp],
        failure: Sequence[RequestOp] = (),
    ) -> TxnResponse:
        await trio.lowlevel.checkpoint()
        self._ask(*(one.request_range.key for one in success if one.request_range))
        if self.faults:
            raise self.faults.pop(0)
        answers = []
        for operation in success:
            assert operation.request_range is not None
            self.requests.append(operation.request_range)
            answers.append(ResponseOp(response_range=self._range(operation.request_range)))
        return TxnResponse(header=self.header(), succeeded=True, responses=tuple(answers))

    async def verify(self) -> ResponseHeader:
        await trio.lowlevel.checkpoint()
        self._ask()
        return self.header()

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator["FakeWatch"]:
        await trio.lowlevel.checkpoint()
        self._ask()
        if request.start_revision <= self._compacted:
            raise Compacted("required revision has been compacted")
        self.watches += 1
        try:
            yield FakeWatch(self, request, self._cut)
        finally:
            self.watches -= 1


class FakeWatch:
    """A watch on it, until the cut."""

    def __init__(self, store: FakeRegistry, request: WatchCreateRequest, cut: trio.Event) -> None:
        self.header = store.header()
        self._store = store
        self._wanted = KeyRange(request.key, request.range_end)
        self._next = request.start_revision
        self._cut = cut

    async def receive(self) -> WatchResponse:
        await trio.lowlevel.checkpoint()
        while (response := self.receive_nowait()) is None:
            if self._cut.is_set():
                raise ConnectionLost("cut")
            await self._store._news.wait()
        return response

    def receive_nowait(self) -> WatchResponse | None:
        store = self._store
        if store.held or self._cut.is_set():
            return None
        events = tuple(
            event
            for event in store._events
            if event.kv.mod_revision >= self._next and self._wanted.contains(event.kv.key)
        )
        if not events:
            return None
        self._next = store.revision + 1
        return WatchResponse(header=store.header(), events=events)
