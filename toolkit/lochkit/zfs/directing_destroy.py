"""What a director has destroyed now, at sources and at destinations. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ..errors import ConfigError
from .agent_prune import Needs
from .directing_memo import Memo
from .directing_needs import Unsure, needs_of
from .directing_notes import Notes
from .directing_ties import Ties, destination_of
from .directing_view import HostView, View, state_of
from .directing_work import Part, Pursuit, Wanted
from .keep_rules import KeepPolicy
from .mapping import target_name
from .model import Dataset, Snapshot
from .naming import NameTemplate
from .orders import Action, Order, SnapshotRef
from .policy_types import Job
from .pruning import plan_pruning
from .selecting import select
from .work_queue import Work

__all__ = ["Destroys", "plan_destroys"]

_AT_ONCE: Final = 1000
"""Snapshots in one order."""


@dataclass(slots=True, kw_only=True)
class Destroys:
    """What retention comes to; it belongs to who has asked for it.

    Attributes:
        wanted: orders.
        unsure: by reason, how many datasets nothing is destroyed of because of it, and one.
    """

    wanted: list[Wanted] = field(default_factory=list)
    unsure: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    job: Job
    replication: str
    keep: KeepPolicy
    host: HostView
    dataset: Dataset


def plan_destroys(job: Job, ties: Ties, view: View, notes: Notes, now: int, memo: Memo) -> Destroys:
    """Decide what is destroyed of a job: of its own datasets, and of their copies.

    Args:
        job: whose.
        ties: all copies, of all jobs.
        view: of all hosts.
        notes: what was tried.
        now: seconds since 1970.
        memo: of plans before.
    """
    found = Destroys()
    if job.snapshot is None:
        return found  # nothing says which snapshots are the job's own
    for task in _tasks(job, view):
        host = task.host.record.host
        needs = needs_of(view, ties, host, task.dataset)
        if isinstance(needs, Unsure):
            count, example = found.unsure.get(needs.reason, (0, f"{host}:{task.dataset.name}"))
            found.unsure[needs.reason] = (count + 1, example)
            continue
        pursuit = Pursuit(job.name, Work.DESTROY, task.dataset.name, task.replication)
        doomed = _doomed(task, job.snapshot.template, needs, now, memo, pursuit)
        if not doomed:
            continue
        aim = hash(frozenset(one.guid for one in doomed))
        part = Part(pursuit, state_of(task.dataset), aim)
        if not notes.may(part, now):
            continue
        name = task.dataset.name
        order = Order(
            uuid="",
            action=Action.DESTROY,
            dataset=name,
            snapshots=tuple(
                SnapshotRef(guid=one.guid, dataset=name, name=one.name) for one in doomed
            ),
            skip_if_renamed=job.skip_renamed,
            skip_if_cloned=True,
            job=job.name,
        )
        found.wanted.append(Wanted(pursuit=pursuit, host=host, order=order, parts=(part,)))
    return found


def _doomed(
    task: _Task, template: NameTemplate, needs: Needs, now: int, memo: Memo, pursuit: Pursuit
) -> tuple[Snapshot, ...]:
    """What is to be destroyed, as much as goes into one order."""
    judged_by = (task.keep, template)
    doomed = memo.find(pursuit, task.dataset, needs, judged_by, now)
    if doomed is None:
        doomed = plan_pruning(
            task.dataset,
            task.keep,
            template=template,
            now=now,
            protected=needs.protected,
            replicated=needs.replicated,
        ).destroy[:_AT_ONCE]
        memo.keep(pursuit, task.dataset, needs, judged_by, now, doomed)
    return doomed


def _tasks(job: Job, view: View) -> Iterator[_Task]:
    """The datasets that are pruned, each at its host."""
    here = view.hosts.get(job.host or "")
    if here is None:
        return
    for dataset in select(job.datasets, here.inventory):
        if job.keep is not None:
            yield _Task(job=job, replication="", keep=job.keep, host=here, dataset=dataset)
        for replication in job.replications:
            there = view.hosts.get(destination_of(job, replication))
            if there is None or replication.keep is None:
                continue
            try:
                copy = there.get(target_name(dataset.name, job.datasets, replication.target))
            except ConfigError:
                continue  # nothing can be called so: there is no copy
            if copy is not None:
                yield _Task(
                    job=job,
                    replication=replication.name,
                    keep=replication.keep,
                    host=there,
                    dataset=copy,
                )
