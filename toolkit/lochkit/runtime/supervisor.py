"""Actors, and their one-for-one supervision.

Only what time can heal is restarted. A bug (TypeError, AssertionError, ClosedResourceError...) is
raised, takes the process down with its traceback, and leaves the restart to the service manager: a
supervisor that restarts on everything turns a bug into a loop that nobody looks at.
"""

import logging
import random
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, Protocol

import trio

from ..errors import TransientError, leaves
from .backoff import Backoff

__all__ = ["TRANSIENT", "Actor", "is_transient", "start", "supervise"]

log = logging.getLogger(__name__)

TRANSIENT: Final = (TransientError, OSError, trio.TooSlowError, trio.BrokenResourceError)
"""What only time can heal. Hopeless OSErrors (a configured path that is not there) are converted to
ConfigError where they are caught, in ``io/``."""


class Actor(Protocol):
    """A long-lived task with a name, its own state and borrowed channel ends.

    The constructor does no I/O. ``run`` calls ``task_status.started()`` once it owns what it needs,
    returns when its work is done for good, and may be called again after it raised a transient
    error: an item it had received but not finished must then still be in the actor's hands.
    """

    @property
    def name(self) -> str:
        """Names the actor in logs."""
        ...

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until done."""
        ...


class FirstStart(trio.TaskStatus[None]):
    """Passes on the first ``started()`` only: a restarted actor reports once more, nobody waits."""

    def __init__(self, outer: trio.TaskStatus[None]) -> None:
        self._outer = outer
        self.seen = False

    def started(self, value: None = None) -> None:
        """Report the first start, ignore the others."""
        if not self.seen:
            self.seen = True
            self._outer.started(value)


def is_transient(exc: Exception) -> bool:
    """Return whether a restart can help: for a group, whether that is true of every leaf."""
    return all(isinstance(leaf, TRANSIENT) for leaf in leaves(exc))


async def supervise(  # noqa: ASYNC128 - started() is called through FirstStart
    actor: Actor,
    backoff: Backoff | None = None,
    *,
    closes: tuple[trio.MemorySendChannel[Any], ...] = (),
    jitter: Callable[[], float] = random.random,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run ``actor`` until it returns, restarting it when it fails for a reason that time can heal.

    Args:
        actor: what to run.
        backoff: the waits between restarts.
        closes: the channels the actor feeds; closed when it is finished for good and not between
            restarts, so that the next actor sees the end of the channel exactly once.
        jitter: yields numbers in [0, 1).
        task_status: told when the actor has started for the first time.

    Raises:
        Exception: whatever the actor raised before it had started, and every error not transient.
    """
    backoff = backoff or Backoff()
    first = FirstStart(task_status)
    failures = 0
    with ExitStack() as owned:
        for channel in closes:
            owned.enter_context(channel)
        while True:
            began = trio.current_time()
            try:
                await actor.run(task_status=first)
            except Exception as exc:  # Cancelled is a BaseException and passes straight through
                if not first.seen or not is_transient(exc):
                    raise
                served = trio.current_time() - began
                failures = 1 if served >= backoff.reset_after else failures + 1
                delay = backoff.jittered(failures, jitter())
                _log_restart(actor, exc, failures, delay)
            else:
                return
            await trio.sleep(delay)


def _log_restart(actor: Actor, exc: Exception, failures: int, delay: float) -> None:
    log.warning(
        "%s failed and is restarted",
        actor.name,
        extra={
            "failures": failures,
            "restart_in_seconds": round(delay, 3),
            "error": "; ".join(str(leaf) or type(leaf).__name__ for leaf in leaves(exc)),
        },
        # The operator needs the reason; where in the code it arose is of interest to us alone.
        exc_info=exc if log.isEnabledFor(logging.DEBUG) else None,
    )


async def start(
    nursery: trio.Nursery,
    actor: Actor,
    *closes: trio.MemorySendChannel[Any],
    backoff: Backoff | None = None,
) -> None:
    """Start ``actor`` supervised in ``nursery`` and return once it has started.

    Args:
        nursery: owns the actor's task; a bug in the actor cancels it.
        actor: what to run.
        closes: the channels the actor feeds, see :func:`supervise`.
        backoff: the waits between restarts.
    """
    await nursery.start(partial(supervise, actor, backoff, closes=closes), name=actor.name)
