"""Repairs that lose something: the target goes back to where it left the source."""

from collections.abc import Sequence
from datetime import UTC, datetime

from .model import Dataset, Snapshot
from .plan_types import Conflict, ConflictReason, Incremental
from .repair_actions import DestroySnapshots, Repair, RollBack
from .repair_case import RepairCase, in_the_way, released

__all__ = ["destroy_newer", "roll_back"]


def destroy_newer(case: RepairCase) -> Repair | None:
    """Destroy the snapshots that only the target has."""
    copy, verdict = case.target, case.verdict
    if copy is None or not isinstance(verdict, Conflict):
        return None
    if verdict.reason is ConflictReason.NO_COMMON:
        return _destroy(case, copy, copy.snapshots) if copy.placeholder else None
    return _destroy(case, copy, verdict.would_lose) if verdict.would_lose else None


def roll_back(case: RepairCase) -> Repair | None:
    """Roll the target back to the newest snapshot that both have."""
    copy, verdict = case.target, case.verdict
    if copy is None:
        return None
    if isinstance(verdict, Incremental):
        return _discard(case, copy, verdict)
    if not isinstance(verdict, Conflict) or verdict.common is None:
        return None
    base = copy.snapshot(verdict.common.guid)
    if base is None:
        return None
    lost = verdict.would_lose
    back = RollBack(dataset=copy.name, snapshot=base.name, lost=tuple(one.guid for one in lost))
    return Repair(
        option="--rollback",
        title=f"roll {copy.name} back to @{base.name}, which {case.source.name} has too",
        actions=(*released(case, copy, lost), back),
        loses=(*_named(copy, lost), *_written(copy)),
        obstacles=in_the_way(case, copy, lost),
    )


def _discard(case: RepairCase, copy: Dataset, verdict: Incremental) -> Repair | None:
    """Discard what may have been written to the target, where ZFS does not tell beforehand."""
    base, newest = verdict.steps[0].base, copy.newest
    untold = not case.facts.written_told and copy.written is None and not verdict.rollback
    if not untold or base is None or newest is None or base.guid != newest.guid:
        return None
    return Repair(
        option="--rollback",
        title=f"roll {copy.name} back to @{newest.name}, its newest",
        actions=(RollBack(dataset=copy.name, snapshot=newest.name, lost=()),),
        loses=_written(copy),
        obstacles=in_the_way(case, copy, ()),
    )


def _destroy(case: RepairCase, copy: Dataset, lost: Sequence[Snapshot]) -> Repair:
    left = "what they changed stays in the target, and may need a rollback still"
    return Repair(
        option="--destroy-newer",
        title=f"destroy the snapshots of {copy.name} that {case.source.name} does not have",
        actions=(
            *released(case, copy, lost),
            DestroySnapshots(
                dataset=copy.name,
                names=tuple(one.name for one in lost),
                guids=tuple(one.guid for one in lost),
            ),
        ),
        loses=_named(copy, lost),
        costs=() if copy.placeholder else (left,),
        obstacles=in_the_way(case, copy, lost),
    )


def _named(copy: Dataset, lost: Sequence[Snapshot]) -> tuple[str, ...]:
    return tuple(f"{copy.name}@{one.name}, {_taken(one)}" for one in lost)


def _taken(one: Snapshot) -> str:
    try:
        at = datetime.fromtimestamp(one.creation, UTC)
    except (ValueError, OverflowError, OSError):
        return f"of the second {one.creation}"
    return f"of {at:%Y-%m-%d %H:%M} UTC"


def _written(copy: Dataset) -> tuple[str, ...]:
    newest = copy.newest.name if copy.newest else ""
    if copy.written == 0:
        return ()
    if copy.written is None:
        return (f"what was written to {copy.name} since @{newest}, if anything",)
    return (f"{copy.written} bytes written to {copy.name} since @{newest}",)
