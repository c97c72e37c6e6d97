"""Taking snapshots of many datasets: pool by pool, and in a pool at once where ZFS can."""

from collections.abc import Iterable

from .host_types import ZfsHost
from .names import pool_of

__all__ = ["take_everywhere"]


async def take_everywhere(host: ZfsHost, datasets: Iterable[str], name: str) -> None:
    """Take a snapshot of that name of every dataset.

    Raises:
        ZfsError: it failed in a pool; there are snapshots in the pools before it, and where ZFS
            can not take several at once, perhaps in a part of this one.
    """
    pools: dict[str, list[str]] = {}
    for dataset in datasets:
        pools.setdefault(pool_of(dataset), []).append(f"{dataset}@{name}")
    for snapshots in pools.values():
        await host.take(snapshots)
