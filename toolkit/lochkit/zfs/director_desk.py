"""Giving orders to agents, and waiting for their results, wherever the agents go meanwhile."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import trio

from ..errors import ConfigError
from .directing_record import GivenOrder
from .errors import Failure, StreamLost, ZfsError
from .order_client import Destination, OnProgress
from .orders import Order, OrderProgress, OrderResult
from .work_queue import Work

__all__ = ["Desk", "Giver"]

log = logging.getLogger(__name__)

_LIVES: Final = {Work.TAKE: 900.0, Work.DESTROY: 6 * 3600.0, Work.SEND: 7 * 86400.0}
"""Seconds after which an order is given up: its agent is gone, or hangs. What it was for is then
pursued anew."""


class Giver(Protocol):
    """Gives orders; `lochkit.zfs.order_client.OrderClient` is one."""

    async def give(
        self,
        order: Order,
        to: Destination,
        *,
        timeout: float,
        on_progress: OnProgress | None = None,
    ) -> OrderResult:
        """Give an order and return its result.

        Raises:
            ZfsError: there is none.
            ConfigError: our own certificate can not be used.
        """
        ...


class Desk:
    """Sees orders through to their results.

    Args:
        giver: how they are given; borrowed.
        where: how a host's agent is reached; None: it is silent.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        giver: Giver,
        where: Callable[[str], Destination | None],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._giver = giver
        self._where = where
        self._clock = clock
        self._given: dict[str, tuple[str, Destination, trio.CancelScope]] = {}
        self._news = trio.Event()
        self._progress: dict[str, OrderProgress] = {}

    @property
    def progress(self) -> Mapping[str, OrderProgress]:
        """How far orders are, by uuid; of those that have told."""
        return self._progress

    def look_again(self) -> None:
        """Agents may have come, gone or moved."""
        for host, place, scope in self._given.values():
            if self._where(host) != place:
                scope.cancel()
        self._news.set()
        self._news = trio.Event()

    async def carry_out(self, given: GivenOrder) -> OrderResult:
        """Give an order, again wherever its agent is, until there is a result. Never raises but
        when cancelled: a failure is a result too."""
        wanted = given.wanted
        uuid = wanted.order.uuid
        ends = given.given + _LIVES[wanted.pursuit.work]
        try:
            while True:
                left = ends - self._clock()
                if left <= 0:
                    gone = StreamLost(
                        f"the agent of {wanted.host} has not answered in all that time",
                        failure=Failure.TIMEOUT,
                    )
                    return OrderResult.failed(uuid, gone)
                place = self._where(wanted.host)
                if place is None:
                    with trio.move_on_after(left):
                        await self._news.wait()
                    continue
                result = await self._give(given, place, left)
                if result is not None:
                    return result
        finally:
            self._progress.pop(uuid, None)

    async def _give(self, given: GivenOrder, place: Destination, left: float) -> OrderResult | None:
        """Give it to the agent where it is now; None: it is there no more."""
        order, host = given.wanted.order, given.wanted.host
        result: OrderResult | None = None
        with trio.CancelScope() as scope:
            self._given[order.uuid] = host, place, scope
            try:
                result = await self._giver.give(order, place, timeout=left, on_progress=self._tell)
            except (ZfsError, ConfigError) as exc:
                result = OrderResult.failed(order.uuid, exc)
            finally:
                del self._given[order.uuid]
        if result is not None and result.uuid != order.uuid:
            wrong = f"{host} has answered another order ({result.uuid[:64]}) than it was given"
            return OrderResult.failed(order.uuid, ZfsError(wrong, failure=Failure.BAD_REQUEST))
        return result

    def _tell(self, progress: OrderProgress) -> None:
        if progress.uuid in self._given:
            self._progress[progress.uuid] = progress
