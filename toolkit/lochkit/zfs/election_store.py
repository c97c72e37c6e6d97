"""What an election asks of etcd."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..etcd.keepalive import KeptLease
from ..etcd.messages import (
    Compare,
    KeyValue,
    LeaseGrantResponse,
    RangeRequest,
    RangeResponse,
    RequestOp,
    TxnResponse,
    WatchCreateRequest,
)
from ..etcd.store import OpenWatch

__all__ = ["ElectionStore", "Keys", "Leases"]


class Keys(Protocol):
    """Keys and values; see `lochkit.etcd.kv.KeyValues`."""

    async def get(self, key: bytes) -> KeyValue | None:
        """One key."""
        ...

    async def range(self, request: RangeRequest) -> RangeResponse:
        """One request as it is."""
        ...

    async def txn(
        self,
        compare: Sequence[Compare],
        success: Sequence[RequestOp],
        failure: Sequence[RequestOp] = (),
        *,
        timeout: float | None = None,
    ) -> TxnResponse:
        """One transaction."""
        ...


class Leases(Protocol):
    """See `lochkit.etcd.leases.Leases`."""

    async def grant(
        self, ttl: int, *, lease_id: int = 0, timeout: float | None = None
    ) -> LeaseGrantResponse:
        """A new lease."""
        ...

    async def revoke(self, lease_id: int, *, timeout: float | None = None) -> None:
        """End a lease."""
        ...

    def keep_alive(
        self, lease_id: int, ttl: float, *, on_lost: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[KeptLease]:
        """Renew a lease while the block runs."""
        ...


class ElectionStore(Protocol):
    """What is asked of etcd; `lochkit.etcd.client.Client` is one."""

    @property
    def kv(self) -> Keys:
        """Keys."""
        ...

    @property
    def leases(self) -> Leases:
        """Leases."""
        ...

    def watch(self, request: WatchCreateRequest) -> AbstractAsyncContextManager[OpenWatch]:
        """A watch."""
        ...
