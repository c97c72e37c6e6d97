"""Whether a stream fits what is at the target right now, and what would be lost by it."""

from .errors import Failure
from .model import Dataset
from .offers import Base, Offer

__all__ = ["Found", "judge_target"]

Found = tuple[Failure, str]
"""Why not, and the same for a person."""


def judge_target(offer: Offer, target: Dataset | None) -> Found | None:
    """Judge whether a stream fits; None: it does.

    Args:
        offer: what is offered; the client may do it, as far as it is up to the client.
        target: the dataset as it is now; None: it is not there.
    """
    if target is None:
        return _absent(offer)
    if target.kind is not offer.kind:
        return Failure.EXISTS, f"it is a {target.kind.value}, and the source a {offer.kind.value}"
    return _token(offer, target) or (
        _full(offer, target) if offer.base is None else _incremental(offer, target, offer.base)
    )


def _absent(offer: Offer) -> Found | None:
    if offer.token is not None:
        return Failure.STALE_TOKEN, "it is not there, so nothing of it can go on"
    if offer.base is not None:
        return Failure.MISSING, "it is not there, so it has nothing to build upon"
    if offer.would_lose:
        return Failure.BAD_REQUEST, "it is not there, so nothing of it can be lost"
    return None


def _token(offer: Offer, target: Dataset) -> Found | None:
    if target.resume_token == offer.token:
        return None
    if offer.token is None:
        return (
            Failure.STALE_TOKEN,
            "an interrupted receive is there; it must go on or be forgotten first",
        )
    return Failure.STALE_TOKEN, "what is to go on is not what was interrupted there"


def _full(offer: Offer, target: Dataset) -> Found | None:
    if target.snapshots:
        return Failure.EXISTS, f"it has snapshots, {_shown(target)}, and the stream is a full one"
    if offer.would_lose:
        return Failure.DIVERGED, "it has no snapshots; others were to be lost"
    if offer.token is None and not offer.rollback:
        return Failure.EXISTS, "it is there already, and is to stay as it is"
    return None


def _incremental(offer: Offer, target: Dataset, base: Base) -> Found | None:
    position = next(
        (index for index, one in enumerate(target.snapshots) if one.guid == base.guid), None
    )
    if position is None:
        what = _shown(target) if target.snapshots else "none"
        return (
            Failure.DIVERGED,
            f"none of its snapshots is {base.name} (guid {base.guid}); it has {what}",
        )
    newer = frozenset(one.guid for one in target.snapshots[position + 1 :])
    if newer == frozenset(offer.would_lose) and (offer.rollback or not newer):
        return None
    if not offer.rollback:
        return (
            Failure.DIVERGED,
            f"it has {len(newer)} snapshots newer than {base.name}: {_shown(target)}",
        )
    return (
        Failure.DIVERGED,
        f"a rollback would destroy {len(newer)} snapshots, and the client knows of"
        f" {len(offer.would_lose)} of them; look again: {_shown(target)}",
    )


def _shown(target: Dataset) -> str:
    names = [one.name for one in target.snapshots]
    return ", ".join(names if len(names) <= 3 else [names[0], "...", *names[-2:]])
