"""The chores of a job: taking its snapshots, sending them, destroying those that are not kept."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from .agent_chore import Chore, ChoreFailed, all_settled
from .agent_due import due_takes
from .agent_notes import Notes
from .agent_pace import Pace
from .agent_prune import needs_of_source
from .agent_push import Push
from .agent_site import Site
from .agent_status import ChoreStatus
from .agent_take import take_everywhere
from .errors import Failure, ZfsError
from .model import Dataset
from .policy_types import Job, Replication, Selection
from .progress import SILENT
from .pruning import Pruning, plan_pruning
from .selecting import missing_roots, select
from .work_queue import Claim, Work

__all__ = ["BEFORE", "PruneChore", "SendChore", "TakeChore", "claims_of", "destroy_all"]

log = logging.getLogger(__name__)

_PRUNE_EVERY: Final = 3600.0
"""Seconds after which a job is pruned without any other reason: its snapshots have grown older."""
_LOOK_EVERY: Final = 60.0
"""Seconds after which a job that sends as soon as possible looks for snapshots of others."""
_SURE_EVERY: Final = 900.0
"""Seconds after which it asks the destination, too, though there is nothing new here."""
BEFORE: Final = 60.0
"""Seconds that a send waits for a take that is due, and a destroy for both, to be done. A send that
takes longer is at work by then, and has the datasets for itself: see `work_queue`."""
_AT_ONCE: Final = 500
"""Snapshots destroyed with one command: its words are limited."""


def claims_of(selection: Selection, lane: str = "") -> tuple[Claim, ...]:
    """The datasets of a job, as `Turns` wants to know them."""
    return tuple(
        Claim(dataset=root, below=selection.recursive, lane=lane) for root in selection.roots
    )


async def read_selected(site: Site, selection: Selection) -> tuple[Dataset, ...]:
    """The datasets of a job, as they are now.

    Raises:
        ChoreFailed: a root is not there.
    """
    inventory = await site.host.inventory(selection.roots)
    missing = missing_roots(selection, inventory)
    if missing:
        raise ChoreFailed(
            f"there is no {', '.join(missing)}", failure=Failure.MISSING, dataset=missing[0]
        )
    return select(selection, inventory)


async def destroy_all(site: Site, dataset: str, names: list[str]) -> None:
    """Destroy snapshots of a dataset, some at a time."""
    for start in range(0, len(names), _AT_ONCE):
        await site.host.destroy(dataset, names[start : start + _AT_ONCE])


class TakeChore(Chore):
    """Takes a job's snapshots.

    Args:
        job: whose; with a schedule.
        site: the host.
        notes: which ticks are done.
        then: called when some were taken.
    """

    def __init__(self, job: Job, site: Site, notes: Notes, then: Callable[[], None]) -> None:
        assert job.snapshot is not None
        self._job, self._policy, self._site, self._notes = job, job.snapshot, site, notes
        self._then = then
        self._key = f"{job.name}/take"
        super().__init__(
            ChoreStatus(job=job.name, work=Work.TAKE.value),
            Pace(job.snapshot.schedule, handled=notes.tick(self._key)),
            site.board,
            clock=site.clock,
        )

    async def do(self) -> str:
        """See `Chore`."""
        site, selection = self._site, self._job.datasets
        async with self.turn(site.turns, Work.TAKE, claims_of(selection)):
            datasets = await read_selected(site, selection)
            takes = due_takes(
                datasets, self._policy, handled=self._pace.handled, now=int(site.clock())
            )
            await take_everywhere(site.host, takes.datasets, takes.name)
        await self._notes.done(self._key, takes.tick)
        if not takes.datasets:
            return f"nothing was written to {len(takes.unwritten)}" if takes.unwritten else ""
        site.publishing.changed()
        self._then()
        unwritten = f", nothing was written to {len(takes.unwritten)}" if takes.unwritten else ""
        return f"{takes.name} of {len(takes.datasets)} taken{unwritten}"


class SendChore(Chore):
    """Sends a job's snapshots to one destination.

    Args:
        job: whose.
        replication: where to.
        site: the host.
        notes: which ticks are done, and what the destination has.
        then: called when the destination has confirmed something new.
        take: takes the job's snapshots; None: nobody does.
    """

    def __init__(
        self,
        job: Job,
        replication: Replication,
        site: Site,
        notes: Notes,
        then: Callable[[], None],
        take: TakeChore | None = None,
    ) -> None:
        self._take = take
        self._selection, self._replication = job.datasets, replication
        self._site, self._notes, self._then = site, notes, then
        self._key = f"{job.name}/send/{replication.name}"
        self._seen: frozenset[tuple[str, int]] | None = None
        self._sure_until = 0.0
        when = replication.when
        super().__init__(
            ChoreStatus(
                job=job.name,
                work=Work.SEND.value,
                replication=replication.name,
                to=replication.to,
            ),
            Pace(
                when,
                every=_LOOK_EVERY if when is None else None,
                handled=notes.tick(self._key),
                poked=when is None,
            ),
            site.board,
            clock=site.clock,
        )

    @property
    def as_soon_as_possible(self) -> bool:
        """Whether every new snapshot is a reason."""
        return self._replication.when is None

    async def do(self) -> str:
        """See `Chore`."""
        site, replication = self._site, self._replication
        if self._take is not None:  # what is taken at this very tick is to be sent
            await self._take.settled(timeout=BEFORE)
        seen = await self._look() if self.as_soon_as_possible else None
        if seen is not None and seen == self._seen and site.clock() < self._sure_until:
            return ""
        self._seen = None
        claims = claims_of(self._selection, replication.name)
        async with self.turn(site.turns, Work.SEND, claims):
            push = Push(replication=replication, selection=self._selection)
            report = await site.pusher.push(push, SILENT)
        newest = {one.source: one.newest.guid for one in report.datasets if one.newest}
        await self._notes.confirmed(replication.name, newest)
        if report.bytes:
            site.publishing.changed()
            self._then()
        if not report.ok:
            lines = [f"there is no {one}" for one in report.missing]
            lines += [f"{one.source}: {one.message}" for one in report.troubled]
            raise ChoreFailed("; ".join(lines[:5]))
        await self._notes.done(self._key, self._pace.due_tick)
        self._seen, self._sure_until = seen, site.clock() + _SURE_EVERY
        sent = sum(bool(one.steps) for one in report.datasets)
        return f"{sent} of {len(report.datasets)} sent, {report.bytes} bytes" if sent else ""

    async def _look(self) -> frozenset[tuple[str, int]]:
        """What there is to be sent."""
        datasets = await read_selected(self._site, self._selection)
        return frozenset((one.name, one.newest.guid) for one in datasets if one.newest)


class PruneChore(Chore):
    """Destroys those of a job's snapshots that are not kept.

    Args:
        job: whose; with `keep` and a template.
        site: the host.
        notes: what destinations have.
        before: the job's other chores, which go first when they are due.
    """

    def __init__(self, job: Job, site: Site, notes: Notes, before: Sequence[Chore] = ()) -> None:
        assert job.keep is not None
        assert job.snapshot is not None
        self._job, self._keep, self._template = job, job.keep, job.snapshot.template
        self._site, self._notes, self._before = site, notes, tuple(before)
        super().__init__(
            ChoreStatus(job=job.name, work=Work.DESTROY.value),
            Pace(every=_PRUNE_EVERY, poked=True),
            site.board,
            clock=site.clock,
        )

    async def do(self) -> str:
        """See `Chore`."""
        await all_settled(self._before, timeout=BEFORE)
        site, destroyed = self._site, 0
        failures: list[str] = []
        for dataset in await read_selected(site, self._job.datasets):
            if not self._plan(dataset).destroy:
                continue
            # Dataset by dataset: a whole job might wait for long until nobody works on any of it.
            # Then it is looked at anew, since it may have waited.
            claims = (Claim(dataset=dataset.name),)
            async with self.turn(site.turns, Work.DESTROY, claims):
                now = (await site.host.dataset(dataset.name)).get(dataset.name)
                names = [one.name for one in self._plan(now).destroy] if now is not None else []
                try:
                    await destroy_all(site, dataset.name, names)
                    destroyed += len(names)
                except ZfsError as exc:
                    failures.append(f"{dataset.name}: {exc}")
        if destroyed:
            site.publishing.changed()
        if failures:
            raise ChoreFailed("; ".join(failures[:5]))
        return f"{destroyed} destroyed" if destroyed else ""

    def _plan(self, dataset: Dataset) -> Pruning:
        names = [one.name for one in self._job.replications]
        known = {name: self._notes.known(name) for name in names}
        needs = needs_of_source(dataset, names, known)
        return plan_pruning(
            dataset,
            self._keep,
            template=self._template,
            now=int(self._site.clock()),
            protected=needs.protected,
            replicated=needs.replicated,
        )
