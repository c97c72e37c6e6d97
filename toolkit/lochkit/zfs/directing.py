"""What a director has done now: from all that is seen, the policy and the time. Pure."""

from collections.abc import Iterator
from typing import Final

from .directing_destroy import plan_destroys
from .directing_memo import Memo
from .directing_notes import Notes
from .directing_send import plan_sends
from .directing_take import plan_takes
from .directing_ties import Ties
from .directing_view import HostView, View
from .directing_work import Conflicted, Plan, Wanted
from .errors import BadName
from .policy_types import Job, Policy
from .selecting import missing_roots

__all__ = ["plan_work"]

_MOST_NOTICES: Final = 200
_MOST_CONFLICTS: Final = 1000


def plan_work(
    policy: Policy, view: View, notes: Notes, now: int, *, memo: Memo | None = None
) -> Plan:
    """Decide what is wanted: takes, sends and destroys, of all jobs.

    What has been tried and may not be tried again yet is left out. A host whose agent is silent, or
    has not told everything yet, gets nothing to do.

    Args:
        policy: every job of which names its host.
        view: of all hosts.
        notes: what was tried; not changed.
        now: seconds since 1970.
        memo: of plans before this one; it is changed.
    """
    memo = memo if memo is not None else Memo()
    memo.begin()
    wanted: list[Wanted] = []
    conflicts: list[Conflicted] = []
    notices: list[str] = []
    ties = Ties(policy)
    for job in policy.jobs:
        host = view.hosts.get(job.host or "")
        notices += _notices(job, host)
        if host is None or not host.complete or not host.record.orders_port:
            continue
        try:
            wanted += (one for one in plan_takes(job, host, notes, now) if _may(one, notes, now))
        except BadName as exc:
            notices.append(f"job {job.name}: {exc}")
        for replication in job.replications:
            sends = plan_sends(policy, job, replication, view, notes, now)
            wanted += sends.wanted
            conflicts += sends.conflicts
            notices += sends.notices
        destroys = plan_destroys(job, ties, view, notes, now, memo)
        wanted += (one for one in destroys.wanted if _takes_orders(view, one.host))
        for reason, (count, example) in destroys.unsure.items():
            others = f" and of {count - 1} more" if count > 1 else ""
            notices.append(f"job {job.name}: nothing is destroyed of {example}{others}: {reason}")
    return Plan(
        wanted=tuple(wanted),
        conflicts=tuple(conflicts[:_MOST_CONFLICTS]),
        notices=tuple(dict.fromkeys(notices))[:_MOST_NOTICES],
    )


def _notices(job: Job, host: HostView | None) -> Iterator[str]:
    if host is None:
        yield (
            f"job {job.name}: the agent of {job.host} is silent: it does not tell etcd of itself,"
            " and gets no orders"
        )
        return
    if not host.record.orders_port:
        yield f"job {job.name}: the agent of {job.host} takes no orders"
    if not host.complete:
        yield f"job {job.name}: the agent of {job.host} has just begun to tell what there is"
        return
    for name in missing_roots(job.datasets, host.inventory):
        what = "what is told of it can not be read" if name in host.unreadable else "is not there"
        yield f"job {job.name}: {job.host}:{name}: {what}"


def _takes_orders(view: View, host: str) -> bool:
    return bool(view.hosts[host].record.orders_port)


def _may(wanted: Wanted, notes: Notes, now: int) -> bool:
    return all(notes.may(part, now) for part in wanted.parts)
