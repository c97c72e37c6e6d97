"""Which of the snapshots an order names may be destroyed, as things are now. Pure.

A snapshot is found by its guid, in the dataset the order says it is in, and nowhere else: copies of
it have the same guid. Everything is looked at anew; what the giver believes counts for nothing but
for telling that it was wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .agent_prune import newest_cursors
from .errors import Failure
from .model import Dataset, Snapshot
from .orders import Order, OrderResult, OrderStatus, SnapshotRef

__all__ = ["DestroyPlan", "Skipped", "by_dataset", "destroy_result", "judge_destroy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A snapshot that is left alone.

    Attributes:
        ref: as it was ordered.
        reason: renamed, cloned, held, cursor or failed.
        message: for a person.
        failure: why the order fails for it; None: the order wants such to be left alone.
    """

    ref: SnapshotRef
    reason: str
    message: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyPlan:
    """What an order comes to in one dataset.

    Attributes:
        dataset: its name.
        destroy: what is there and may go, with how it was ordered.
        gone: what is not there.
        skipped: what is left alone.
    """

    dataset: str
    destroy: tuple[tuple[SnapshotRef, Snapshot], ...] = ()
    gone: tuple[SnapshotRef, ...] = ()
    skipped: tuple[Skipped, ...] = field(default=())


def by_dataset(order: Order) -> Mapping[str, Sequence[SnapshotRef]]:
    """The snapshots of an order by the dataset each is to be looked for in; each once."""
    found: dict[str, dict[int, SnapshotRef]] = {}
    for ref in order.snapshots:
        found.setdefault(ref.dataset or order.dataset, {}).setdefault(ref.guid, ref)
    return {dataset: tuple(refs.values()) for dataset, refs in found.items()}


def judge_destroy(
    order: Order, name: str, refs: Iterable[SnapshotRef], dataset: Dataset | None
) -> DestroyPlan:
    """Say what is to be done about the snapshots of one dataset.

    Args:
        order: whose flags count.
        name: of the dataset.
        refs: those that are to go.
        dataset: as it is now; None: it is not there.
    """
    there = {one.guid: one for one in dataset.snapshots} if dataset is not None else {}
    marks = newest_cursors(dataset) if dataset is not None else {}
    needed = {mark.guid: replication for replication, mark in marks.items()}
    destroy: list[tuple[SnapshotRef, Snapshot]] = []
    gone: list[SnapshotRef] = []
    skipped: list[Skipped] = []
    for ref in refs:
        snapshot = there.get(ref.guid)
        if snapshot is None:
            gone.append(ref)
        elif (why := _why_not(order, ref, snapshot, needed)) is not None:
            skipped.append(why)
        else:
            destroy.append((ref, snapshot))
    return DestroyPlan(
        dataset=name, destroy=tuple(destroy), gone=tuple(gone), skipped=tuple(skipped)
    )


def destroy_result(order: Order, plans: Iterable[DestroyPlan]) -> OrderResult:
    """What became of an order, once what was to be destroyed is."""
    plans = list(plans)
    destroyed = [str(ref) for plan in plans for ref, _ in plan.destroy]
    skipped = [one for plan in plans for one in plan.skipped]
    failed = [one for one in skipped if one.failure is not None]
    if failed:
        status = OrderStatus.FAILED
    elif any(one.reason == "renamed" for one in skipped):
        status = OrderStatus.WAS_RENAMED
    else:
        status = OrderStatus.DONE if destroyed else OrderStatus.NOTHING_TO_DO
    return OrderResult(
        uuid=order.uuid,
        is_success=not failed,
        status=status,
        error="; ".join(one.message for one in failed[:5]),
        failure=_of_all([one.failure for one in failed if one.failure is not None]),
        details={
            "Destroyed": destroyed,
            "Gone": [str(ref) for plan in plans for ref in plan.gone],
            "Skipped": [
                {"Snapshot": str(one.ref), "Reason": one.reason, "Message": one.message}
                for one in skipped
            ],
        },
    )


def _of_all(failures: Sequence[Failure]) -> Failure | None:
    """Time heals the whole only if it heals every part."""
    lasting = (one for one in failures if not one.retryable)
    return next(lasting, failures[0]) if failures else None


def _why_not(
    order: Order, ref: SnapshotRef, snapshot: Snapshot, needed: Mapping[int, str]
) -> Skipped | None:
    name = f"{ref.dataset or order.dataset}@{snapshot.name}"
    if order.skip_if_renamed and ref.name not in (None, snapshot.name):
        return Skipped(ref=ref, reason="renamed", message=f"{name} was called {ref.name}")
    if snapshot.clones:
        first = snapshot.clones[0]
        message = f"{name} has clones ({first}), which are never destroyed: promote or destroy them"
        failure = None if order.skip_if_cloned else Failure.HAS_CLONES
        return Skipped(ref=ref, reason="cloned", message=message, failure=failure)
    if snapshot.holds:
        message = f"{name} is held: 'zfs holds {name}' says by whom"
        return Skipped(ref=ref, reason="held", message=message, failure=Failure.HELD)
    if ref.guid in needed:
        message = f"{name} is the newest that {needed[ref.guid]} has in common with its destination"
        return Skipped(ref=ref, reason="cursor", message=message, failure=Failure.HELD)
    return None
