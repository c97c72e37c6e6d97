"""Receives streams on this host: judges what is offered, takes it in, and looks at the result.

One `Receiver` serves all clients of a host, one `ReceivingSession` a client. Nothing a client says
is believed: see `permits`, `judging`, `stream_watch` and `judging_result`.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import trio

from .compression import available
from .errors import Failure, Refused
from .host_types import ZfsHost
from .offers import Greeting
from .permits import Permit
from .receiver_facts import Facts
from .receiver_session import ReceivingSession
from .stream_limits import StreamLimits
from .stream_watch import WatchMaker, ZfsWatch

__all__ = ["Guard", "Receiver"]

Guard = Callable[[str], AbstractAsyncContextManager[None]]
"""Gives one task at a time a dataset of this host to receive into; waits for its turn."""


class Receiver:
    """Receives streams on this host.

    Args:
        host: its ZFS.
        streams: how many are received at once, of all clients together.
        limits: of time.
        guard: keeps others of this process, such as one that destroys snapshots, from a dataset
            while it is received into; None: there are none.
        watch: makes what looks at streams of other hosts; None: nobody does.
        compressions: what can be decompressed; None: by the programs this host has.

    Attributes:
        host, limits, watch, compressions: as given.
        facts: what is known of the datasets of the host.
    """

    def __init__(
        self,
        host: ZfsHost,
        *,
        streams: int = 16,
        limits: StreamLimits | None = None,
        guard: Guard | None = None,
        watch: WatchMaker | None = ZfsWatch,
        compressions: Sequence[str] | None = None,
    ) -> None:
        self.host = host
        self.limits = limits or StreamLimits()
        self.watch = watch
        self.compressions = available() if compressions is None else tuple(compressions)
        self.facts = Facts(host)
        self._guard = guard
        self._sessions = 0
        self._slots = trio.Semaphore(streams)
        self._of_client: Counter[str] = Counter()
        self._busy: dict[str, trio.Event] = {}

    def greeting(self, permit: Permit) -> Greeting:
        """What a client is told first."""
        return Greeting(
            capabilities=self.host.capabilities,
            compressions=self.compressions,
            rollback=permit.rollback,
            properties=permit.properties,
        )

    @asynccontextmanager
    async def session(self, permit: Permit) -> AsyncIterator[ReceivingSession]:
        """Serve a client; on the way out the holds that are owed are put.

        Args:
            permit: what the client may do.
        """
        session = ReceivingSession(self, permit)
        self._sessions += 1
        try:
            yield session
        finally:
            self._sessions -= 1
            if not self._sessions:
                self.facts.forget()
            # Also when the client is gone, or we are to end: what has arrived is to be kept.
            with trio.CancelScope(shield=True), trio.move_on_after(self.limits.settle):
                await session.settle()

    @asynccontextmanager
    async def place(self, permit: Permit, dataset: str) -> AsyncIterator[None]:
        """Wait until a stream may be received into a dataset; it may for as long as the block.

        Raises:
            Refused: BUSY, another stream is being received into it; LIMIT, there are too many.
        """
        await self.quiet(dataset)
        if self._of_client[permit.client] >= permit.streams:
            raise Refused(
                f"{permit.client} has {permit.streams} streams under way, which is its limit",
                failure=Failure.LIMIT,
            )
        over = self._busy[dataset] = trio.Event()
        self._of_client[permit.client] += 1
        try:
            async with self._turn(dataset):
                yield
        finally:
            self._of_client[permit.client] -= 1
            del self._busy[dataset]
            over.set()

    async def quiet(self, dataset: str) -> None:
        """Wait until no stream is received into a dataset.

        Where a connection broke, the receive it belonged to takes a moment to end, and until then
        nobody can tell how far it has come.

        Raises:
            Refused: BUSY, it takes too long.
        """
        with trio.move_on_after(self.limits.queue):
            while (busy := self._busy.get(dataset)) is not None:
                await busy.wait()
            return
        raise Refused(
            f"{dataset}: another stream is being received into it",
            failure=Failure.BUSY,
            dataset=dataset,
        )

    @asynccontextmanager
    async def _turn(self, dataset: str) -> AsyncIterator[None]:
        with trio.move_on_after(self.limits.queue) as waiting:
            await self._slots.acquire()
        if waiting.cancelled_caught:
            raise Refused("as many streams are received as may be", failure=Failure.LIMIT)
        try:
            async with AsyncExitStack() as stack:
                if self._guard is not None:
                    with trio.move_on_after(self.limits.queue) as waiting:
                        await stack.enter_async_context(self._guard(dataset))
                    if waiting.cancelled_caught:
                        raise Refused(f"{dataset}: others work on it", failure=Failure.BUSY)
                yield
        finally:
            self._slots.release()
