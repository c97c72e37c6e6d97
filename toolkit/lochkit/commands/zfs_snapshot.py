"""``lochkit zfs snapshot``: take snapshots now."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..options import Subcommand, argument, flag, option
from ..zfs.agent_due import is_written
from ..zfs.errors import BadName
from ..zfs.host import open_host
from ..zfs.model import Dataset, Inventory
from ..zfs.names import check_dataset, check_snapshot_name, pool_of
from ..zfs.naming import NameTemplate
from ..zfs.policy_types import Selection
from ..zfs.selecting import missing_roots, select
from .output import Refused, print_lines
from .zfs_options import PolicyOptions
from .zfs_running import answered, chosen_jobs, policy_of

__all__ = ["SUBCOMMAND", "ZfsSnapshotOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsSnapshotOptions(PolicyOptions):
    """The options of ``lochkit zfs snapshot``, as given: see their help."""

    recursive: bool = flag("--recursive", "-r", help="With all datasets below.")
    exclude: tuple[str, ...] = option(
        "--exclude",
        default=(),
        metavar="PATTERN",
        help="Leave out datasets whose name matches, with all below them; * also matches /.",
    )
    name: str | None = option(
        "--name", default=None, metavar="NAME", help="The name, after the @, of all of them."
    )
    prefix: str = option(
        "--prefix",
        default="manual",
        metavar="WORD",
        help="What their names begin with; the instant in UTC follows.",
    )
    job: tuple[str, ...] = option(
        "--job",
        default=(),
        metavar="NAME",
        help="Take those of this job of the policy, named as it says, due or not.",
    )
    skip_unwritten: bool = flag(
        "--skip-unwritten", help="None of a dataset that nothing was written to since its newest."
    )
    dry_run: bool = flag("--dry-run", help="Take none: print what would be taken.")
    datasets: tuple[str, ...] = argument("[DATASET]...", interspersed=True, help="Which datasets.")

    def __post_init__(self) -> None:
        """Refuse what does not say which snapshots.

        Raises:
            ValueError: says what is missing or too much.
        """
        if bool(self.datasets) == bool(self.job):
            raise ValueError("name datasets, or jobs of the policy with --job")
        if self.job and (self.name or self.exclude or self.recursive):
            raise ValueError("--job says which datasets, and how the snapshots are called")
        try:
            for name in self.datasets:
                check_dataset(name)
            if self.name is not None:
                check_snapshot_name(self.name)
        except BadName as exc:
            raise ValueError(str(exc)) from exc


@dataclass(slots=True)
class Takes:
    """What is taken, and what is not.

    Attributes:
        names: ``dataset@name``.
        unwritten: datasets of which none is taken.
    """

    names: list[str] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)

    def add(self, dataset: Dataset, template: NameTemplate, name: str | None, skip: bool) -> None:
        """Add what is to be taken of one dataset."""
        if skip and not is_written(dataset, template.owns):
            self.unwritten.append(dataset.name)
            return
        taken = {one.name for one in dataset.snapshots}
        if name is not None and name in taken:
            raise Refused(f"{dataset.name}@{name} is there already")
        chosen = name or template.name(int(time.time()), taken=taken)
        self.names.append(f"{dataset.name}@{chosen}")


async def run(options: ZfsSnapshotOptions) -> int:
    """Take snapshots, and print their names."""

    async def work() -> int:
        host = await open_host(zfs=options.zfs)
        wanted = _wanted(options)
        roots = [root for selection, _, _ in wanted for root in selection.roots]
        takes = _plan(options, wanted, await host.inventory(roots))
        if not options.dry_run:
            for names in _by_pool(takes.names).values():
                await host.take(names)
        await _print(options, takes)
        return 0

    return await answered(work)


def _wanted(options: ZfsSnapshotOptions) -> list[tuple[Selection, NameTemplate, bool]]:
    """Which datasets, how the snapshots are called, and whether unwritten ones are left out."""
    if options.datasets:
        selection = Selection(
            roots=options.datasets, recursive=options.recursive, exclude=options.exclude
        )
        return [(selection, NameTemplate(prefix=options.prefix), options.skip_unwritten)]
    found = []
    for job in chosen_jobs(options, policy_of(options), options.job):
        if job.snapshot is None:
            raise Refused(f"the job {job.name!r} takes no snapshots")
        skip = options.skip_unwritten or job.snapshot.skip_unwritten
        found.append((job.datasets, job.snapshot.template, skip))
    return found


def _plan(
    options: ZfsSnapshotOptions,
    wanted: Iterable[tuple[Selection, NameTemplate, bool]],
    inventory: Inventory,
) -> Takes:
    takes = Takes()
    for selection, template, skip in wanted:
        if missing := missing_roots(selection, inventory):
            raise Refused(f"there is no dataset {', '.join(missing)} on this host")
        for dataset in select(selection, inventory):
            takes.add(dataset, template, options.name, skip)
    return takes


def _by_pool(names: Iterable[str]) -> Mapping[str, list[str]]:
    pools: dict[str, list[str]] = {}
    for name in names:
        pools.setdefault(pool_of(name.partition("@")[0]), []).append(name)
    return pools


async def _print(options: ZfsSnapshotOptions, takes: Takes) -> None:
    if options.json:
        document = {"Taken": takes.names, "Unwritten": takes.unwritten, "DryRun": options.dry_run}
        await print_lines([json.dumps(document)])
        return
    lines = [("would take " if options.dry_run else "") + name for name in takes.names]
    lines += [f"nothing was written to {name}: none is taken" for name in takes.unwritten]
    await print_lines(lines)


HELP: Final = """\
Take snapshots now: of datasets, or of all datasets of a job of the policy.

Those of one pool are taken at one instant, where ZFS can do that. Their names are printed.
"""

SUBCOMMAND = Subcommand(options=ZfsSnapshotOptions, run=run, help=HELP)
