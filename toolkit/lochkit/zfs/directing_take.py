"""Which snapshots a director has taken now. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from .agent_due import newest_own
from .directing_notes import Notes
from .directing_view import HostView, state_of
from .directing_work import Part, Pursuit, Wanted
from .model import Dataset
from .names import is_within
from .orders import Action, Order
from .policy_types import Job, SnapshotPolicy
from .selecting import select
from .work_queue import Work

__all__ = ["plan_takes", "topmost"]

_PUNCTUAL: Final = 3600
"""Seconds after a tick in which a snapshot is called by the tick, so that an order that is given
twice finds it there; later by the time it is taken at."""


def plan_takes(job: Job, host: HostView, notes: Notes, now: int) -> Iterator[Wanted]:
    """The takes of a job that are due: one for each root where that is possible.

    Args:
        job: whose host this is.
        host: as it is seen.
        notes: which ticks are done.
        now: seconds since 1970.
    """
    policy = job.snapshot
    if policy is None or policy.schedule is None:
        return
    tick = policy.schedule.due(None, now)
    if tick is None:
        return
    selected = select(job.datasets, host.inventory)
    for root in topmost(job.datasets.roots, recursive=job.datasets.recursive):
        group = [one for one in selected if _belongs(one, root, job)]
        due = [one for one in group if _lacks(one, job, policy, notes, tick, now)]
        if not due:
            continue
        name = _name(policy, due, tick, now)
        if len(due) == len(group) and group[0].name == root:
            yield _wanted(job, host, due, name, tick, recursive=job.datasets.recursive)
            continue
        for one in due:
            yield _wanted(job, host, [one], name, tick, recursive=False)


def topmost(roots: Sequence[str], *, recursive: bool) -> tuple[str, ...]:
    """Roots without those that another one has with all that is below it."""
    if not recursive:
        return tuple(dict.fromkeys(roots))
    return tuple(
        one
        for one in dict.fromkeys(roots)
        if not any(other != one and is_within(one, other) for other in roots)
    )


def _belongs(dataset: Dataset, root: str, job: Job) -> bool:
    if job.datasets.recursive:
        return is_within(dataset.name, root)
    return dataset.name == root


def _lacks(
    dataset: Dataset, job: Job, policy: SnapshotPolicy, notes: Notes, tick: int, now: int
) -> bool:
    handled = notes.handled(job.name, dataset.name)
    own = newest_own(dataset, policy.template)
    # A snapshot from the future (a clock was wrong) must not keep us from taking any.
    return all(at is None or at > now or at < tick for at in (handled, own))


def _name(policy: SnapshotPolicy, due: Sequence[Dataset], tick: int, now: int) -> str:
    taken = frozenset(snapshot.name for one in due for snapshot in one.snapshots)
    return policy.template.name(tick if now - tick < _PUNCTUAL else now, taken=taken)


def _wanted(
    job: Job, host: HostView, due: Sequence[Dataset], name: str, tick: int, *, recursive: bool
) -> Wanted:
    assert job.snapshot is not None
    dataset = due[0].name
    order = Order(
        uuid="",
        action=Action.TAKE,
        dataset=dataset,
        snapshot_name=name,
        recursive=recursive,
        exclude=job.datasets.exclude if recursive else (),
        skip_if_not_written=job.snapshot.skip_unwritten,
        written_since=job.snapshot.template.prefix if job.snapshot.skip_unwritten else "",
        job=job.name,
    )
    pursuit = Pursuit(job.name, Work.TAKE, dataset)
    part = Part(pursuit, state_of(*due), tick)
    return Wanted(pursuit=pursuit, host=host.record.host, order=order, parts=(part,), tick=tick)
