"""What became of a replication: of each dataset, and of all of them together."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import Failure
from .model import Bookmark, Snapshot
from .plan_types import Conflict, Full, Incremental, Resume, Step, UpToDate, Verdict

__all__ = ["DatasetReport", "Outcome", "Report", "report_json"]


class Outcome(enum.Enum):
    """What became of a dataset; the words are those of reports in JSON."""

    SENT = "sent"  # the target lacks nothing any more
    WOULD_SEND = "would-send"  # it was only to be looked at
    UP_TO_DATE = "up-to-date"
    CONFLICT = "conflict"  # a person must decide
    FAILED = "failed"
    WAITING = "waiting"  # for the dataset above it, which failed

    @property
    def ok(self) -> bool:
        """Whether nobody need do anything about it."""
        return self in (Outcome.SENT, Outcome.WOULD_SEND, Outcome.UP_TO_DATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReport:
    """What became of a dataset.

    Attributes:
        source: its name at the source.
        target: its name at the target.
        outcome: in a word.
        verdict: what was last found to be done; None: it did not come to that.
        steps: streams that the receiver has confirmed.
        bytes: of those streams.
        seconds: from its first stream to its last.
        newest: the newest snapshot that the target is known to have; None: none.
        failure: why, if it failed.
        message: what a person is told about it; empty if all is well.
        warnings: what was odd, though it went well.
        failures: how often a stream failed, and was tried again or given up.
    """

    source: str
    target: str
    outcome: Outcome
    verdict: Verdict | None = None
    steps: tuple[Step, ...] = ()
    bytes: int = 0
    seconds: float = 0.0
    newest: Snapshot | Bookmark | None = None
    failure: Failure | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a replication.

    Attributes:
        replication: its name.
        datasets: parents first, as they were selected.
        started: seconds since 1970.
        seconds: from its start to its end.
        dry_run: nothing was written anywhere.
        missing: roots that the source does not have.
        warnings: what was odd besides.
    """

    replication: str
    datasets: tuple[DatasetReport, ...]
    started: float = 0.0
    seconds: float = 0.0
    dry_run: bool = False
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nobody need do anything about it."""
        return not self.missing and all(one.outcome.ok for one in self.datasets)

    @property
    def bytes(self) -> int:
        """Of all streams that the receiver has confirmed."""
        return sum(one.bytes for one in self.datasets)

    @property
    def troubled(self) -> tuple[DatasetReport, ...]:
        """The datasets that somebody must do something about, or that time must heal."""
        return tuple(one for one in self.datasets if not one.outcome.ok)

    @property
    def retryable(self) -> bool:
        """Whether all that failed may succeed later, as it is."""
        failed = [one for one in self.troubled if one.outcome is not Outcome.WAITING]
        return bool(failed) and all(one.failure and one.failure.retryable for one in failed)

    def of(self, source: str) -> DatasetReport | None:
        """What became of the dataset of that name at the source."""
        return next((one for one in self.datasets if one.source == source), None)


def report_json(report: Report) -> dict[str, object]:
    """A report as a JSON object; guids are decimal texts."""
    return {
        "Replication": report.replication,
        "Ok": report.ok,
        "DryRun": report.dry_run,
        "Started": report.started,
        "Seconds": round(report.seconds, 3),
        "Bytes": report.bytes,
        "Missing": list(report.missing),
        "Warnings": list(report.warnings),
        "Datasets": [_dataset_json(one) for one in report.datasets],
    }


def _dataset_json(one: DatasetReport) -> dict[str, object]:
    return {
        "Dataset": one.source,
        "Target": one.target,
        "Outcome": one.outcome.value,
        "Plan": _verdict_json(one.verdict),
        "Sent": [_step_json(step) for step in one.steps],
        "Bytes": one.bytes,
        "Seconds": round(one.seconds, 3),
        "Newest": one.newest and _snapshot_json(one.newest),
        "Failure": one.failure and one.failure.value,
        "Message": one.message,
        "Warnings": list(one.warnings),
        "Failures": one.failures,
    }


def _verdict_json(verdict: Verdict | None) -> Mapping[str, object] | None:
    match verdict:
        case None:
            return None
        case UpToDate():
            return {"Kind": "up-to-date", "RenamedTo": verdict.renamed_to}
        case Conflict():
            return {
                "Kind": "conflict",
                "Reason": verdict.reason.value,
                "WouldLose": [_snapshot_json(one) for one in verdict.would_lose],
            }
        case Resume():
            return {
                "Kind": "resume",
                "To": _snapshot_json(verdict.to),
                "Steps": [_step_json(step) for step in verdict.steps],
                "Rollback": verdict.rollback,
            }
        case Full():
            steps = [_step_json(step) for step in verdict.steps]
            return {"Kind": "full", "Steps": steps, "Rollback": verdict.rollback}
        case Incremental():
            return {
                "Kind": "incremental",
                "Steps": [_step_json(step) for step in verdict.steps],
                "Rollback": verdict.rollback,
                "WouldLose": [_snapshot_json(one) for one in verdict.would_lose],
            }


def _step_json(step: Step) -> dict[str, object]:
    return {
        "From": step.base and _snapshot_json(step.base),
        "To": _snapshot_json(step.to),
        "Between": len(step.between),
    }


def _snapshot_json(one: Snapshot | Bookmark) -> dict[str, object]:
    mark = "#" if isinstance(one, Bookmark) else "@"
    return {"Name": mark + one.name, "Guid": str(one.guid), "Creation": one.creation}
