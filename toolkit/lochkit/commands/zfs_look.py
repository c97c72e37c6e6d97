"""One dataset and its copies, looked at closely: for what explains and what repairs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import ConfigError
from ..options import argument, option, shared
from ..peer_options import PeerOptions
from ..zfs.errors import BadName, ZfsError
from ..zfs.explain_facts import Facts
from ..zfs.host import open_host
from ..zfs.host_types import ZfsHost
from ..zfs.model import Dataset
from ..zfs.names import check_dataset
from ..zfs.offers import InventoryRequest
from ..zfs.plan_many import Planned
from ..zfs.policy_read_checks import selects
from ..zfs.policy_types import Job, Policy, Replication
from ..zfs.replicator_look import Looker
from ..zfs.targets import Target
from .output import Refused
from .zfs_jobs import Jobs
from .zfs_options import PolicyOptions
from .zfs_running import chosen_jobs, policy_of
from .zfs_targets import LOCAL

__all__ = ["Case", "LookOptions", "look_at_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions(PolicyOptions):
    """What every mode knows that looks at one dataset."""

    peers: PeerOptions = shared(PeerOptions, "tls")
    replication: str | None = option(
        "--replication",
        default=None,
        metavar="NAME",
        help="Only this one of its destinations, by the replication's name in the policy.",
    )
    datasets: tuple[str, ...] = argument(
        "DATASET", required=True, interspersed=True, help="Which dataset."
    )

    def __post_init__(self) -> None:
        """Refuse anything but one dataset.

        Raises:
            ValueError: says so.
        """
        if len(self.datasets) != 1:
            raise ValueError("name one dataset")
        try:
            check_dataset(self.datasets[0])
        except BadName as exc:
            raise ValueError(str(exc)) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A dataset, one destination of it, and what is to be done.

    Attributes:
        host: this host, which has the source.
        job: that is about the dataset.
        replication: the destination.
        target: how it is reached.
        planned: what the planner says; None: the destination could not be looked at.
        trouble: why not.
        facts: what else is known.
        taken: names of the datasets at the target.
    """

    host: ZfsHost
    job: Job
    replication: Replication
    target: Target | None = None
    planned: Planned | None = None
    trouble: ZfsError | ConfigError | None = None
    facts: Facts
    taken: frozenset[str] = frozenset()

    @property
    def is_local(self) -> bool:
        """Whether the target is on this host as well."""
        return self.replication.to == LOCAL


def _destinations(
    options: LookOptions, policy: Policy, dataset: str
) -> list[tuple[Job, Replication]]:
    """The destinations of a dataset, as the policy has them."""
    replication = options.replication
    jobs = [job for job in chosen_jobs(options, policy, ()) if selects(job.datasets, dataset)]
    if not jobs:
        raise Refused(f"{dataset}: no job of {options.policy} is about it, on this host")
    found = [(job, one) for job in jobs for one in job.replications]
    if not found:
        names = ", ".join(job.name for job in jobs)
        raise Refused(f"{dataset} is snapshotted by {names}, and replicated nowhere")
    if replication is not None:
        known = ", ".join(one.name for _, one in found)
        found = [(job, one) for job, one in found if one.name == replication]
        if not found:
            raise Refused(f"{dataset}: not replicated by {replication!r}, but by {known}")
    return found


async def _look_at(
    options: PolicyOptions, jobs: Jobs, host: ZfsHost, dataset: str, job: Job, one: Replication
) -> Case:
    """Look at one destination of a dataset."""
    inventory = await host.inventory(job.datasets.roots)
    source = inventory.get(dataset)
    if source is None:
        raise Refused(f"there is no dataset {dataset} on this host")
    facts = Facts(
        source_host=options.host_name,
        source_holds=await _tags(host, source),
        bookmarks=host.capabilities.bookmarks,
    )
    try:
        target = jobs.target(one)
        async with target.session() as session:
            greeting = await session.greeting()
            facts = replace(facts, written_told=greeting.capabilities.written)
            looker = Looker(host, one, job.datasets, greeting)
            look = await looker.look(session, inventory)
            there = await session.inventory(InventoryRequest(datasets=(one.target,)))
    except (ZfsError, ConfigError) as exc:
        return Case(host=host, job=job, replication=one, trouble=exc, facts=facts)
    planned = next((each for each in look.planned if each.source.name == dataset), None)
    return Case(
        host=host,
        job=job,
        replication=one,
        target=target,
        planned=planned,
        facts=facts,
        taken=frozenset(there.datasets),
    )


async def _tags(host: ZfsHost, source: Dataset) -> Mapping[int, tuple[str, ...]] | None:
    """The holds of a dataset's snapshots, by guid; None where ZFS can not tell."""
    if not host.capabilities.list_holds:
        return None
    held = {f"{source.name}@{one.name}": one.guid for one in source.snapshots if one.holds}
    tags = await host.holds(tuple(held)) if held else {}
    return {held[name]: own for name, own in tags.items() if name in held}


async def look_at_all(options: LookOptions, dataset: str) -> list[Case]:
    """Look at all destinations of a dataset, or at one of them.

    Raises:
        Refused: there is no such dataset, or it has no such destination.
    """
    policy = policy_of(options)
    wanted = _destinations(options, policy, dataset)
    host = await open_host(zfs=options.zfs)
    jobs = Jobs(host, policy.hosts, options.peers, now=int(time.time()))
    return [await _look_at(options, jobs, host, dataset, job, one) for job, one in wanted]
