"""The simulated cluster as a client sees it: every call takes time, and any may fail."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from lochkit.etcd.errors import (
    Compacted,
    ConnectionLost,
    EtcdError,
    FutureRevision,
    NoLeader,
    ProtocolError,
    RpcError,
    StatusCode,
    Unavailable,
    WatchCanceled,
)
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import ResponseHeader, WatchCreateRequest, WatchResponse
from lochkit.etcd.prefix import KeyRange
from lochkit.etcd.showing import Ahead
from tests.fakes.store import Life, SimulatedStore
from tests.fakes.watch import Gone, SimulatedWatch

__all__ = ["FaultyStore"]

FAULTS: tuple[EtcdError, ...] = (
    Unavailable("nobody home"),
    ConnectionLost("reset"),
    NoLeader(StatusCode.UNAVAILABLE, "no leader"),
    ProtocolError("nonsense"),
    WatchCanceled("etcdserver: mvcc: watcher is gone"),
    RpcError(StatusCode.UNKNOWN, "raft: stopped"),
)


class FaultyStore:
    """A store where time passes and things go wrong in every call, until it is calmed.

    Attributes:
        cluster: what it is made of.
        lives: all the lives the cluster had, in order.
        rng: the dice.
        odd: whether anything unusual may happen.
    """

    def __init__(self, rng: random.Random, keys: list[bytes]) -> None:
        self.rng = rng
        self.odd = True
        self.cluster = SimulatedStore(rng, keys)
        self.lives: list[Life] = [self.cluster.life]

    def chance(self, probability: float) -> bool:
        """The dice, which never fall once it is calm."""
        return self.odd and self.rng.random() < probability

    def calm(self) -> None:
        """No more faults; one last write, and all members up to date."""
        self.odd = False
        self.cluster.write()
        self.cluster.calm()

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        """See `lochkit.etcd.store.Store`."""
        await self._something_happens()
        life, header = self.cluster.life, self.cluster.truth()
        if revision > life.revision:
            raise FutureRevision(StatusCode.OUT_OF_RANGE, "required revision is a future revision")
        at = revision or life.revision
        if at < life.compacted:
            raise Compacted("required revision has been compacted", life.compacted)
        kvs = sorted(life.view((wanted,), at).values())
        if ahead is not None:
            ahead(kvs)
        await self._something_happens()
        return Listing(header=header, revision=at, kvs=kvs)

    async def verify(self) -> ResponseHeader:
        """See `lochkit.etcd.store.Store`."""
        await self._something_happens()
        return self.cluster.truth()

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator["FaultyWatch"]:
        """See `lochkit.etcd.store.Store`."""
        await self._something_happens()
        wanted = KeyRange(request.key, request.range_end)
        member = self.rng.choice(self.cluster.members)
        try:
            inner = SimulatedWatch(self.cluster, member, wanted, request.start_revision)
        except Gone:
            raise Compacted("required revision has been compacted") from None
        await self._something_happens()
        yield FaultyWatch(self, inner)

    async def _something_happens(self) -> None:
        await trio.sleep(self.rng.choice((0, 0, 0.1)))
        self.disturb()
        if self.chance(0.05):
            raise self.rng.choice(FAULTS)

    def disturb(self) -> None:
        """Writes, and what makes them hard to follow."""
        if not self.odd:
            return
        cluster = self.cluster
        for _ in range(self.rng.choice((0, 1, 1, 3))):
            cluster.write()
        cluster.spread()
        if self.chance(0.1):
            cluster.compact()
        # An election after a restore could make up for the terms that were lost.
        if self.chance(0.05) and len(self.lives) == 1:
            cluster.elect()
        if self.chance(0.02):
            # Whoever knows this life has heard of the term it began with.
            cluster.restore(known_term=self.lives[-1].elections[0][1])
            self.lives.append(cluster.life)


class FaultyWatch:
    """A watch on one member of it."""

    def __init__(self, store: FaultyStore, inner: SimulatedWatch) -> None:
        self._store = store
        self._inner = inner
        self.header = inner.header

    async def receive(self) -> WatchResponse:
        """See `lochkit.etcd.store.OpenWatch`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        store, inner = self._store, self._inner
        while (response := self.receive_nowait()) is None:
            await trio.sleep(0.1)
            store.disturb()
            if store.chance(0.03) or (inner.broken and not inner.pipe):
                raise ConnectionLost("cut")
            try:
                inner.pump(store.rng, odd=store.odd)
            except Gone:
                if not inner.pipe:
                    raise Compacted("required revision has been compacted") from None
        return response

    def receive_nowait(self) -> WatchResponse | None:
        """See `lochkit.etcd.store.OpenWatch`."""
        pipe = self._inner.pipe
        return pipe.popleft().response if pipe and not self._store.chance(0.3) else None
