"""Why a dataset does not replicate, in plain words, and what would fix it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from .durations import in_words
from .explain_facts import Facts
from .explain_verdict import verdict_words
from .failures import hint_for
from .model import Dataset
from .plan_types import Conflict, UpToDate, Verdict
from .policy_types import Replication
from .repair import Repair, repair_command, repairs

__all__ = ["Explanation", "explain"]

_SILENT = 60.0  # seconds; an agent renews its lease more often


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is to be said about one replication of one dataset.

    Attributes:
        replicates: nothing stands in its way, though it may be waiting for its time.
        lines: the explanation, for a person.
        commands: that would fix it, what loses least first; each is worth a ``--dry-run`` first.
    """

    replicates: bool
    lines: tuple[str, ...]
    commands: tuple[str, ...] = ()


def explain(
    source: Dataset,
    target: Dataset | None,
    verdict: Verdict,
    *,
    target_name: str,
    replication: Replication,
    facts: Facts | None = None,
    taken: Collection[str] = (),
) -> Explanation:
    """Say whether a dataset replicates, why not, and what would fix it.

    Args:
        source: the original.
        target: the copy; None: it is not in its place.
        verdict: what the planner says of both.
        target_name: the place of the copy.
        replication: what is wanted.
        facts: what else is known.
        taken: the names of all datasets of the target's host, as far as they are known.
    """
    known = facts or Facts()
    found = repairs(
        source,
        target,
        verdict,
        target_name=target_name,
        replication=replication,
        facts=known,
        taken=taken,
    )
    blocked = isinstance(verdict, Conflict)
    silent = tuple(_silent(known, replication))
    failed = tuple(_failed(known, blocked))
    lasting = bool(failed) and not (known.failure is not None and known.failure.retryable)
    stopped = bool(blocked or silent or lasting)
    lines = (
        _what(source, target_name, replication, known),
        *verdict_words(source, target, verdict, replication),
        *silent,
        *failed,
        *(() if stopped else _waiting(verdict, known)),
        *_choices(found, blocked),
    )
    possible = [one.option for one in found if not one.obstacles]
    return Explanation(
        replicates=not stopped,
        lines=lines,
        commands=tuple(repair_command(source.name, replication.name, one) for one in possible),
    )


def _what(source: Dataset, target_name: str, replication: Replication, facts: Facts) -> str:
    here = f" of {facts.source_host}" if facts.source_host else ""
    there = "this host" if replication.to == "local" else replication.to
    clone = ""
    if source.origin:
        clone = (
            f" It is a clone of {source.origin}; its copy is a dataset of its own, which shares no"
            " blocks with that of the origin."
        )
    return (
        f"{source.name}{here} is to be at {target_name} of {there} (replication"
        f" {replication.name}).{clone}"
    )


def _silent(facts: Facts, replication: Replication) -> Iterator[str]:
    agents = (
        (facts.source_host or "this host", facts.source_silent),
        (replication.to, facts.target_silent),
    )
    for host, silent in agents:
        if silent is not None and silent > _SILENT:
            yield (
                f"The agent of {host} has not been heard of for {in_words(int(silent))}: nothing is"
                " replicated until it is back. Look at its service and its log there."
            )


def _failed(facts: Facts, blocked: bool) -> Iterator[str]:
    if facts.failure is None and not facts.error:
        return
    ago = "" if facts.failed_ago is None else f" {in_words(int(facts.failed_ago))} ago"
    why = facts.error or (facts.failure.value if facts.failure else "")
    yield f"The last attempt failed{ago}: {why.rstrip('.')}."
    if facts.failure is None or blocked:
        return
    hint = hint_for(facts.failure)
    if facts.failure.retryable:
        yield "That heals with time: it is tried again."
    elif hint is not None and hint not in facts.error:
        yield f"It will fail again until that is put right: {hint}."


def _waiting(verdict: Verdict, facts: Facts) -> Iterator[str]:
    if facts.active:
        yield "A stream of it is under way."
    elif isinstance(verdict, UpToDate):
        return
    elif facts.due_in is not None and facts.due_in > 0:
        yield f"It waits for its schedule: {in_words(int(facts.due_in))} more."
    else:
        yield "Nothing stands in the way."


def _choices(found: tuple[Repair, ...], blocked: bool) -> Iterator[str]:
    if not found:
        return
    if blocked:
        yield "What can be done:"
        yield from _listed(found)
        return
    tidying = tuple(one for one in found if one.option != "--rollback")
    if tidying:
        yield "What could be tidied up:"
        yield from _listed(tidying)
    if len(tidying) < len(found):
        yield (
            "This ZFS does not tell whether somebody has written to the copy. If a stream is"
            " refused because of that:"
        )
        yield from _listed(one for one in found if one.option == "--rollback")


def _listed(found: Iterable[Repair]) -> Iterator[str]:
    for one in found:
        loses = f"; loses {len(one.loses)}: {one.loses[0]}" if one.loses else "; loses nothing"
        more = ", ..." if len(one.loses) > 1 else ""
        yield f"  {one.option}: {one.title}{loses}{more}"
        for obstacle in one.obstacles:
            yield f"    not as things are: {obstacle}"
