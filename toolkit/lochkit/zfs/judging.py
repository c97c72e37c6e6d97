"""Whether a stream that is offered may come: what the client says, against what is there right now.

Pure: the facts are arguments, and so is what the client may do. The receiver looks at the target
right before it judges, and does what was judged, and no more.

Why a stream is never received on the word of ``zfs receive`` alone: an incremental stream for a
name that does not exist is applied to whatever dataset of the pool has its base (libzfs looks for
it, to follow renames), whoever that belongs to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .capabilities import Capabilities
from .errors import Failure
from .host_types import ReceiveSpec
from .judging_target import judge_target
from .model import Dataset, Kind
from .names import parents
from .offers import Offer
from .offers_properties import never_taken, refused_property
from .permits import Permit
from .tags import last_tag

__all__ = ["Accepted", "AlreadyThere", "Judgement", "Refusal", "judge_offer"]

PLACEHOLDER_BYTES: Final = 1024 * 1024
"""What an empty filesystem takes at most; one that has more was written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """It may come, in this way.

    Attributes:
        spec: how it is to be received.
        placeholders: to be there before; outermost first. Those outside of what the client may
            write are not made: they are there, or nothing is received.
        release: snapshots of the target, by name, whose hold of this replication is in the way.
        before: the target as it was judged; None: it is not there.
    """

    spec: ReceiveSpec
    placeholders: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    before: Dataset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyThere:
    """The target has it, as its newest snapshot.

    Attributes:
        target: as it is.
    """

    target: Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """It may not come.

    Attributes:
        failure: why.
        message: the same for a person.
    """

    failure: Failure
    message: str


Judgement: TypeAlias = Accepted | AlreadyThere | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    offer: Offer
    target: Dataset | None
    permit: Permit
    capabilities: Capabilities
    compressions: tuple[str, ...] = field(default=())


def judge_offer(
    offer: Offer,
    target: Dataset | None,
    permit: Permit,
    capabilities: Capabilities,
    *,
    compressions: tuple[str, ...] = (),
) -> Judgement:
    """Judge an offer.

    Args:
        offer: from the client; its names have been checked, see `offers_requests`.
        target: the dataset as it is now; None: it is not there.
        permit: what this client may do.
        capabilities: of this host.
        compressions: what this host can decompress.
    """
    case = _Case(
        offer=offer,
        target=target,
        permit=permit,
        capabilities=capabilities,
        compressions=compressions,
    )
    for judge in (_of_permit, _of_placeholders, _of_abilities, _of_properties):
        if found := judge(case):
            return Refusal(failure=found[0], message=f"{offer.dataset}: {found[1]}")
    if target is not None and target.newest and target.newest.guid == offer.to.guid:
        return AlreadyThere(target=target)
    if found := judge_target(offer, target):
        return Refusal(failure=found[0], message=f"{offer.dataset}: {found[1]}")
    return Accepted(
        spec=_spec(case),
        placeholders=offer.placeholders if target is None else (),
        release=_in_the_way(offer, target),
        before=target,
    )


def _of_permit(case: _Case) -> tuple[Failure, str] | None:
    offer, permit = case.offer, case.permit
    if not permit.may_write(offer.dataset):
        return Failure.DENIED, f"{permit.client} may not write there"
    if offer.rollback and not permit.rollback and not _replaces_placeholder(case):
        return Failure.DENIED, f"{permit.client} may not have anything rolled back"
    if offer.properties and not permit.properties:
        return Failure.DENIED, f"{permit.client} may not send properties"
    if offer.hold_tag is not None and offer.hold_tag != last_tag(offer.replication):
        return Failure.BAD_REQUEST, f"{offer.hold_tag!r} is not the tag of that replication"
    return None


def _replaces_placeholder(case: _Case) -> bool:
    target = case.target
    return (
        case.offer.base is None
        and target is not None
        and target.placeholder
        and not target.snapshots
        and (target.written or 0) <= PLACEHOLDER_BYTES
    )


def _of_placeholders(case: _Case) -> tuple[Failure, str] | None:
    above = parents(case.offer.dataset)[1:]  # the pool is never made
    if tuple(one for one in above if one in case.offer.placeholders) != case.offer.placeholders:
        return Failure.BAD_REQUEST, "the placeholders are not datasets above it, outermost first"
    return None


def _of_abilities(case: _Case) -> tuple[Failure, str] | None:
    offer, able = case.offer, case.capabilities
    if offer.token is not None and not able.resume:
        return Failure.UNSUPPORTED, "the ZFS of the receiver can not resume"
    if offer.raw and not able.raw:
        return Failure.UNSUPPORTED, "the ZFS of the receiver takes no raw streams"
    if (offer.set_properties or offer.exclude_properties) and not able.receive_properties:
        return Failure.UNSUPPORTED, "the ZFS of the receiver can not choose properties"
    if offer.properties and not case.permit.anywhere and not able.receive_properties:
        # It would take the stream's mountpoint as well, and what shares and mounts it.
        return Failure.UNSUPPORTED, "the ZFS of the receiver can not leave out properties"
    if offer.compression not in ("none", *case.compressions):
        return Failure.UNSUPPORTED, f"the receiver has no program {offer.compression}"
    return None


def _of_properties(case: _Case) -> tuple[Failure, str] | None:
    if case.permit.anywhere:
        return None
    for name, value in case.offer.set_properties.items():
        if why := refused_property(name, value):
            return Failure.DENIED, f"property {name}={value[:80]!r}: {why}"
    return None


def _spec(case: _Case) -> ReceiveSpec:
    offer, target = case.offer, case.target
    first = offer.base is None
    able = case.capabilities.receive_properties
    return ReceiveSpec(
        dataset=offer.dataset,
        resumable=offer.resumable and case.capabilities.resume,
        rollback=offer.rollback and target is not None,
        # Once is enough: what is set at the target stays, whatever a later stream brings.
        set_properties=_set_properties(case) if first and able else {},
        exclude_properties=_excluded(case) if able else (),
    )


def _set_properties(case: _Case) -> Mapping[str, str]:
    offer = case.offer
    if offer.properties and offer.kind is Kind.FILESYSTEM and not case.permit.anywhere:
        return {"canmount": "noauto", **offer.set_properties}
    return dict(offer.set_properties)


def _excluded(case: _Case) -> tuple[str, ...]:
    offer = case.offer
    if not offer.properties or case.permit.anywhere:
        # The stream has no properties; that it really has none is looked at when it comes.
        wanted = offer.exclude_properties
    else:
        wanted = (*offer.exclude_properties, *never_taken(offer.kind))
    set_here = offer.set_properties if offer.base is None else {}
    return tuple(dict.fromkeys(name for name in wanted if name not in set_here))


def _in_the_way(offer: Offer, target: Dataset | None) -> tuple[str, ...]:
    if target is None or not offer.rollback:
        return ()
    lost = frozenset(offer.would_lose)
    return tuple(one.name for one in target.snapshots if one.guid in lost and one.holds)


_Judge: TypeAlias = Callable[[_Case], tuple[Failure, str] | None]
