"""A policy: which datasets are snapshotted, what is kept, and where it is replicated to."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # who sends once needs neither time zones nor cron, and they take time to import
    from .keep_rules import KeepPolicy
    from .naming import NameTemplate
    from .schedule import Schedule

__all__ = [
    "COMPRESSIONS",
    "Guarantee",
    "HostAddress",
    "Job",
    "Policy",
    "Replication",
    "Selection",
    "SnapshotPolicy",
    "StaleToken",
]


COMPRESSIONS: Final = ("none", "zstd", "lz4", "gzip")
"""What may be done to a stream on the way; none, or a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which datasets a job is about.

    Attributes:
        roots: names of datasets.
        recursive: with all that is below them.
        exclude: patterns (fnmatch, of whole dataset names; ``*`` also matches ``/``) of datasets
            left out with all that is below them.
    """

    roots: tuple[str, ...]
    recursive: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPolicy:
    """When snapshots are taken, and what they are called.

    Attributes:
        schedule: when; None: when told to only, and by others: the template says which snapshots
            are this job's own.
        template: their names, which also says which snapshots are this job's own.
        skip_unwritten: none is taken of a dataset that nothing was written to.
    """

    template: "NameTemplate"
    schedule: "Schedule | None" = None
    skip_unwritten: bool = False


class Guarantee(enum.Enum):
    """What is kept on the source for a replication that is interrupted for long."""

    RESUMABLE = "resumable"  # what is being sent, and its base, are held
    INCREMENTAL = "incremental"  # a bookmark of the last common snapshot
    NOTHING = "nothing"


class StaleToken(enum.Enum):
    """What is done about an interrupted receive that can not be resumed."""

    ABORT = "abort"  # forget it (receive -A), and begin the step anew
    KEEP = "keep"  # leave it to a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """One destination of a job.

    Attributes:
        name: of the replication; the job's name, unless the job has several.
        to: the host it goes to, by name; ``local`` for another pool of the same host.
        target: the dataset there that takes the place of the job's root: the names of datasets
            below are the same below it. With several roots each gets its path below the target.
        when: None: as soon as there is something to send.
        keep: what is kept at the destination; None: nobody prunes it on our behalf.
        snapshots: only snapshots whose name matches this regular expression (whole) are sent;
            None: all.
        intermediates: whether snapshots between are sent too.
        initial_all: whether a first replication begins with the oldest snapshot, not the newest.
        raw: encrypted datasets are sent as they are.
        send_properties: ``-p``.
        set_properties: at the destination, ``-o``.
        exclude_properties: at the destination, ``-x``.
        large_blocks, compressed, embedded: ``-L -c -e``; None: where both ends can.
        resume: interrupted receives go on where they were, where both ends can.
        stale_token: see `StaleToken`.
        rollback: what the target has beyond the newest common snapshot may be destroyed (``-F``).
        guarantee: see `Guarantee`.
        compression: on the wire: none, zstd, lz4 or gzip.
        rate: bytes a second; None: as fast as it goes.
    """

    name: str
    to: str
    target: str
    when: "Schedule | None" = None
    keep: "KeepPolicy | None" = None
    snapshots: str | None = None
    intermediates: bool = True
    initial_all: bool = True
    raw: bool = True
    send_properties: bool = False
    set_properties: Mapping[str, str] = field(default_factory=dict)
    exclude_properties: tuple[str, ...] = ()
    large_blocks: bool | None = None
    compressed: bool | None = None
    embedded: bool | None = None
    resume: bool = True
    stale_token: StaleToken = StaleToken.ABORT
    rollback: bool = False
    guarantee: Guarantee = Guarantee.RESUMABLE
    compression: str = "none"
    rate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What happens to some datasets of one host.

    Attributes:
        name: unique in the policy; a part of the tags of holds and of the names of bookmarks.
        host: whose datasets; None: of the host that reads the policy.
        datasets: which.
        snapshot: None: none are taken.
        keep: what is kept; None: nothing is ever destroyed.
        replications: where they are sent.
        skip_renamed: snapshots that a person has renamed are not destroyed.
    """

    name: str
    datasets: Selection
    host: str | None = None
    snapshot: SnapshotPolicy | None = None
    keep: "KeepPolicy | None" = None
    replications: tuple[Replication, ...] = ()
    skip_renamed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress:
    """Where a host's agent is reached.

    Attributes:
        address: name or address of the host.
        orders: port for orders.
        streams: port for streams.
        certificate: the name its certificate carries; None: the host's name in the policy.
    """

    address: str
    orders: int = 7711
    streams: int = 7722
    certificate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything an agent on its own, or a director, is to do.

    Attributes:
        jobs: in the order of the file.
        hosts: where hosts are, by name; those that are not there are looked up in etcd.
    """

    jobs: tuple[Job, ...]
    hosts: Mapping[str, HostAddress] = field(default_factory=dict)

    def of_host(self, host: str) -> tuple[Job, ...]:
        """The jobs about that host's datasets, and those that name no host."""
        return tuple(job for job in self.jobs if job.host in (None, host))
