"""One conversation with the receiver at another host: its client's end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

from ..io.bulk_meter import Meter
from ..io.peer_errors import PeerError
from ..io.peer_socket import Peer, StreamEnd
from ..io.rate import RateLimit
from ..wire.trailer import Trailer
from .compression import filtered_source
from .errors import Failure, Refused, StreamLost, ZfsBusy, ZfsError
from .host_types import Sending
from .inventory_wire import InventoryReader
from .model import Inventory
from .offers import (
    AbortReceive,
    Accept,
    Answer,
    Bye,
    Done,
    Failed,
    Greeting,
    InventoryRequest,
    Offer,
    Received,
    Refuse,
    Releasable,
    ReleasableRequest,
    Request,
)
from .offers_answers import read_answer
from .offers_fields import BadMessage
from .offers_requests import request_message
from .stream_faults import connection_faults
from .stream_limits import StreamLimits
from .targets import OpenSending

__all__ = ["RemoteSession"]

_ERROR_LONGEST: Final = 1000  # characters of the sender's verdict


class RemoteSession:
    """A `TargetSession` with another host.

    Args:
        name: of the host, for people.
        connect: makes a connection.
        limits: of time.
        nursery: where its heartbeats run.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[Peer]],
        limits: StreamLimits,
        nursery: trio.Nursery,
    ) -> None:
        self._name, self._connect, self._limits = name, connect, limits
        self._nursery = nursery
        self._peer: Peer | None = None
        self._greeting: Greeting | None = None

    async def greeting(self) -> Greeting:
        """See `TargetSession`."""
        if self._greeting is None:
            async with self._connection():
                pass
        assert self._greeting is not None  # comes with a connection
        return self._greeting

    async def inventory(self, request: InventoryRequest) -> Inventory:
        """See `TargetSession`."""
        async with self._connection() as peer:
            await peer.send(request_message(request))
            reader = InventoryReader(request)
            refusal: Answer | None = None
            while reader.finished is None and refusal is None:
                message = await peer.receive(timeout=self._limits.silent)
                if message.get("Type") == "refuse":
                    refusal = read_answer(message)
                else:
                    reader.add(message)
        if reader.finished is None:
            raise self._refused(refusal)
        return reader.finished

    async def releasable(self, request: ReleasableRequest) -> frozenset[int]:
        """See `TargetSession`."""
        answer = await self._ask(request)
        if not isinstance(answer, Releasable):
            raise self._refused(answer)
        return frozenset(answer.guids)

    async def abort_receive(self, request: AbortReceive) -> None:
        """See `TargetSession`."""
        answer = await self._ask(request)
        if not isinstance(answer, Done):
            raise self._refused(answer)

    async def transfer(
        self, offer: Offer, sending: OpenSending, *, meter: Meter, rate: RateLimit | None
    ) -> Received:
        """See `TargetSession`."""
        error: ZfsError | None = None
        async with self._connection() as peer:
            answer = await self._exchange(peer, offer)
            if isinstance(answer, Accept):
                answer, error = await self._stream(peer, offer, sending, meter=meter, rate=rate)
        match answer:
            case Received():
                return answer
            case Failed():
                raise error or _failed(f"{self._name}: {answer.message}", answer.failure, offer)
            case _:
                raise self._refused(answer)

    async def say_goodbye(self) -> None:
        """Let the receiver put its holds, and close the connection."""
        if self._peer is None:
            return
        # What has been received stays received: a receiver that is gone puts them by itself.
        with suppress(StreamLost, Refused), trio.move_on_after(self._limits.settle):
            await self._ask(Bye())

    async def close(self, *, orderly: bool = True) -> None:
        """Close the connection, if there is one; at once, unless orderly."""
        peer, self._peer = self._peer, None
        if peer is not None:
            if not orderly:
                peer.cut()
            with trio.CancelScope(shield=True):  # takes a second at most
                await peer.aclose()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Peer]:
        """The connection; it is given up if the block fails."""
        try:
            with connection_faults(self._name):
                if self._peer is None:
                    self._peer = await self._connect()
                    self._nursery.start_soon(_beat, self._peer)
                    answer = await self._answer(self._peer, within=self._limits.connect)
                    if not isinstance(answer, Greeting):
                        raise self._refused(answer)
                    self._greeting = answer
                yield self._peer
        except BaseException:
            await self.close(orderly=False)  # noqa: ASYNC102, ASYNC120 (shielded, a second at most)
            raise

    async def _ask(self, request: Request) -> Answer:
        async with self._connection() as peer:
            return await self._exchange(peer, request)

    async def _exchange(self, peer: Peer, request: Request) -> Answer:
        await peer.send(request_message(request))
        return await self._answer(peer, within=self._limits.answer)

    async def _answer(self, peer: Peer, *, within: float) -> Answer:
        with trio.move_on_after(within):
            return read_answer(await peer.receive(timeout=self._limits.silent))
        raise StreamLost(f"{self._name}: no answer within {within:g} s", failure=Failure.TIMEOUT)

    async def _stream(
        self,
        peer: Peer,
        offer: Offer,
        sending: OpenSending,
        *,
        meter: Meter,
        rate: RateLimit | None,
    ) -> tuple[Answer, ZfsError | None]:
        """Send it; return the receiver's answer, and what went wrong here before that."""
        error: ZfsError | None = None
        async with sending() as source:
            end, error = await self._pour(peer, offer, source, meter=meter, rate=rate)
            if end.said is None and error is None:
                try:
                    await source.finish()
                except ZfsError as exc:
                    error = exc
        if end.said is not None:  # what went wrong here was its doing
            trailer = Trailer(ok=False, bytes=end.bytes, error="stopped by the receiver")
            await peer.send_trailer(trailer)
            return read_answer(end.said), None
        words = str(error)[:_ERROR_LONGEST] if error else ""
        await peer.send_trailer(Trailer(ok=error is None, bytes=end.bytes, error=words))
        return await self._answer(peer, within=self._limits.finish), error

    async def _pour(
        self, peer: Peer, offer: Offer, source: Sending, *, meter: Meter, rate: RateLimit | None
    ) -> tuple[StreamEnd, ZfsError | None]:
        async def pour(fileno: int) -> StreamEnd:
            return await peer.send_stream(
                fileno,
                meter=meter,
                rate=rate,
                idle=self._limits.silent,
                stall=self._limits.stall,
            )

        if offer.compression == "none":
            return await pour(source.fileno), None
        async with filtered_source(source.fileno, offer.compression) as program:
            end = await pour(program.fileno)
            if end.said is None:
                try:
                    await program.finish()
                except ZfsError as exc:
                    return end, exc
        return end, None

    def _refused(self, answer: Answer | None) -> ZfsError:
        if not isinstance(answer, Refuse | Failed):
            return BadMessage(f"{self._name}: an answer to another question")
        message = f"{self._name}: {answer.message}"
        if answer.failure.retryable:
            return ZfsBusy(message, failure=answer.failure)
        return Refused(message, failure=answer.failure)


def _failed(message: str, failure: Failure, offer: Offer) -> ZfsError:
    kind = ZfsBusy if failure.retryable else ZfsError
    return kind(message, failure=failure, dataset=offer.dataset)


async def _beat(peer: Peer) -> None:
    # That the connection is broken is found by whoever uses it.
    with suppress(PeerError):
        await peer.heartbeats()
