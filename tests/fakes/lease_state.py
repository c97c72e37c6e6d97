"""What a store holds, what a transaction does to it, and who is told."""

from collections import deque
from collections.abc import Sequence

import trio

from lochkit.etcd.errors import LeaseNotFound
from lochkit.etcd.messages import (
    Compare,
    CompareTarget,
    Event,
    EventType,
    KeyValue,
    RangeResponse,
    RequestOp,
    ResponseHeader,
    ResponseOp,
    WatchResponse,
)

__all__ = ["FakeWatch", "LeaseState"]


class FakeWatch:
    """One watch of one key."""

    def __init__(self, header: ResponseHeader) -> None:
        self.header = header
        self.inbox: deque[WatchResponse] = deque()
        self.error: Exception | None = None
        self.news = trio.Event()

    async def receive(self) -> WatchResponse:
        """See `OpenWatch`."""
        await trio.lowlevel.checkpoint()
        while not self.inbox:
            if self.error is not None:
                raise self.error
            self.news = trio.Event()
            await self.news.wait()
        return self.inbox.popleft()

    def receive_nowait(self) -> WatchResponse | None:
        """See `OpenWatch`."""
        return self.inbox.popleft() if self.inbox else None


class LeaseState:
    """Keys, leases and watches.

    Attributes:
        state: the keys.
        living: the leases, with the time at which each ends.
        ttls: how long each lives.
        revision: of the store.
        history: all events.
        watches: those that stand, with their keys.
    """

    def __init__(self) -> None:
        self.state: dict[bytes, KeyValue] = {}
        self.living: dict[int, float] = {}
        self.ttls: dict[int, int] = {}
        self.revision = 1
        self.history: list[Event] = []
        self.watches: list[tuple[bytes, FakeWatch]] = []

    def end_lease(self, lease: int) -> None:
        """A lease expires, or somebody revokes it."""
        del self.living[lease]
        self.commit([], [key for key, kv in self.state.items() if kv.lease == lease])

    def header(self) -> ResponseHeader:
        """What every answer begins with."""
        return ResponseHeader(cluster_id=7, revision=self.revision, raft_term=2)

    def find(self, lease: int) -> None:
        """Insist on a lease."""
        if lease not in self.living:
            raise LeaseNotFound(5, "etcdserver: requested lease not found")

    def holds(self, compare: Compare) -> bool:
        """Whether a condition holds."""
        kv = self.state.get(compare.key, KeyValue())
        match compare.target:
            case CompareTarget.MOD:
                return kv.mod_revision == compare.mod_revision
            case CompareTarget.CREATE:
                return kv.create_revision == compare.create_revision
            case CompareTarget.LEASE:
                return kv.lease == compare.lease
            case CompareTarget.VALUE:
                return compare.key in self.state and kv.value == compare.value
        raise AssertionError(compare)

    def do(self, operations: Sequence[RequestOp]) -> list[ResponseOp]:
        """One branch of a transaction."""
        puts: list[tuple[bytes, bytes, int]] = []
        deletes: list[bytes] = []
        responses = []
        for operation in self._flat(operations):
            if (put := operation.request_put) is not None:
                if put.lease:
                    self.find(put.lease)
                puts.append((put.key, put.value, put.lease))
            elif (delete := operation.request_delete_range) is not None:
                deletes.append(delete.key)
            elif (wanted := operation.request_range) is not None:
                kv = self.state.get(wanted.key)
                found = RangeResponse(kvs=(kv,) if kv else ())
                responses.append(ResponseOp(response_range=found))
        written = [key for key, _, _ in puts] + deletes
        assert len(set(written)) == len(written), "etcd refuses a key twice"
        self.commit(puts, deletes)
        return responses

    def _flat(self, operations: Sequence[RequestOp]) -> list[RequestOp]:
        flat = []
        for operation in operations:
            if (inner := operation.request_txn) is not None:
                branch = inner.success if all(map(self.holds, inner.compare)) else inner.failure
                flat += self._flat(branch)
            else:
                flat.append(operation)
        return flat

    def commit(self, puts: Sequence[tuple[bytes, bytes, int]], deletes: Sequence[bytes]) -> None:
        """Write and delete, as one revision."""
        there = [key for key in deletes if key in self.state]
        if not puts and not there:
            return
        self.revision += 1
        events = []
        for key, value, lease in puts:
            before = self.state.get(key)
            kv = KeyValue(
                key=key,
                create_revision=before.create_revision if before else self.revision,
                mod_revision=self.revision,
                version=before.version + 1 if before else 1,
                value=value,
                lease=lease,
            )
            self.state[key] = kv
            events.append(Event(EventType.PUT, kv))
        for key in there:
            del self.state[key]
            events.append(Event(EventType.DELETE, KeyValue(key=key, mod_revision=self.revision)))
        self.history += events
        for key, watch in self.watches:
            mine = tuple(event for event in events if event.kv.key == key)
            if mine:
                watch.inbox.append(WatchResponse(header=self.header(), events=mine))
                watch.news.set()
