"""A store that the test plays: it is listed and watched like etcd, and can be away or compacted."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from math import inf

import trio

from lochkit.etcd.errors import Compacted, ConnectionLost
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import (
    Event,
    EventType,
    KeyValue,
    ResponseHeader,
    WatchCreateRequest,
    WatchResponse,
)
from lochkit.etcd.prefix import KeyRange
from lochkit.etcd.showing import Ahead

__all__ = ["PlayingStore"]


class PlayingWatch:
    """One watch: what has happened since its start, then what happens."""

    def __init__(self, header: ResponseHeader, wanted: KeyRange) -> None:
        self.header = header
        self.wanted = wanted
        # Unbounded: the test is not to wait for the follower.
        self.send, self._responses = trio.open_memory_channel[WatchResponse](inf)

    async def receive(self) -> WatchResponse:
        try:
            return await self._responses.receive()
        except trio.EndOfChannel:
            raise ConnectionLost("cut by the test") from None

    def receive_nowait(self) -> WatchResponse | None:
        try:
            return self._responses.receive_nowait()
        except (trio.WouldBlock, trio.EndOfChannel):
            return None


class PlayingStore:
    """Keys, values, and everything that ever happened to them."""

    def __init__(self, entries: Mapping[str, str] | None = None) -> None:
        self.away = False
        self.lists = 0
        self.forgetful = 0
        """So many lists are out of date, and their history forgotten, as soon as they are read."""
        self._revision = 1
        self._compacted = 0
        self._keys: dict[bytes, KeyValue] = {}
        self._history: list[tuple[int, tuple[Event, ...]]] = []
        self._watches: list[PlayingWatch] = []
        if entries:
            self.transact(entries)

    def put(self, key: str, value: str) -> None:
        """Set one key."""
        self.transact({key: value})

    def delete(self, key: str) -> None:
        """Delete one key."""
        self.transact({key: None})

    def transact(self, wanted: Mapping[str, str | None]) -> None:
        """Set and delete several keys at one revision."""
        self._revision += 1
        events = []
        for word, value in wanted.items():
            key = word.encode()
            old = self._keys.pop(key, None)
            if value is None:
                gone = KeyValue(key, 0, self._revision, 0, b"", 0)
                events.append(Event(EventType.DELETE, gone, None))
                continue
            created = old.create_revision if old else self._revision
            version = old.version + 1 if old else 1
            self._keys[key] = KeyValue(key, created, self._revision, version, value.encode(), 0)
            events.append(Event(EventType.PUT, self._keys[key], None))
        self._history.append((self._revision, tuple(events)))
        for watch in self._watches:
            self._tell(watch, tuple(events))

    def cut(self) -> None:
        """Lose all watches."""
        for watch in self._watches:
            watch.send.close()
        self._watches.clear()

    def compact(self) -> None:
        """Forget all history."""
        self._compacted = self._revision

    def _header(self) -> ResponseHeader:
        return ResponseHeader(cluster_id=1, member_id=1, revision=self._revision, raft_term=1)

    def _tell(self, watch: PlayingWatch, events: tuple[Event, ...]) -> None:
        wanted = tuple(event for event in events if watch.wanted.contains(event.kv.key))
        if wanted:
            watch.send.send_nowait(WatchResponse(header=self._header(), events=wanted))

    def _check(self) -> None:
        if self.away:
            raise ConnectionLost("away by the test")

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        await trio.lowlevel.checkpoint()
        self._check()
        self.lists += 1
        if 0 < revision < self._compacted:
            raise Compacted("compacted by the test", self._compacted)
        assert revision in (0, self._revision)
        kvs = [kv for key, kv in sorted(self._keys.items()) if wanted.contains(key)]
        if ahead is not None:
            ahead(kvs)
        listing = Listing(header=self._header(), revision=self._revision, kvs=kvs)
        if self.forgetful:
            self.forgetful -= 1
            self.put("/elsewhere", "x")
            self.compact()
        return listing

    async def verify(self) -> ResponseHeader:
        await trio.lowlevel.checkpoint()
        self._check()
        return self._header()

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator[PlayingWatch]:
        await trio.lowlevel.checkpoint()
        self._check()
        if request.start_revision <= self._compacted:
            raise Compacted("compacted by the test", self._compacted)
        watch = PlayingWatch(self._header(), KeyRange(request.key, request.range_end))
        for revision, events in self._history:
            if revision >= request.start_revision:
                self._tell(watch, events)
        self._watches.append(watch)
        try:
            yield watch
        finally:
            if watch in self._watches:
                self._watches.remove(watch)
