"""Carrying out orders: each is judged anew by what is there when its turn comes."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ..errors import leaves
from .agent_chore import expected
from .agent_site import Site
from .agent_take import take_everywhere
from .errors import Failure, ZfsError
from .order_destroy import DestroyPlan, Skipped, by_dataset, destroy_result, judge_destroy
from .order_send import OrderReporter, push_of, send_result
from .order_take import judge_take, take_result
from .orders import Action, Order, OrderProgress, OrderResult, OrderStatus, SnapshotRef
from .policy_types import Selection
from .selecting import select
from .work_queue import Claim, Work

__all__ = ["OrderWork"]

log = logging.getLogger(__name__)

_AT_ONCE: Final = 500
"""Snapshots in one command: the words of a command are limited."""

Tell = Callable[[OrderProgress], None]


class OrderWork:
    """Carries out orders on one host.

    Args:
        site: the host.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def carry_out(self, order: Order, tell: Tell) -> OrderResult:
        """Do what an order says, once its turn has come.

        Args:
            order: what to do.
            tell: called with how far it is; must not block.

        Returns:
            What became of it; also if it failed.
        """
        doing = {
            Action.TAKE: self._take,
            Action.SEND: self._send,
            Action.DESTROY: self._destroy,
            Action.RESYNC: self._resync,
        }[order.action]
        tell(OrderProgress(uuid=order.uuid, phase="queued"))
        try:
            return await doing(order, tell)
        except Exception as exc:
            if not expected(exc):
                raise
            return OrderResult.failed(order.uuid, next(leaves(exc)))

    async def _take(self, order: Order, tell: Tell) -> OrderResult:
        site, root = self._site, order.dataset
        claim = Claim(dataset=root, below=order.recursive)
        async with site.turns.turn(Work.TAKE, (claim,)):
            tell(OrderProgress(uuid=order.uuid, phase="taking", dataset=root))
            asked = site.host.inventory((root,)) if order.recursive else site.host.dataset(root)
            inventory = await asked
            wanted = Selection(roots=(root,), recursive=order.recursive, exclude=order.exclude)
            datasets = select(wanted, inventory)
            if not datasets:
                raise ZfsError(f"there is no {root}", failure=Failure.MISSING, dataset=root)
            plan = judge_take(order, datasets)
            await take_everywhere(site.host, plan.take, order.snapshot_name)
        if plan.take:
            site.publishing.changed()
        return take_result(order, plan)

    async def _send(self, order: Order, tell: Tell) -> OrderResult:
        site, push = self._site, push_of(order)
        lane = push.replication.name
        claims = [
            Claim(dataset=root, below=order.recursive, lane=lane) for root in push.selection.roots
        ]

        async with site.turns.turn(Work.SEND, claims):
            tell(OrderProgress(uuid=order.uuid, phase="reading", dataset=push.selection.roots[0]))
            await self._see_that_there(order, push.selection.roots[0])
            report = await site.pusher.push(push, OrderReporter(order.uuid, tell))
        site.publishing.changed()
        return send_result(order, report)

    async def _see_that_there(self, order: Order, name: str) -> None:
        """See that the source has what is wanted to be at the destination.

        Raises:
            ZfsError: it has not.
        """
        if not order.snapshots:
            return  # the newest, whatever that is
        dataset = (await self._site.host.dataset(name)).get(name)
        there = {one.guid for one in dataset.snapshots} if dataset is not None else set()
        for ref in order.snapshots:
            if ref.guid not in there:
                raise ZfsError(
                    f"{name} has no snapshot {ref}", failure=Failure.MISSING, dataset=name
                )

    async def _destroy(self, order: Order, tell: Tell) -> OrderResult:
        plans = []
        for dataset, refs in by_dataset(order).items():
            async with self._site.turns.turn(Work.DESTROY, (Claim(dataset=dataset),)):
                tell(OrderProgress(uuid=order.uuid, phase="destroying", dataset=dataset))
                plans.append(await self._destroy_in(order, dataset, refs))
        if any(plan.destroy for plan in plans):
            self._site.publishing.changed()
        return destroy_result(order, plans)

    async def _destroy_in(
        self, order: Order, name: str, refs: Sequence[SnapshotRef]
    ) -> DestroyPlan:
        host = self._site.host
        plan = judge_destroy(order, name, refs, (await host.dataset(name)).get(name))
        failure: ZfsError | None = None
        for start in range(0, len(plan.destroy), _AT_ONCE):
            batch = [snapshot.name for _, snapshot in plan.destroy[start : start + _AT_ONCE]]
            try:
                await host.destroy(name, batch)
            except ZfsError as exc:
                failure = failure or exc
        if failure is None:
            return plan
        # Some are gone and some are not: what is there now tells.
        dataset = (await host.dataset(name)).get(name)
        left = {one.guid for one in dataset.snapshots} if dataset is not None else set()
        skipped = tuple(
            Skipped(
                ref=ref,
                reason="failed",
                message=f"{name}@{snapshot.name}: {failure}",
                failure=failure.failure,
            )
            for ref, snapshot in plan.destroy
            if snapshot.guid in left
        )
        done = tuple(one for one in plan.destroy if one[1].guid not in left)
        return replace(plan, destroy=done, skipped=plan.skipped + skipped)

    async def _resync(self, order: Order, tell: Tell) -> OrderResult:
        tell(OrderProgress(uuid=order.uuid, phase="reading", dataset=order.dataset))
        published = await self._site.publishing.publish()
        roots = (order.dataset,) if order.dataset else ()
        inventory = published or await self._site.host.inventory(roots)
        wanted = inventory.below(order.dataset) if order.dataset else inventory.datasets.values()
        datasets = list(wanted)
        return OrderResult(
            uuid=order.uuid,
            is_success=True,
            status=OrderStatus.DONE,
            details={
                "Datasets": len(datasets),
                "Snapshots": sum(len(one.snapshots) for one in datasets),
                "Bookmarks": sum(len(one.bookmarks) for one in datasets),
                "Published": published is not None,
            },
        )
