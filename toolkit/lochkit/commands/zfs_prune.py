"""``lochkit zfs prune``: destroy the snapshots that the policy does not keep."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..options import Subcommand, argument, flag, option, shared
from ..peer_options import PeerOptions
from ..zfs.errors import BadName, BadPolicy, ZfsError
from ..zfs.host import open_host
from ..zfs.host_types import ZfsHost
from ..zfs.keep_rules import parse_keep
from ..zfs.model import Dataset
from ..zfs.names import check_dataset
from ..zfs.naming import NameTemplate
from ..zfs.policy_types import HostAddress, Job, Selection, SnapshotPolicy
from ..zfs.pruning import Pruning
from ..zfs.selecting import missing_roots, select
from .output import Refused, counted, print_lines
from .zfs_jobs import Jobs
from .zfs_options import PolicyOptions
from .zfs_plan import pruning_names
from .zfs_running import answered, chosen_jobs, policy_of
from .zfs_showing import pruning_lines

__all__ = ["SUBCOMMAND", "ZfsPruneOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsPruneOptions(PolicyOptions):
    """The options of ``lochkit zfs prune``, as given: see their help."""

    peers: PeerOptions = shared(PeerOptions, "tls")
    job: tuple[str, ...] = option(
        "--job", default=(), metavar="NAME", help="Only these jobs of the policy."
    )
    keep: tuple[str, ...] = option(
        "--keep",
        default=(),
        metavar="RULE",
        help="Without a policy: what is kept, as '24 in last day' or '24x1h | 30x1d'. May be"
        " repeated: what any rule keeps is kept.",
    )
    prefix: str | None = option(
        "--prefix",
        default=None,
        metavar="WORD",
        help="With --keep: only snapshots that are called WORD and an instant are judged.",
    )
    recursive: bool = flag("--recursive", "-r", help="With --keep: with all datasets below.")
    offline: bool = flag(
        "--offline",
        help="Do not ask destinations what they have; what their bookmarks and holds here say is"
        " still honoured.",
    )
    dry_run: bool = flag("--dry-run", "-n", help="Destroy nothing: print what would be.")
    verbose: bool = flag("--verbose", "-v", help="Say why what is kept is kept.")
    datasets: tuple[str, ...] = argument(
        "[DATASET]...", interspersed=True, help="With --keep: which datasets."
    )

    def __post_init__(self) -> None:
        """Refuse what does not say clearly what is to go.

        Raises:
            ValueError: says what is missing or too much.
        """
        try:
            if self.keep:
                parse_keep(self.keep)
            for name in self.datasets:
                check_dataset(name)
        except (BadPolicy, BadName) as exc:
            raise ValueError(str(exc)) from exc
        if bool(self.datasets) != bool(self.keep) or bool(self.keep) != (self.prefix is not None):
            raise ValueError("DATASETs, --keep and --prefix go together; or a policy says")
        if self.keep and self.job:
            raise ValueError("--job is of a policy, which says what is kept")


async def run(options: ZfsPruneOptions) -> int:
    """Destroy, and print what is gone."""

    async def work() -> int:
        host = await open_host(zfs=options.zfs)
        prunings = await _look(options, host)
        failed = [] if options.dry_run else await _destroy(host, prunings)
        await _print(options, prunings, failed)
        return int(bool(failed))

    return await answered(work)


async def _look(options: ZfsPruneOptions, host: ZfsHost) -> list[Pruning]:
    now = int(time.time())
    jobs: tuple[Job, ...] = ()
    hosts: dict[str, HostAddress] = {}
    if options.keep:
        jobs = (_own_job(options),)
    else:
        policy = policy_of(options)
        jobs, hosts = chosen_jobs(options, policy, options.job), dict(policy.hosts)
    looker = Jobs(host, hosts, options.peers, now=now)
    found: list[Pruning] = []
    for job in jobs:
        if job.keep is None or job.snapshot is None:
            if options.job:
                raise Refused(f"the job {job.name!r} does not say what it keeps, and of what")
            continue
        template = job.snapshot.template
        if options.offline or not job.replications:
            found += looker.prunings(job, template, await _datasets(host, job), {})
            continue
        plan = await looker.look(job)
        for name, why in plan.unreachable.items():
            raise ZfsError(
                f"{name}: what the destination needs can not be asked: {why}. Nothing of the job"
                f" {job.name!r} is destroyed (--offline: without asking)"
            )
        found += plan.prunings
    return found


def _own_job(options: ZfsPruneOptions) -> Job:
    assert options.prefix is not None  # see __post_init__
    return Job(
        name="prune",
        datasets=Selection(roots=options.datasets, recursive=options.recursive),
        snapshot=SnapshotPolicy(schedule=None, template=NameTemplate(prefix=options.prefix)),
        keep=parse_keep(options.keep),
    )


async def _datasets(host: ZfsHost, job: Job) -> tuple[Dataset, ...]:
    inventory = await host.inventory(job.datasets.roots)
    if missing := missing_roots(job.datasets, inventory):
        raise Refused(f"there is no dataset {', '.join(missing)} on this host")
    return select(job.datasets, inventory)


async def _destroy(host: ZfsHost, prunings: Sequence[Pruning]) -> list[str]:
    """Destroy; what can not be is told, and keeps nobody else's from going."""
    failed = []
    for pruning in prunings:
        if pruning.destroy:
            try:
                await _destroy_of(host, pruning)
            except ZfsError as exc:
                failed.append(f"{pruning.dataset}: {exc}")
    return failed


async def _destroy_of(host: ZfsHost, pruning: Pruning) -> None:
    # Looked at once more: a name may have been given to another snapshot meanwhile.
    there = (await host.dataset(pruning.dataset)).get(pruning.dataset)
    names = {one.guid: one.name for one in there.snapshots} if there else {}
    doomed = [one.name for one in pruning.destroy if names.get(one.guid) == one.name]
    await host.destroy(pruning.dataset, doomed)


async def _print(options: ZfsPruneOptions, prunings: list[Pruning], failed: list[str]) -> None:
    if options.json:
        document = {
            "Destroy": pruning_names(prunings),
            "Failed": failed,
            "DryRun": options.dry_run,
        }
        await print_lines([json.dumps(document)])
        return
    lines: list[str] = []
    for pruning in prunings:
        lines += pruning_lines(pruning, done=not options.dry_run, verbose=options.verbose)
    gone = sum(len(one.destroy) for one in prunings)
    kept = sum(len(one.keep) for one in prunings)
    verb = "would be destroyed" if options.dry_run else "destroyed"
    await print_lines([*lines, *failed, f"{counted(gone, 'snapshot')} {verb}, {kept} kept"])


HELP: Final = """\
Destroy the snapshots of this host that the policy does not keep, or, with --keep, those that the
rules do not keep.

Never destroyed are snapshots that the job did not name, that are held, that a clone was made of,
the newest one, and the newest that each destination has. See --dry-run.
"""

SUBCOMMAND = Subcommand(options=ZfsPruneOptions, run=run, help=HELP)
