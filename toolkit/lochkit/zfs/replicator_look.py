"""Looks at both ends, and has it planned what is to be sent: at first of all, later of one."""

from collections.abc import Awaitable, Callable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import trio

from ..errors import LochkitError
from .errors import BadName, Failure, ZfsError
from .host_types import ZfsHost
from .mapping import target_name
from .model import Dataset, Inventory
from .offers import Greeting, InventoryRequest, ReleasableRequest
from .plan import plan_replication
from .plan_many import Planned, plan_many
from .plan_types import MADE_AT, SOURCE_GUID, ResumeToken
from .policy_types import Replication, Selection
from .selecting import missing_roots, select
from .targets import TargetSession

__all__ = ["Look", "Looker"]

_AT_ONCE: Final = 500  # datasets in one request


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found.

    Attributes:
        planned: parents first.
        missing: roots that the source does not have.
        tags: of the held snapshots of the source, by their whole names; None: ZFS can not tell.
    """

    planned: tuple[Planned, ...]
    missing: tuple[str, ...]
    tags: Mapping[str, tuple[str, ...]] | None


class Looker:
    """Looks and plans for one replication.

    Args:
        host: of the source.
        replication: what is wanted.
        selection: of which datasets.
        greeting: of the target.
    """

    def __init__(
        self,
        host: ZfsHost,
        replication: Replication,
        selection: Selection,
        greeting: Greeting,
    ) -> None:
        self._host, self._greeting = host, greeting
        self._replication, self._selection = replication, selection

    async def look(self, session: TargetSession, source: Inventory | None = None) -> Look:
        """Look at everything.

        Args:
            session: with the target.
            source: what the source has, if that is known already.

        Raises:
            ZfsError: one of the ends could not be looked at.
            BadPolicy: what is wanted makes no sense.
        """
        wish = self._replication
        asked = InventoryRequest(
            datasets=(wish.target,),
            recursive=self._selection.recursive or len(self._selection.roots) > 1,
            properties=(SOURCE_GUID,),
        )
        source, target = await self._both(source, partial(session.inventory, asked))
        planned = plan_many(
            self._selection,
            source,
            target,
            replication=wish,
            source_caps=self._host.capabilities,
            target_caps=self._greeting.capabilities,
            tokens=await self._tokens(target, self._wanted(source)),
            releasable=await self._releasable(session, target),
        )
        return Look(
            planned=planned,
            missing=missing_roots(self._selection, source),
            tags=await self._tags(planned),
        )

    async def look_again(self, session: TargetSession, planned: Planned) -> Planned:
        """Look at one dataset anew.

        Raises:
            ZfsError: one of the ends could not be looked at, or the source is gone.
        """
        name = planned.source.name
        source = (await self._host.dataset(name, properties=(MADE_AT,))).get(name)
        if source is None:
            raise ZfsError(f"{name} is gone", failure=Failure.MISSING, dataset=name)
        asked = InventoryRequest(
            datasets=(planned.target_name,), recursive=False, properties=(SOURCE_GUID,)
        )
        target = await session.inventory(asked)
        there = target.get(planned.target_name)
        verdict = plan_replication(
            source,
            there,
            replication=self._replication,
            source_caps=self._host.capabilities,
            target_caps=self._greeting.capabilities,
            token=(await self._tokens(target, {planned.target_name})).get(planned.target_name),
            releasable=await self._releasable(session, target),
        )
        return replace(planned, source=source, target=there, verdict=verdict)

    async def _both(
        self, source: Inventory | None, target: Callable[[], Awaitable[Inventory]]
    ) -> tuple[Inventory, Inventory]:
        """The inventories of both ends, read at the same time."""
        if source is not None:
            return source, await target()
        found: dict[str, Inventory] = {}
        failures: list[LochkitError] = []

        async def look(end: str, at: Callable[[], Awaitable[Inventory]]) -> None:
            try:
                found[end] = await at()
            except LochkitError as exc:
                failures.append(exc)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look, "source", self._source)
            nursery.start_soon(look, "target", target)
        for failure in failures:
            raise failure
        return found["source"], found["target"]

    async def _source(self) -> Inventory:
        roots = self._selection.roots
        if self._selection.recursive:
            return await self._host.inventory(roots, properties=(MADE_AT,))
        found: dict[str, Dataset] = {}
        for root in roots:
            found |= (await self._host.dataset(root, properties=(MADE_AT,))).datasets
        return Inventory(datasets=found)

    def _wanted(self, source: Inventory) -> set[str]:
        """The datasets of the target that copies of the source are, or will be."""
        found = set()
        for dataset in select(self._selection, source):
            with suppress(BadName):  # the planner says so
                found.add(target_name(dataset.name, self._selection, self._replication.target))
        return found

    async def _tokens(self, target: Inventory, wanted: Container[str]) -> dict[str, ResumeToken]:
        # A command for each: of the datasets it is about only, whatever the target has besides.
        found: dict[str, ResumeToken] = {}
        if not self._host.capabilities.resume:
            return found
        for dataset in target.datasets.values():
            if dataset.resume_token is not None and dataset.name in wanted:
                try:
                    found[dataset.name] = await self._host.read_token(dataset.resume_token)
                except ZfsError as exc:
                    if exc.failure.retryable:
                        raise
                    # The source can not go on with it; the planner knows what then.
        return found

    async def _releasable(self, session: TargetSession, target: Inventory) -> frozenset[int]:
        if not self._replication.rollback:
            return frozenset()
        held = [
            dataset.name
            for dataset in target.datasets.values()
            if any(one.holds for one in dataset.snapshots)
        ]
        found: set[int] = set()
        for at in range(0, len(held), _AT_ONCE):
            names = tuple(held[at : at + _AT_ONCE])
            request = ReleasableRequest(datasets=names, replication=self._replication.name)
            found |= await session.releasable(request)
        return frozenset(found)

    async def _tags(self, planned: tuple[Planned, ...]) -> Mapping[str, tuple[str, ...]] | None:
        if not self._host.capabilities.list_holds:
            return None
        held = [
            f"{one.source.name}@{snapshot.name}"
            for one in planned
            for snapshot in one.source.snapshots
            if snapshot.holds
        ]
        found: dict[str, tuple[str, ...]] = {}
        for at in range(0, len(held), _AT_ONCE):
            found |= await self._host.holds(held[at : at + _AT_ONCE])
        return found
