"""Which dataset is the copy of which, by what a policy says. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import ConfigError
from .mapping import source_name, target_name
from .policy_read_checks import LOCAL, selects
from .policy_types import Job, Policy, Replication

__all__ = ["Tie", "Ties", "destination_of"]


class Tie(NamedTuple):
    """A dataset and the place of its copy.

    Attributes:
        replication: that makes the copy.
        source_host: by name.
        source: the dataset there.
        target_host: by name; the same for a copy in another pool.
        target: the copy.
    """

    replication: str
    source_host: str
    source: str
    target_host: str
    target: str


def destination_of(job: Job, replication: Replication) -> str:
    """The host that a replication goes to."""
    return (job.host or "") if replication.to == LOCAL else replication.to


class Ties:
    """All copies that a policy makes.

    Args:
        policy: every job of which names its host.
    """

    __slots__ = ("_from", "_to")

    def __init__(self, policy: Policy) -> None:
        self._from: dict[str, list[Job]] = defaultdict(list)
        self._to: dict[str, list[tuple[Job, Replication]]] = defaultdict(list)
        for job in policy.jobs:
            if job.replications:
                self._from[job.host or ""].append(job)
            for replication in job.replications:
                self._to[destination_of(job, replication)].append((job, replication))

    def of_source(self, host: str, dataset: str) -> Iterator[Tie]:
        """The copies of a dataset."""
        for job in self._from.get(host, ()):
            if not selects(job.datasets, dataset):
                continue
            for replication in job.replications:
                try:
                    target = target_name(dataset, job.datasets, replication.target)
                except ConfigError:
                    continue  # nothing can be called so: there is no copy
                to = destination_of(job, replication)
                yield Tie(replication.name, host, dataset, to, target)

    def of_target(self, host: str, dataset: str) -> Iterator[Tie]:
        """What a dataset is the copy of."""
        for job, replication in self._to.get(host, ()):
            source = source_name(dataset, job.datasets, replication.target)
            if source is not None and selects(job.datasets, source):
                yield Tie(replication.name, job.host or "", source, host, dataset)
