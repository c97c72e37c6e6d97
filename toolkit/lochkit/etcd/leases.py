"""Leases: keys that live only as long as somebody keeps them alive."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from .caller import Caller, Rpc
from .keepalive import KeptLease, LeaseKeeper
from .messages import (
    LeaseGrantRequest,
    LeaseGrantResponse,
    LeaseLeasesRequest,
    LeaseLeasesResponse,
    LeaseRevokeRequest,
    LeaseRevokeResponse,
    LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse,
)

__all__ = ["Leases"]

_GRANT: Final = Rpc("/etcdserverpb.Lease/LeaseGrant", LeaseGrantRequest, LeaseGrantResponse)
_REVOKE: Final = Rpc("/etcdserverpb.Lease/LeaseRevoke", LeaseRevokeRequest, LeaseRevokeResponse)
_TTL: Final = Rpc(
    "/etcdserverpb.Lease/LeaseTimeToLive",
    LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse,
    repeatable=True,
)
_LIST: Final = Rpc(
    "/etcdserverpb.Lease/LeaseLeases", LeaseLeasesRequest, LeaseLeasesResponse, repeatable=True
)


class Leases:
    """etcd's Lease service."""

    def __init__(self, caller: Caller, keeper: LeaseKeeper) -> None:
        self._caller = caller
        self._keeper = keeper

    async def grant(
        self, ttl: int, *, lease_id: int = 0, timeout: float | None = None
    ) -> LeaseGrantResponse:
        """Make a lease.

        Args:
            ttl: seconds it lives without a keepalive. The server may grant more: see the answer's
                `TTL`.
            lease_id: the id to give it, 0 to be given one.
            timeout: seconds it may take, None for the client's own limit.
        """
        request = LeaseGrantRequest(TTL=ttl, ID=lease_id)
        return await self._caller.call(_GRANT, request, timeout=timeout)

    async def revoke(self, lease_id: int, *, timeout: float | None = None) -> None:
        """End a lease; all its keys are deleted in one revision.

        Args:
            lease_id: the lease.
            timeout: seconds it may take, None for the client's own limit.

        Raises:
            LeaseNotFound: it had ended already.
        """
        await self._caller.call(_REVOKE, LeaseRevokeRequest(ID=lease_id), timeout=timeout)

    async def time_to_live(self, lease_id: int, *, keys: bool = False) -> LeaseTimeToLiveResponse:
        """How many seconds a lease has left (`TTL`, -1 when it has ended), and with `keys` which
        keys it holds."""
        request = LeaseTimeToLiveRequest(ID=lease_id, keys=keys)
        return await self._caller.call(_TTL, request)

    async def list(self) -> tuple[int, ...]:
        """The ids of all leases."""
        answer = await self._caller.call(_LIST, LeaseLeasesRequest())
        return tuple(lease.ID for lease in answer.leases)

    def keep_alive(
        self, lease_id: int, ttl: float, *, on_lost: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[KeptLease]:
        """Keep a lease alive while the block runs, on a stream shared by all leases of this client.

        It does not revoke the lease in the end: that is the owner's decision.

        Args:
            lease_id: the lease.
            ttl: seconds it was granted; it is renewed every third of it.
            on_lost: called once if it is lost while the block runs, from whichever task finds out:
                it must neither block nor raise. For owners of many leases, who need no task each
                that waits for `KeptLease.lost`.
        """
        return self._keeper.keep(lease_id, ttl, on_lost=on_lost)
