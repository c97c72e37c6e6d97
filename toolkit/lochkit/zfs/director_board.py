"""What is told of a reign: in the log what is new, in the status how everything stands."""

import logging
from collections.abc import Mapping

from .backlog import Backlog
from .directing_notes import Notes
from .directing_record import GivenOrder
from .directing_view import View
from .directing_work import Conflicted, Plan
from .director_status import (
    DirectorStatus,
    HostLine,
    JunkLine,
    OrderLine,
    TroubleLine,
    encode_status,
)
from .orders import OrderProgress, OrderResult
from .policy_feed import PolicyFeed
from .policy_types import Policy

__all__ = ["BoardOfRule"]

log = logging.getLogger(__name__)


class BoardOfRule:
    """What there is to tell.

    Args:
        name: of the director.
        since: when the reign began, seconds since 1970.

    Attributes:
        orders_junk: keys of orders and ticks that can not be read, with the reasons.
    """

    def __init__(self, name: str, *, since: float) -> None:
        self._name = name
        self._since = since
        self._plan = Plan()
        self._view = View(hosts={})
        self._junk: dict[bytes, str] = {}
        self._running: dict[str, GivenOrder] = {}
        self._done = self._failed = 0
        self.orders_junk: dict[bytes, str] = {}

    @property
    def went_well(self) -> bool:
        """Whether nothing stands in the way of what the policy wants."""
        return not (self._plan.conflicts or self._plan.notices)

    def planned(self, plan: Plan, view: View, junk: Mapping[bytes, str]) -> None:
        """A plan was made; what is new in it goes to the log."""
        known = set(map(_key_of, self._plan.conflicts))
        for one in plan.conflicts:
            if _key_of(one) not in known:
                log.warning(
                    "%s is not sent to %s: %s", f"{one.host}:{one.dataset}", one.target, one.message
                )
        for notice in plan.notices:
            if notice not in self._plan.notices:
                log.warning("%s", notice)
        now_junk = {**self.orders_junk, **junk}
        for key, reason in now_junk.items():
            if key not in self._junk:
                log.warning("%s is left aside: %s", key.decode("utf-8", "replace"), reason)
        self._plan, self._view, self._junk = plan, view, now_junk

    def begun(self, given: GivenOrder) -> None:
        """An order is under way."""
        self._running[given.wanted.order.uuid] = given

    def ended(self, given: GivenOrder, result: OrderResult) -> None:
        """An order has ended."""
        wanted = given.wanted
        self._running.pop(wanted.order.uuid, None)
        facts = {
            "order": wanted.order.uuid,
            "job": wanted.pursuit.job,
            "host": wanted.host,
            "dataset": wanted.pursuit.dataset,
            "status": int(result.status),
        }
        work = wanted.pursuit.work.value
        if result.is_success:
            self._done += 1
            log.info("%s done", work, extra=facts)
        else:
            self._failed += 1
            log.warning("%s failed: %s", work, result.error, extra=facts)

    def encode(
        self,
        feed: PolicyFeed,
        backlog: Backlog,
        notes: Notes,
        progress: Mapping[str, OrderProgress],
        *,
        at: float,
    ) -> bytes:
        """The status, as a value in etcd."""
        plan = self._plan
        status = DirectorStatus(
            name=self._name,
            since=self._since,
            at=at,
            policy=feed.source,
            policy_error=feed.error,
            jobs=len(feed.policy.jobs),
            waiting=len(backlog.waiting),
            done=self._done,
            failed=self._failed,
            hosts=tuple(self._host(name) for name in _hosts_of(feed.policy)),
            running=tuple(
                _order_line(one, progress.get(name)) for name, one in self._running.items()
            ),
            troubles=tuple(
                TroubleLine(
                    job=pursuit.job,
                    work=pursuit.work.value,
                    dataset=pursuit.dataset,
                    replication=pursuit.replication,
                    error=how.error,
                    failures=how.failures,
                    failed_at=how.failed_at,
                    retry_at=how.retry_at,
                )
                for pursuit, how in notes.troubles()
            ),
            conflicts=plan.conflicts,
            notices=plan.notices,
            junk=tuple(
                JunkLine(key=key.decode("utf-8", "replace"), reason=reason)
                for key, reason in self._junk.items()
            ),
        )
        return encode_status(status)

    def _host(self, name: str) -> HostLine:
        seen = self._view.hosts.get(name)
        if seen is None:
            return HostLine(host=name)
        return HostLine(
            host=name,
            address=f"{seen.record.address}:{seen.record.orders_port}",
            zfs=seen.record.zfs.version,
            datasets=len(seen.inventory.datasets),
            complete=seen.complete,
        )


def _hosts_of(policy: Policy) -> list[str]:
    names = {job.host or "" for job in policy.jobs}
    names |= {one.to for job in policy.jobs for one in job.replications if one.to != "local"}
    return sorted(names)


def _key_of(one: Conflicted) -> tuple[str, ...]:
    return one.replication, one.host, one.dataset, one.reason


def _order_line(given: GivenOrder, progress: OrderProgress | None) -> OrderLine:
    wanted = given.wanted
    return OrderLine(
        order=wanted.order.uuid,
        job=wanted.pursuit.job,
        work=wanted.pursuit.work.value,
        host=wanted.host,
        dataset=wanted.pursuit.dataset,
        replication=wanted.pursuit.replication,
        to=wanted.to,
        given=given.given,
        phase=progress.phase if progress is not None else "",
        done=progress.done if progress is not None else 0,
        rate=progress.rate if progress is not None else 0.0,
    )
