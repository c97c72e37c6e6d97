"""One reign of a director: what it follows, plans, gives and writes, from its first look on."""

import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol, TypeVar

import trio

from ..etcd.follow import Follower
from ..etcd.model import Step
from ..etcd.store import Store
from .backlog import Backlog
from .cursor_record import BadCursor, CursorRecord, cursors_of
from .directing import plan_work
from .directing_memo import Memo
from .directing_notes import Notes, Tick
from .directing_record import DirectorKeys, GivenOrder
from .directing_results import learn, tick_of
from .directing_sightings import Sightings
from .directing_wake import next_look
from .directing_work import Plan, Wanted
from .director_board import BoardOfRule
from .director_books import Books, BooksStore
from .director_desk import Desk, Giver
from .election import Reign
from .election_store import ElectionStore
from .layout import CursorKey, Layout
from .order_client import Destination
from .orders import OrderResult
from .policy_feed import PolicyFeed
from .work_queue import Work

__all__ = ["DirectorStore", "Rule", "RuleSettings", "think_in_thread"]

log = logging.getLogger(__name__)

_QUIET: Final = 0.5
"""Seconds that further changes are waited for after one: they come in bursts."""
_SHARE: Final = 3.0
"""So many times as long as a plan took, nothing is planned after it."""
_LONGEST_REST: Final = 60.0  # seconds
_TELL_EVERY: Final = 2.0
"""Seconds between two statuses."""
_IDLE: Final = 3.0
"""Seconds without anything to do after which all is done, if it is to be done once: agents tell of
their doings a little later."""

T = TypeVar("T")
Think = Callable[[Callable[[], T]], Awaitable[T]]


class DirectorStore(ElectionStore, BooksStore, Store, Protocol):
    """What a director asks of etcd; `lochkit.etcd.client.Client` is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings:
    """How to direct.

    Attributes:
        layout: where things are in etcd.
        name: of the director, for people.
        interval: seconds between two plans, if nothing asks for one.
        places: orders of each kind that a host has at once.
        settle: see `Sightings`.
    """

    layout: Layout = field(default_factory=Layout)
    name: str = ""
    interval: float = 60.0
    places: int = 4
    settle: float = 15.0


async def think_in_thread(work: Callable[[], T]) -> T:
    """Do what may take a second or two beside everything else."""
    return await trio.to_thread.run_sync(work)


class Rule:
    """One reign.

    Args:
        settings: see there.
        etcd: where things are; borrowed.
        feed: the policy; borrowed, and loaded.
        giver: gives orders; borrowed.
        reign: under whose guard things are written.
        clock: seconds since 1970.
        jitter: numbers in [0, 1).
        think: runs what takes long.
    """

    def __init__(
        self,
        settings: RuleSettings,
        etcd: DirectorStore,
        feed: PolicyFeed,
        giver: Giver,
        reign: Reign,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
        think: Callable[[Callable[[], Plan]], Awaitable[Plan]] = think_in_thread,
    ) -> None:
        self._settings, self._etcd, self._feed = settings, etcd, feed
        self._clock, self._jitter, self._think = clock, jitter, think
        self._sightings = Sightings(settings.layout, settle=settings.settle)
        self._notes = Notes()
        self._memo = Memo()
        self._backlog = Backlog(places=settings.places)
        self._books = Books(etcd, reign, DirectorKeys(settings.layout), jitter=jitter)
        self._desk = Desk(giver, self._where, clock=clock)
        self._board = BoardOfRule(settings.name, since=reign.since)
        self._seen = trio.Event()
        self._changed = trio.Event()
        self._news = trio.Event()
        self._ended_at = trio.current_time()

    @property
    def went_well(self) -> bool:
        """Whether nothing has failed that was not made good, and nothing is in conflict."""
        return self._board.went_well and not any(self._notes.troubles())

    def look_anew(self) -> None:
        """Something outside has changed: nothing waits for its time any more."""
        self._notes.forgive()
        self._changed.set()

    async def run(self, *, once: bool = False) -> None:
        """Direct until cancelled; or until there is nothing to do.

        Raises:
            Deposed: somebody else leads.
            EtcdError: etcd is away, or refuses.
            ExceptionGroup: of those.
        """
        opened = await self._books.open()
        self._board.orders_junk = dict(opened.junk)
        for (job, dataset), tick in opened.ticks.items():
            self._notes.handle(job, dataset, tick)
        send, receive = trio.open_memory_channel[Step](0)
        ranges = (*self._sightings.ranges, *self._feed.ranges)
        follower = Follower(self._etcd, ranges, send, jitter=self._jitter)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follower.run)
            nursery.start_soon(self._follow, receive)
            for given in opened.orders:
                log.info("order %s was under way; giving it again", given.wanted.order.uuid)
                self._begin(nursery, given)
            nursery.start_soon(self._tell_for_ever)
            await self._seen.wait()
            await self._plan_for_ever(nursery, once=once)
            await self._books.tell(self._status())
            nursery.cancel_scope.cancel()

    # -- seeing

    async def _follow(self, steps: trio.MemoryReceiveChannel[Step]) -> None:
        async for step in steps:
            self._sightings.apply(step, self._clock())
            self._feed.apply(step)
            self._desk.look_again()
            self._seen.set()
            self._changed.set()

    def _where(self, host: str) -> Destination | None:
        """How the agent of a host is reached; None: it is silent, or takes no orders."""
        record = self._sightings.record_of(host)
        if record is None or not record.orders_port:
            return None
        return Destination(host=host, where=self._feed.policy.hosts.get(host) or record.where)

    # -- planning

    async def _plan_for_ever(self, nursery: trio.Nursery, *, once: bool) -> None:
        while True:
            self._changed = trio.Event()
            began = trio.current_time()
            await self._plan(nursery)
            took = trio.current_time() - began
            if once and self._is_idle():
                return
            wait = next_look(
                self._feed.policy,
                self._notes,
                now=self._clock(),
                interval=self._settings.interval,
                settles_at=self._sightings.settles_at(),
            )
            with trio.move_on_after(min(wait, 1.0) if once else wait):
                await self._changed.wait()
                await trio.sleep(_QUIET)
            await trio.sleep(min(_SHARE * took, _LONGEST_REST))

    async def _plan(self, nursery: trio.Nursery) -> None:
        now, policy = self._clock(), self._feed.policy
        await self._forget({job.name for job in policy.jobs})
        view = self._sightings.view(now)
        self._notes.tidy(
            now, {name for one in view.hosts.values() for name in one.inventory.datasets}
        )
        notes = self._notes.copy()
        work = partial(plan_work, policy, view, notes, int(now), memo=self._memo)
        plan = await self._think(work)
        # Orders may have ended meanwhile.
        self._backlog.want((one for one in plan.wanted if self._still(one)), self._clock())
        for wanted in self._backlog.start(self._clock()):
            if self._where(wanted.host) is None:
                continue
            order = replace(wanted.order, uuid=str(uuid.uuid4()))
            given = GivenOrder(wanted=replace(wanted, order=order), given=self._clock())
            self._begin(nursery, given, is_new=True)
        self._board.planned(plan, view, self._sightings.junk)
        self._news.set()

    def _still(self, wanted: Wanted) -> bool:
        now, notes = self._clock(), self._notes
        if wanted.pursuit.work is Work.TAKE and wanted.tick is not None:
            handled = notes.handled(wanted.pursuit.job, wanted.pursuit.dataset)
            if handled is not None and handled >= wanted.tick:
                return False
        return all(notes.may(part, now) for part in wanted.parts)

    async def _forget(self, jobs: set[str]) -> None:
        """Forget jobs that are no more; but not all of them at once, as before a first look."""
        if not jobs:
            return
        gone = [place for place in self._notes.ticks if place[0] not in jobs]
        self._notes.keep_only(jobs)
        if gone:
            await self._books.forget_ticks(gone)

    def _is_idle(self) -> bool:
        if self._backlog.working or self._backlog.waiting or self._sightings.settles_at():
            return False
        return trio.current_time() - self._ended_at >= _IDLE

    # -- doing

    def _begin(self, nursery: trio.Nursery, given: GivenOrder, *, is_new: bool = False) -> None:
        self._backlog.begun(given.wanted.order.uuid, given.wanted, self._clock())
        self._board.begun(given)
        nursery.start_soon(partial(self._carry_out, given, is_new=is_new))

    async def _carry_out(self, given: GivenOrder, *, is_new: bool) -> None:
        wanted = given.wanted
        if is_new:
            await self._books.give(given)
        result = await self._desk.carry_out(given)
        now = self._clock()
        await self._books.end(
            given,
            result,
            ended=now,
            cursors=dict(self._cursors(given, result, now)),
            tick=self._tick(wanted, result),
        )
        learn(self._notes, wanted, result, now=now, jitter=self._jitter())
        self._backlog.ended(wanted.order.uuid)
        self._board.ended(given, result)
        self._ended_at = trio.current_time()
        self._changed.set()

    def _tick(self, wanted: Wanted, result: OrderResult) -> Tick | None:
        """The tick to be written, unless its job is gone."""
        known = any(job.name == wanted.pursuit.job for job in self._feed.policy.jobs)
        return tick_of(wanted, result) if known else None

    def _cursors(
        self, given: GivenOrder, result: OrderResult, now: float
    ) -> Iterable[tuple[CursorKey, CursorRecord]]:
        wanted = given.wanted
        if wanted.pursuit.work is not Work.SEND:
            return
        try:
            for dataset, cursor in cursors_of(wanted.order, result, now):
                name = wanted.pursuit.replication
                yield CursorKey(name, wanted.host, wanted.to, dataset), cursor
        except BadCursor as exc:
            log.warning("what %s answers can not be read: %s", wanted.host, exc)

    # -- telling

    async def _tell_for_ever(self) -> None:
        while True:
            self._news = trio.Event()
            await self._books.tell(self._status())
            await trio.sleep(_TELL_EVERY)
            with trio.move_on_after(self._settings.interval):
                await self._news.wait()

    def _status(self) -> bytes:
        return self._board.encode(
            self._feed, self._backlog, self._notes, self._desk.progress, at=self._clock()
        )
