"""Replication to another pool, or another part of a pool, of the same host: from pipe to pipe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..io.bulk_meter import Meter
from ..io.rate import RateLimit
from ..wire.trailer import Trailer
from .errors import ZfsError
from .model import Inventory
from .offers import (
    AbortReceive,
    Failed,
    Greeting,
    InventoryRequest,
    Offer,
    Received,
    ReleasableRequest,
)
from .permits import Permit
from .receiver import Receiver
from .receiver_session import ReceivingSession
from .stream_join import join_pipes
from .targets import OpenSending

__all__ = ["LocalTarget"]


class LocalTarget:
    """A `Target` on this host.

    Args:
        receiver: of this host; shared with others, so that they do not receive into the same.
        name: for people.

    Attributes:
        name: as given.
        conversations: see `Target`.
    """

    conversations = 2

    def __init__(self, receiver: Receiver, *, name: str = "local") -> None:
        self._receiver = receiver
        self.name = name
        # What is rolled back, and which properties are sent, is decided by the policy alone.
        self._permit = Permit(
            client=name, anywhere=True, rollback=True, properties=True, streams=1024
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator["_LocalSession"]:
        """See `Target`."""
        async with self._receiver.session(self._permit) as session:
            yield _LocalSession(self._receiver, self._permit, session)


class _LocalSession:
    def __init__(self, receiver: Receiver, permit: Permit, session: ReceivingSession) -> None:
        self._receiver, self._permit, self._session = receiver, permit, session

    async def greeting(self) -> Greeting:
        return self._receiver.greeting(self._permit)

    async def inventory(self, request: InventoryRequest) -> Inventory:
        return await self._session.inventory(request)

    async def releasable(self, request: ReleasableRequest) -> frozenset[int]:
        return frozenset((await self._session.releasable(request)).guids)

    async def abort_receive(self, request: AbortReceive) -> None:
        await self._session.abort_receive(request)

    async def transfer(
        self, offer: Offer, sending: OpenSending, *, meter: Meter, rate: RateLimit | None
    ) -> Received:
        of_sender: list[ZfsError] = []

        async def fill(fileno: int) -> Trailer:
            async with sending() as stream:
                stall = self._receiver.limits.stall
                await join_pipes(stream.fileno, fileno, meter=meter, rate=rate, stall=stall)
                try:
                    await stream.finish()
                except ZfsError as exc:
                    of_sender.append(exc)
                    return Trailer(ok=False, bytes=meter.bytes, error=str(exc)[:1000])
            return Trailer(ok=True, bytes=meter.bytes)

        async with self._session.admit(offer) as admission:
            if isinstance(admission, Received):
                return admission
            result = await admission.receive(fill, meter=meter, trusted=True)
        if isinstance(result, Failed):
            for exc in of_sender:
                raise exc
            raise ZfsError(result.message, failure=result.failure, dataset=offer.dataset)
        return result
