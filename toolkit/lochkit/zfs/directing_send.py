"""What a director has sent now, and what can not be sent. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from .directing_notes import Notes
from .directing_take import topmost
from .directing_ties import destination_of
from .directing_view import HostView, View, state_of
from .directing_work import Conflicted, Part, Pursuit, Wanted
from .errors import BadPolicy
from .mapping import target_name
from .model import Snapshot
from .names import is_within
from .orders import Action, Order
from .plan_many import Planned, arriving, plan_many
from .plan_types import Conflict, ConflictReason, UpToDate
from .policy_read_checks import LOCAL
from .policy_types import HostAddress, Job, Policy, Replication, Selection
from .work_queue import Work

__all__ = ["Sends", "plan_sends"]

# Of what an interrupted receive has left only the two agents can tell what it is good for.
_FOR_AGENTS = frozenset((ConflictReason.STALE_TOKEN, ConflictReason.TARGET_NOT_EMPTY))


@dataclass(slots=True, kw_only=True)
class Sends:
    """What a replication comes to; it belongs to who has asked for it."""

    wanted: list[Wanted] = field(default_factory=list)
    conflicts: list[Conflicted] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    job: Job
    replication: Replication
    source: HostView
    target: HostView
    address: HostAddress | None
    notes: Notes
    now: int


def plan_sends(
    policy: Policy,
    job: Job,
    replication: Replication,
    view: View,
    notes: Notes,
    now: int,
) -> Sends:
    """Decide what is sent to one destination of a job whose host is seen, and told completely.

    Args:
        policy: for where hosts are.
        job: whose datasets.
        replication: where to.
        view: of all hosts.
        notes: what was tried.
        now: seconds since 1970.
    """
    found = Sends()
    source, to = view.hosts[job.host or ""], destination_of(job, replication)
    target = view.hosts.get(to)
    if target is None:
        found.notices.append(
            f"job {job.name}: {to}, to which {replication.name} goes, is not among the hosts whose"
            " agents tell etcd of themselves: nothing is sent there"
        )
        return found
    where = policy.hosts.get(to) or target.record.where
    if replication.to != LOCAL and not target.record.streams_port:
        found.notices.append(f"job {job.name}: the agent of {to} takes no streams")
        return found
    case = _Case(
        job=job,
        replication=replication,
        source=source,
        target=target,
        address=None if replication.to == LOCAL else where,
        notes=notes,
        now=now,
    )
    try:
        planned = _planned(case)
    except BadPolicy as exc:
        found.notices.append(f"job {job.name}: {exc}")
        return found
    ready: list[Planned] = []
    stuck: list[Planned] = []
    for one in planned:
        if one.target_name in target.unreadable or isinstance(one.verdict, UpToDate):
            continue
        if one.target is None and not target.lacks(one.target_name):
            continue  # it may be there, and was not told of yet
        (stuck if _is_stuck(one) else ready).append(one)
    found.conflicts += (_conflicted(case, one) for one in stuck)
    found.wanted += _orders(case, ready, stuck)
    return found


def _planned(case: _Case) -> tuple[Planned, ...]:
    return plan_many(
        case.job.datasets,
        case.source.inventory,
        case.target.inventory,
        replication=case.replication,
        source_caps=case.source.record.zfs,
        target_caps=case.target.record.zfs,
    )


def _is_stuck(one: Planned) -> bool:
    if not isinstance(one.verdict, Conflict):
        return False
    interrupted = one.target is not None and one.target.resume_token is not None
    return not (interrupted and one.verdict.reason in _FOR_AGENTS)


def _conflicted(case: _Case, one: Planned) -> Conflicted:
    assert isinstance(one.verdict, Conflict)
    return Conflicted(
        job=case.job.name,
        replication=case.replication.name,
        host=case.source.record.host,
        dataset=one.source.name,
        target=f"{case.target.record.host}:{one.target_name}",
        reason=one.verdict.reason.value,
        message=one.verdict.message,
    )


def _orders(case: _Case, ready: Sequence[Planned], stuck: Sequence[Planned]) -> Iterator[Wanted]:
    """One order for all of a root where nothing is in the way, else one for each dataset."""
    selection = case.job.datasets
    coming = {one.target_name for one in ready}
    for root in topmost(selection.roots, recursive=selection.recursive):
        group = [one for one in ready if one.source.name == root or _below(one, root, selection)]
        due = [(one, part) for one in group if (part := _due(case, one)) is not None]
        blocked = any(_below(one, root, selection) for one in stuck)
        if len(due) == len(group) > 1 and not blocked and root in case.source.inventory.datasets:
            yield _wanted(case, root, tuple(part for _, part in due), recursive=True)
            continue
        for one, part in due:
            if one.after not in coming:  # below a copy that comes first
                yield _wanted(case, one.source.name, (part,), recursive=False)


def _below(one: Planned, root: str, selection: Selection) -> bool:
    return selection.recursive and is_within(one.source.name, root)


def _due(case: _Case, one: Planned) -> Part | None:
    """The part that sends a dataset; None: it is not its time."""
    coming = _coming(one)
    when = case.replication.when
    # Due is what was there when a tick passed, however long ago that was.
    if when is not None and (not coming or when.due(coming[0].creation, case.now) is None):
        return None
    pursuit = Pursuit(case.job.name, Work.SEND, one.source.name, case.replication.name)
    aim = hash(tuple(snapshot.guid for snapshot in coming))
    part = Part(pursuit, state_of(one.source, one.target), aim)
    return part if case.notes.may(part, case.now) else None


def _coming(one: Planned) -> tuple[Snapshot, ...]:
    return arriving(one.verdict) or one.source.snapshots[-1:]


def _wanted(case: _Case, dataset: str, parts: tuple[Part, ...], *, recursive: bool) -> Wanted:
    job, replication = case.job, case.replication
    target = target_name(dataset, job.datasets, replication.target)
    order = Order(
        uuid="",
        action=Action.SEND,
        destination=replication.to,
        dataset=target,
        source_dataset=dataset,
        rollback_if_needed=replication.rollback,
        recursive=recursive,
        exclude=job.datasets.exclude if recursive else (),
        # When, and what is kept there, is for us to look after.
        replication=replace(replication, target=target, when=None, keep=None),
        address=case.address,
        job=job.name,
    )
    return Wanted(
        pursuit=Pursuit(job.name, Work.SEND, dataset, replication.name),
        host=case.source.record.host,
        order=order,
        to=case.target.record.host,
        target=target,
        parts=parts,
    )
