"""A verdict of the planner, in plain words."""

from collections.abc import Iterator, Mapping
from typing import Final

from .conflicts import some
from .model import Bookmark, Dataset
from .plan_common import later
from .plan_many import arriving
from .plan_types import (
    Conflict,
    ConflictReason,
    Full,
    Incremental,
    Resume,
    UpToDate,
    Verdict,
)
from .policy_types import Replication

__all__ = ["verdict_words"]

_ADVICE: Final[Mapping[ConflictReason, str]] = {
    ConflictReason.NO_SOURCE: (
        "If they were lost, restore them from the target, by a replication the other way round."
        " Snapshots that are taken now have nothing in common with it."
    ),
    ConflictReason.RECEIVER_NEWER: (
        "If the target is right, replicate the other way round. If the source is, nothing needs to"
        " be done before it has something newer to send."
    ),
    ConflictReason.DIVERGED: (
        "Find out who takes snapshots there. With rollback = true the policy destroys them each"
        " time, which is for targets where nobody works."
    ),
    ConflictReason.MODIFIED: "Find out who writes there, and set readonly=on.",
    ConflictReason.STALE_TOKEN: 'With stale_token = "abort" the policy gives it up by itself.',
    ConflictReason.PARENT: "Put right what is above it first.",
    ConflictReason.BAD_NAME: "Change the target in the policy.",
}


def verdict_words(
    source: Dataset, target: Dataset | None, verdict: Verdict, replication: Replication
) -> Iterator[str]:
    """Yield what a verdict says, a thought a line.

    Args:
        source: the original.
        target: the copy; None: it is not in its place.
        verdict: on both.
        replication: what was wanted.
    """
    match verdict:
        case UpToDate():
            yield _up_to_date(source, verdict, replication)
        case Full():
            yield f"Nothing of it is there. {_to_come(verdict)}"
            if verdict.rollback:
                held = "a placeholder" if target and target.placeholder else "what is there"
                yield f"The first stream takes the place of {held}."
        case Incremental():
            yield f"{_has(verdict)} {_to_come(verdict)}"
            yield from _would_lose(target, verdict)
        case Resume():
            there = verdict.token.received
            part = "a part of it is" if there is None else f"{there} bytes of it are"
            yield f"The receive of @{verdict.to.name} was cut: {part} there, and it goes on."
            if verdict.steps:
                yield _to_come(verdict)
        case Conflict():
            yield f"It does not replicate: {verdict.message}."
            if verdict.reason in _ADVICE:
                yield _ADVICE[verdict.reason]
            yield "Nothing has been destroyed because of it, and nothing will be by itself."
    if not isinstance(verdict, Conflict | Resume) and verdict.abort_receive:
        yield "An interrupted receive there can not go on, and is given up first."


def _up_to_date(source: Dataset, verdict: UpToDate, replication: Replication) -> str:
    chosen = f" whose name matches {replication.snapshots}" if replication.snapshots else ""
    if verdict.newest is None:
        return f"There is nothing to send: {source.name} has no snapshot{chosen}."
    called = f", which is called @{verdict.renamed_to} there" if verdict.renamed_to else ""
    mark = "#" if isinstance(verdict.newest, Bookmark) else "@"
    text = f"It is up to date: the newest that both have is {mark}{verdict.newest.name}{called}."
    others = later(source, verdict.newest)
    if others:
        text += f" Newer ones are here ({some(others)}), and none{chosen}."
    return text


def _has(verdict: Incremental) -> str:
    base = verdict.steps[0].base
    if isinstance(base, Bookmark):
        return f"It is there up to #{base.name}, a bookmark here, whose snapshot is gone."
    return f"It is there up to @{base.name}." if base is not None else ""


def _to_come(verdict: Full | Incremental | Resume) -> str:
    coming = arriving(verdict)[1 if isinstance(verdict, Resume) else 0 :]
    streams = len(verdict.steps)
    first = "" if len(coming) == 1 else f"@{coming[0].name} to "
    raw = " raw" if verdict.raw else ""
    return (
        f"{_count(len(coming), 'snapshot')} to come, {first}@{coming[-1].name}, in"
        f" {_count(streams, f'{raw} stream'.strip())}."
    )


def _would_lose(target: Dataset | None, verdict: Incremental) -> Iterator[str]:
    if not verdict.rollback:
        return
    where = target.name if target is not None else "the target"
    if verdict.would_lose:
        yield f"The policy allows a rollback, which destroys {some(verdict.would_lose)} of {where}."
    if verdict.written is None:
        yield f"What was written to {where} since, if anything, is discarded."
    elif verdict.written:
        yield f"{verdict.written} bytes that were written to {where} since are discarded."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
