"""How far the replication of one dataset is: what has been sent, what failed, what is next.

Pure: it is told what happens, and asked what that means.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .errors import Failure, ZfsError
from .model import Bookmark, Snapshot
from .offers import Received
from .plan_common import meet
from .plan_many import Planned, urgency
from .plan_types import Conflict, Resume, Step, UpToDate
from .replication_shipments import Shipment
from .reports import DatasetReport, Outcome

__all__ = ["Course", "Next"]

_SURPRISES = frozenset(
    (
        Failure.STALE_TOKEN,
        Failure.DIVERGED,
        Failure.MODIFIED,
        Failure.MISSING,
        Failure.EXISTS,
        Failure.BAD_STREAM,
    )
)
"""Failures that may mean no more than that somebody has changed something since we looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What a failure leads to.

    Attributes:
        again: it is looked at anew, and tried again; otherwise it is given up.
        failures: in a row, for the wait before that.
    """

    again: bool
    failures: int


class Course:
    """How far the replication of one dataset is.

    Args:
        planned: what is to be done.
        left: the streams that is done with.
        held: snapshots of the source, by their whole names, with a hold that a run before may have
            left.

    Attributes:
        planned: as it was last planned.
        left: the streams that are to be sent yet.
        held: snapshots of the source, by their whole names, that have a hold of ours, or may.
        surely_held: those of them that are known to have it.
        holds_put: the streams that are left have their holds.
        look: it must be looked at anew before the next stream.
        abort: an interrupted receive must be forgotten before the next stream.
        started: when the first stream began, by any clock; None: not yet.
        ended: when the last one ended, by the same.
        confirmed: the newest snapshot that the target is known to have, as the source has it.
        report: what has become of it so far.
    """

    def __init__(
        self, planned: Planned, left: tuple[Shipment, ...], held: Iterable[str] = ()
    ) -> None:
        self.held = dict.fromkeys(held)
        self.surely_held: set[str] = set()
        self.started: float | None = None
        self.ended: float | None = None
        self.confirmed: Snapshot | Bookmark | None = None
        self._common: Snapshot | Bookmark | None = None
        self.report = DatasetReport(
            source=planned.source.name, target=planned.target_name, outcome=Outcome.FAILED
        )
        self._failures, self._surprised, self._resumed_at = 0, False, -1
        self.replanned(planned, left)

    @property
    def name(self) -> str:
        """Of the target, by which it is known."""
        return self.planned.target_name

    @property
    def urgency(self) -> int:
        """See `plan_many.urgency`, of what is left."""
        if self.look or not self.left:
            return urgency(self.planned)
        step = self.left[0].step
        return min(one.creation for one in (*step.between, step.to))

    @property
    def open(self) -> bool:
        """Whether there is anything to be sent."""
        return bool(self.left) or self.look

    @property
    def settled(self) -> tuple[Outcome, Failure | None, str]:
        """What has become of it, now that there is nothing left to be sent."""
        verdict = self.planned.verdict
        if isinstance(verdict, Conflict):
            return Outcome.CONFLICT, None, verdict.message
        return (Outcome.SENT if self.report.steps else Outcome.UP_TO_DATE), None, ""

    def replanned(self, planned: Planned, left: tuple[Shipment, ...]) -> None:
        """It was looked at, and this is to be done now."""
        self.planned, self.left = planned, deque(left)
        self.look = self.holds_put = False
        verdict = planned.verdict
        self.abort = not isinstance(verdict, Conflict | Resume) and verdict.abort_receive
        self.report = replace(self.report, verdict=verdict)
        if isinstance(verdict, UpToDate):
            self.confirmed = verdict.newest or self.confirmed
        else:  # what both have is there all the same, whoever sent it
            self._common = meet(planned.source, planned.target, bookmarks=True).common
        if isinstance(verdict, Resume) and (verdict.token.received or 0) > self._resumed_at:
            # More has arrived than the last time: the line is bad, and it gets there.
            self._resumed_at = verdict.token.received or 0
            self._failures, self._surprised = 0, False

    def received(self, step: Step, result: Received) -> None:
        """The target has confirmed the first of the streams that are left."""
        self.left.popleft()
        self._failures, self._resumed_at, self._surprised = 0, -1, False
        self.confirmed = step.to
        warnings = (result.warning,) if result.warning else ()
        self.report = replace(
            self.report,
            steps=(*self.report.steps, step),
            bytes=self.report.bytes + result.bytes,
            warnings=(*self.report.warnings, *warnings),
        )

    def failed(self, error: ZfsError, *, most: int) -> Next:
        """The stream did not arrive, or it could not be looked at.

        Args:
            error: why.
            most: failures in a row before it is given up.
        """
        self._failures += 1
        self.look = True
        self.report = replace(self.report, failures=self.report.failures + 1)
        again = error.failure.retryable and self._failures <= most
        if error.failure in _SURPRISES and not self._surprised:
            again = self._surprised = True
        return Next(again=again, failures=self._failures)

    def conclude(
        self, outcome: Outcome, *, failure: Failure | None = None, message: str = ""
    ) -> DatasetReport:
        """Nothing more happens to it.

        Args:
            outcome: in a word.
            failure: why, if it failed.
            message: the same for a person.

        Returns:
            What has become of it.
        """
        seconds = (self.ended or 0.0) - self.started if self.started is not None else 0.0
        self.report = replace(
            self.report,
            outcome=outcome,
            failure=failure,
            message=message,
            seconds=max(0.0, seconds),
            newest=self.confirmed or self._common,
        )
        return self.report
