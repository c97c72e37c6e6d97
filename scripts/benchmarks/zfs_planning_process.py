"""A process of its own that plans, or prunes, for `zfs_planning_bench`: one line of JSON."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.model import Dataset, Inventory, Snapshot
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.parse_list import ListParser, list_columns
from lochkit.zfs.plan_many import plan_many
from lochkit.zfs.policy_types import Replication, Selection
from lochkit.zfs.pruning import plan_pruning

from .measured import Clock, report

OPENZFS = Capabilities(
    version="zfs-2.3.2", parsable_list=True, bookmarks=True, resume=True, raw=True, written=True,
    encryption=True,
)  # fmt: skip
DATASETS = 1000
SNAPSHOTS = 500
PRUNED = 100_000
NOW = 1_772_000_000
QUARTER = 900  # seconds


def inventory(pool: str, number: int) -> tuple[Inventory, float]:
    """What ``zfs list`` says of one side, read as it is read from a real pool; and the seconds.

    Args:
        pool: of the side.
        number: 0 for the source. The target has other createtxgs, and lacks: nothing of four in
            ten datasets, up to nine snapshots of the others, everything of one in twenty.
    """
    parser = ListParser(list_columns(OPENZFS))
    seconds = 0.0
    for some in rows(pool, number):
        began = time.perf_counter()
        parser.feed(some)
        seconds += time.perf_counter() - began
    began = time.perf_counter()
    made = Inventory(datasets=parser.finish(), at=NOW)
    return made, seconds + time.perf_counter() - began


def rows(pool: str, number: int) -> Iterator[list[str]]:
    """The rows of ``zfs list -Hp``, a dataset at a time."""
    other = "\tfilesystem\t98304\t-\t-\t-\t-\t-"
    ending = "\tsnapshot\t98304\t-\t-\t-\t-\t-"
    times = [NOW - (SNAPSHOTS - place) * QUARTER for place in range(SNAPSHOTS)]
    names = [f"hot_{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" for at in times]
    yield [f"{pool}\t{9000 + number}\t1\t{NOW}\t-\t-\t0\t-{other}"]
    for dataset in range(DATASETS):
        count = SNAPSHOTS
        if number and dataset % 20 == 0:
            continue
        if number and dataset % 10 > 3:
            count -= dataset % 9 + 1
        name = f"{pool}/data/customer-{dataset:04}"
        some = [f"{name}\t{10000 + dataset}\t{dataset + 2}\t{NOW}\t-\t-\t0\t-{other}"]
        for place in range(count):
            guid = (dataset * SNAPSHOTS + place + 1) * 0x9E3779B97F4A7C15 % 2**64
            txg = place * (4000 - number) + dataset + 5000
            some.append(
                f"{name}@{names[place]}\t{guid}\t{txg}\t{times[place]}\t0\t\t"
                f"{place * 8192 % 99991}\toff{ending}"
            )
        yield some


def measure_planning() -> None:
    """Read both inventories, and plan all."""
    here, first = inventory("ssd", 0)
    there, second = inventory("bulk", 1)
    clock = Clock()
    planned = plan_many(
        Selection(roots=("ssd",), recursive=True, exclude=("*tmp*", "*/scratch")),
        here,
        there,
        replication=Replication(name="hot", to="vault", target="bulk", snapshots="hot_.*"),
        source_caps=OPENZFS,
        target_caps=OPENZFS,
    )
    verdicts: dict[str, int] = {}
    for one in planned:
        kind = type(one.verdict).__name__
        verdicts[kind] = verdicts.get(kind, 0) + 1
    report(clock, read=first + second, verdicts=verdicts)


def measure_pruning() -> None:
    """Judge the snapshots of one dataset by grid, count and phrase."""
    template = NameTemplate(prefix="hot", zone="UTC")
    snapshots = tuple(
        Snapshot(template.name(taken), place + 1, place, taken)
        for place in range(PRUNED)
        for taken in (NOW - (PRUNED - place) * QUARTER,)
    )
    policy = parse_keep(["1x1d(keep=all) | 60x1d | 24x30d", "last 50", "1/day in last week"])
    dataset = Dataset(name="ssd/data", snapshots=snapshots)
    clock = Clock()
    pruning = plan_pruning(dataset, policy, template=template, now=NOW)
    report(clock, destroyed=len(pruning.destroy), kept=len(pruning.keep))


if __name__ == "__main__":
    {"plan": measure_planning, "prune": measure_pruning}[sys.argv[1]]()
