"""One connection at a time to whichever endpoint answers, dialled again when it is gone."""

import logging
from collections.abc import Awaitable, Callable, Sequence

import trio

from .config import Endpoint
from .connection import Connection
from .errors import EtcdError, Unavailable

__all__ = ["Link"]

log = logging.getLogger(__name__)


class Link:
    """Keeps to one endpoint while it works and goes on to the next when it does not.

    A client has two links: calls, and watches. On one connection a large read can hold up watch
    events for as long as it lasts (etcd issue 15402).

    Args:
        endpoints: where to, in order of preference.
        dial: opens a connection and leaves it running in a nursery of the caller's.
        purpose: for logs.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        dial: Callable[[Endpoint], Awaitable[Connection]],
        purpose: str,
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._dial = dial
        self._purpose = purpose
        self._next = 0
        self._current: Connection | None = None
        self._dialling = trio.Lock()

    @property
    def has_alternative(self) -> bool:
        """Whether there is another endpoint to go to."""
        return len(self._endpoints) > 1

    async def connection(self) -> Connection:
        """The present connection, else one to the first endpoint that answers, each tried once.

        Tasks that ask at the same time share one attempt.

        Raises:
            Unavailable: no endpoint answers; the message says why for each.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._current is not None and self._current.usable:
            return self._current
        async with self._dialling:
            if self._current is not None:
                if self._current.usable:
                    return self._current
                # One that drains lives on for its calls; one that broke points past its endpoint.
                self._current = None
            return await self._dial_round()

    async def _dial_round(self) -> Connection:
        faults = []
        for _ in self._endpoints:
            endpoint = self._endpoints[self._next % len(self._endpoints)]
            # Whatever becomes of this endpoint, the one after it is tried next.
            self._next = (self._next + 1) % len(self._endpoints)
            try:
                self._current = await self._dial(endpoint)
            except Unavailable as error:
                faults.append(str(error))
            else:
                log.debug("connected", extra={"endpoint": str(endpoint), "purpose": self._purpose})
                return self._current
        raise Unavailable("no etcd endpoint answers: " + "; ".join(faults))

    def turn_away(self, error: EtcdError) -> None:
        """Leave the present endpoint, if there is another to go to."""
        if self._current is not None and self.has_alternative:
            log.info("%s does not answer, trying another", self._current.name)
            self.leave(self._current, error)

    def leave(self, connection: Connection, error: EtcdError) -> None:
        """An endpoint is up but of no use (no leader, hung): go on to the next."""
        if self._current is connection:
            self._current = None
        connection.close(error)
