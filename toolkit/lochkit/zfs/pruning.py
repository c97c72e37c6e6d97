"""Which snapshots of a dataset are destroyed, and why the others are not.

Never destroyed, whatever the policy says: snapshots that are not the job's own by name, that are
held, that a clone was made from, that somebody else protects (the newest common one of a
destination, what is being sent), that are from the future, and the newest of the job's own. The
newest stays since it is the base of the next incremental stream, since grids hang on it, and since
a clock that jumps ahead, or a schedule that stood still for a year, must not empty a dataset.

Snapshots from the future are not judged and count for no rule: a clock that was wrong for an hour
would otherwise push everything else out of ``last 10``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from .keep_phrases import Phrase
from .keep_rules import KeepPolicy, KeepRule, NotReplicated
from .model import Dataset, Snapshot
from .naming import NameTemplate
from .zones import zone_of

__all__ = ["Kept", "Pruning", "plan_pruning"]

_NOTHING: Final[Mapping[int, str]] = MappingProxyType({})
_NOWHERE: Final[Mapping[str, int | None]] = MappingProxyType({})

FOREIGN: Final = "not this job's own"
NEWEST: Final = "the newest"
FUTURE: Final = "from the future"
DEFERRED: Final = "marked to vanish already"


class Kept(NamedTuple):
    """A snapshot that is not destroyed.

    Attributes:
        snapshot: itself.
        reasons: for a person: the rules that keep it, as they are written, and what else does.
    """

    snapshot: Snapshot
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What a policy makes of the snapshots of a dataset.

    Attributes:
        dataset: its name.
        destroy: oldest first.
        keep: all the others, oldest first.
    """

    dataset: str
    destroy: tuple[Snapshot, ...] = ()
    keep: tuple[Kept, ...] = ()


def plan_pruning(
    dataset: Dataset,
    policy: KeepPolicy,
    *,
    template: NameTemplate,
    now: int,
    protected: Mapping[int, str] = _NOTHING,
    replicated: Mapping[str, int | None] = _NOWHERE,
) -> Pruning:
    """Say which snapshots of a dataset are destroyed now.

    Pruning what is left, at the same instant, destroys nothing more.

    Args:
        dataset: with its snapshots, in any order.
        policy: what is kept.
        template: whose snapshots are judged.
        now: seconds since 1970.
        protected: reasons by guid, for a person, of snapshots that others need.
        replicated: for ``not replicated``: by replication, the createtxg of the newest snapshot
            here that its destination has confirmed; None: none yet.
    """
    reasons = _untouchable(dataset.snapshots, template, now, protected)
    own = [one for one in dataset.snapshots if not _unjudged(reasons.get(one.guid, ()))]
    own.sort(key=lambda one: (one.createtxg, one.creation, one.guid))
    if own:
        reasons.setdefault(own[-1].guid, []).append(NEWEST)
    for rule in policy.rules:
        text = rule.text
        for one in _kept(rule, policy.zone, own, now, replicated):
            reasons.setdefault(one.guid, []).append(text)
    order = sorted(dataset.snapshots, key=lambda one: (one.createtxg, one.creation, one.guid))
    return Pruning(
        dataset=dataset.name,
        destroy=tuple(one for one in order if one.guid not in reasons),
        keep=tuple(Kept(one, tuple(reasons[one.guid])) for one in order if one.guid in reasons),
    )


def _untouchable(
    snapshots: Iterable[Snapshot], template: NameTemplate, now: int, protected: Mapping[int, str]
) -> dict[int, list[str]]:
    """What no policy may destroy, with the reasons, by guid."""
    found: dict[int, list[str]] = {}
    for one in snapshots:
        reasons = []
        if not template.owns(one.name):
            reasons.append(FOREIGN)
        if one.deferred:
            reasons.append(DEFERRED)
        if one.creation > now:
            reasons.append(FUTURE)
        if one.holds:
            reasons.append("held" if one.holds == 1 else f"held {one.holds} times")
        if one.clones:
            reasons.append(f"clones were made of it: {', '.join(one.clones[:3])}")
        if one.guid in protected:
            reasons.append(protected[one.guid])
        if reasons:
            found[one.guid] = reasons
    return found


def _unjudged(reasons: Sequence[str]) -> bool:
    """Whether the rules do not look at it, so that it takes no place from another."""
    return any(reason in (FOREIGN, FUTURE, DEFERRED) for reason in reasons)


def _kept(
    rule: KeepRule,
    zone: str,
    own: Sequence[Snapshot],
    now: int,
    replicated: Mapping[str, int | None],
) -> Iterable[Snapshot]:
    if isinstance(rule, Phrase):
        return rule.keeps(own, now, zone_of(zone))
    if isinstance(rule, NotReplicated):
        return rule.keeps(own, replicated)
    return rule.keeps(own)
