"""What the jobs of a policy would do now, as far as this host can see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import ConfigError
from ..peer_options import PeerOptions
from ..zfs.agent_due import Takes, due_takes
from ..zfs.agent_prune import needs_of_source, needs_of_target
from ..zfs.errors import ZfsError
from ..zfs.host_types import ZfsHost
from ..zfs.mapping import target_name
from ..zfs.model import Dataset, Inventory
from ..zfs.naming import NameTemplate
from ..zfs.offers import InventoryRequest
from ..zfs.policy_types import HostAddress, Job, Replication
from ..zfs.pruning import Pruning, plan_pruning
from ..zfs.replicator import replicate
from ..zfs.reports import Report
from ..zfs.selecting import missing_roots, select
from ..zfs.stream_limits import Retries
from ..zfs.targets import Target
from .zfs_targets import target_of

__all__ = ["JobPlan", "Jobs"]


@dataclass(slots=True)
class JobPlan:
    """What a job would do.

    Attributes:
        job: which.
        missing: roots that are not there.
        takes: snapshots that are due; None: it takes none.
        reports: what would be sent, by replication.
        unreachable: why a destination could not be looked at, by replication.
        prunings: what would be destroyed here.
        target_prunings: what would be destroyed there, by replication.
    """

    job: Job
    missing: tuple[str, ...] = ()
    takes: Takes | None = None
    reports: dict[str, Report] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    prunings: list[Pruning] = field(default_factory=list)
    target_prunings: dict[str, list[Pruning]] = field(default_factory=dict)

    def sends_at_once(self, replication: str) -> bool:
        """Whether a replication brings what is taken as soon as it is there."""
        return any(
            one.name == replication and one.when is None and one.snapshots is None
            for one in self.job.replications
        )


class Jobs:
    """Looks at jobs, and changes nothing.

    Args:
        host: the ZFS of this host.
        hosts: where the others are.
        options: who we are to them.
        now: seconds since 1970.
    """

    def __init__(
        self,
        host: ZfsHost,
        hosts: Mapping[str, HostAddress],
        options: PeerOptions,
        *,
        now: int,
    ) -> None:
        self._host, self._hosts, self._options, self._now = host, hosts, options, now

    def target(self, replication: Replication) -> Target:
        """Where a replication goes to.

        Raises:
            ConfigError: nobody says where that is.
        """
        to = replication.to
        return target_of(self._host, to, self._hosts.get(to), self._options)

    async def look(self, job: Job) -> JobPlan:
        """Say what a job would do now."""
        inventory = await self._host.inventory(job.datasets.roots)
        plan = JobPlan(job, missing=missing_roots(job.datasets, inventory))
        datasets = select(job.datasets, inventory)
        if job.snapshot is not None:
            plan.takes = due_takes(datasets, job.snapshot, handled=None, now=self._now)
        for one in job.replications:
            await self._look_at(plan, one, inventory)
        if job.keep is not None and job.snapshot is not None:
            plan.prunings = self.prunings(job, job.snapshot.template, datasets, plan.reports)
        return plan

    async def _look_at(self, plan: JobPlan, one: Replication, inventory: Inventory) -> None:
        job = plan.job
        try:
            target = self.target(one)
            plan.reports[one.name] = await replicate(
                self._host,
                target,
                one,
                job.datasets,
                source=inventory,
                dry_run=True,
                retries=Retries(most=0),
            )
            if one.keep is not None and job.snapshot is not None:
                plan.target_prunings[one.name] = await self._at_target(job, one, inventory, target)
        except (ZfsError, ConfigError) as exc:
            plan.unreachable[one.name] = str(exc)

    def prunings(
        self,
        job: Job,
        template: NameTemplate,
        datasets: Iterable[Dataset],
        reports: Mapping[str, Report],
    ) -> list[Pruning]:
        """What would be destroyed at the source, with what destinations need protected."""
        assert job.keep is not None  # else nothing ever is
        known = {
            name: {one.source: one.newest.guid for one in report.datasets if one.newest}
            for name, report in reports.items()
        }
        names = [one.name for one in job.replications]
        found = []
        for dataset in datasets:
            needs = needs_of_source(dataset, names, known)
            found.append(
                plan_pruning(
                    dataset,
                    job.keep,
                    template=template,
                    now=self._now,
                    protected=needs.protected,
                    replicated=needs.replicated,
                )
            )
        return found

    async def _at_target(
        self, job: Job, one: Replication, source: Inventory, target: Target
    ) -> list[Pruning]:
        assert one.keep is not None and job.snapshot is not None  # noqa: PT018
        async with target.session() as session:
            there = await session.inventory(InventoryRequest(datasets=(one.target,)))
        found = []
        for dataset in select(job.datasets, source):
            copy = there.get(target_name(dataset.name, job.datasets, one.target))
            needs = needs_of_target(dataset, copy) if copy else None
            if copy is None or needs is None:
                continue
            found.append(
                plan_pruning(
                    copy,
                    one.keep,
                    template=job.snapshot.template,
                    now=self._now,
                    protected=needs.protected,
                )
            )
        return found
