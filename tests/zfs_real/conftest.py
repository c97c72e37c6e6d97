"""Tests on real pools: on zfs-fuse here, on OpenZFS in a virtual machine (tests/test_zfs_vm.py).

What a test needs and this ZFS lacks is no reason to skip it but to leave it to the machine that has
it: tests marked ``needs_openzfs`` are not collected on zfs-fuse, and those marked
``needs_openzfs("2.3")`` not below that version.
"""

from pathlib import Path

import pytest

from ..servers.zfs_commands import openzfs_version

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another ZFS is needed for; keep the rest in one process."""
    left_out = []
    for item in items:
        if HERE in item.path.parents:
            # All tests of real pools in one process: they share one daemon, and two of the pools.
            item.add_marker(pytest.mark.xdist_group("zfs"))
            if not _can_run(item):
                left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _can_run(item: pytest.Item) -> bool:
    have = openzfs_version()
    for mark in item.iter_markers("needs_openzfs"):
        least = tuple(int(part) for part in (mark.args[0] if mark.args else "0").split("."))
        if have is None or have < least:
            return False
    return True
