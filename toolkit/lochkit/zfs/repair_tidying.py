"""Repairs of what an interrupted replication has left behind."""

from .model import Snapshot
from .plan_types import Conflict, Incremental, Resume, UpToDate
from .policy_types import Guarantee
from .repair_actions import AbortReceive, MakeBookmark, ReleaseHold, Repair, Side
from .repair_case import RepairCase
from .tags import cursor_name, cursors, step_tag

__all__ = ["abort_receive", "make_cursor", "release_holds"]


def abort_receive(case: RepairCase) -> Repair | None:
    """Forget an interrupted receive that does not go on."""
    copy = case.target
    if copy is None or copy.resume_token is None or isinstance(case.verdict, Resume):
        return None
    if case.facts.active:
        return None
    return Repair(
        option="--abort-receive",
        title=f"forget the interrupted receive of {copy.name}, and begin that stream anew",
        actions=(AbortReceive(dataset=copy.name),),
        loses=(f"what {copy.name} has received of the stream that was interrupted",),
    )


def release_holds(case: RepairCase) -> Repair | None:
    """Release holds of steps that nothing works at any more."""
    if case.facts.active or isinstance(case.verdict, Resume):
        return None
    tag = step_tag(case.replication.name)
    needed = _common(case)
    actions = []
    sides = (
        (Side.SOURCE, case.source, case.facts.source_holds),
        (Side.TARGET, case.target, case.facts.target_holds),
    )
    for side, dataset, holds in sides:
        if dataset is None or not holds:
            continue
        names = tuple(
            one.name
            for one in dataset.snapshots
            if tag in holds.get(one.guid, ()) and (needed is None or one.guid != needed.guid)
        )
        if names:
            actions.append(ReleaseHold(dataset=dataset.name, tag=tag, names=names, side=side))
    if not actions:
        return None
    return Repair(
        option="--release-holds",
        title=f"release the holds {tag} that interrupted steps of {case.source.name} have left",
        actions=tuple(actions),
        costs=("those snapshots can be destroyed by retention again",),
        reversible=True,
    )


def make_cursor(case: RepairCase) -> Repair | None:
    """Make the bookmark that a later replication can begin from, when its snapshot is gone."""
    common = _common(case)
    if common is None or not case.facts.bookmarks or isinstance(case.verdict, Conflict):
        return None
    if case.replication.guarantee is Guarantee.NOTHING or case.facts.active:
        return None
    name = case.replication.name
    if any(one.guid == common.guid for one in cursors(case.source, name)):
        return None
    made = MakeBookmark(
        dataset=case.source.name, snapshot=common.name, name=cursor_name(name, common.guid)
    )
    return Repair(
        option="--make-cursor",
        title=f"bookmark @{common.name}, the newest that both have, so that it can be destroyed",
        actions=(made,),
        reversible=True,
    )


def _common(case: RepairCase) -> Snapshot | None:
    match case.verdict:
        case UpToDate(newest=Snapshot() as newest):
            return newest
        case Incremental(steps=(first, *_)) if isinstance(first.base, Snapshot):
            return first.base
        case Conflict(common=Snapshot() as common):
            return common
    return None
