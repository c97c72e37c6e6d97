"""The replication planner: two inventories of a dataset and its copy in, one verdict out.

What the verdicts mean is said in `plan_types`. No plan destroys a snapshot of the target unless the
policy allows rollback, and then it names each one. A full stream goes only to a target without
snapshots.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass

from . import conflicts
from .capabilities import Capabilities
from .errors import BadPolicy
from .model import Bookmark, Dataset, Snapshot
from .plan_common import Meeting, meet, pending
from .plan_encryption import encryption_fault, sends_raw
from .plan_steps import full_steps, incremental_steps
from .plan_token import judge_token
from .plan_types import (
    PLACEHOLDER_BYTES,
    Conflict,
    Full,
    Incremental,
    Resume,
    ResumeToken,
    Step,
    UpToDate,
    Verdict,
)
from .policy_types import Replication, StaleToken

__all__ = ["plan_replication", "sends_raw", "wanted_names"]


def plan_replication(
    source: Dataset,
    target: Dataset | None,
    *,
    replication: Replication,
    source_caps: Capabilities,
    target_caps: Capabilities,
    token: ResumeToken | None = None,
    releasable: Container[int] = frozenset(),
) -> Verdict:
    """Decide what is to be sent.

    Args:
        source: the original.
        target: its copy; None: it is not there.
        replication: what is wanted.
        source_caps: of the source.
        target_caps: of the target.
        token: what the token of the target's interrupted receive says, as the source reads it;
            None although there is one: the source can not read it.
        releasable: guids of snapshots of the target that are held by lochkit alone, for this very
            replication: the receiver releases them before a rollback, which they do not prevent.

    Raises:
        BadPolicy: the filter of snapshots is not a regular expression.
    """
    if target is not None and target.kind is not source.kind:
        return conflicts.other_kind(source, target)
    meeting = meet(source, target, bookmarks=source_caps.bookmarks)
    case = _Case(
        source=source,
        target=target,
        replication=replication,
        source_caps=source_caps,
        target_caps=target_caps,
        meeting=meeting,
        wanted=wanted_names(replication),
        releasable=releasable,
    )
    return _plan(case, token)


def wanted_names(replication: Replication) -> Callable[[str], bool]:
    """Return what tells by the name of a snapshot whether it is to be replicated.

    Raises:
        BadPolicy: the filter of snapshots is not a regular expression.
    """
    if replication.snapshots is None:
        return _every
    try:
        pattern = re.compile(replication.snapshots)
    except re.error as error:
        raise BadPolicy(
            f"replication {replication.name}: snapshots = {replication.snapshots!r} is not a"
            f" regular expression: {error}"
        ) from None
    return lambda name: pattern.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    source: Dataset
    target: Dataset | None
    replication: Replication
    source_caps: Capabilities
    target_caps: Capabilities
    meeting: Meeting
    wanted: Callable[[str], bool]
    releasable: Container[int]

    @property
    def raw(self) -> bool:
        return sends_raw(self.source, self.replication)

    def fault(self, *, receiving: bool = False) -> Conflict | None:
        why = encryption_fault(
            self.source,
            self.target,
            self.replication,
            source_caps=self.source_caps,
            target_caps=self.target_caps,
            receiving=receiving,
        )
        if not why:
            return None
        return conflicts.encryption(self.source, self.target, why, self.meeting)

    def taken(self, arriving: tuple[Snapshot, ...], going: tuple[Snapshot, ...]) -> Conflict | None:
        if self.target is None:
            return None
        names = {one.name for one in arriving}
        gone = {one.guid for one in going}
        there = [o for o in self.target.snapshots if o.name in names and o.guid not in gone]
        if not there:
            return None
        return conflicts.names_taken(self.source, self.target, self.meeting, there)


def _plan(case: _Case, token: ResumeToken | None) -> Verdict:
    source, target = case.source, case.target
    if target is None:
        return _full(case, None, interrupted=False)
    if target.snapshots and case.meeting.common is None:
        return conflicts.no_common(source, target)
    interrupted = token is not None or target.resume_token is not None
    if not interrupted:
        return _without_token(case, target, interrupted=False)
    judged = judge_token(
        source,
        target,
        token,
        wanted=case.wanted,
        raw=case.raw,
        resume=case.replication.resume,
        source_caps=case.source_caps,
        target_caps=case.target_caps,
    )
    if isinstance(judged, Snapshot) and token is not None:
        return _resume(case, target, token, judged)
    waiting = pending(source, case.meeting.common, case.wanted)
    if waiting and case.replication.stale_token is StaleToken.KEEP:
        return conflicts.stale_token(source, target, str(judged), case.meeting)
    return _without_token(case, target, interrupted=True)


def _without_token(case: _Case, target: Dataset, *, interrupted: bool) -> Verdict:
    common = case.meeting.common
    if common is None:  # and the target has no snapshots
        return _full(case, target, interrupted=interrupted)
    return _incremental(case, target, common, interrupted=interrupted)


def _full(case: _Case, target: Dataset | None, *, interrupted: bool) -> Verdict:
    replication = case.replication
    abort = interrupted and replication.stale_token is StaleToken.ABORT
    steps = full_steps(
        case.source,
        case.wanted,
        intermediates=replication.intermediates,
        initial_all=replication.initial_all,
    )
    if not steps:
        return UpToDate(abort_receive=abort)
    # The beginning of a full stream is a dataset of its own, and goes with the interrupted receive.
    beginning = target is not None and interrupted and not target.placeholder
    fault = case.fault(receiving=beginning)
    if fault is not None:
        return fault
    if target is None or beginning:
        return Full(steps=steps, raw=case.raw, abort_receive=abort)
    unused = target.placeholder and (target.written or 0) <= PLACEHOLDER_BYTES
    if not (unused or replication.rollback):
        return conflicts.not_empty(case.source, target)
    return Full(steps=steps, raw=case.raw, rollback=True, abort_receive=abort)


def _incremental(
    case: _Case, target: Dataset, common: Snapshot | Bookmark, *, interrupted: bool
) -> Verdict:
    replication, source, meeting = case.replication, case.source, case.meeting
    beyond = meeting.beyond
    abort = interrupted and replication.stale_token is StaleToken.ABORT
    steps = incremental_steps(source, common, case.wanted, intermediates=replication.intermediates)
    if not steps and not beyond:
        there = meeting.at_target
        other = there.name if there is not None and there.name != common.name else None
        return UpToDate(newest=common, renamed_to=other, abort_receive=abort)
    held = tuple(
        o for o in conflicts.immovable(beyond) if o.clones or o.guid not in case.releasable
    )
    if beyond and (not steps or not replication.rollback or held):
        return conflicts.beyond_common(
            source, target, meeting, _arriving(steps), rollback=replication.rollback, held=held
        )
    if target.written and not replication.rollback:
        return conflicts.modified(source, target, meeting)
    fault = case.fault() or case.taken(_arriving(steps), beyond)
    if fault is not None:
        return fault
    rollback = replication.rollback and (bool(beyond) or target.written != 0)
    return Incremental(
        steps=steps,
        raw=case.raw,
        rollback=rollback,
        would_lose=beyond,
        written=target.written if rollback else 0,
        abort_receive=abort,
    )


def _resume(case: _Case, target: Dataset, token: ResumeToken, to: Snapshot) -> Verdict:
    replication = case.replication
    steps = incremental_steps(case.source, to, case.wanted, intermediates=replication.intermediates)
    written = target.written if token.from_guid is not None else 0
    if written and not replication.rollback:
        return conflicts.modified(case.source, target, case.meeting)
    fault = case.fault(receiving=token.from_guid is None)
    fault = fault or case.taken((to, *_arriving(steps)), ())
    if fault is not None:
        return fault
    rollback = replication.rollback and written != 0
    return Resume(
        token=token,
        to=to,
        steps=steps,
        raw=case.raw,
        rollback=rollback,
        written=written if rollback else 0,
    )


def _arriving(steps: tuple[Step, ...]) -> tuple[Snapshot, ...]:
    return tuple(one for step in steps for one in (*step.between, step.to))


def _every(_name: str) -> bool:
    return True
