"""What a receiver does for one client: inventories, streams, and the holds it owes after them."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import trio

from ..io.bulk_meter import Meter
from ..io.peer_errors import PeerError, SinkClosed
from ..wire.trailer import Trailer
from .errors import Failure, Refused, ZfsError
from .host_types import Receiving
from .judging import Accepted, AlreadyThere, Judgement, Refusal, judge_offer
from .judging_result import judge_result
from .model import Dataset, Inventory
from .offers import (
    AbortReceive,
    Failed,
    InventoryRequest,
    Offer,
    Received,
    Releasable,
    ReleasableRequest,
)
from .permits import Permit
from .receiver_holds import OwedHolds
from .receiver_parents import Parents
from .stream_begin import BadStream
from .stream_intake import Fill, take_in
from .tags import last_tag

if TYPE_CHECKING:
    from .receiver import Receiver

__all__ = ["Admission", "ReceivingSession"]

_log = logging.getLogger(__name__)


class Admission:
    """An offer that was accepted: its stream may come.

    Attributes:
        offer: see there.
    """

    def __init__(self, session: "ReceivingSession", offer: Offer, accepted: Accepted) -> None:
        self._session, self._accepted = session, accepted
        self.offer = offer

    async def receive(
        self, fill: Fill, *, meter: Meter, trusted: bool = False
    ) -> Received | Failed:
        """Receive the stream, and look at what has become of it.

        Args:
            fill: writes the stream to a pipe, and returns the sender's verdict on it.
            meter: counts what it has written.
            trusted: it comes from this host: not compressed, and nobody need watch it.

        Returns:
            What has become of it, also when the connection to the client has broken.
        """
        return await self._session.receive(
            self.offer, self._accepted, fill, meter=meter, trusted=trusted
        )


class ReceivingSession:
    """What a receiver does for one client.

    Args:
        receiver: whose session it is.
        permit: what the client may do.
    """

    def __init__(self, receiver: "Receiver", permit: Permit) -> None:
        self._receiver, self._permit = receiver, permit
        self._host, self._facts = receiver.host, receiver.facts
        self._owed = OwedHolds()
        self._parents = Parents(receiver.host, permit)

    async def inventory(self, request: InventoryRequest) -> Inventory:
        """What there is at and below the datasets asked for.

        Raises:
            Refused: DENIED: the client may not see one of them.
        """
        for name in request.datasets:
            self._check_seen(name)
        if not request.datasets:  # for ZFS, no name is all there is
            return Inventory(datasets={})
        if request.recursive:
            return await self._facts.inventory(request.datasets, request.properties)
        found: dict[str, Dataset] = {}
        at = 0.0
        for name in request.datasets:
            await self._receiver.quiet(name)
            one = await self._host.dataset(name, properties=request.properties)
            found |= one.datasets
            at = at or one.at
        return Inventory(datasets=found, at=at)

    async def releasable(self, request: ReleasableRequest) -> Releasable:
        """Which held snapshots are held by the replication itself only.

        Raises:
            Refused: DENIED: the client may not see one of the datasets.
        """
        held: dict[str, int] = {}
        for name in request.datasets:
            self._check_seen(name)
            dataset = (await self._host.dataset(name)).get(name)
            for one in dataset.snapshots if dataset else ():
                if one.holds:
                    held[f"{name}@{one.name}"] = one.guid
        if not held or not self._host.capabilities.list_holds:
            return Releasable(guids=())
        own = {last_tag(request.replication)}
        tags = await self._host.holds(tuple(held))
        return Releasable(
            guids=tuple(guid for name, guid in held.items() if own.issuperset(tags.get(name, ())))
        )

    async def abort_receive(self, request: AbortReceive) -> None:
        """Forget an interrupted receive.

        Raises:
            Refused: DENIED; BUSY; STALE_TOKEN: another one than the client believes.
        """
        name = request.dataset
        if not self._permit.may_write(name):
            raise self._denied(f"may not write to {name}")
        async with self._receiver.place(self._permit, name):
            dataset = await self._facts.look(name)
            token = dataset.resume_token if dataset else None
            if token is None:
                return
            if token != request.token:
                raise Refused(
                    f"{name}: another receive was interrupted there meanwhile",
                    failure=Failure.STALE_TOKEN,
                    dataset=name,
                )
            self._facts.changed(name)
            await self._host.abort_receive(name)

    @asynccontextmanager
    async def admit(self, offer: Offer) -> AsyncIterator[Admission | Received]:
        """Judge an offer; if it is accepted, its dataset is ours for as long as the block.

        Raises:
            Refused: it is not accepted.
            ZfsError: it could not be judged, or what it needs could not be made.
        """
        if not self._permit.may_write(offer.dataset):
            raise self._denied(f"may not write to {offer.dataset}")
        async with self._receiver.place(self._permit, offer.dataset):
            judgement = await self._judge(offer)
            self._facts.changed(offer.dataset)
            match judgement:
                case Refusal():
                    raise Refused(
                        judgement.message, failure=judgement.failure, dataset=offer.dataset
                    )
                case AlreadyThere():
                    self._owe(offer, judgement.target)
                    yield Received(guid=offer.to.guid, warning="it was there already")
                case Accepted():
                    await self._prepare(offer, judgement)
                    yield Admission(self, offer, judgement)

    async def _judge(self, offer: Offer) -> Judgement:
        # Of a client only by a look of now: were its target gone or renamed since, an incremental
        # stream would go to whatever else has its base, whoever that belongs to.
        known = self._facts.known(offer.dataset) if self._permit.anywhere else None
        if known is not None and not offer.rollback:
            judgement = self._judge_by(offer, known[0])
            if isinstance(judgement, Accepted):
                return judgement
        return self._judge_by(offer, await self._facts.look(offer.dataset))

    def _judge_by(self, offer: Offer, target: Dataset | None) -> Judgement:
        return judge_offer(
            offer,
            target,
            self._permit,
            self._host.capabilities,
            compressions=self._receiver.compressions,
        )

    async def receive(
        self, offer: Offer, accepted: Accepted, fill: Fill, *, meter: Meter, trusted: bool
    ) -> Received | Failed:
        """See `Admission.receive`."""
        async with self._host.receive(accepted.spec) as receiving:
            watch = self._receiver.watch
            try:
                trailer = await take_in(
                    fill,
                    receiving.fileno,
                    compression="none" if trusted else offer.compression,
                    watch=None if trusted or watch is None else watch(offer),
                )
                trouble = _of_sender(offer, trailer)
            except SinkClosed:
                trouble = None  # zfs receive says why
            except BadStream as exc:
                receiving.abort()
                trouble = ZfsError(f"{offer.dataset}: {exc}", failure=Failure.BAD_STREAM)
            except PeerError as exc:
                trouble = ZfsError(f"{offer.dataset}: {exc}", failure=Failure.CUT)
            except ZfsError as exc:
                trouble = exc
            ended = await self._ended(offer, receiving)
            # When the sender's end was the first, zfs receive complains of nothing but that.
            trouble = trouble or ended
        after = await self._facts.look(offer.dataset)
        result = judge_result(offer, accepted.before, after, trouble=trouble, arrived=meter.bytes)
        if isinstance(result, Received) and after is not None:
            self._owe(offer, after)
        return result

    async def settle(self) -> None:
        """Put the holds that are owed, and release the ones before them."""
        for tag, snapshots in self._owed.to_hold():
            with _told("hold"):
                await self._host.hold(tag, snapshots)
        for tag, snapshots in self._owed.to_release():
            with _told("release"):
                await self._host.release(tag, snapshots)
        self._owed.clear()

    async def _ended(self, offer: Offer, receiving: Receiving) -> ZfsError | None:
        try:
            with trio.fail_after(self._receiver.limits.finish):
                await receiving.finish()
        except ZfsError as exc:
            return exc
        except trio.TooSlowError:
            receiving.abort()
            return ZfsError(f"{offer.dataset}: zfs receive does not end", failure=Failure.TIMEOUT)
        return None

    async def _prepare(self, offer: Offer, accepted: Accepted) -> None:
        await self._parents.make(accepted.placeholders)
        if offer.properties and accepted.before is None and not self._permit.anywhere:
            await self._parents.insist(offer.dataset)
        if accepted.release:
            names = [f"{offer.dataset}@{name}" for name in accepted.release]
            await self._host.release(last_tag(offer.replication), names)

    def _owe(self, offer: Offer, after: Dataset) -> None:
        if offer.hold_tag is not None:
            self._owed.add(offer.hold_tag, after)

    def _check_seen(self, name: str) -> None:
        if not self._permit.may_see(name):
            raise self._denied(f"may not see {name}")

    def _denied(self, what: str) -> Refused:
        return Refused(f"{self._permit.client} {what}", failure=Failure.DENIED)


def _of_sender(offer: Offer, trailer: Trailer) -> ZfsError | None:
    if trailer.ok:
        return None
    return ZfsError(f"{offer.dataset}: the sender: {trailer.error}", failure=Failure.CUT)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Report what fails, and let the rest go on: a hold that is missing is put by the next run."""
    try:
        yield
    except ZfsError as exc:
        _log.warning("%s: %s", what, exc)
