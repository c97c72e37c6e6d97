"""What the operator wants done when the command is busy or fails. Pure data."""

import math
from dataclasses import dataclass, field
from enum import Enum
from signal import Signals

from ..runtime.backoff import Backoff

__all__ = ["OnBusy", "OnFailure", "RunPolicy"]


class OnBusy(Enum):
    """What a change does while the command runs. In no case do two of them run at once, and in no
    case is the last state lost: the differences are in when it is seen."""

    QUEUE = "queue"
    """Nothing; when the command has ended it runs once more, with the newest state."""
    RESTART = "restart"
    """The command is stopped, and runs with the newest state."""
    SIGNAL = "signal"
    """The command gets a signal. It sees the state when it runs next: as soon as it has ended."""
    IGNORE = "ignore"
    """Nothing, not even at its end: the newest state is seen at the next change after that, or
    after a rest when none comes."""


class OnFailure(Enum):
    """What follows when the command fails."""

    IGNORE = "ignore"
    """It is logged. The command runs again when the state changes."""
    RETRY = "retry"
    """It runs again after a wait that grows; a newer state does not wait."""
    EXIT = "exit"
    """We end with its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """When the command runs, for how long, and how often.

    Attributes:
        on_busy: what a change does while it runs.
        busy_signal: the signal of ``OnBusy.SIGNAL``.
        on_failure: what follows a failed run; one that took too long is failed.
        retry: the waits of ``OnFailure.RETRY``.
        timeout: seconds a run may take.
        rest: seconds of ``OnBusy.IGNORE``.
        once: end after the first run, with its exit code; with ``RETRY`` after the first success.
        each_step: one run for every step, in order: a step is taken in only when the one before is
            done.
    """

    on_busy: OnBusy = OnBusy.QUEUE
    busy_signal: Signals = Signals.SIGHUP
    on_failure: OnFailure = OnFailure.IGNORE
    retry: Backoff = field(default_factory=Backoff)
    timeout: float = math.inf
    rest: float = 0.0
    once: bool = False
    each_step: bool = False
