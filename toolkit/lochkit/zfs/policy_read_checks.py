"""What is wrong, or suspicious, about the jobs of a policy taken together."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from .errors import BadName, BadPolicy
from .mapping import check_mapping, target_name
from .names import is_within, parents
from .policy_types import Job, Policy, Replication, Selection
from .selecting import is_excluded

__all__ = ["Findings", "Place", "check_for_director", "check_policy", "places", "selects"]

LOCAL = "local"
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found.

    Attributes:
        faults: the policy can not be followed; one line each, with its path.
        warnings: it can, and may not do what is meant.
    """

    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a root of a job is received.

    Attributes:
        path: of the replication in the policy.
        host: by name; None: the host that reads the policy.
        dataset: what it is called there.
        recursive: with all below it.
    """

    path: str
    host: str | None
    dataset: str
    recursive: bool


def check_policy(policy: Policy, paths: Sequence[str] = ()) -> Findings:
    """Judge jobs that are right one by one.

    Args:
        policy: the jobs.
        paths: of the jobs in their document, if it is not ``job[0]`` and so on.
    """
    called = paths or [f"job[{number}]" for number in range(len(policy.jobs))]
    jobs = list(zip(called, policy.jobs, strict=True))
    misplaced = [fault for path, job in jobs for fault in _misplaced(path, job)]
    # What can not be called anything has no place that could overlap.
    spots = [] if misplaced else [place for path, job in jobs for place in places(job, path)]
    faults = (*_same_names(jobs), *misplaced, *_overlapping_targets(spots))
    warnings = [
        *_idle(jobs),
        *_same_prefix(jobs),
        *_snapshots_of_copies(jobs, spots),
        *_unknown_hosts(jobs, policy.hosts),
    ]
    return Findings(faults=faults, warnings=tuple(warnings))


def check_for_director(policy: Policy) -> list[str]:
    """What a director can not do of a policy that an agent could: faults, one line each."""
    return [
        f"job[{number}].host: a director must know whose datasets {job.name!r} is about"
        for number, job in enumerate(policy.jobs)
        if job.host is None
    ]


def selects(selection: Selection, dataset: str) -> bool:
    """Whether a dataset is among those a job is about, if it exists."""
    below = selection.recursive and any(is_within(dataset, root) for root in selection.roots)
    return (below or dataset in selection.roots) and not is_excluded(dataset, selection)


def places(job: Job, path: str = "") -> Iterator[Place]:
    """Where the roots of a job are received; see `mapping`.

    Raises:
        BadName: a name would be too long, or too deep.
    """
    for number, replication in enumerate(job.replications):
        for root in job.datasets.roots:
            yield Place(
                path=f"{path}.replicate[{number}]",
                host=_host_of(job, replication),
                dataset=target_name(root, job.datasets, replication.target),
                recursive=job.datasets.recursive,
            )


def _host_of(job: Job, replication: Replication) -> str | None:
    return job.host if replication.to == LOCAL else replication.to


def _same_names(jobs: list[tuple[str, Job]]) -> Iterator[str]:
    names = Counter(job.name for _, job in jobs)
    replications = Counter(one.name for _, job in jobs for one in job.replications)
    for path, job in jobs:
        if names[job.name] > 1:
            yield f"{path}.name: {names[job.name]} jobs are called {job.name!r}: rename one"
        for number, one in enumerate(job.replications):
            if replications[one.name] > 1:
                yield (
                    f"{path}.replicate[{number}].name: {replications[one.name]} replications are "
                    f"called {one.name!r}: holds and bookmarks carry that name, give each its own"
                )


def _misplaced(path: str, job: Job) -> Iterator[str]:
    """Replications onto themselves, and copies that can not be called as they would be."""
    for number, replication in enumerate(job.replications):
        where = f"{path}.replicate[{number}].target"
        try:
            for root in job.datasets.roots:
                target_name(root, job.datasets, replication.target)
            if _host_of(job, replication) == job.host:
                check_mapping(job.datasets, replication.target)
        except (BadName, BadPolicy) as exc:
            yield f"{where}: {exc}"


def _overlapping_targets(spots: list[Place]) -> Iterator[str]:
    spread = [_Spread(place.host, place.dataset, place.recursive, place) for place in spots]
    for upper, lower in _overlaps(spread):
        yield (
            f"{lower.path}.target: {lower.dataset!r} on {lower.host or 'this host'} overlaps "
            f"{upper.dataset!r} of {upper.path}: give each replication a dataset of its own"
        )


class _Spread(NamedTuple, Generic[_Item]):
    """A dataset that something is about, and perhaps all below it.

    Attributes:
        where: only what is at the same place can meet.
        dataset: by name.
        recursive: with all below it.
        item: what is about it.
    """

    where: Hashable
    dataset: str
    recursive: bool
    item: _Item


def _overlaps(spread: Iterable[_Spread[_Item]]) -> Iterator[tuple[_Item, _Item]]:
    """Every two that share a dataset, the upper first, and of equals the earlier."""
    seen: dict[tuple[Hashable, str], list[tuple[int, _Spread[_Item]]]] = defaultdict(list)
    every = list(enumerate(spread))
    for number, one in every:
        seen[one.where, one.dataset].append((number, one))
    for number, one in every:
        for name in parents(one.dataset):
            for _, other in seen.get((one.where, name), ()):
                if other.recursive:
                    yield other.item, one.item
        for before, other in seen[one.where, one.dataset]:
            if before < number:
                yield other.item, one.item


def _idle(jobs: list[tuple[str, Job]]) -> Iterator[str]:
    for path, job in jobs:
        takes = job.snapshot is not None and job.snapshot.schedule is not None
        if not takes and job.keep is None and not job.replications:
            yield f"{path}: {job.name!r} does nothing: no snapshot.cron, no keep, no replicate"
        elif takes and job.keep is None:
            yield f"{path}: {job.name!r} takes snapshots and never destroys any: it has no keep"


def _same_prefix(jobs: list[tuple[str, Job]]) -> Iterator[str]:
    spread = [
        _Spread((job.host, job.snapshot.template.prefix), root, job.datasets.recursive, (path, job))
        for path, job in jobs
        if job.snapshot is not None
        for root in job.datasets.roots
    ]
    for (path, one), (_, other) in _overlaps(spread):
        roots = (*one.datasets.roots, *other.datasets.roots)
        shared = any(
            selects(one.datasets, root) and selects(other.datasets, root) for root in roots
        )
        if one is not other and shared and one.snapshot:
            yield (
                f"{path}.snapshot.prefix: {one.name!r} and {other.name!r} both call theirs "
                f"{one.snapshot.template.prefix!r} on the same datasets: each takes the other's "
                "snapshots for its own, and destroys them by its own keep"
            )


def _snapshots_of_copies(jobs: list[tuple[str, Job]], spots: list[Place]) -> Iterator[str]:
    takers: dict[tuple[str | None, str], list[tuple[str, Job]]] = defaultdict(list)
    for path, job in jobs:
        if job.snapshot is not None and job.snapshot.schedule is not None:
            for root in job.datasets.roots:
                takers[job.host, root].append((path, job))
    for place in spots:
        for name in (*parents(place.dataset), place.dataset):
            for path, job in takers.get((place.host, name), ()):
                if selects(job.datasets, place.dataset):
                    yield (
                        f"{path}.snapshot: {job.name!r} takes snapshots of {place.dataset!r}, into "
                        f"which {place.path} replicates: the copy gets snapshots that its source "
                        "has not, and replication stops; exclude it"
                    )


def _unknown_hosts(jobs: list[tuple[str, Job]], hosts: Mapping[str, object]) -> Iterator[str]:
    for path, job in jobs:
        named = [(f"{path}.host", job.host or LOCAL)]
        named += [(f"{path}.replicate[{n}].to", one.to) for n, one in enumerate(job.replications)]
        for where, name in named:
            near = difflib.get_close_matches(name, hosts, n=1, cutoff=0.75)
            if name != LOCAL and name not in hosts and near:
                yield f"{where}: {name!r} is not among the hosts; did you mean {near[0]!r}?"
