"""Destroy many snapshots with few commands, and tell what keeps the others."""

from collections.abc import Sequence
from typing import Final

from .argv import batches, destroy_words
from .errors import Failure, ZfsError
from .host_program import ZfsProgram
from .host_types import ZfsHost
from .names import check_dataset, check_snapshot_name

__all__ = ["destroy_snapshots", "held_or"]

# One of these fails for one snapshot; and with it, for ZFS, all others of the same command.
_OF_ONE: Final = (Failure.BUSY, Failure.HELD, Failure.HAS_CLONES)


async def destroy_snapshots(
    host: ZfsHost, program: ZfsProgram, dataset: str, names: Sequence[str], *, defer: bool
) -> None:
    """Destroy snapshots of a dataset; see ZfsHost.destroy.

    Raises:
        ZfsError: the first error; all others were destroyed that can be.
    """
    check_dataset(dataset)
    wanted = list(dict.fromkeys(check_snapshot_name(name) for name in names))
    most = 1000 if host.capabilities.destroy_lists else 1
    left = list(reversed(list(batches(wanted, most=most))))
    first: ZfsError | None = None
    while left:
        group = left.pop()
        outcome = await program.attempt(destroy_words(dataset, group, defer=defer))
        failure = None if outcome.ok else outcome.failure
        if failure is None or failure is Failure.MISSING:
            continue
        if len(group) > 1 and failure in _OF_ONE:
            half = len(group) // 2
            left += [group[half:], group[:half]]
            continue
        if failure not in _OF_ONE:
            raise first or outcome.error(dataset)
        if first is None:
            why = await held_or(host, failure, dataset, name=group[0])
            first = outcome.error(f"{dataset}@{group[0]}", failure=why)
    if first is not None:
        raise first


async def held_or(
    host: ZfsHost, failure: Failure, dataset: str, *, name: str | None = None, after: str = ""
) -> Failure:
    """Tell HELD from BUSY, which older ZFS does not: a hold does not go away by waiting.

    Args:
        host: whose dataset it is.
        failure: as ZFS tells it.
        dataset: whose snapshots it is about.
        name: the snapshot it is about; None: all newer than `after`.
        after: a snapshot.
    """
    if failure is not Failure.BUSY:
        return failure
    found = (await host.dataset(dataset)).get(dataset)
    snapshots = found.snapshots if found else ()
    if name is None:
        names = [one.name for one in snapshots]
        snapshots = snapshots[names.index(after) + 1 :] if after in names else ()
    else:
        snapshots = tuple(one for one in snapshots if one.name == name)
    return Failure.HELD if any(one.holds for one in snapshots) else failure
