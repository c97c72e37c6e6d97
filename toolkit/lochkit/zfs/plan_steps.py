"""Which streams bring a target from one snapshot to another, as few as there can be.

``zfs send -I A C`` carries every snapshot from A to C, ``-i A C`` carries C alone. So a run of
wanted snapshots with no unwanted one between them is one ``-I`` stream, and an ``-i`` stream leaps
over what is not wanted. A bookmark can be the source of ``-i`` only (zfs-send(8)).
"""

from collections.abc import Callable, Sequence

from .model import Bookmark, Dataset, Snapshot
from .plan_common import later
from .plan_types import Step

__all__ = ["full_steps", "incremental_steps"]


def incremental_steps(
    source: Dataset,
    base: Snapshot | Bookmark,
    wanted: Callable[[str], bool],
    *,
    intermediates: bool,
) -> tuple[Step, ...]:
    """The streams from `base` to the newest wanted snapshot; empty if none is wanted.

    Args:
        source: whose snapshots; `base` is one of them, or a bookmark of it.
        base: what the target has; it need not be wanted itself.
        wanted: tells by the name of a snapshot.
        intermediates: whether the wanted snapshots before the newest are sent as well.
    """
    after = later(source, base)
    if not intermediates:
        newest = next((one for one in reversed(after) if wanted(one.name)), None)
        return (Step(base=base, to=newest),) if newest is not None else ()
    steps: list[Step] = []
    run: list[Snapshot] = []
    at: Snapshot | Bookmark = base
    leap = isinstance(base, Bookmark)
    for one in after:
        if wanted(one.name):
            if leap:
                steps.append(Step(base=at, to=one))
                at, leap = one, False
            else:
                run.append(one)
        elif run:
            steps.append(_run(at, run))
            at, run, leap = run[-1], [], True
        else:
            leap = True
    if run:
        steps.append(_run(at, run))
    return tuple(steps)


def full_steps(
    source: Dataset,
    wanted: Callable[[str], bool],
    *,
    intermediates: bool,
    initial_all: bool,
) -> tuple[Step, ...]:
    """The streams for a target that has nothing; empty if no snapshot is wanted.

    The first is a full stream of the oldest wanted snapshot, if all of them are to be sent, or of
    the newest.
    """
    every = [one for one in source.snapshots if wanted(one.name)]
    if not every:
        return ()
    if not (intermediates and initial_all):
        return (Step(to=every[-1]),)
    first = Step(to=every[0])
    return (first, *incremental_steps(source, every[0], wanted, intermediates=True))


def _run(base: Snapshot | Bookmark, run: Sequence[Snapshot]) -> Step:
    between = tuple(run[:-1])
    return Step(base=base, to=run[-1], intermediates=bool(between), between=between)
