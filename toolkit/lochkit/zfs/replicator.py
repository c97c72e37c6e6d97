"""Replicates datasets to a target: looks, plans, sends, and sees to what is to be kept."""

import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from ..io.rate import RateLimit
from .compression import available
from .errors import ZfsError
from .host_types import ZfsHost
from .model import Inventory
from .offers import Greeting
from .policy_types import Replication, Selection
from .progress import SILENT, Reporter
from .replication_course import Course
from .replication_holds import may_be_ours
from .replication_shipments import Shipper
from .replicator_look import Looker
from .replicator_work import Workshop
from .reports import DatasetReport, Outcome, Report
from .stream_limits import Retries
from .tags import step_tag
from .targets import Target

__all__ = ["replicate"]

_T = TypeVar("_T")


async def replicate(
    host: ZfsHost,
    target: Target,
    replication: Replication,
    selection: Selection,
    *,
    reporter: Reporter = SILENT,
    concurrency: int = 4,
    slots: trio.Semaphore | None = None,
    dry_run: bool = False,
    order: str = "",
    retries: Retries | None = None,
    source: Inventory | None = None,
    rate: RateLimit | None = None,
    compressions: Sequence[str] | None = None,
) -> Report:
    """Bring the target up to date with the source, as far as that loses nothing.

    Conflicts are reported, and nothing is done about them. The failure of one dataset does not stop
    the others, but those below it that wait for its first stream. What time may heal is tried
    again, from where it was.

    Args:
        host: of the source.
        target: where to.
        replication: what is wanted.
        selection: of which datasets.
        reporter: is told how it goes.
        concurrency: streams at once.
        slots: more of them than these are not sent at once, by all replications of this host.
        dry_run: look and plan, and write nothing at either end.
        order: the order it belongs to, for the log of the target.
        retries: how often what has failed is tried again.
        source: what the source has, if it was just looked at; with the property
            `plan_types.MADE_AT`.
        rate: bytes per second; None: what the replication says.
        compressions: what can compress here; None: the programs this host has.

    Returns:
        What has become of each dataset.

    Raises:
        ZfsError: one of the ends could not be looked at.
        ConfigError: what is wanted makes no sense.
    """
    retries = retries or Retries()
    began, started = time.monotonic(), time.time()
    if rate is None and replication.rate is not None:
        rate = RateLimit(replication.rate)
    async with target.session() as session:
        greeting = await _patiently(session.greeting, retries)
        looker = Looker(host, replication, selection, greeting)
        look = await _patiently(partial(looker.look, session, source), retries)
        can = available() if compressions is None else tuple(compressions)
        shipper = Shipper(
            replication=replication,
            source=host.capabilities,
            target=greeting,
            compression=_compression(replication, can, greeting),
            order=order,
        )
        tag = step_tag(replication.name)
        courses = [
            Course(one, shipper.shipments(one), may_be_ours(one.source, look.tags, tag))
            for one in look.planned
        ]
        for one in look.planned:
            reporter.planned(one.source.name, one.target_name, one.verdict)
        workshop = Workshop(
            host,
            target,
            shipper=shipper,
            looker=looker,
            reporter=reporter,
            retries=retries,
            slots=slots,
            rate=rate,
        )
        if not dry_run:
            await workshop.run(courses, session, concurrency=concurrency)
    return Report(
        replication=replication.name,
        datasets=tuple(_would(one) if dry_run else one.report for one in courses),
        started=started,
        seconds=time.monotonic() - began,
        dry_run=dry_run,
        missing=look.missing,
        warnings=workshop.warnings,
    )


def _would(course: Course) -> DatasetReport:
    """What would become of it, as far as that can be said."""
    if course.open:
        return course.conclude(Outcome.WOULD_SEND)
    outcome, failure, message = course.settled
    return course.conclude(outcome, failure=failure, message=message)


def _compression(replication: Replication, can: Sequence[str], greeting: Greeting) -> str:
    """What is compressed with: what is wanted, if both ends have it."""
    wish = replication.compression
    return wish if wish in can and wish in greeting.compressions else "none"


async def _patiently(work: Callable[[], Awaitable[_T]], retries: Retries) -> _T:
    """Try until it works, or fails in a way that time does not heal, or has failed too often."""
    for failures in itertools.count(1):
        try:
            return await work()
        except ZfsError as exc:
            if not exc.failure.retryable or failures > retries.most:
                raise
        await trio.sleep(retries.backoff.jittered(failures, random.random()))
    raise AssertionError
