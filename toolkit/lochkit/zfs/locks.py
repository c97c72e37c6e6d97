"""Turns of work on this host's datasets: the waiting that `work_queue` decides about."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import trio

from .work_queue import Claim, Ticket, Work, WorkQueue

__all__ = ["Turns"]


class Turns:
    """Gives out turns, in the order that `WorkQueue` says. Shared by all who work on datasets.

    Args:
        places: see `WorkQueue`.
        aging: see `WorkQueue`.
    """

    def __init__(self, places: Mapping[Work, int], *, aging: float = 60.0) -> None:
        self._queue = WorkQueue(places, aging=aging)
        self._called: dict[Ticket, trio.Event] = {}

    @property
    def working(self) -> tuple[Ticket, ...]:
        """Those who are at work."""
        return self._queue.working

    @property
    def waiting(self) -> tuple[Ticket, ...]:
        """Those who wait."""
        return self._queue.waiting

    @asynccontextmanager
    async def turn(self, work: Work, claims: Iterable[Claim]) -> AsyncIterator[None]:
        """Wait until it is one's turn; it lasts for as long as the block."""
        ticket = self._queue.add(work, claims, trio.current_time())
        called = self._called[ticket] = trio.Event()
        self._call()
        try:
            await called.wait()
            yield
        finally:
            self._queue.remove(ticket)
            del self._called[ticket]
            self._call()

    def _call(self) -> None:
        for ticket in self._queue.start(trio.current_time()):
            self._called[ticket].set()
