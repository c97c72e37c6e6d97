"""The chore that destroys, at a destination, what is not kept there of what a job has sent."""

import uuid
from collections.abc import Sequence
from typing import Final

from .agent_chore import Chore, ChoreFailed, all_settled
from .agent_chores import BEFORE, destroy_all, read_selected
from .agent_pace import Pace
from .agent_prune import needs_of_target
from .agent_site import Site
from .agent_status import ChoreStatus
from .agent_targets import Targets
from .errors import ZfsError
from .mapping import target_name
from .model import Dataset, Inventory, Snapshot
from .offers import InventoryRequest
from .order_client import OrderClient
from .orders import Action, Order, SnapshotRef
from .policy_types import Job, Replication
from .pruning import plan_pruning
from .work_queue import Claim, Work

__all__ = ["PruneTargetChore"]

_EVERY: Final = 3600.0
_TIMEOUT: Final = 3600.0
"""Seconds that the other host may take: it may have to wait until nothing is received there."""
_AT_ONCE: Final = 1000


class PruneTargetChore(Chore):
    """Destroys what is not kept at one destination of a job.

    At another host it gives orders for that, which this host must be permitted to give.

    Args:
        job: whose; with a template.
        replication: its destination; with `keep`.
        site: the host.
        targets: how destinations are reached.
        orders: how orders are given.
        before: the job's other chores, which go first when they are due.
    """

    def __init__(
        self,
        job: Job,
        replication: Replication,
        site: Site,
        *,
        targets: Targets,
        orders: OrderClient,
        before: Sequence[Chore] = (),
    ) -> None:
        assert job.snapshot is not None
        assert replication.keep is not None
        self._job, self._replication, self._keep = job, replication, replication.keep
        self._template = job.snapshot.template
        self._site, self._targets, self._orders = site, targets, orders
        self._before = tuple(before)
        super().__init__(
            ChoreStatus(
                job=job.name,
                work=Work.DESTROY.value,
                replication=replication.name,
                to=replication.to,
            ),
            Pace(every=_EVERY),
            site.board,
            clock=site.clock,
        )

    async def do(self) -> str:
        """See `Chore`."""
        await all_settled(self._before, timeout=BEFORE)
        site, selection, replication = self._site, self._job.datasets, self._replication
        sources = await read_selected(site, selection)
        names = {target_name(one.name, selection, replication.target): one for one in sources}
        inventory = await self._read()
        destroyed, failures = 0, []
        for name, source in names.items():
            target = inventory.get(name)
            doomed = self._doomed(source, target) if target is not None else ()
            if not doomed:
                continue
            try:
                await self._destroy(name, doomed)
                destroyed += len(doomed)
            except ZfsError as exc:
                failures.append(f"{replication.to}:{name}: {exc}")
        if destroyed and replication.to == "local":
            site.publishing.changed()
        if failures:
            raise ChoreFailed("; ".join(failures[:5]))
        return f"{destroyed} destroyed" if destroyed else ""

    async def _read(self) -> Inventory:
        replication = self._replication
        target = await self._targets.find(replication.to)
        async with target.session() as session:
            return await session.inventory(InventoryRequest(datasets=(replication.target,)))

    def _doomed(self, source: Dataset, target: Dataset) -> tuple[Snapshot, ...]:
        needs = needs_of_target(source, target)
        if needs is None:
            return ()
        return plan_pruning(
            target,
            self._keep,
            template=self._template,
            now=int(self._site.clock()),
            protected=needs.protected,
        ).destroy

    async def _destroy(self, name: str, doomed: tuple[Snapshot, ...]) -> None:
        if self._replication.to == "local":
            claims = (Claim(dataset=name),)
            async with self.turn(self._site.turns, Work.DESTROY, claims):
                there = (await self._site.host.dataset(name)).get(name)
                guids = {one.guid: one.name for one in there.snapshots} if there else {}
                names = [guids[one.guid] for one in doomed if guids.get(one.guid) == one.name]
                await destroy_all(self._site, name, names)
            return
        for start in range(0, len(doomed), _AT_ONCE):
            await self._order(name, doomed[start : start + _AT_ONCE])

    async def _order(self, name: str, doomed: tuple[Snapshot, ...]) -> None:
        order = Order(
            uuid=str(uuid.uuid4()),
            action=Action.DESTROY,
            dataset=name,
            snapshots=tuple(
                SnapshotRef(guid=one.guid, dataset=name, name=one.name) for one in doomed
            ),
            skip_if_renamed=True,
            skip_if_cloned=True,
            job=self._job.name,
        )
        to = await self._targets.where(self._replication.to)
        result = await self._orders.give(order, to, timeout=_TIMEOUT)
        if not result.is_success:
            raise ChoreFailed(result.error or "the order failed")
