"""The end of a connection at which orders are taken."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import trio

from ..io.peer_errors import PeerClosed, PeerSilent
from ..io.peer_socket import Peer
from .errors import Failure, Refused, ZfsError
from .message_fields import LONGEST_TEXT
from .order_desk import OrderDesk, RunningOrder
from .order_json import progress_message, read_order, result_message
from .orders import Action, Order, OrderResult
from .permits import Permits

__all__ = ["OrderServer", "datasets_of"]

log = logging.getLogger(__name__)

_IDLE: Final = 300.0
"""Seconds that a client may take until it gives its next order."""
_PROGRESS: Final = 1.0
"""Seconds from one word about progress to the next."""
_HEARTBEAT: Final = 10.0
_LARGEST: Final = 16 * 1024 * 1024  # bytes of an order: it may name a hundred thousand snapshots


class OrderServer:
    """Takes orders from clients, and tells them what becomes of them.

    Args:
        desk: has them carried out.
        permits: who may give which, as it is when an order comes.
    """

    def __init__(self, desk: OrderDesk, permits: Callable[[], Permits]) -> None:
        self._desk = desk
        self._permits = permits

    async def serve(self, peer: Peer) -> None:
        """Serve a client, one order after another, until it goes away.

        Raises:
            PeerError: the connection broke. Orders that are under way go on.
        """
        while True:
            try:
                message = await peer.receive(timeout=_IDLE, limit=_LARGEST)
            except (PeerClosed, PeerSilent):
                return
            await self._answer(peer, message)

    async def _answer(self, peer: Peer, message: Mapping[str, object]) -> None:
        try:
            order = read_order(message)
            self._see_that_allowed(order, peer)
            running = self._desk.submit(order, peer.name or peer.address)
        except ZfsError as exc:
            uuid = message.get("OrderUUID")
            known = uuid if isinstance(uuid, str) and len(uuid) <= LONGEST_TEXT else ""
            log.warning("refused: %s", exc, extra={"client": peer.name, "peer": peer.address})
            await peer.send(result_message(OrderResult.failed(known[:64], exc)))
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.heartbeats, _HEARTBEAT)
            await _tell(peer, running)
            nursery.cancel_scope.cancel()
        assert running.result is not None  # it has ended
        await peer.send(result_message(running.result))

    def _see_that_allowed(self, order: Order, peer: Peer) -> None:
        """Raise unless the client may give that order.

        Raises:
            Refused: it may not.
        """
        permit = self._permits().of(peer.name)
        action = order.action.value
        who = peer.name or "a client without a certificate"
        if permit is None or action not in permit.orders:
            raise Refused(f"{who} may not order {action} here", failure=Failure.DENIED)
        for dataset in datasets_of(order):
            if not permit.may_order(action, dataset):
                raise Refused(
                    f"{who} may not order {action} of {dataset} here", failure=Failure.DENIED
                )


def datasets_of(order: Order) -> frozenset[str]:
    """The datasets of this host that an order is about, each perhaps with those below it."""
    refs: Iterable[str | None] = (one.dataset for one in order.snapshots)
    named = {one for one in refs if one}
    if order.action is Action.SEND:
        return frozenset(named | ({order.source_dataset} if order.source_dataset else set()))
    return frozenset(named | ({order.dataset} if order.dataset else set()))


async def _tell(peer: Peer, running: RunningOrder) -> None:
    """Tell how far an order is, until it has ended."""
    told = None
    while running.result is None:
        if running.progress != told:
            told = running.progress
            await peer.send(progress_message(told))
            with trio.move_on_after(_PROGRESS):
                while running.result is None:
                    await running.news()
        else:
            await running.news()
