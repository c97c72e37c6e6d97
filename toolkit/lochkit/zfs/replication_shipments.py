"""The streams that a plan is carried out with: each as an offer, and as a command that makes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from .capabilities import Capabilities
from .host_types import SendSpec
from .model import Bookmark, Snapshot
from .offers import BETWEEN_MOST, Base, Greeting, Offer, SnapshotId
from .plan_many import Planned
from .plan_types import SOURCE_GUID, Full, Incremental, Resume, ResumeToken, Step
from .policy_types import Guarantee, Replication
from .tags import last_tag

__all__ = ["Shipment", "Shipper", "expected_size"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One stream.

    Attributes:
        step: what it brings.
        offer: how it is offered.
        spec: how it is made.
    """

    step: Step
    offer: Offer
    spec: SendSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipper:
    """What is the same for all streams of a replication.

    Attributes:
        replication: what is wanted.
        source: what the source can do.
        target: what the target can do, and lets us do.
        compression: on the wire: none, or what both ends have.
        order: the order it belongs to.
    """

    replication: Replication
    source: Capabilities
    target: Greeting
    compression: str = "none"
    order: str = ""

    def shipments(self, planned: Planned) -> tuple[Shipment, ...]:
        """The streams of a plan, in the order they are to be sent; none if nothing is."""
        match planned.verdict:
            case Full() | Incremental() as verdict:
                first = [
                    self._shipment(planned, step, raw=verdict.raw, first=index == 0)
                    for index, step in enumerate(verdict.steps)
                ]
                return tuple(first)
            case Resume() as verdict:
                later = (
                    self._shipment(planned, step, raw=verdict.raw, first=False)
                    for step in verdict.steps
                )
                return (self._resumed(planned, verdict), *later)
            case _:
                return ()

    def _shipment(self, planned: Planned, step: Step, *, raw: bool, first: bool) -> Shipment:
        verdict = planned.verdict
        rollback = first and isinstance(verdict, Full | Incremental) and verdict.rollback
        lost = verdict.would_lose if isinstance(verdict, Incremental) and rollback else ()
        wish = self.replication
        spec = SendSpec(
            dataset=planned.source.name,
            to=step.to,
            base=step.base,
            intermediates=step.intermediates,
            raw=raw,
            properties=wish.send_properties,
            large_blocks=self._may("large_blocks", wish.large_blocks),
            compressed=self._may("compressed", wish.compressed),
            embedded=self._may("embedded", wish.embedded),
        )
        offer = self._offer(
            planned,
            step,
            raw=raw,
            rollback=rollback,
            would_lose=tuple(one.guid for one in lost),
            properties=wish.send_properties,
            placeholders=planned.placeholders if first else (),
        )
        return Shipment(step=step, offer=offer, spec=spec)

    def _resumed(self, planned: Planned, verdict: Resume) -> Shipment:
        token = verdict.token
        step = Step(to=verdict.to, base=_token_base(planned, token))
        spec = SendSpec(dataset=planned.source.name, token=token.token)
        offer = self._offer(planned, step, raw=token.raw, rollback=verdict.rollback, token=token)
        return Shipment(step=step, offer=offer, spec=spec)

    def _offer(
        self,
        planned: Planned,
        step: Step,
        *,
        raw: bool,
        rollback: bool,
        would_lose: tuple[int, ...] = (),
        properties: bool = False,
        placeholders: tuple[str, ...] = (),
        token: ResumeToken | None = None,
    ) -> Offer:
        wish, able = self.replication, self.target.capabilities
        full = token.from_guid is None if token else step.base is None
        keeps = wish.guarantee is not Guarantee.NOTHING
        return Offer(
            replication=wish.name,
            dataset=planned.target_name,
            kind=planned.source.kind,
            order=self.order,
            source=planned.source.name,
            to=SnapshotId(guid=step.to.guid, name=step.to.name),
            base=None if full else _base(step, token),
            token=token.token if token else None,
            between=tuple(one.guid for one in step.between[:BETWEEN_MOST]),
            raw=raw,
            properties=properties,
            size=expected_size(step),
            compression=self.compression,
            set_properties=self._set(planned) if full and able.receive_properties else {},
            exclude_properties=wish.exclude_properties if able.receive_properties else (),
            resumable=wish.resume and able.resume and self.source.resume,
            rollback=rollback,
            would_lose=would_lose,
            placeholders=placeholders,
            hold_tag=last_tag(wish.name) if keeps else None,
        )

    def _set(self, planned: Planned) -> Mapping[str, str]:
        # By this a source that was made anew is told from one whose snapshots were pruned.
        return {**self.replication.set_properties, SOURCE_GUID: str(planned.source.guid)}

    def _may(self, what: str, wish: bool | None) -> bool:
        if wish is not None:
            return wish
        return bool(getattr(self.source, what) and getattr(self.target.capabilities, what))


def expected_size(step: Step) -> int | None:
    """Bytes that a stream will have, about, by what was written between the snapshots.

    None where that is not known, and for full streams.
    """
    if step.base is None:
        return None
    written = [one.written for one in (*step.between, step.to)]
    known = [one for one in written if one is not None]
    return sum(known) if len(known) == len(written) else None


def _token_base(planned: Planned, token: ResumeToken) -> Snapshot | Bookmark | None:
    if token.from_guid is None:
        return None
    found = planned.source.snapshot(token.from_guid)
    return found or next(
        (one for one in planned.source.bookmarks if one.guid == token.from_guid), None
    )


def _base(step: Step, token: ResumeToken | None) -> Base:
    base = step.base
    if base is None:  # of an interrupted stream, and the source has forgotten it since
        assert token is not None
        assert token.from_guid is not None
        return Base(guid=token.from_guid, name="unknown")
    return Base(guid=base.guid, name=base.name, bookmark=isinstance(base, Bookmark))
