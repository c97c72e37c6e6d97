"""The end of a connection at which orders are taken."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import trio

from ..io.peer_errors import PeerClosed, PeerSilent
from ..io.peer_socket import Peer
from .agent_targets import LOCAL
from .errors import Failure, Refused, ZfsError
from .message_fields import LONGEST_TEXT
from .order_desk import OrderDesk, RunningOrder
from .order_json import progress_message, read_order, result_message
from .orders import Action, Order, OrderResult
from .permits import Permits

__all__ = ["OrderServer", "answer_to", "datasets_of"]

log = logging.getLogger(__name__)

_IDLE: Final = 300.0
"""Seconds that a client may take until it gives its next order."""
_PROGRESS: Final = 1.0
"""Seconds from one word about progress to the next."""
_HEARTBEAT: Final = 10.0
_LARGEST: Final = 16 * 1024 * 1024  # bytes of an order: it may name a hundred thousand snapshots
_LARGEST_OF_OTHERS: Final = 64 * 1024  # bytes: enough for being refused
_LARGEST_ANSWER: Final = 4 * 1024 * 1024  # bytes
_MOST_VALUES: Final = 200_000  # of an answer: a message with more is not read
_LONGEST_ERROR: Final = 4096


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
            permit = self._permits().of(peer.name)
            largest = _LARGEST if permit is not None and permit.orders else _LARGEST_OF_OTHERS
            try:
                message = await peer.receive(timeout=_IDLE, limit=largest)
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
            told = str(exc)[:_LONGEST_ERROR]  # a client may make it as long as its order
            log.warning("refused: %s", told, extra={"client": peer.name, "peer": peer.address})
            await peer.send(answer_to(OrderResult.failed(known[:64], exc)))
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.heartbeats, _HEARTBEAT)
            await _tell(peer, running)
            nursery.cancel_scope.cancel()
        assert running.result is not None  # it has ended
        await peer.send(answer_to(running.result))

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
    """The datasets of this host that an order is about, each perhaps with those below it.

    Of one that sends within this host that is also the target: nobody else asks whether the client
    may have it written.
    """
    refs: Iterable[str | None] = (one.dataset for one in order.snapshots)
    named = {one for one in refs if one}
    if order.action is not Action.SEND:
        return frozenset(named | ({order.dataset} if order.dataset else set()))
    to, target = order.destination, order.dataset
    if order.replication is not None:
        to, target = order.replication.to, order.replication.target
    own = (order.source_dataset, target if to == LOCAL else "")
    return frozenset(named | {one for one in own if one})


def answer_to(result: OrderResult) -> dict[str, object]:
    """The message with a result; what would not fit is left out, and the message says so.

    An order may name a hundred thousand snapshots, and its result says more of each.
    """
    message = result_message(result)
    message["Error"] = result.error[:_LONGEST_ERROR]
    text = json.dumps(message)
    if len(text) > _LARGEST_ANSWER or text.count(",") + text.count("[") > _MOST_VALUES:
        message["Details"] = {"LeftOut": "too much to be told"}
    return message


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
