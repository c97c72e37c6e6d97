"""An etcd in a few dictionaries, with leases and transactions, that can lose requests and answers.

    async with LeaseStore.run() as etcd:
        etcd.faults.append(("txn", Fault.ANSWER_LOST))

Time is Trio's. It keeps a client's promises about leases: they are renewed while somebody keeps
them and the store is reachable, and are lost when their time is up or the store says so.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import Self, TypeVar

import trio

from lochkit.etcd.errors import ConnectionLost, RpcError, Unavailable
from lochkit.etcd.keepalive import KeptLease
from lochkit.etcd.messages import (
    Compare,
    LeaseGrantResponse,
    RangeRequest,
    RangeResponse,
    RequestOp,
    TxnResponse,
    WatchCreateRequest,
    WatchResponse,
)
from tests.fakes.lease_state import FakeWatch, LeaseState

__all__ = ["Fault", "LeaseStore"]

T = TypeVar("T")

TICK = 0.05


class Fault(Enum):
    """What becomes of one request."""

    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    REQUEST_HANGS = "request hangs"
    ANSWER_HANGS = "answer hangs"


class LeaseStore(LeaseState):
    """The store and its client in one.

    Attributes:
        kv: itself.
        leases: itself.
        faults: what is to become of coming requests, by kind (grant, txn, revoke, range).
        requests: the kinds of all requests, with those that failed.
        refuse: the error that every request of a kind is answered with.
        before_txn: called when a transaction is about to be done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kv = self
        self.leases = self
        self.faults: list[tuple[str, Fault]] = []
        self.requests: list[str] = []
        self.refuse: dict[str, RpcError] = {}
        self.before_txn: Callable[[], None] | None = None
        self._down = False
        self._kept: dict[int, KeptLease] = {}

    @classmethod
    @asynccontextmanager
    async def run(cls) -> AsyncIterator[Self]:
        """A store whose time passes."""
        store = cls()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store._pass_time)
            try:
                yield store
            finally:
                nursery.cancel_scope.cancel()

    # -- for tests

    def go_down(self) -> None:
        """Be unreachable; leases go on ending."""
        self._down = True
        for _, watch in self.watches:
            watch.error = Unavailable("the store is down")
            watch.news.set()
        self.watches.clear()

    def come_back(self) -> None:
        """Be reachable again."""
        self._down = False

    def put_by_hand(self, key: bytes, value: bytes, lease: int = 0) -> None:
        """Somebody writes a key."""
        self.commit([(key, value, lease)], [])

    def delete_by_hand(self, key: bytes) -> None:
        """Somebody deletes a key."""
        self.commit([], [key])

    def values(self) -> dict[bytes, bytes]:
        """All keys and values."""
        return {key: kv.value for key, kv in self.state.items()}

    # -- as KeyReads

    async def range(
        self, request: RangeRequest, *, timeout: float | None = None, persist: bool = True
    ) -> RangeResponse:
        """One key."""

        def answer() -> RangeResponse:
            kv = self.state.get(request.key)
            return RangeResponse(header=self.header(), kvs=(kv,) if kv else ())

        return await self._serve("range", answer)

    async def txn(
        self,
        compare: Sequence[Compare],
        success: Sequence[RequestOp],
        failure: Sequence[RequestOp] = (),
        *,
        timeout: float | None = None,
    ) -> TxnResponse:
        """A transaction."""
        del timeout  # it hangs for as long as it is told to

        def answer() -> TxnResponse:
            if self.before_txn is not None:
                self.before_txn()
            succeeded = all(map(self.holds, compare))
            responses = self.do(success if succeeded else failure)
            return TxnResponse(
                header=self.header(), succeeded=succeeded, responses=tuple(responses)
            )

        return await self._serve("txn", answer)

    # -- as LeaseCalls

    async def grant(
        self, ttl: int, *, lease_id: int = 0, timeout: float | None = None
    ) -> LeaseGrantResponse:
        """A lease with an id of the caller's."""
        del timeout

        def answer() -> LeaseGrantResponse:
            if lease_id in self.living:
                raise RpcError(9, "etcdserver: lease already exists")
            self.ttls[lease_id] = ttl
            self.living[lease_id] = trio.current_time() + ttl
            return LeaseGrantResponse(header=self.header(), ID=lease_id, TTL=ttl)

        return await self._serve("grant", answer)

    async def revoke(self, lease_id: int, *, timeout: float | None = None) -> None:
        """End a lease."""
        del timeout

        def answer() -> None:
            self.find(lease_id)
            self.end_lease(lease_id)

        await self._serve("revoke", answer)

    def turn_away(self, error: Unavailable) -> None:
        """There is no other endpoint."""

    def keep_alive(
        self, lease_id: int, ttl: float, *, on_lost: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[KeptLease]:
        """See `Leases.keep_alive`."""
        return self._keep(KeptLease(lease_id, ttl, on_lost))

    @asynccontextmanager
    async def _keep(self, kept: KeptLease) -> AsyncIterator[KeptLease]:
        assert kept.lease_id not in self._kept
        self._kept[kept.lease_id] = kept
        try:
            yield kept
        finally:
            del self._kept[kept.lease_id]

    # -- as a store that can be watched

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator[FakeWatch]:
        """One key, from a revision on."""
        await trio.lowlevel.checkpoint()
        if self._down:
            raise Unavailable("the store is down")
        watch = FakeWatch(self.header())
        for event in self.history:
            if event.kv.key == request.key and event.kv.mod_revision >= request.start_revision:
                watch.inbox.append(WatchResponse(header=self.header(), events=(event,)))
        entry = (request.key, watch)
        self.watches.append(entry)
        try:
            yield watch
        finally:
            if entry in self.watches:
                self.watches.remove(entry)

    # -- within

    async def _serve(self, kind: str, answer: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        self.requests.append(kind)
        fault = self._fault(kind)
        if self._down or fault is Fault.REQUEST_LOST:
            raise ConnectionLost("the request was lost")
        if fault is Fault.REQUEST_HANGS:
            await trio.sleep_forever()
        if kind in self.refuse:
            raise self.refuse[kind]
        found = answer()
        if fault is Fault.ANSWER_LOST:
            raise ConnectionLost("the answer was lost")
        if fault is Fault.ANSWER_HANGS:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return found

    def _fault(self, kind: str) -> Fault | None:
        for number, (wanted, fault) in enumerate(self.faults):
            if wanted == kind:
                del self.faults[number]
                return fault
        return None

    async def _pass_time(self) -> None:
        while True:
            now = trio.current_time()
            for lease, kept in list(self._kept.items()):
                if kept.lost.is_set():
                    continue
                if not self._down and lease not in self.living:
                    kept.lose()
                elif not self._down:
                    self.living[lease] = kept.deadline = now + self.ttls[lease]
                elif kept.deadline <= now:
                    kept.lose()
            for lease in [lease for lease, end in self.living.items() if end <= now]:
                self.end_lease(lease)
            await trio.sleep(TICK)
