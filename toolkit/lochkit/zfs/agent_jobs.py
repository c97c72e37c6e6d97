"""The jobs of a policy, at work; and what happens to them when the policy changes."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import trio

from .agent_chore import Chore
from .agent_chores import PruneChore, SendChore, TakeChore
from .agent_notes import Notes
from .agent_prune_target import PruneTargetChore
from .agent_site import Site
from .agent_targets import Targets
from .names import is_within
from .order_client import OrderClient
from .policy_types import Job

__all__ = ["JobSet"]

log = logging.getLogger(__name__)

_SETTLE: Final = 0.2
"""Seconds between two policies: a burst of changes is followed at its end."""


@dataclass(eq=False, kw_only=True)
class _Team:
    """The chores of a job."""

    job: Job
    take: TakeChore | None = None
    sends: list[SendChore] = field(default_factory=list)
    prunes: list[Chore] = field(default_factory=list)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    gone: trio.Event = field(default_factory=trio.Event)

    def all(self) -> Iterator[Chore]:
        """In the order in which they are done once."""
        if self.take is not None:
            yield self.take
        yield from self.sends
        yield from self.prunes

    def taken(self) -> None:
        """There are new snapshots."""
        for send in self.sends:
            if send.as_soon_as_possible:
                send.poke()
        for prune in self.prunes:
            if isinstance(prune, PruneChore):
                prune.poke()

    def confirmed(self) -> None:
        """A destination has got something new."""
        for prune in self.prunes:
            prune.poke()


class JobSet:
    """The actor that keeps the jobs of a policy at work.

    Args:
        site: the host.
        notes: what was done before.
        targets: how destinations are reached.
        orders: how orders are given to them.
    """

    def __init__(self, site: Site, notes: Notes, targets: Targets, orders: OrderClient) -> None:
        self._site = site
        self._notes = notes
        self._targets = targets
        self._orders = orders
        self._wanted: dict[str, Job] = {}
        self._teams: dict[str, _Team] = {}
        self._changed = trio.Event()

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "jobs"

    def follow(self, jobs: Iterable[Job]) -> None:
        """These are the jobs from now on. Those that are the same as before go on undisturbed; what
        a job that has changed, or is gone, is doing is given up."""
        self._wanted = {job.name: job for job in jobs}
        self._changed.set()

    def poke(self) -> None:
        """Look at everything anew."""
        for team in self._teams.values():
            for chore in team.all():
                if not isinstance(chore, TakeChore):
                    chore.poke()

    def received(self, dataset: str) -> None:
        """Something was received into a dataset, which others may wait for."""
        for team in self._teams.values():
            selection = team.job.datasets
            if any(
                dataset == root or (selection.recursive and is_within(dataset, root))
                for root in selection.roots
            ):
                team.taken()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the jobs at work until cancelled."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            try:
                while True:
                    self._changed = trio.Event()
                    await self._change(nursery)
                    await self._changed.wait()
                    await trio.sleep(_SETTLE)
            finally:
                self._teams.clear()
                nursery.cancel_scope.cancel()

    async def once(self, jobs: Iterable[Job]) -> bool:
        """Do what is due, once: take, send, destroy; whether all went well."""
        well = True
        for job in jobs:
            for chore in self._team_of(job).all():
                if isinstance(chore, TakeChore | SendChore) and not chore.is_due:
                    continue
                well = await chore.attempt() and well
        return well

    async def _change(self, nursery: trio.Nursery) -> None:
        """Make the teams those of the jobs that are wanted."""
        for name, team in list(self._teams.items()):
            if self._wanted.get(name) != team.job:
                team.scope.cancel()
                await team.gone.wait()
                del self._teams[name]
                self._site.board.forget_job(name)
                log.info("job %s has ended", name)
        for name, job in self._wanted.items():
            if name not in self._teams:
                team = self._teams[name] = self._team_of(job)
                nursery.start_soon(_work, team)
                log.info("job %s has begun", name)

    def _team_of(self, job: Job) -> _Team:
        site, notes = self._site, self._notes
        team = _Team(job=job)
        if job.snapshot is not None and job.snapshot.schedule is not None:
            team.take = TakeChore(job, site, notes, team.taken)
        team.sends += (
            SendChore(job, one, site, notes, team.confirmed, team.take) for one in job.replications
        )
        if job.snapshot is not None:
            before = list(team.all())
            if job.keep is not None:
                team.prunes.append(PruneChore(job, site, notes, before))
            team.prunes += (
                PruneTargetChore(
                    job, one, site, targets=self._targets, orders=self._orders, before=before
                )
                for one in job.replications
                if one.keep is not None
            )
        return team


async def _work(team: _Team) -> None:
    try:
        with team.scope:
            async with trio.open_nursery() as nursery:
                for chore in team.all():
                    nursery.start_soon(chore.run)
    finally:
        team.gone.set()
