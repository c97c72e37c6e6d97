"""Repairs, carried out: each action is one call, and what it destroys is looked at once more."""

from collections.abc import Iterable
from typing import assert_never

from ..zfs.errors import Failure, ZfsError
from ..zfs.host_types import ZfsHost
from ..zfs.model import Dataset
from ..zfs.offers import AbortReceive as AbortRequest
from ..zfs.parse_drafts import PLACEHOLDER
from ..zfs.repair_actions import (
    AbortReceive,
    DestroySnapshots,
    MakeBookmark,
    MakePlaceholder,
    ReleaseHold,
    RenameDataset,
    RenameSnapshot,
    RepairAction,
    RollBack,
)
from .zfs_look import Case

__all__ = ["carry_out"]


async def carry_out(case: Case, actions: Iterable[RepairAction]) -> None:
    """Do what a repair says, on this host; an interrupted receive is also forgotten at others.

    Raises:
        ZfsError: ZFS refused, or what is there is not what was looked at.
    """
    for action in actions:
        if isinstance(action, AbortReceive) and not case.is_local:
            await _abort_at(case, action.dataset)
        else:
            await _do(case.host, action)


async def _abort_at(case: Case, dataset: str) -> None:
    copy = case.planned.target if case.planned else None
    if case.target is None or copy is None or copy.resume_token is None:
        raise _changed(dataset)
    async with case.target.session() as session:
        await session.abort_receive(AbortRequest(dataset=dataset, token=copy.resume_token))


async def _do(host: ZfsHost, action: RepairAction) -> None:
    match action:
        case AbortReceive(dataset=dataset):
            await host.abort_receive(dataset)
        case DestroySnapshots(dataset=dataset, names=names, guids=guids):
            there = {one.name: one.guid for one in (await _dataset(host, dataset)).snapshots}
            if [there.get(name) for name in names] != list(guids):
                raise _changed(dataset)
            await host.destroy(dataset, names)
        case MakeBookmark(dataset=dataset, snapshot=snapshot, name=name):
            await host.bookmark(f"{dataset}@{snapshot}", name)
        case MakePlaceholder(dataset=dataset):
            await host.create(dataset, {"canmount": "noauto", PLACEHOLDER: dataset})
        case ReleaseHold(dataset=dataset, tag=tag, names=names):
            await host.release(tag, [f"{dataset}@{name}" for name in names])
        case RenameDataset(dataset=dataset, name=name):
            await host.rename_dataset(dataset, name)
        case RenameSnapshot(dataset=dataset, snapshot=snapshot, name=name):
            await host.rename(f"{dataset}@{snapshot}", name)
        case RollBack(dataset=dataset, snapshot=snapshot, lost=lost):
            await _roll_back(host, dataset, snapshot, lost)
        case _:
            assert_never(action)


async def _roll_back(host: ZfsHost, dataset: str, snapshot: str, lost: tuple[int, ...]) -> None:
    snapshots = (await _dataset(host, dataset)).snapshots
    at = next((index for index, one in enumerate(snapshots) if one.name == snapshot), None)
    if at is None or tuple(one.guid for one in snapshots[at + 1 :]) != lost:
        raise _changed(dataset)
    await host.rollback(f"{dataset}@{snapshot}", destroy_newer=bool(lost))


async def _dataset(host: ZfsHost, name: str) -> Dataset:
    found = (await host.dataset(name)).get(name)
    if found is None:
        raise _changed(name)
    return found


def _changed(dataset: str) -> ZfsError:
    return ZfsError(
        f"{dataset} is not as it was a moment ago: nothing more was done; look again",
        failure=Failure.OTHER,
        dataset=dataset,
    )
