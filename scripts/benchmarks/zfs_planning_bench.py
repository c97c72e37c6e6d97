"""`scripts/bench zfs`, parts plan and prune: large inventories, in a process of their own each.

plan: 1,000 datasets with 500 snapshots on both sides, as they are read from ``zfs list``, planned
at once; the memory is that of the whole process with both inventories. prune: 100,000 snapshots of
one dataset, judged by a grid, a count and a phrase.
"""

import json
import statistics
import subprocess
import sys

from .contestants import Numbers
from .verdict import Figure

__all__ = ["bench_planning", "bench_pruning"]

LONGEST = 300.0  # seconds, for one process


def bench_planning(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Measure; the numbers, and what was promised."""
    found = [_measured("plan") for _ in range(rounds)]
    first = found[0]
    seconds, memory = _median(found, "wall"), _median(found, "rss")
    print(f"read   1,000,000 rows in {_median(found, 'read'):.2f} s")
    print(f"plan   1,000 datasets in {seconds:.2f} s: {first['verdicts']}")
    figures = [
        Figure(name="planning 1,000 datasets with 500 snapshots", measured=seconds, limit=2.0,
               unit="s"),
        Figure(name="memory of that, with both inventories", measured=memory, limit=400.0,
               unit="MB"),
    ]  # fmt: skip
    return {"plan": found}, figures


def bench_pruning(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Measure; the numbers, and what was promised."""
    found = [_measured("prune") for _ in range(rounds)]
    seconds = _median(found, "wall")
    print(f"prune  100,000 snapshots in {seconds:.2f} s, {found[0]['kept']} kept")
    name = "retention of 100,000 snapshots"
    return {"prune": found}, [Figure(name=name, measured=seconds, limit=1.0, unit="s")]


def _measured(what: str) -> Numbers:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.zfs_planning_process", what],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=LONGEST,
    )
    found: Numbers = json.loads(done.stdout)
    return found


def _median(found: list[Numbers], what: str) -> float:
    return statistics.median(float(one[what]) for one in found)
