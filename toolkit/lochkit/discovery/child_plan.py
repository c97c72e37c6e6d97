"""How a command is kept running, and how it is: data, and when it is started again."""

from dataclasses import dataclass, field
from enum import Enum
from signal import Signals
from typing import TYPE_CHECKING, Final

from ..runtime.backoff import Backoff

if TYPE_CHECKING:
    from ..io.process import Exit

__all__ = ["ChildPhase", "ChildPlan", "ChildStatus", "Restart", "wants_restart"]

_ASKED: Final = frozenset(
    -number for number in (Signals.SIGHUP, Signals.SIGINT, Signals.SIGPIPE, Signals.SIGTERM)
)
"""Ends that somebody asked for, as systemd has it: no failures."""


class Restart(Enum):
    """When a command that has ended is started again."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


def wants_restart(restart: Restart, status: int, *, failed: bool) -> bool:
    """Whether the command is to be started again.

    Args:
        restart: the rule.
        status: its exit status, or minus the number of the signal that killed it.
        failed: whether we had to stop it.
    """
    match restart:
        case Restart.NO:
            return False
        case Restart.ALWAYS:
            return True
        case Restart.ON_FAILURE:
            return failed or not (status == 0 or status in _ASKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
    """How a command is kept running.

    Attributes:
        restart: when it is started again.
        backoff: the waits before that.
        notify: whether it tells by sd_notify how it is.
        start_timeout: seconds in which it must say READY=1; None is for ever. Only with `notify`.
        watchdog: seconds of silence after which it has failed; None is for ever. Only with
            `notify`. A command that has said STOPPING=1 is not watched any more.
        settle: seconds after which it is up. Only without `notify`.
    """

    restart: Restart = Restart.NO
    backoff: Backoff = field(default_factory=Backoff)
    notify: bool = False
    start_timeout: float | None = 90.0
    watchdog: float | None = None
    settle: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: a time is not positive, or nobody would tell.
        """
        for seconds in (self.start_timeout, self.watchdog):
            if seconds is not None and not seconds > 0:
                raise ValueError("a time must be more than 0")
        if not self.settle >= 0:
            raise ValueError("settle must not be negative")
        if self.watchdog is not None and not self.notify:
            raise ValueError("a watchdog needs notify: it is by sd_notify that it is told")


class ChildPhase(Enum):
    """What a command is at."""

    IDLE = "idle"
    """Not started yet."""
    STARTING = "starting"
    RUNNING = "running"
    """Up."""
    LEAVING = "leaving"
    """It has said that it is about to end, or is being stopped."""
    STOPPED = "stopped"
    """Not running; perhaps it is started again."""
    ENDED = "ended"
    """Not running, and not to be started again."""

    @property
    def is_up(self) -> bool:
        """Whether it can be given work."""
        return self is ChildPhase.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStatus:
    """How a command is.

    Attributes:
        phase: what it is at.
        pid: its process, None while there is none.
        starts: how often it has been started.
        text: what it last said of itself (STATUS=), for people.
        exit: how the last run ended; None before one has.
        reason: why it had to be stopped or could not be started; empty otherwise.
    """

    phase: ChildPhase = ChildPhase.IDLE
    pid: int | None = None
    starts: int = 0
    text: str = ""
    exit: "Exit | None" = None
    reason: str = ""
