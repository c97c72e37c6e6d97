"""How a command that is run is stopped: the same words wherever one is run."""

from typing import Any, Protocol

from ..io.process import StopPlan, signal_named
from ..options import option

__all__ = ["Stopping", "stop_plan_of", "stop_signal_option", "stop_timeout_option"]


class Stopping(Protocol):
    """Options that have both."""

    @property
    def stop_signal(self) -> str:
        """What asks the command to stop."""
        ...

    @property
    def stop_timeout(self) -> float:
        """Seconds after which it is killed."""
        ...


def stop_signal_option(section: str) -> Any:
    """Declare the field of the signal; typed as `option` is."""
    return option(
        "--stop-signal",
        default="TERM",
        metavar="SIGNAL",
        check=signal_named,
        section=section,
        help="Asks the command, and all that it started, to stop.",
    )


def stop_timeout_option(section: str, **facts: Any) -> Any:
    """Declare the field of the time it has to stop; typed as `option` is."""
    return option(
        "--stop-timeout",
        default=3.0,
        minimum=0,
        metavar="SECONDS",
        section=section,
        help="Time it has to stop, until it is killed.",
        **facts,
    )


def stop_plan_of(options: Stopping) -> StopPlan:
    """How the command is stopped."""
    return StopPlan(signal=signal_named(options.stop_signal), timeout=options.stop_timeout)
