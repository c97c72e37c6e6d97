"""What the result of an order teaches a director. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from .cursor_record import BadCursor
from .directing_notes import Notes, Tick
from .directing_work import Part, Wanted
from .errors import Failure
from .message_fields import Fields
from .orders import OrderResult
from .work_queue import Work

__all__ = ["learn", "tick_of"]

_CONFLICTS: Final = frozenset(
    (
        Failure.DIVERGED,
        Failure.MODIFIED,
        Failure.EXISTS,
        Failure.STALE_TOKEN,
        Failure.KEY_NOT_LOADED,
        Failure.HELD,
        Failure.HAS_CLONES,
    )
)
"""What stays as it is until something about the datasets changes."""


def tick_of(wanted: Wanted, result: OrderResult) -> Tick | None:
    """The tick that is done with an order."""
    if wanted.pursuit.work is not Work.TAKE or wanted.tick is None or not result.is_success:
        return None
    return Tick(tick=wanted.tick, recursive=wanted.order.recursive)


def learn(notes: Notes, wanted: Wanted, result: OrderResult, *, now: float, jitter: float) -> None:
    """Remember how an order went.

    Args:
        notes: are changed.
        wanted: the order.
        result: what became of it.
        now: seconds since 1970.
        jitter: a number in [0, 1), the same for all datasets of the order, so that they are tried
            again together.
    """
    tick = tick_of(wanted, result)
    if tick is not None:
        notes.handle(wanted.pursuit.job, wanted.pursuit.dataset, tick)
    parts = wanted.parts or (Part(wanted.pursuit),)
    rows = dict(_rows(result)) if wanted.pursuit.work is Work.SEND else {}
    for part in parts:
        outcome, failure, message = rows.get(part.pursuit.dataset, _whole(result))
        if outcome in ("sent", "up-to-date"):
            notes.succeeded(part, now)
        elif outcome == "conflict" or failure in _CONFLICTS:
            notes.conflicted(part, message, now)
        else:
            notes.failed(part, message, now, jitter)


def _whole(result: OrderResult) -> tuple[str, Failure | None, str]:
    if result.is_success:
        return "sent", None, ""
    return "failed", result.failure, result.error or "it failed, and nobody says why"


def _rows(result: OrderResult) -> Iterator[tuple[str, tuple[str, Failure | None, str]]]:
    """What is said of single datasets; what can not be read is not said."""
    try:
        rows = Fields(result.details, BadCursor, "result").items("Datasets")
    except BadCursor:
        return
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        fields = Fields(row, BadCursor, "result: Datasets")
        try:
            word = fields.text("Failure", longest=40)
            failure = next((one for one in Failure if one.value == word), None)
            message = fields.text("Message", longest=100_000) or result.error or "it failed"
            yield fields.text("Dataset"), (fields.text("Outcome", longest=40), failure, message)
        except BadCursor:
            continue
