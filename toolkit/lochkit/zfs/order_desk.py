"""The orders that are under way, and those that were: each is carried out once."""

import logging
from typing import Final

import trio

from ..errors import LochkitError
from .agent_board import Board
from .errors import Failure, ZfsBusy
from .ledger import Ledger
from .ledger_entry import digest_of
from .order_work import OrderWork
from .orders import BadOrder, Order, OrderProgress, OrderResult

__all__ = ["OrderDesk", "RunningOrder"]

log = logging.getLogger(__name__)

_MOST: Final = 256


class RunningOrder:
    """An order that is under way; any number of connections may wait for its end.

    Attributes:
        order: itself.
        digest: see `digest_of`.
        progress: how far it is.
        result: what became of it; None while it has not ended.
    """

    def __init__(self, order: Order, digest: str) -> None:
        self.order = order
        self.digest = digest
        self.progress = OrderProgress(uuid=order.uuid, phase="queued")
        self.result: OrderResult | None = None
        self._news = trio.Event()

    def tell(self, progress: OrderProgress) -> None:
        """It is so far."""
        self.progress = progress
        self._wake()

    def end(self, result: OrderResult) -> None:
        """It has ended."""
        self.result = result
        self._wake()

    async def news(self) -> None:
        """Wait until it is further than now."""
        if self.result is None:
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()


class OrderDesk:
    """The actor that carries out orders. They end with it, not with who has given them.

    Args:
        work: what does it.
        ledger: what was begun and what has ended; opened by `run`.
        board: where to say how many there are.
        most: orders under way at once, those included that wait for their turn.
    """

    def __init__(self, work: OrderWork, ledger: Ledger, board: Board, *, most: int = _MOST) -> None:
        self._work = work
        self._ledger = ledger
        self._board = board
        self._most = most
        self._running: dict[str, RunningOrder] = {}
        self._nursery: trio.Nursery | None = None

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "orders"

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry out orders until cancelled.

        Raises:
            InstallError: the ledger can not be read.
            ConfigError: it never can.
        """
        await self._ledger.open()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def submit(self, order: Order, client: str) -> RunningOrder:
        """Have an order carried out, unless it was; who waits for it may go away.

        Args:
            order: which.
            client: who gives it, for the ledger.

        Returns:
            Where to wait for its end; it may have ended.

        Raises:
            BadOrder: another order has been given under that uuid.
            ZfsBusy: there are too many, or this is the end.
        """
        digest = digest_of(order)
        if order.is_unique:
            if (running := self._running.get(order.uuid)) is not None:
                _see_that_same(running.digest, digest, order.uuid)
                return running
            if (entry := self._ledger.find(order.uuid)) is not None:
                _see_that_same(entry.digest, digest, order.uuid)
                if entry.result is not None:
                    ended = RunningOrder(order, digest)
                    ended.end(entry.result)
                    return ended
                log.info("order %s was interrupted, and is judged anew", order.uuid)
        if self._nursery is None:
            raise ZfsBusy("the agent is stopping", failure=Failure.STOPPED)
        if len(self._running) >= self._most:
            raise ZfsBusy(f"{len(self._running)} orders are under way", failure=Failure.LIMIT)
        running = RunningOrder(order, digest)
        self._running[order.uuid if order.is_unique else f"{order.uuid} {id(running)}"] = running
        self._board.say(orders_running=len(self._running))
        self._nursery.start_soon(self._carry_out, running, client)
        return running

    async def _carry_out(self, running: RunningOrder, client: str) -> None:
        order = running.order
        stopped = ZfsBusy("the agent is stopping", failure=Failure.STOPPED)
        result = OrderResult.failed(order.uuid, stopped)
        try:
            result = await self._remembered(running, client)
        finally:
            self._leave(running, result)
        _log_end(order, result)

    async def _remembered(self, running: RunningOrder, client: str) -> OrderResult:
        order = running.order
        if not order.is_unique:
            return await self._work.carry_out(order, running.tell)
        try:
            await self._ledger.begin(order, client)
        except LochkitError as exc:
            message = f"order {order.uuid} can not be remembered, and is not begun: {exc}"
            return OrderResult.failed(order.uuid, ZfsBusy(message, failure=Failure.UNAVAILABLE))
        log.info("order begun", extra={"order": order.uuid, "action": order.action.value})
        result = await self._work.carry_out(order, running.tell)
        with trio.CancelScope(shield=True):  # a write to the disk
            await self._remember(result)
        return result

    async def _remember(self, result: OrderResult) -> None:
        try:
            await self._ledger.end(result)
        except LochkitError as exc:
            log.error("what became of order %s can not be written: %s", result.uuid, exc)

    def _leave(self, running: RunningOrder, result: OrderResult) -> None:
        for key in [key for key, one in self._running.items() if one is running]:
            del self._running[key]
        status = self._board.status
        self._board.say(
            orders_running=len(self._running),
            orders_done=status.orders_done + result.is_success,
            orders_failed=status.orders_failed + (not result.is_success),
        )
        running.end(result)


def _see_that_same(known: str, digest: str, uuid: str) -> None:
    if known != digest:
        raise BadOrder(f"order {uuid}: that OrderUUID was given to another order before")


def _log_end(order: Order, result: OrderResult) -> None:
    facts = {"order": order.uuid, "action": order.action.value, "status": int(result.status)}
    if result.is_success:
        log.info("order done", extra=facts)
    else:
        log.warning("order failed: %s", result.error, extra=facts)
