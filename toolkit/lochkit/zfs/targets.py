"""Where a replication goes to: the same host, or another one; the same to the one that sends."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from ..io.bulk_meter import Meter
from ..io.rate import RateLimit
from .host_types import Sending
from .model import Inventory
from .offers import (
    AbortReceive,
    Greeting,
    InventoryRequest,
    Offer,
    Received,
    ReleasableRequest,
)

__all__ = ["OpenSending", "Target", "TargetSession"]

OpenSending: TypeAlias = Callable[[], AbstractAsyncContextManager[Sending]]
"""Starts ``zfs send``; it is called when the receiver has accepted, or not at all."""


class TargetSession(Protocol):
    """One conversation with a target, which does one thing at a time.

    It heals itself: after a failure the next call connects anew. Every method raises `Refused` when
    the target does not want it, `StreamLost` when the connection does not carry it, and `ZfsError`
    when ZFS fails.
    """

    async def greeting(self) -> Greeting:
        """What the target can do, and lets us do."""
        ...

    async def inventory(self, request: InventoryRequest) -> Inventory:
        """What there is at the target."""
        ...

    async def releasable(self, request: ReleasableRequest) -> frozenset[int]:
        """The guids of snapshots that are held by the replication itself only."""
        ...

    async def abort_receive(self, request: AbortReceive) -> None:
        """Have an interrupted receive forgotten."""
        ...

    async def transfer(
        self, offer: Offer, sending: OpenSending, *, meter: Meter, rate: RateLimit | None
    ) -> Received:
        """Offer a stream, send it, and wait until its snapshot was found at the target.

        Args:
            offer: what it is.
            sending: starts it.
            meter: counts its bytes, as they are sent.
            rate: bytes per second; None: as many as there are.
        """
        ...


class Target(Protocol):
    """Where a replication goes to.

    Attributes:
        name: for people.
        conversations: how many go on for each stream at a time. With more than one, the next
            stream begins while the target looks at what has become of the last.
    """

    name: str
    conversations: int

    def session(self) -> AbstractAsyncContextManager[TargetSession]:
        """Begin a conversation; several may go on at once. At its end the target has put its
        holds, as far as it can still be reached."""
        ...
