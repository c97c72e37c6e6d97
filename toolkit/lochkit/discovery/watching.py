"""One subscriber's end of a directory: what it was told and has not yet taken."""

from collections.abc import Collection
from types import TracebackType
from typing import Protocol, Self

import trio

from .errors import DirectoryStopped
from .events import Event, Kind
from .mailbox import ALL_KINDS, ROOM, Mailbox

__all__ = ["Source", "Subscription"]


class Source(Protocol):
    """Who tells; a `Directory` is one."""

    async def ready(self) -> None:
        """Wait until it knows what there is.

        Raises:
            DirectoryStopped: it never will.
        """
        ...

    def attach(self, subscription: "Subscription") -> None:
        """Tell it everything from now on, and first what it has asked for of what is there."""
        ...

    def detach(self, subscription: "Subscription") -> None:
        """Tell it nothing any more."""
        ...


class Subscription:
    """An async iterator of events, for one task, inside its own context:

        async with directory.subscribe("web") as events:
            async for event in events:
                ...

    It is entered once the directory knows what there is; every change from then on is told, however
    often etcd goes away meanwhile. How much may wait for a slow subscriber, and what becomes of the
    rest, is said in `Mailbox`.

    Args:
        source: who tells.
        service: the service; empty for all there are.
        kinds: what to tell of.
        present: tell first what is there already, as if it came now.
        room: events that may wait in order.
    """

    def __init__(
        self,
        source: Source,
        service: str = "",
        *,
        kinds: Collection[Kind] = ALL_KINDS,
        present: bool = False,
        room: int = ROOM,
    ) -> None:
        self.service = service
        self.present = present
        self._source = source
        self._mailbox = Mailbox(kinds, room=room)
        self._news = trio.Event()
        self._entered = self._closed = False
        self._stopped: DirectoryStopped | None = None

    @property
    def waiting(self) -> int:
        """How many events wait to be taken."""
        return len(self._mailbox)

    @property
    def merged(self) -> int:
        """How many events were not told by themselves, since too many waited."""
        return self._mailbox.merged

    async def __aenter__(self) -> Self:
        """Begin to hear.

        Raises:
            DirectoryStopped: the directory has ended.
        """
        if self._entered:
            raise RuntimeError("a subscription is entered once")
        self._entered = True
        await self._source.ready()
        self._source.attach(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear nothing any more: the iteration ends, whatever waits."""
        if not self._closed:
            self._closed = True
            self._source.detach(self)
            self._news.set()

    def put(self, event: Event) -> None:
        """Called by the directory with each event, in order."""
        self._mailbox.put(event)
        self._news.set()

    def stop(self, reason: DirectoryStopped) -> None:
        """Called by the directory when it ends: nothing more will come."""
        self._stopped = reason
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event; cancelling this loses none.

        Raises:
            DirectoryStopped: the directory has ended, and all it told was taken.
        """
        if not self._entered:
            raise RuntimeError("a subscription is entered before it is read: async with")
        await trio.lowlevel.checkpoint()
        while not self._closed:
            event = self._mailbox.take()
            if event is not None:
                return event
            if self._stopped is not None:
                raise DirectoryStopped(str(self._stopped)) from self._stopped.__cause__
            self._news = trio.Event()
            await self._news.wait()
        raise StopAsyncIteration
