"""What is asked of etcd by those who need little of it: followers, and holders of leases."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from .keepalive_lease import KeptLease
from .kv import Listing
from .messages import (
    Compare,
    LeaseGrantResponse,
    RequestOp,
    ResponseHeader,
    TxnResponse,
    WatchCreateRequest,
    WatchResponse,
)
from .prefix import KeyRange
from .showing import Ahead

__all__ = ["LeaseCalls", "OpenWatch", "Store", "Transactions"]


class OpenWatch(Protocol):
    """A watch that the server has confirmed.

    Attributes:
        header: of the confirmation.
    """

    header: ResponseHeader

    async def receive(self) -> WatchResponse:
        """The next response; cancelling it loses none.

        Raises:
            EtcdError: why there is none.
        """
        ...

    def receive_nowait(self) -> WatchResponse | None:
        """The next response if it is here already."""
        ...


class Store(Protocol):
    """What a follower asks of etcd. Its methods own their time limits; `Client` is one."""

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        """All keys of a range at one revision, 0 for the newest.

        Keys may be shown to `ahead` as they arrive, the very objects that are returned in the end.
        """
        ...

    async def verify(self) -> ResponseHeader:
        """The header of a linearizable read."""
        ...

    def watch(self, request: WatchCreateRequest) -> AbstractAsyncContextManager[OpenWatch]:
        """A watch, entered when the server has confirmed it."""
        ...


class Transactions(Protocol):
    """Who writes, on conditions."""

    async def txn(
        self,
        compare: Sequence[Compare],
        success: Sequence[RequestOp],
        failure: Sequence[RequestOp] = (),
        *,
        timeout: float | None = None,
    ) -> TxnResponse:
        """See `KeyValues.txn`."""
        ...


class LeaseCalls(Protocol):
    """What holds something on a lease asks of etcd's leases."""

    async def grant(
        self, ttl: int, *, lease_id: int = 0, timeout: float | None = None
    ) -> LeaseGrantResponse:
        """See `Leases.grant`."""
        ...

    async def revoke(self, lease_id: int, *, timeout: float | None = None) -> None:
        """See `Leases.revoke`."""
        ...

    def keep_alive(
        self, lease_id: int, ttl: float, *, on_lost: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[KeptLease]:
        """See `Leases.keep_alive`."""
        ...
