"""Repairs that lose nothing: something at the target gets another name."""

from .errors import BadName
from .mapping import aside_name
from .model import Dataset
from .names import is_within, parents
from .plan_types import Conflict
from .repair_actions import MakePlaceholder, RenameDataset, RenameSnapshot, Repair, RepairAction
from .repair_case import RepairCase

__all__ = ["follow_rename", "put_aside", "rename_snapshots"]


def put_aside(case: RepairCase) -> Repair | None:
    """Rename the copy, so that a new one can be received in its place."""
    copy = case.target
    if isinstance(case.verdict, Conflict) and case.verdict.elsewhere is not None:
        return _put_aside(case, case.verdict.elsewhere)
    return _put_aside(case, copy.name) if copy is not None else None


def follow_rename(case: RepairCase) -> Repair | None:
    """Rename the copy to where it belongs by now."""
    if not isinstance(case.verdict, Conflict) or case.verdict.elsewhere is None:
        return None
    old, new = case.verdict.elsewhere, case.target_name
    actions: list[RepairAction] = []
    obstacles: list[str] = []
    costs: list[str] = []
    if is_within(new, old):
        obstacles.append(f"{new} is below {old}: rename {old} to a name outside of it first")
    elif case.target is not None:
        actions, obstacles = _move_away(case, case.target)
        costs.append(f"what is at {new} now is kept under another name")
    else:
        missing = [one for one in parents(new)[1:] if case.taken and one not in case.taken]
        actions += [MakePlaceholder(dataset=one) for one in missing]
    if not obstacles:
        actions.append(RenameDataset(dataset=old, name=new))
    return Repair(
        option="--follow-rename",
        title=f"rename {old}, the copy of {case.source.name}, to {new}",
        actions=tuple(actions),
        costs=(*costs, *_moving_along(case, old)),
        reversible=True,
        obstacles=tuple(obstacles),
    )


def rename_snapshots(case: RepairCase) -> Repair | None:
    """Rename snapshots of the target that have the names of others to be sent."""
    copy = case.target
    if copy is None or not isinstance(case.verdict, Conflict) or not case.verdict.taken:
        return None
    actions = tuple(
        RenameSnapshot(dataset=copy.name, snapshot=one.name, name=_other_name(one.name, one.guid))
        for one in case.verdict.taken
    )
    return Repair(
        option="--rename-snapshots",
        title=f"rename the snapshots of {copy.name} whose names others are to have",
        actions=actions,
        costs=("whoever looks for them by their old names does not find them, retention included",),
        reversible=True,
    )


def _put_aside(case: RepairCase, name: str) -> Repair:
    actions, obstacles = _move_away(case, name)
    return Repair(
        option="--aside",
        title=f"rename {name} out of the way, keep it, and begin anew with a full stream",
        actions=tuple(actions),
        costs=(
            f"all of {case.source.name} is sent again, and the target needs the space twice until"
            " what was put aside is destroyed",
            *_moving_along(case, name),
        ),
        reversible=True,
        obstacles=tuple(obstacles),
    )


def _move_away(case: RepairCase, copy: Dataset | str) -> tuple[list[RepairAction], list[str]]:
    name = copy if isinstance(copy, str) else copy.name
    if "/" not in name:
        return [], [f"{name} is a pool, which can not be renamed: choose a target below it"]
    try:
        return [RenameDataset(dataset=name, name=aside_name(name, case.taken))], []
    except BadName as error:
        return [], [str(error)]


def _moving_along(case: RepairCase, name: str) -> tuple[str, ...]:
    below = sorted(one for one in case.taken if one != name and is_within(one, name))
    if not below:
        return ()
    more = f" and {len(below) - 1} more" if len(below) > 1 else ""
    return (
        f"{below[0]}{more} below it moves along" if not more else f"{below[0]}{more} move along",
    )


def _other_name(name: str, guid: int) -> str:
    ending = f".aside-{guid & 0xFFFFFFFF:08x}"
    return name[: 200 - len(ending)] + ending
