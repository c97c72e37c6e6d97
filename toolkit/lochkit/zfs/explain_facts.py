"""What is known of a replication besides the two datasets."""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import Failure

__all__ = ["Facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What explains and repairs may go by; whoever asks fills in what he knows.

    Attributes:
        source_host: name of the host that sends; empty: this one.
        source_holds: tags of the source's snapshots, by guid; None: not known (zfs-fuse).
        target_holds: the same of the target's.
        active: a stream of this dataset is under way.
        due_in: seconds until the schedule lets it be sent; None: there is no schedule to wait for.
        source_silent: seconds since the agent of the source was last heard of; None: it is there,
            or none is needed.
        target_silent: the same of the target's.
        failure: why the last attempt failed; None: it did not, or there was none.
        error: the words of that.
        failed_ago: seconds since then; None: not known.
        written_told: the target's ZFS tells how much was written to a dataset (zfs-fuse does not).
        bookmarks: the source's ZFS has bookmarks.
    """

    source_host: str = ""
    source_holds: Mapping[int, tuple[str, ...]] | None = None
    target_holds: Mapping[int, tuple[str, ...]] | None = None
    active: bool = False
    due_in: float | None = None
    source_silent: float | None = None
    target_silent: float | None = None
    failure: Failure | None = None
    error: str = ""
    failed_ago: float | None = None
    written_told: bool = True
    bookmarks: bool = False
