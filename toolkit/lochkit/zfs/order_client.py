"""Giving orders to an agent, and waiting for what becomes of them."""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from ..io.peer_connect import connect_peer
from ..io.peer_errors import PeerError, PeerRefused
from ..io.peer_socket import Peer
from ..io.peer_tls import ClientSecurity, Credentials
from ..runtime.backoff import Backoff
from .errors import Failure, Refused, StreamLost
from .order_json import order_message, read_answer
from .orders import BadOrder, Order, OrderProgress, OrderResult
from .policy_types import HostAddress

__all__ = ["Destination", "OrderClient"]

log = logging.getLogger(__name__)

SERVICE: Final = "orders"
_AGAIN: Final = Backoff(base=0.5, maximum=15.0)
_CONNECT: Final = 15.0  # seconds
_SILENCE: Final = 60.0
"""Seconds without a frame, heartbeats included, after which the other end is taken for dead."""
_LARGEST: Final = 8 * 1024 * 1024  # bytes of a result

OnProgress = Callable[[OrderProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """An agent.

    Attributes:
        host: its name.
        where: how to reach it.
    """

    host: str
    where: HostAddress

    @property
    def certificate(self) -> str:
        """The name its certificate must carry."""
        return self.where.certificate or self.host


class OrderClient:
    """Gives orders. It holds no connection: each order has its own.

    Args:
        credentials: ours; None: plaintext.
        allow_public: plaintext may go to addresses that are not private.
        jitter: numbers in [0, 1).
    """

    def __init__(
        self,
        credentials: Credentials | None,
        *,
        allow_public: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._credentials = credentials
        self._allow_public = allow_public
        self._jitter = jitter

    async def give(
        self,
        order: Order,
        to: Destination,
        *,
        timeout: float,
        on_progress: OnProgress | None = None,
    ) -> OrderResult:
        """Give an order, and return its result; also if it failed.

        A connection that breaks is made anew, and the order given again: the agent knows it by its
        uuid, and does nothing twice.

        Args:
            order: what to do.
            to: who is to do it.
            timeout: seconds until the result is there, whatever breaks meanwhile.
            on_progress: called with what the agent tells; must not block.

        Raises:
            StreamLost: no result in time. The order may have been carried out: the same one again
                tells.
            Refused: the agent does not speak with us, or we not with it.
            ConfigError: our own certificate can not be used.
        """
        failures, last = 0, "not reached"
        with trio.move_on_after(timeout):
            while True:
                try:
                    return await self._once(order, to, on_progress)
                except PeerError as exc:
                    failures, last = failures + 1, str(exc)
                    log.debug("order %s to %s: %s; again", order.uuid, to.host, exc)
                await trio.sleep(_AGAIN.jittered(failures, self._jitter()))
        raise StreamLost(
            f"{to.host} has not answered order {order.uuid} within {timeout:g} s: {last}",
            failure=Failure.TIMEOUT,
        )

    async def _once(
        self, order: Order, to: Destination, on_progress: OnProgress | None
    ) -> OrderResult:
        """One attempt.

        Raises:
            PeerError: the connection could not be made, or broke.
            Refused: see `give`.
        """
        try:
            peer = await self._connect(to)
        except PeerRefused as exc:
            raise Refused(f"{to.host}: {exc}", failure=Failure.DENIED) from exc
        async with peer:
            await peer.send(order_message(order))
            while True:
                try:
                    answer = read_answer(await peer.receive(timeout=_SILENCE, limit=_LARGEST))
                except BadOrder as exc:
                    raise Refused(f"{to.host}: {exc}", failure=Failure.BAD_REQUEST) from exc
                if isinstance(answer, OrderResult):
                    return answer
                if on_progress is not None:
                    on_progress(answer)

    def _connect(self, to: Destination) -> Awaitable[Peer]:
        secured = self._credentials is not None
        return connect_peer(
            to.where.address,
            to.where.orders,
            service=SERVICE,
            security=ClientSecurity(
                credentials=self._credentials,
                expected_name=to.certificate if secured else None,
                allow_public=self._allow_public,
            ),
            timeout=_CONNECT,
        )
