"""Plans, prunings and reports, as people read them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ..zfs.model import Bookmark, Snapshot
from ..zfs.plan_types import Conflict, Full, Incremental, Resume, Step, UpToDate, Verdict
from ..zfs.reports import DatasetReport, Outcome, Report
from .output import counted, shown

if TYPE_CHECKING:  # those who send have nothing to do with it, and it takes time to import
    from ..zfs.pruning import Pruning

__all__ = ["in_bytes", "pruning_lines", "report_lines", "step_text", "verdict_lines"]

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MOST_LISTED: Final = 10


def in_bytes(count: float) -> str:
    """Return a number of bytes for a person: ``1.4 GiB``."""
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {_UNITS[-1]}"


def step_text(step: Step) -> str:
    """Return a stream in words: ``@a to @b, with 3 between``."""
    if step.base is None:
        return f"{_mark(step.to)} in full"
    between = f", with {len(step.between)} between" if step.between else ""
    return f"{_mark(step.base)} to {_mark(step.to)}{between}"


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Yield what is to be done about a dataset, and what would be lost by it."""
    match verdict:
        case UpToDate():
            if verdict.newest is None:
                yield "there is nothing to send"
            else:
                renamed = verdict.renamed_to
                called = f", which is called @{shown(renamed)} there" if renamed else ""
                yield f"up to date with {_mark(verdict.newest)}{called}"
        case Conflict():
            yield f"conflict: {verdict.message}"
            for side, known in (("source", verdict.source), ("target", verdict.target)):
                if known:
                    yield f"    at the {side}: {_listed(known)}"
        case Full() | Incremental() | Resume():
            yield from _streams(verdict)
    if not isinstance(verdict, Conflict | Resume) and verdict.abort_receive:
        yield "forget the interrupted receive there, which can not go on"


def _streams(verdict: Full | Incremental | Resume) -> Iterator[str]:
    if isinstance(verdict, Resume):
        yield f"go on with {_mark(verdict.to)}, of which a part is there"
    if verdict.rollback:
        yield "take the target back to its base first (-F), which loses there:"
        lost = verdict.would_lose if isinstance(verdict, Incremental) else ()
        yield from (f"    snapshot {_mark(one)}" for one in lost)
        written = None if isinstance(verdict, Full) else verdict.written
        if written is None:
            yield "    what was written there since, if anything"
        elif written:
            yield f"    {in_bytes(written)} written there since"
    for step in verdict.steps:
        yield f"send {step_text(step)}{' (raw)' if verdict.raw else ''}"


def report_lines(report: Report, *, verbose: bool = False) -> Iterator[str]:
    """Yield what became of a replication, or would: a dataset that needs nothing is counted only.

    Args:
        report: of it.
        verbose: tell of these as well.
    """
    idle = empty = 0
    for one in report.datasets:
        if one.outcome is Outcome.UP_TO_DATE and not verbose and not one.warnings:
            idle, empty = (idle + 1, empty) if one.newest else (idle, empty + 1)
            continue
        yield f"{shown(one.source)} -> {shown(one.target)}: {_outcome(one)}"
        if one.verdict is not None and one.outcome in (Outcome.WOULD_SEND, Outcome.CONFLICT):
            yield from (f"    {line}" for line in verdict_lines(one.verdict))
        elif one.message:
            yield f"    {one.message}"
        yield from (f"    warning: {warning}" for warning in one.warnings)
    yield from (f"{root}: there is no such dataset here" for root in report.missing)
    yield from (f"warning: {warning}" for warning in report.warnings)
    if idle:
        yield f"{counted(idle, 'dataset')} up to date"
    if empty:
        yield f"{counted(empty, 'dataset')} without a snapshot to send"


def _outcome(one: DatasetReport) -> str:
    match one.outcome:
        case Outcome.SENT:
            streams = counted(len(one.steps), "stream")
            speed = f", {in_bytes(one.bytes / one.seconds)}/s" if one.seconds > 0 else ""
            newest = f", now at {_mark(one.newest)}" if one.newest else ""
            return f"{streams}, {in_bytes(one.bytes)}{speed}{newest}"
        case Outcome.WOULD_SEND:
            return "would be sent"
        case Outcome.UP_TO_DATE:
            return "up to date"
        case Outcome.CONFLICT:
            return "not sent"
        case Outcome.FAILED:
            return f"failed ({one.failure.value})" if one.failure else "failed"
        case Outcome.WAITING:
            return "waits for the dataset above it"


def pruning_lines(pruning: "Pruning", *, done: bool, verbose: bool = False) -> Iterator[str]:
    """Yield which snapshots of a dataset are destroyed, and with `verbose` why the others stay."""
    verb = "destroyed" if done else "would destroy"
    yield from (f"{verb} {shown(pruning.dataset)}@{shown(one.name)}" for one in pruning.destroy)
    if verbose:
        for one in pruning.keep:
            name = f"{shown(pruning.dataset)}@{shown(one.snapshot.name)}"
            yield f"keep {name}: {', '.join(one.reasons)}"


def _mark(one: Snapshot | Bookmark) -> str:
    return f"{'#' if isinstance(one, Bookmark) else '@'}{shown(one.name)}"


def _listed(known: tuple[Snapshot | Bookmark, ...]) -> str:
    """The newest of them; somebody who looks at a conflict needs no thousand names."""
    names = [_mark(one) for one in known[-_MOST_LISTED:]]
    more = len(known) - len(names)
    return f"{f'{more} older, ' if more else ''}{', '.join(names)}"
