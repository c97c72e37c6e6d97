"""The service that takes streams from other hosts, and tells them what there is."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Never

import trio

from ..io.bulk_meter import Meter
from ..io.peer_errors import PeerClosed, PeerError
from ..io.peer_listen import PeerListener
from ..io.peer_serve import ServeLimits, serve_peers
from ..io.peer_socket import Peer
from ..io.peer_tls import ServerSecurity
from ..wire.trailer import Trailer
from .errors import Failure, ZfsBusy, ZfsError
from .inventory_wire import inventory_messages
from .offers import (
    AbortReceive,
    Accept,
    Answer,
    Bye,
    Done,
    Failed,
    InventoryRequest,
    Offer,
    Received,
    Refuse,
    ReleasableRequest,
    Request,
)
from .offers_answers import answer_message
from .offers_fields import BadMessage
from .offers_requests import read_request
from .permits import Permit
from .receiver import Receiver
from .receiver_session import Admission, ReceivingSession
from .remote_target import SERVICE
from .stream_limits import StreamLimits

__all__ = ["serve_streams"]

_log = logging.getLogger(__name__)

OnReceived = Callable[[str], None]


async def serve_streams(  # noqa: ASYNC114, ASYNC128 (serve_peers says that it has started)
    receiver: Receiver,
    permits: Callable[[str | None], Permit | None],
    listener: PeerListener,
    *,
    security: ServerSecurity,
    limits: ServeLimits | None = None,
    on_received: OnReceived | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> Never:
    """Take streams until cancelled.

    Args:
        receiver: of this host.
        permits: what a client may do, by the name in its certificate (None: it has none); None:
            nothing.
        listener: where; owned from now on.
        security: how clients are known.
        limits: of connections.
        on_received: is told each dataset into which a stream has been received.
        task_status: started when it listens.
    """

    async def handle(peer: Peer) -> None:
        permit = permits(peer.name)
        if permit is None:
            _log.warning("%s: %s may not do anything here", peer.address, peer.name or "anybody")
            refusal = Refuse(failure=Failure.DENIED, message="you may not do anything here")
            await peer.send(answer_message(refusal))
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_beat, peer)
            async with receiver.session(permit) as session:
                client = _Client(
                    peer,
                    receiver.limits,
                    session,
                    on_received,
                    may_stay=lambda: permits(peer.name) == permit,
                )
                await client.serve(receiver.greeting(permit))
            nursery.cancel_scope.cancel()

    await serve_peers(
        handle,
        listener,
        service=SERVICE,
        security=security,
        limits=limits or ServeLimits(),
        task_status=task_status,
    )


class _Client:
    def __init__(
        self,
        peer: Peer,
        limits: StreamLimits,
        session: ReceivingSession,
        on_received: OnReceived | None,
        *,
        may_stay: Callable[[], bool],
    ) -> None:
        self._peer, self._session, self._on_received = peer, session, on_received
        self._limits, self._may_stay = limits, may_stay
        self._who = f"{peer.name or 'anybody'} at {peer.address}"

    async def serve(self, greeting: Answer) -> None:
        try:
            await self._converse(greeting)
        except PeerClosed:
            return
        except PeerError as exc:
            _log.warning("%s: %s", self._who, exc)

    async def _converse(self, greeting: Answer) -> None:
        await self._say(greeting)
        while True:
            try:
                with trio.fail_after(self._limits.pause):
                    message = await self._peer.receive(timeout=self._limits.silent)
            except trio.TooSlowError:
                _log.info("%s wanted nothing for %g s", self._who, self._limits.pause)
                return
            if not self._may_stay():
                words = "what you may do here has changed: connect anew"
                await self._refuse(ZfsBusy(words, failure=Failure.BUSY))
                return
            try:
                request = read_request(message)
            except BadMessage as exc:
                await self._refuse(exc)
                return
            if isinstance(request, Bye):
                await self._session.settle()
                await self._say(Bye())
                return
            await self._serve(request)

    async def _serve(self, request: Request) -> None:
        try:
            match request:
                case Offer():
                    await self._serve_offer(request)
                case InventoryRequest():
                    for message in inventory_messages(await self._session.inventory(request)):
                        await self._peer.send(message)
                case ReleasableRequest():
                    await self._say(await self._session.releasable(request))
                case AbortReceive():
                    await self._session.abort_receive(request)
                    await self._say(Done())
        except ZfsError as exc:
            await self._refuse(exc)

    async def _serve_offer(self, offer: Offer) -> None:
        async with self._session.admit(offer) as admission:
            if isinstance(admission, Received):
                result: Received | Failed = admission
                await self._say(result)
            else:
                result = await self._receive(admission)
        if isinstance(result, Received):
            _log.info("%s: received %s from %s", offer.dataset, offer.to.name, self._who)
            if self._on_received is not None:
                self._on_received(offer.dataset)

    async def _receive(self, admission: Admission) -> Received | Failed:
        await self._say(Accept())
        meter, in_step = Meter(), False

        async def fill(fileno: int) -> Trailer:
            nonlocal in_step
            trailer = await self._peer.receive_stream(
                fileno, meter=meter, idle=self._limits.silent, stall=self._limits.stall
            )
            in_step = True
            return trailer

        try:
            result = await admission.receive(fill, meter=meter)
        except ZfsError as exc:
            result = Failed(failure=exc.failure, message=str(exc))
        await self._say(result)
        if not in_step:  # the sender stops when it has read that
            await self._peer.discard_stream()
        return result

    async def _refuse(self, exc: ZfsError) -> None:
        _log.warning("%s: refused: %s", self._who, exc)
        await self._say(Refuse(failure=exc.failure, message=str(exc)))

    async def _say(self, answer: Answer) -> None:
        await self._peer.send(answer_message(answer))


async def _beat(peer: Peer) -> None:
    # That the connection is broken is found by the one that serves it.
    with suppress(PeerError):
        await peer.heartbeats()
