"""pytest fixtures of real pools; the root conftest loads them for all tests."""

from collections.abc import Iterator

import pytest

from .workspace import workspace
from .zfs_commands import ZFS_FUSE, ZfsFailed, answers, flavour
from .zfs_fuse import daemon
from .zfs_pools import Pool, Pools

__all__ = ["pool", "pools", "real_zfs", "shared_pools"]


@pytest.fixture(scope="session")
def real_zfs() -> Iterator[str]:
    """A ZFS that answers; its value is its flavour. None is a failure, never a skip."""
    name = flavour()
    try:
        if name == ZFS_FUSE:
            with daemon():
                yield name
        elif answers():
            yield name
        else:
            pytest.fail(f"{name} does not answer: is this root, is its module loaded?")
    except ZfsFailed as failed:
        pytest.fail(str(failed))


@pytest.fixture
def pools(real_zfs: str) -> Iterator[Pools]:
    """Makes pools for one test."""
    yield from _pools()


@pytest.fixture
def pool(pools: Pools) -> Pool:
    """One empty pool for one test."""
    return pools.create()


@pytest.fixture(scope="session")
def shared_pools(real_zfs: str) -> Iterator[tuple[Pool, Pool]]:
    """Two pools for many tests, which keep to datasets of their own and never hurt the pools."""
    for pools in _pools():
        yield pools.create(), pools.create()


def _pools() -> Iterator[Pools]:
    with workspace() as directory:
        pools = Pools(directory)
        try:
            yield pools
        finally:
            pools.destroy_all()
