"""When a director plans next, if nothing happens before. Pure."""

from typing import Final

from .directing_notes import Notes
from .policy_types import Policy

__all__ = ["next_look"]

_LEAST: Final = 0.05  # seconds


def next_look(
    policy: Policy, notes: Notes, *, now: float, interval: float, settles_at: float | None
) -> float:
    """Seconds until something is due by itself: a tick, another attempt, the end of an interval.

    Args:
        policy: whose schedules count.
        notes: what waits to be tried again.
        now: seconds since 1970.
        interval: seconds after which everything is looked at in any case.
        settles_at: when the next agent will have told everything; None: there is none to wait for.
    """
    times = [now + interval]
    schedules = {
        schedule
        for job in policy.jobs
        for schedule in (
            job.snapshot.schedule if job.snapshot is not None else None,
            *(one.when for one in job.replications),
        )
        if schedule is not None
    }
    times += (one.next(int(now)) for one in schedules)
    if settles_at is not None:
        times.append(settles_at)
    # Plans know whole seconds only.
    times += (how.retry_at + 1 for _, how in notes.troubles() if how.retry_at + 1 > now)
    return max(_LEAST, min(times) - now)
