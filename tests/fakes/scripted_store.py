"""A store of one key that fails as told, in the order told."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from lochkit.etcd.errors import ConnectionLost, EtcdError
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import (
    Event,
    KeyValue,
    ResponseHeader,
    WatchCreateRequest,
    WatchResponse,
)
from lochkit.etcd.prefix import KeyRange
from lochkit.etcd.showing import Ahead

__all__ = ["ScriptedStore", "ScriptedWatch"]


class ScriptedStore:
    """A store of one key whose every put is an event.

    Attributes:
        list_faults: what the next lists fail with.
        watch_faults: what the next watches are refused with.
        list_headers: what the next lists have for a header.
        away: what everything fails with as long as it is not None.
        lag: how many revisions the member that confirms a watch is behind.
        attempts: when something was asked.
        asked: the watches that were asked for and not refused.
    """

    def __init__(self) -> None:
        self.revision = 1
        self.cluster = 1
        self.values: list[tuple[int, bytes]] = []
        self.list_faults: deque[EtcdError] = deque()
        self.watch_faults: deque[EtcdError] = deque()
        self.list_headers: deque[ResponseHeader] = deque()
        self.away: EtcdError | None = None
        self.attempts: list[float] = []
        self.lists = 0
        self.verified = 0
        self.lag = 0
        self.asked: list[WatchCreateRequest] = []
        self.watches: list[ScriptedWatch] = []

    def header(self) -> ResponseHeader:
        return ResponseHeader(cluster_id=self.cluster, revision=self.revision, raft_term=2)

    def put(self, value: bytes) -> None:
        self.revision += 1
        self.values.append((self.revision, value))
        for watch in self.watches:
            watch.changed.set()

    def cut(self, error: EtcdError | None = None) -> None:
        for watch in self.watches:
            watch.error = error or ConnectionLost("cut")
            watch.changed.set()
        self.watches.clear()

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        await trio.lowlevel.checkpoint()
        self.attempts.append(trio.current_time())
        if self.list_faults:
            raise self.list_faults.popleft()
        if self.away is not None:
            raise self.away
        self.lists += 1
        kvs = [self.kv(*self.values[-1])] if self.values else []
        if ahead is not None:
            ahead(kvs)
        header = self.list_headers.popleft() if self.list_headers else self.header()
        return Listing(header=header, revision=revision or self.revision, kvs=kvs)

    @staticmethod
    def kv(revision: int, value: bytes) -> KeyValue:
        return KeyValue(key=b"/k", create_revision=2, mod_revision=revision, value=value)

    async def verify(self) -> ResponseHeader:
        await trio.lowlevel.checkpoint()
        self.verified += 1
        return self.header()

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator["ScriptedWatch"]:
        await trio.lowlevel.checkpoint()
        self.attempts.append(trio.current_time())
        if self.watch_faults:
            raise self.watch_faults.popleft()
        if self.away is not None:
            raise self.away
        self.asked.append(request)
        watch = ScriptedWatch(self, request.start_revision)
        self.watches.append(watch)
        try:
            yield watch
        finally:
            if watch in self.watches:
                self.watches.remove(watch)


class ScriptedWatch:
    """One watch; `error` ends it."""

    def __init__(self, store: ScriptedStore, start: int) -> None:
        self.store = store
        self.next = start
        self.header = store.header()
        if store.lag:
            self.header = ResponseHeader(
                cluster_id=store.cluster, revision=store.revision - store.lag, raft_term=2
            )
        self.error: EtcdError | None = None
        self.changed = trio.Event()

    async def receive(self) -> WatchResponse:
        await trio.lowlevel.checkpoint_if_cancelled()
        while (response := self.receive_nowait()) is None:
            if self.error is not None:
                raise self.error
            self.changed = trio.Event()
            await self.changed.wait()
        return response

    def receive_nowait(self) -> WatchResponse | None:
        for revision, value in self.store.values:
            if revision >= self.next and self.error is None:
                self.next = revision + 1
                event = Event(kv=self.store.kv(revision, value))
                return WatchResponse(header=self.store.header(), events=(event,))
        return None
