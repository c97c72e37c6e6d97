"""What an order to send snapshots asks for, and what became of it. Pure."""

from collections.abc import Callable
from typing import Any, Final

from .agent_push import Push
from .errors import Failure
from .orders import BadOrder, Order, OrderProgress, OrderResult, OrderStatus
from .plan_types import Conflict, ConflictReason, Step, UpToDate
from .policy_types import Replication, Selection
from .progress import Silent
from .reports import DatasetReport, Outcome, Report, report_json

__all__ = ["OrderReporter", "push_of", "send_result", "source_of"]

_DEFAULT_NAME: Final = "order"
_MOST_TOLD: Final = 5
_TOLD: Final = ("Dataset", "Target", "Outcome", "Bytes", "Newest", "Failure", "Message", "Warnings")


def source_of(order: Order) -> str:
    """The dataset that an order wants to be sent.

    Raises:
        BadOrder: it does not say.
    """
    named = {one.dataset for one in order.snapshots if one.dataset}
    if order.source_dataset:
        named.add(order.source_dataset)
    if len(named) != 1:
        raise BadOrder(f"order {order.uuid}: SourceDataset: one dataset is sent by an order")
    return str(named.pop())


def push_of(order: Order) -> Push:
    """What an order wants to be sent.

    Raises:
        BadOrder: it does not say.
    """
    replication = order.replication or Replication(
        name=order.job or _DEFAULT_NAME,
        to=order.destination,
        target=order.dataset,
        rollback=order.rollback_if_needed,
    )
    selection = Selection(
        roots=(source_of(order),), recursive=order.recursive, exclude=order.exclude
    )
    return Push(
        replication=replication, selection=selection, address=order.address, order=order.uuid
    )


def send_result(order: Order, report: Report) -> OrderResult:
    """What became of an order."""
    document: dict[str, Any] = report_json(report)
    failure, status = _judged(report)
    lines = [f"{one} is not there" for one in report.missing]
    lines += [f"{one.source}: {one.message}" for one in report.troubled]
    return OrderResult(
        uuid=order.uuid,
        is_success=failure is None,
        status=status,
        error="; ".join(lines[:_MOST_TOLD]),
        failure=failure,
        details={
            "Datasets": [{name: one[name] for name in _TOLD} for one in document["Datasets"]],
            "Bytes": report.bytes,
            "Seconds": document["Seconds"],
            "Missing": list(report.missing),
            "Warnings": list(report.warnings),
        },
    )


def _judged(report: Report) -> tuple[Failure | None, OrderStatus]:
    if report.missing:
        return Failure.MISSING, OrderStatus.FAILED
    if not report.ok:
        failed = [one for one in report.troubled if one.outcome is not Outcome.WAITING]
        failures = [_failure(one) for one in failed] or [Failure.OTHER]
        failure = next((one for one in failures if not one.retryable), failures[0])
        newer = bool(failed) and all(_is_newer(one) for one in failed)
        return failure, OrderStatus.MOST_ACTUAL if newer else OrderStatus.FAILED
    if any(one.outcome is Outcome.SENT for one in report.datasets):
        return None, OrderStatus.WAS_WRITTEN
    verdicts = [one.verdict for one in report.datasets]
    if any(isinstance(one, UpToDate) and one.renamed_to for one in verdicts):
        return None, OrderStatus.WAS_RENAMED
    return None, OrderStatus.NOTHING_TO_DO


def _failure(one: DatasetReport) -> Failure:
    return one.failure or (Failure.DIVERGED if isinstance(one.verdict, Conflict) else Failure.OTHER)


def _is_newer(one: DatasetReport) -> bool:
    reason = one.verdict.reason if isinstance(one.verdict, Conflict) else None
    return reason is ConflictReason.RECEIVER_NEWER


class OrderReporter(Silent):
    """Tells who has given an order how far its streams are.

    Args:
        uuid: of the order.
        tell: is told; must not block.
    """

    def __init__(self, uuid: str, tell: Callable[[OrderProgress], None]) -> None:
        self._uuid = uuid
        self._tell = tell
        self._sizes: dict[str, int | None] = {}

    def started(self, dataset: str, step: Step, size: int | None) -> None:
        """See `Reporter`."""
        del step
        self._sizes[dataset] = size
        self.moved(dataset, 0, 0.0)

    def moved(self, dataset: str, sent: int, rate: float) -> None:
        """See `Reporter`."""
        size = self._sizes.get(dataset)
        self._tell(
            OrderProgress(
                uuid=self._uuid,
                phase="sending",
                dataset=dataset,
                done=sent,
                size=size,
                rate=rate,
            )
        )
