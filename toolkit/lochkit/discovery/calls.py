"""The requests that a registration makes of etcd, each with a time limit and none of them too many.

A request that is not answered in time is given up, whatever the client's own limit is; where
nothing at all was answered meanwhile, its endpoint is taken for dead and the next one is asked.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeVar

import trio

from ..etcd.errors import DeadlineExceeded, LeaseNotFound, RpcError, Unavailable
from ..etcd.messages import (
    RangeRequest,
    RangeResponse,
    TxnResponse,
    WatchCreateRequest,
)
from ..etcd.store import LeaseCalls, OpenWatch, Transactions
from .writing import Transaction

__all__ = ["Calls", "Etcd", "KeyReads"]

T = TypeVar("T")

_AT_ONCE: Final = 64
"""Requests under way: the time limit of one counts from when it is its turn."""

_EACH: Final = 0.005
"""Seconds that etcd may take over one of many who leave: two writes, and its disk may be slow."""


class KeyReads(Transactions, Protocol):
    """What is asked of etcd's keys."""

    async def range(
        self, request: RangeRequest, *, timeout: float | None = None, persist: bool = True
    ) -> RangeResponse:
        """See `KeyValues.range`."""
        ...


class Etcd(Protocol):
    """What a registration asks of etcd; `Client` is one."""

    @property
    def kv(self) -> KeyReads:
        """Keys."""
        ...

    @property
    def leases(self) -> LeaseCalls:
        """Leases."""
        ...

    def watch(self, request: WatchCreateRequest) -> AbstractAsyncContextManager[OpenWatch]:
        """See `Client.watch`."""
        ...

    def turn_away(self, error: Unavailable) -> None:
        """See `Client.turn_away`."""
        ...


class Calls:
    """Requests over one client, shared by the registrations of a registrar.

    Args:
        etcd: the client; borrowed.

    Attributes:
        etcd: as given.
        holders: the registrations that use this now.
    """

    def __init__(self, etcd: Etcd) -> None:
        self.etcd = etcd
        self.holders = 0
        self._slots = trio.Semaphore(_AT_ONCE)
        self._answered_at = 0.0

    @property
    def crowd_seconds(self) -> float:
        """How much longer than one alone all of them may take when they leave at the same time."""
        return max(0, self.holders - 1) * _EACH

    async def grant(self, lease_id: int, ttl: int, seconds: float) -> int:
        """Make a lease with an id of our own; the seconds it lives.

        Raises:
            EtcdError: why there is none, or why nobody knows.
        """
        leases = self.etcd.leases
        answer = await self._ask(
            seconds, lambda: leases.grant(ttl, lease_id=lease_id, timeout=seconds)
        )
        return answer.TTL

    async def txn(self, transaction: Transaction, seconds: float) -> TxnResponse:
        """Do a transaction.

        Raises:
            EtcdError: it was not done, or nobody knows.
        """
        return await self._ask(seconds, lambda: self.etcd.kv.txn(*transaction, timeout=seconds))

    async def revoke(self, lease_id: int, seconds: float) -> None:
        """End a lease, if it has not ended already.

        Raises:
            EtcdError: it was not ended, or nobody knows.
        """
        try:
            await self._ask(seconds, lambda: self.etcd.leases.revoke(lease_id, timeout=seconds))
        except LeaseNotFound:
            return

    async def _ask(self, seconds: float, request: Callable[[], Awaitable[T]]) -> T:
        async with self._slots:
            sent = trio.current_time()
            late = DeadlineExceeded(f"etcd: no answer within {seconds:.1f} s")
            # The client keeps the time, and knows more of why; this is for one that does not.
            with trio.move_on_after(seconds * 1.1):
                try:
                    answer = await request()
                except RpcError as error:
                    if not isinstance(error, Unavailable):
                        self._answered_at = trio.current_time()
                    raise
                except DeadlineExceeded as error:
                    late = error
                else:
                    self._answered_at = trio.current_time()
                    return answer
            if self._answered_at < sent:
                self.etcd.turn_away(late)
            raise late
