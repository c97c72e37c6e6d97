"""Planning the replication of all datasets of a job: parents first, each to its place."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from . import conflicts
from .capabilities import Capabilities
from .errors import BadName
from .mapping import check_mapping, target_name
from .model import Dataset, Inventory, Snapshot
from .names import parents
from .plan import plan_replication, sends_raw
from .plan_renamed import Strays, find_renamed
from .plan_types import (
    SOURCE_GUID,
    Conflict,
    ConflictReason,
    Full,
    Incremental,
    Resume,
    ResumeToken,
    UpToDate,
    Verdict,
)
from .policy_types import Replication, Selection
from .selecting import select

__all__ = ["Planned", "arriving", "find_renamed", "plan_many", "urgency"]

# Where a copy is missing, or has nothing in common, it may be under another name.
_MAY_BE_ELSEWHERE = frozenset(
    (ConflictReason.NO_COMMON, ConflictReason.RECREATED, ConflictReason.TARGET_NOT_EMPTY)
)
_NEVER = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is to be done about one dataset.

    Attributes:
        source: the original.
        target_name: the place of its copy.
        target: the copy; None: it is not there.
        verdict: what is to be done.
        placeholders: datasets above the copy, outermost first, that must be there before it and
            are not known to be: those that are missing are made as placeholders. Never the pool.
        after: the place of the copy above this one that the same plan brings; what is planned here
            can not begin before.
    """

    source: Dataset
    target_name: str
    target: Dataset | None
    verdict: Verdict
    placeholders: tuple[str, ...] = ()
    after: str | None = None


def plan_many(
    selection: Selection,
    source: Inventory,
    target: Inventory,
    *,
    replication: Replication,
    source_caps: Capabilities,
    target_caps: Capabilities,
    tokens: Mapping[str, ResumeToken] | None = None,
    releasable: Container[int] = frozenset(),
) -> tuple[Planned, ...]:
    """Decide what is to be sent of the selected datasets, parents first.

    Args:
        selection: which datasets.
        source: what the source has; at least all that is selected.
        target: what the target has; at least ``replication.target`` and all below it.
        replication: what is wanted.
        source_caps: of the source.
        target_caps: of the target.
        tokens: by the name of a dataset of the target, what the token of its interrupted receive
            says; see `plan_replication` for those that the source can not read.
        releasable: see `plan_replication`.

    Raises:
        BadPolicy: a filter is no regular expression; or the target is on the same host, and the
            datasets would be copied onto or into themselves.
    """
    if replication.to == "local":
        check_mapping(selection, replication.target)
    strays = Strays(selection, source, target, replication.target)

    def plan_one(dataset: Dataset) -> _Placed:
        try:
            name = target_name(dataset.name, selection, replication.target)
        except BadName as error:
            fault = conflicts.bad_name(dataset, str(error))
            return _Placed(dataset, f"{replication.target}/{dataset.name}", None, fault)
        there = target.get(name)
        verdict = plan_replication(
            dataset,
            _without_inherited_mark(there, target),
            replication=replication,
            source_caps=source_caps,
            target_caps=target_caps,
            token=(tokens or {}).get(name),
            releasable=releasable,
        )
        stray = strays.copy_of(dataset) if _may_be_elsewhere(verdict) else None
        if stray is not None:
            verdict = conflicts.renamed(dataset, there, name, stray)
        return _Placed(dataset, name, there, verdict)

    placed = (plan_one(dataset) for dataset in select(selection, source))
    return tuple(_in_order(placed, target, replication))


def arriving(verdict: Verdict) -> tuple[Snapshot, ...]:
    """The snapshots that a plan brings, oldest first; of what goes on, the one it ends with."""
    if not isinstance(verdict, Full | Incremental | Resume):
        return ()
    first = (verdict.to,) if isinstance(verdict, Resume) else ()
    return first + tuple(one for step in verdict.steps for one in (*step.between, step.to))


def urgency(planned: Planned) -> int:
    """A key to sort by: what has waited longest first, by the clocks of the sources."""
    return min((one.creation for one in arriving(planned.verdict)), default=_NEVER)


def _without_inherited_mark(copy: Dataset | None, target: Inventory) -> Dataset | None:
    """A copy, without a mark of its source that is that of the dataset above: no two have the same.

    ZFS lets datasets inherit such properties.
    """
    if copy is None or SOURCE_GUID not in copy.properties:
        return copy
    above = next(
        (target.datasets[one] for one in reversed(parents(copy.name)) if one in target.datasets),
        None,
    )
    if above is None or above.properties.get(SOURCE_GUID) != copy.properties[SOURCE_GUID]:
        return copy
    own = {name: value for name, value in copy.properties.items() if name != SOURCE_GUID}
    return replace(copy, properties=own)


def _may_be_elsewhere(verdict: Verdict) -> bool:
    if isinstance(verdict, Conflict):
        return verdict.reason in _MAY_BE_ELSEWHERE
    return isinstance(verdict, Full)


class _Placed(NamedTuple):
    source: Dataset
    name: str
    target: Dataset | None
    verdict: Verdict


def _in_order(
    placed: Iterable[_Placed], target: Inventory, replication: Replication
) -> Iterator[Planned]:
    """Make datasets wait for those above them."""
    brought: set[str] = set()
    blocked: dict[str, str] = {}
    for dataset, name, there, alone in placed:
        above = parents(name)
        verdict = alone
        if there is None or _is_a_beginning(there):
            verdict = _below(dataset, name, alone, blocked)
            why = _blocks(dataset, verdict, replication)
            if why:
                blocked[name] = why
        after = None
        placeholders: tuple[str, ...] = ()
        if isinstance(verdict, Full):
            after = next((one for one in reversed(above) if one in brought), None)
            missing = (one for one in above[1:] if one not in target.datasets)
            placeholders = tuple(one for one in missing if one not in brought)
        if isinstance(verdict, Full) or (
            isinstance(verdict, Resume) and verdict.token.from_guid is None
        ):
            brought.add(name)
        yield Planned(
            source=dataset,
            target_name=name,
            target=there,
            verdict=verdict,
            placeholders=placeholders,
            after=after,
        )


def _is_a_beginning(copy: Dataset) -> bool:
    """Whether a dataset is but a part of its first stream: nothing can be received below it yet."""
    return not copy.snapshots and copy.resume_token is not None and not copy.placeholder


def _below(dataset: Dataset, name: str, verdict: Verdict, blocked: Mapping[str, str]) -> Verdict:
    block = next((one for one in reversed(parents(name)) if one in blocked), None)
    if block is None or isinstance(verdict, UpToDate):
        return verdict
    return conflicts.below_conflict(dataset, name, block, blocked[block])


def _blocks(dataset: Dataset, verdict: Verdict, replication: Replication) -> str:
    """Why nothing can be received below a dataset that is not at the target; empty: it can."""
    if isinstance(verdict, Conflict):
        return f"{dataset.name} is in conflict ({verdict.reason.value})"
    if isinstance(verdict, UpToDate) and sends_raw(dataset, replication):
        return (
            f"{dataset.name} is encrypted and has no snapshot to be sent yet, and no placeholder"
            " could take its place"
        )
    return ""
