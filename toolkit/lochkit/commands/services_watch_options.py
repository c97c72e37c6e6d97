"""What an operator can say to ``lochkit services watch``."""

import math
from dataclasses import dataclass
from typing import Final

from ..discovery.events import Kind
from ..options import flag, option, words_and_command
from ..runtime.backoff import Backoff
from .services_options import InstancesOptions, check_name, name_argument
from .services_watch_run import RunPolicy
from .stop_options import stop_signal_option, stop_timeout_option

__all__ = ["ServicesWatchOptions"]

WHAT: Final = "What is told"
COMMAND: Final = "The command"


def _is_kind(word: str) -> None:
    kinds = [kind.value for kind in Kind]
    if word not in kinds:
        raise ValueError(f"{word!r} must be one of {', '.join(kinds)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesWatchOptions(InstancesOptions):
    """The options of ``lochkit services watch``, as given: see their help."""

    kind: tuple[str, ...] = option(
        "--kind",
        default=(),
        default_text="all",
        metavar="|".join(kind.value for kind in Kind),
        check=_is_kind,
        section=WHAT,
        help="Only what is of this kind. May be given several times.",
    )
    present: bool = flag(
        "--present", section=WHAT, help="Print first what is there already, as if it were new."
    )
    once: bool = flag(
        "--once",
        "-1",
        section=WHAT,
        help="End after the first line, or the first run of the command, with its exit code.",
    )
    start: bool = flag(
        "--start/--no-start",
        default=True,
        section=COMMAND,
        help="Run it at the start, or not before something happens.",
    )
    quiet_time: float = option(
        "--quiet-time",
        default=0.0,
        minimum=0,
        maximum=3600,
        metavar="SECONDS",
        section=COMMAND,
        help="Run it when nothing has happened for so long, but not later than after four times"
        " that.",
    )
    timeout: float | None = option(
        "--timeout",
        default=None,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=COMMAND,
        help="Stop it after so long; it has failed then, with code 124.",
    )
    retry_max_wait: float = option(
        "--retry-max-wait",
        default=60.0,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=COMMAND,
        help="When it fails it is run again, after waits that grow up to this.",
    )
    stop_signal: str = stop_signal_option(COMMAND)
    stop_timeout: float = stop_timeout_option(COMMAND, maximum=3600)
    words: tuple[str, ...] = name_argument(
        "[NAME]... [-- CMD [ARG]...]",
        "The services, all without a name; and a command, run without a shell.",
    )

    def __post_init__(self) -> None:
        """Refuse what can not be meant together.

        Raises:
            ValueError: says what.
        """
        for name in self.names:
            check_name(name)
        if "--" in self.words and not self.command:
            raise ValueError("there is no command after --")
        if self.command and self.present:
            raise ValueError("--present is for lines: a command reads all that is there anyway")
        if not self.command and self.timeout is not None:
            raise ValueError("--timeout is for a command, and there is none")

    @property
    def names(self) -> tuple[str, ...]:
        """The services; empty for all."""
        return tuple(words_and_command(self.words)[0])

    @property
    def command(self) -> tuple[str, ...]:
        """The command; empty without one."""
        return tuple(words_and_command(self.words)[1])

    @property
    def kinds(self) -> frozenset[Kind]:
        """What is told."""
        return frozenset(map(Kind, self.kind)) or frozenset(Kind)

    @property
    def policy(self) -> RunPolicy:
        """When the command runs."""
        longest = self.retry_max_wait
        return RunPolicy(
            quiet=self.quiet_time,
            timeout=math.inf if self.timeout is None else self.timeout,
            once=self.once,
            retry=Backoff(base=min(1.0, longest), maximum=longest),
        )
