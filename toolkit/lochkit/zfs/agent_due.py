"""Which datasets a job takes snapshots of now. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .model import Dataset
from .naming import NameTemplate
from .policy_types import SnapshotPolicy

__all__ = ["Takes", "due_takes", "is_written", "newest_own"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """What is to be done about a job's snapshots.

    Attributes:
        tick: the newest tick that some dataset lacks; None: there is none.
        name: what the snapshots are called.
        datasets: of which one is taken.
        unwritten: of which none is, since nothing was written to them.
    """

    tick: int | None
    name: str = ""
    datasets: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()


def newest_own(dataset: Dataset, template: NameTemplate) -> int | None:
    """When the newest snapshot of a job was taken, by its name; in seconds since 1970."""
    for snapshot in reversed(dataset.snapshots):
        if (at := template.parse(snapshot.name)) is not None:
            return at
    return None


def is_written(dataset: Dataset, owns: Callable[[str], bool]) -> bool:
    """Whether something was written since the newest snapshot that `owns` knows by its name.

    Where ZFS does not tell, or there is no such snapshot, it was.
    """
    written = dataset.written
    if written is None:
        return True
    for snapshot in reversed(dataset.snapshots):
        if written:
            return True
        if owns(snapshot.name):
            return False
        if snapshot.written is None:
            return True
        written = snapshot.written
    return True


def due_takes(
    datasets: Iterable[Dataset], policy: SnapshotPolicy, *, handled: int | None, now: int
) -> Takes:
    """What a job takes now: one snapshot for any number of ticks that were missed.

    Args:
        datasets: all of the job.
        policy: the job's.
        handled: the newest tick that is known to be done, though it may have left no snapshot; None
            if none is.
        now: seconds since 1970.
    """
    tick = policy.schedule.due(None, now) if policy.schedule is not None else None
    if tick is None:
        return Takes(tick=None)
    due = [one for one in datasets if _lacks(one, policy, handled, tick, now)]
    if not due:
        return Takes(tick=None)
    owns = policy.template.owns
    taken = [one for one in due if not policy.skip_unwritten or is_written(one, owns)]
    chosen = {one.name for one in taken}
    names = frozenset(snapshot.name for one in taken for snapshot in one.snapshots)
    return Takes(
        tick=tick,
        name=policy.template.name(now, taken=names),
        datasets=tuple(one.name for one in taken),
        unwritten=tuple(one.name for one in due if one.name not in chosen),
    )


def _lacks(
    dataset: Dataset, policy: SnapshotPolicy, handled: int | None, tick: int, now: int
) -> bool:
    own = newest_own(dataset, policy.template)
    # A snapshot from the future (a clock was wrong) must not keep us from taking any.
    return all(at is None or at > now or at < tick for at in (handled, own))
