"""`scripts/bench zfs [PART ...]`: what moves, plans and prunes datasets."""

from collections.abc import Callable, Mapping
from typing import Final

from .verdict import Figure
from .zfs_planning_bench import bench_planning, bench_pruning
from .zfs_relay_bench import bench_relay
from .zfs_tools_bench import bench_tools

__all__ = ["bench_zfs"]

PARTS: Final[Mapping[str, Callable[[int], tuple[dict[str, object], list[Figure]]]]] = {
    "relay": bench_relay,
    "plan": bench_planning,
    "prune": bench_pruning,
    "tools": bench_tools,
}
"""Each part takes the number of rounds, and returns its numbers and what was promised."""


def bench_zfs(rounds: int, *parts: str) -> tuple[dict[str, object], list[Figure]]:
    """Measure some parts, or all; the numbers, and what was promised."""
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise SystemExit(f"zfs has no part {unknown[0]!r}: there is {', '.join(PARTS)}")
    numbers: dict[str, object] = {}
    figures: list[Figure] = []
    for part in parts or PARTS:
        print(f"-- {part}", flush=True)
        numbers[part], promised = PARTS[part](rounds)
        figures += promised
    return numbers, figures
