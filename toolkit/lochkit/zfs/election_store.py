"""What an election asks of etcd."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..etcd.messages import (
    KeyValue,
    RangeRequest,
    RangeResponse,
    WatchCreateRequest,
)
from ..etcd.store import LeaseCalls, OpenWatch, Transactions

__all__ = ["ElectionStore", "Keys"]


class Keys(Transactions, Protocol):
    """Keys and values; see `lochkit.etcd.kv.KeyValues`."""

    async def get(self, key: bytes) -> KeyValue | None:
        """One key."""
        ...

    async def range(self, request: RangeRequest) -> RangeResponse:
        """One request as it is."""
        ...


class ElectionStore(Protocol):
    """What is asked of etcd; `lochkit.etcd.client.Client` is one."""

    @property
    def kv(self) -> Keys:
        """Keys."""
        ...

    @property
    def leases(self) -> LeaseCalls:
        """Leases."""
        ...

    def watch(self, request: WatchCreateRequest) -> AbstractAsyncContextManager[OpenWatch]:
        """A watch."""
        ...
