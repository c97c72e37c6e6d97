"""What an order to take snapshots comes to, as things are now. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from .agent_due import is_written
from .model import Dataset
from .orders import Order, OrderResult, OrderStatus

__all__ = ["TakePlan", "judge_take", "take_result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePlan:
    """Datasets, by name.

    Attributes:
        take: of which a snapshot is taken.
        there: which have one of that name already.
        unwritten: to which nothing was written.
    """

    take: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()


def judge_take(order: Order, datasets: Iterable[Dataset]) -> TakePlan:
    """Say of which datasets the snapshot is taken.

    A snapshot of that name that is there already is the one that is wanted: the order was given
    before, and nobody heard how it went.
    """
    stem = order.written_since or order.snapshot_name.partition("_")[0]
    take: list[str] = []
    there: list[str] = []
    unwritten: list[str] = []
    for dataset in datasets:
        if any(one.name == order.snapshot_name for one in dataset.snapshots):
            there.append(dataset.name)
        elif order.skip_if_not_written and not is_written(
            dataset, lambda name: name == stem or name.startswith(stem + "_")
        ):
            unwritten.append(dataset.name)
        else:
            take.append(dataset.name)
    return TakePlan(take=tuple(take), there=tuple(there), unwritten=tuple(unwritten))


def take_result(order: Order, plan: TakePlan) -> OrderResult:
    """What became of an order, once what was to be taken is."""
    return OrderResult(
        uuid=order.uuid,
        is_success=True,
        status=OrderStatus.DONE if plan.take else OrderStatus.NOTHING_TO_DO,
        details={
            "Taken": [f"{name}@{order.snapshot_name}" for name in plan.take],
            "There": [f"{name}@{order.snapshot_name}" for name in plan.there],
            "Unwritten": list(plan.unwritten),
        },
    )
