"""The workers of a replication: each takes the stream that waits longest, until all are sent."""

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio

from ..errors import LochkitError
from ..io.bulk_meter import Meter
from ..io.rate import RateLimit
from .errors import Failure, ZfsError
from .host_types import Sending, ZfsHost
from .offers import AbortReceive, Received
from .policy_types import Guarantee
from .progress import SILENT, Reporter
from .replication_agenda import Agenda
from .replication_course import Course
from .replication_holds import settle, step_holds
from .replication_shipments import Shipment, Shipper
from .replicator_look import Looker
from .reports import Outcome
from .stream_limits import Retries
from .tags import step_tag
from .targets import Target, TargetSession
from .tidy import Tidy

__all__ = ["Workshop"]

_TICK: Final = 0.25  # seconds between two reports of what has moved
_AHEAD: Final = 32  # datasets whose snapshots are held by one command


class _Place:
    """A place among the streams that are sent at once, of this replication and of all."""

    def __init__(self, *wanted: trio.Semaphore | None) -> None:
        self._wanted = [one for one in wanted if one is not None]
        self._taken: list[trio.Semaphore] = []

    async def take(self) -> None:
        """Wait for it."""
        for one in self._wanted:
            await one.acquire()
            self._taken.append(one)

    def leave(self) -> None:
        """Let another have it; at once, or again."""
        while self._taken:
            self._taken.pop().release()


class Workshop:
    """Does what is planned for several datasets at once.

    Args:
        host: of the source.
        target: where to.
        shipper: makes streams of plans.
        looker: looks anew at what has failed.
        reporter: is told how it goes.
        retries: how often what has failed is tried again.
        slots: shared with other replications: more streams than these are not sent at once.
        rate: bytes per second, of all streams together.
    """

    def __init__(
        self,
        host: ZfsHost,
        target: Target,
        *,
        shipper: Shipper,
        looker: Looker,
        reporter: Reporter,
        retries: Retries,
        slots: trio.Semaphore | None,
        rate: RateLimit | None,
    ) -> None:
        self._host, self._target = host, target
        self._shipper, self._looker, self._reporter = shipper, looker, reporter
        self._retries, self._slots, self._rate = retries, slots, rate
        self._wish = shipper.replication
        self._tag = step_tag(self._wish.name)
        self._tidy = Tidy(host, self._tag)
        self._agenda = Agenda()
        self._courses: dict[str, Course] = {}
        self._moving: dict[str, Meter] = {}
        self._changed = trio.Event()
        self._holding = trio.Lock()
        self._streams = trio.Semaphore(1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong besides, for people."""
        return tuple(self._tidy.warnings)

    async def run(
        self, courses: Iterable[Course], session: TargetSession, *, concurrency: int
    ) -> None:
        """Do all of it; what has become of it is in the courses' reports.

        Args:
            courses: parents first.
            session: with the target; the first worker uses it.
            concurrency: how many streams are sent at once.
        """
        for course in courses:
            self._courses[course.name] = course
            if course.open:
                after = course.planned.after
                self._agenda.add(course.name, urgency=course.urgency, after=after)
            else:
                self._conclude(course)
        self._streams = trio.Semaphore(concurrency)
        most = concurrency * self._target.conversations
        workers = min(most, sum(one.open for one in self._courses.values()))
        async with trio.open_nursery() as beside:
            beside.start_soon(self._tidy.run)
            async with trio.open_nursery() as nursery:
                if self._reporter is not SILENT:
                    nursery.start_soon(self._tick)
                async with trio.open_nursery() as inner:
                    inner.start_soon(self._work, session)
                    for _ in range(workers - 1):
                        inner.start_soon(self._work_alone)
                nursery.cancel_scope.cancel()
            self._tidy.close()

    async def _work_alone(self) -> None:
        async with self._target.session() as session:
            await self._work(session)

    async def _work(self, session: TargetSession) -> None:
        while not self._agenda.finished:
            now = trio.current_time()
            name = self._agenda.take(now)
            if name is None:
                await self._wait(now)
                continue
            await self._advance(self._courses[name], session)
            self._changed.set()
            self._changed = trio.Event()

    async def _wait(self, now: float) -> None:
        """Wait until there may be something to take; nothing could be taken at `now`."""
        wakes = self._agenda.wakes(now)
        with trio.move_on_after(float("inf") if wakes is None else wakes - now):
            await self._changed.wait()

    async def _advance(self, course: Course, session: TargetSession) -> None:
        """Send one stream of a dataset, or see what is to be done about it."""
        try:
            if course.look:
                await self._look_again(course, session)
            if course.left:
                await self._hold(course)
                await self._abort(course, session)
                shipment = course.left[0]
                result = await self._send(course, shipment, session)
                course.received(shipment.step, result)
                self._reporter.received(course.report.source, shipment.step, result)
                self._agenda.begun(course.name)
        except LochkitError as exc:
            error = exc if isinstance(exc, ZfsError) else ZfsError(str(exc))
            self._failed(course, error)
            return
        if course.left:
            self._agenda.put_back(course.name, urgency=course.urgency)
        else:
            self._conclude(course)
            if course.report.outcome.ok:
                self._agenda.done(course.name)
            else:
                self._give_up_below(course)

    async def _look_again(self, course: Course, session: TargetSession) -> None:
        planned = await self._looker.look_again(session, course.planned)
        course.replanned(planned, self._shipper.shipments(planned))
        self._reporter.planned(planned.source.name, planned.target_name, planned.verdict)

    async def _hold(self, course: Course) -> None:
        """Hold what is to be sent, and what soon will be: one command for many."""
        if self._wish.guarantee is not Guarantee.RESUMABLE:
            return
        async with self._holding:
            if course.holds_put:
                return
            soon = self._agenda.ready(trio.current_time(), most=_AHEAD)
            together = [course, *(self._courses[name] for name in soon)]
            together = [one for one in together if one.left and not one.holds_put]
            try:
                await self._hold_all(together)
            except ZfsError:
                if len(together) == 1:
                    raise
                await self._hold_all([course])  # one of the others is to blame, or it is

    async def _hold_all(self, courses: list[Course]) -> None:
        names: list[str] = []
        for course in courses:
            steps = [one.step for one in course.left]
            wanted = step_holds(course.planned.source, steps, self._wish.name)
            names += (one for one in wanted if one not in course.surely_held)
            # Even if it fails: some of them may have been put.
            course.held.update(dict.fromkeys(wanted))
        if names:
            await self._host.hold(self._tag, names)
        for course in courses:
            course.surely_held.update(names)
            course.holds_put = True

    async def _abort(self, course: Course, session: TargetSession) -> None:
        target = course.planned.target
        if course.abort and target is not None and target.resume_token is not None:
            request = AbortReceive(dataset=course.name, token=target.resume_token)
            await session.abort_receive(request)
        course.abort = False

    async def _send(self, course: Course, shipment: Shipment, session: TargetSession) -> Received:
        source, offer = course.report.source, shipment.offer
        size = offer.size
        if size is None and self._reporter is not SILENT:
            size = await self._host.estimate(shipment.spec)
        place = _Place(self._streams, self._slots)
        try:
            await place.take()
            now = trio.current_time()
            course.started = now if course.started is None else course.started
            self._reporter.started(source, shipment.step, size)
            meter = self._moving[source] = Meter()
            sending = partial(self._sending, shipment, place)
            result = await session.transfer(offer, sending, meter=meter, rate=self._rate)
        finally:
            place.leave()
            self._moving.pop(source, None)
            course.ended = trio.current_time()
        if result.guid != offer.to.guid:
            raise ZfsError(
                f"{course.name}: {self._target.name} says that it has received another snapshot",
                failure=Failure.BAD_REQUEST,
            )
        return result

    @asynccontextmanager
    async def _sending(self, shipment: Shipment, place: "_Place") -> AsyncIterator[Sending]:
        """Send; when the stream has ended another may begin, though the target still looks."""
        try:
            async with self._host.send(shipment.spec) as stream:
                yield stream
        finally:
            place.leave()

    def _failed(self, course: Course, error: ZfsError) -> None:
        next_ = course.failed(error, most=self._retries.most)
        if next_.again:
            seconds = self._retries.backoff.jittered(next_.failures, random.random())
            self._reporter.retrying(course.report.source, str(error), seconds)
            later = trio.current_time() + seconds
            self._agenda.put_back(course.name, urgency=course.urgency, not_before=later)
            return
        self._settle(course, release=False)
        report = course.conclude(Outcome.FAILED, failure=error.failure, message=str(error))
        self._reporter.finished(report)
        self._give_up_below(course)

    def _give_up_below(self, course: Course) -> None:
        for name in self._agenda.failed(course.name):
            lost = self._courses[name]
            message = f"waits for {course.report.source}, which is not at the target"
            self._reporter.finished(lost.conclude(Outcome.WAITING, message=message))

    def _conclude(self, course: Course) -> None:
        outcome, failure, message = course.settled
        self._settle(course, release=outcome.ok)
        self._reporter.finished(course.conclude(outcome, failure=failure, message=message))

    def _settle(self, course: Course, *, release: bool) -> None:
        """See to the holds and cursors of a dataset of which something has been confirmed."""
        if course.confirmed is None:
            return
        due = settle(
            course.planned.source,
            course.confirmed,
            replication=self._wish.name,
            guarantee=self._wish.guarantee,
            capabilities=self._host.capabilities,
            held=course.held if release else (),
        )
        self._tidy.settle(due)

    async def _tick(self) -> None:
        while True:
            await trio.sleep(_TICK)
            for source, meter in self._moving.items():
                self._reporter.moved(source, meter.bytes, meter.rate())
