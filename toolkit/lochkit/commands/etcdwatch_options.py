"""What an operator can say to ``lochkit etcdwatch``."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from ..etcd_options import EMBEDDED, EtcdOptions
from ..etcdwatch.formats import Format
from ..etcdwatch.policy import OnBusy, OnFailure
from ..etcdwatch.text import Binary
from ..io.process import signal_named
from ..options import argument, flag, option, shared
from .stop_options import stop_signal_option, stop_timeout_option

__all__ = ["MAX_WAIT_FACTOR", "EtcdwatchOptions"]

STATE: Final = "What is watched and shown"
WHEN: Final = "When the command runs"
COMMAND: Final = "How the command runs"
GUARDS: Final = "States the command must not see"
LEGACY: Final = "Connection as the original etcdwatch had it"

MAX_WAIT_FACTOR: Final = 4
"""The maximum wait in quiet times, unless the operator says otherwise."""


def _is_text(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8; --prefix takes any bytes") from None


def _begins_a_name(prefix: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", prefix):
        raise ValueError("must consist of letters, digits and _, and not begin with a digit")


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdwatchOptions:
    """The options, as given: see their help."""

    path: tuple[str, ...] = option(
        "--path",
        "-d",
        default=(),
        default_text="/, unless there is a --prefix",
        metavar="PATH",
        check=_is_text,
        section=STATE,
        help="A key and all keys below it, as in a file system. May be given several times.",
    )
    prefix: tuple[str, ...] = option(
        "--prefix",
        default=(),
        metavar="BYTES",
        section=STATE,
        help="All keys that begin so, with a slash or not. May be given several times.",
    )
    recursive: bool = flag(
        "--recursive/--no-recursive",
        default=True,
        section=STATE,
        help="Show all levels below a path, or the keys directly below it only.",
    )
    format: Format = option(
        "--format",
        "-f",
        default=Format.JSON,
        section=STATE,
        help="What the command reads: the state as a tree (json, yaml, toml, pickle), by full keys"
        " (flat), as shell variables (env), or its changes (ndjson).",
    )
    binary: Binary = option(
        "--binary",
        default=Binary.ERROR,
        section=STATE,
        help="What becomes of keys and values that are not UTF-8: the state is refused, they are"
        " encoded, or they are left out.",
    )
    env_prefix: str = option(
        "--env-prefix",
        default="",
        metavar="TEXT",
        check=lambda text: _begins_a_name(text) if text else None,
        section=STATE,
        help="What every variable's name begins with, for --format env.",
    )
    quiet_time: float = option(
        "--quiet-time",
        "--stable-timeout",
        default=1.0,
        minimum=0,
        maximum=86400,
        metavar="SECONDS",
        section=WHEN,
        help="Run when nothing has changed for so long. 0 runs at once.",
    )
    max_wait: float | None = option(
        "--max-wait",
        default=None,
        default_text=f"{MAX_WAIT_FACTOR} quiet times",
        minimum=0,
        maximum=86400,
        metavar="SECONDS",
        section=WHEN,
        help="Run after so long even if it goes on changing.",
    )
    stable: bool = flag(
        "--stable/--no-stable",
        default=True,
        section=WHEN,
        help="Wait for the quiet time, or run once for every revision, in order.",
    )
    once: bool = flag(
        "--once",
        "--one-event",
        "-1",
        section=WHEN,
        help="Run once, and end with the command's exit code.",
    )
    run_unchanged: bool = flag(
        "--run-unchanged",
        section=WHEN,
        help="Run even if the command has seen this very content: for instance when a key is set"
        " to the value it had.",
    )
    resync_interval: float = option(
        "--resync-interval",
        default=0.0,
        minimum=0,
        metavar="SECONDS",
        section=WHEN,
        help="Read everything again that often, as a safety net; run if it differs. 0 is never.",
    )
    wait_index: int | None = option(
        "--wait-index",
        default=None,
        minimum=0,
        metavar="NUM",
        section=WHEN,
        help="Do not run before etcd's revision is above this.",
    )
    on_busy: OnBusy = option(
        "--on-busy",
        default=OnBusy.QUEUE,
        section=WHEN,
        help="What a change does while the command runs; see below.",
    )
    on_failure: OnFailure = option(
        "--on-failure",
        default=OnFailure.IGNORE,
        section=WHEN,
        help="What follows when the command fails: nothing, another try with growing waits, or our"
        " end with its exit code.",
    )
    retry_max_wait: float = option(
        "--retry-max-wait",
        default=60.0,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=WHEN,
        help="Longest wait between the tries of --on-failure retry.",
    )
    dry_run: bool = flag(
        "--dry-run",
        section=COMMAND,
        help="Run nothing: show what has changed, as a diff, whenever the command would run.",
    )
    print: bool = flag(
        "--print",
        section=COMMAND,
        help="Run nothing: print what the command would read. Takes no command.",
    )
    changes_file: bool = flag(
        "--changes-file/--no-changes-file",
        default=True,
        section=COMMAND,
        help="Tell the changes in a file too, LOCHKIT_CHANGES_FILE.",
    )
    command_timeout: float | None = option(
        "--command-timeout",
        default=None,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=COMMAND,
        help="Stop the command after so long; it has failed then, with code 124.",
    )
    stop_signal: str = stop_signal_option(COMMAND)
    stop_timeout: float = stop_timeout_option(COMMAND)
    busy_signal: str = option(
        "--busy-signal",
        default="HUP",
        metavar="SIGNAL",
        check=signal_named,
        section=COMMAND,
        help="The signal of --on-busy signal; for the command alone.",
    )
    min_keys: int = option(
        "--min-keys",
        default=0,
        minimum=0,
        metavar="NUM",
        section=GUARDS,
        help="A state with fewer keys is refused.",
    )
    require: tuple[str, ...] = option(
        "--require",
        default=(),
        metavar="KEY",
        section=GUARDS,
        help="A state without this key is refused; KEY/ stands for any key below it. May be given"
        " several times.",
    )
    max_shrink: float | None = option(
        "--max-shrink",
        default=None,
        minimum=0,
        maximum=100,
        metavar="PERCENT",
        section=GUARDS,
        help="A state with so much fewer keys than the last one let through is refused.",
    )
    host: str | None = option(
        "--host", "-H", default=None, metavar="HOST", section=LEGACY, help="Host of etcd."
    )
    port: int | None = option(
        "--port",
        "-p",
        default=None,
        minimum=1,
        maximum=65535,
        metavar="PORT",
        section=LEGACY,
        help="Port of etcd: 2379, no longer 4001, unless given.",
    )
    url: str | None = option(
        "--url",
        "-u",
        default=None,
        metavar="URL",
        section=LEGACY,
        help="Host, port and protocol in one.",
    )
    protocol: Literal["http", "https"] | None = option(
        "--protocol", default=None, section=LEGACY, help="http or https."
    )
    reconnect: bool = flag(
        "--reconnect/--no-reconnect",
        default=True,
        section=LEGACY,
        help="Wait for etcd for ever when it is away, or end with code 75.",
    )
    reconnect_timeout: float = option(
        "--reconnect-timeout",
        default=30.0,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=LEGACY,
        help="Longest wait between two attempts to reach it.",
    )
    debug: bool = flag("--debug", section=LEGACY, help="The same as lochkit --log-level debug.")
    command: tuple[str, ...] = argument(
        "CMD [ARG]...",
        help="The command, run without a shell; -- before it if it begins with a dash.",
    )
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")

    def __post_init__(self) -> None:
        """Refuse what can not be meant together.

        Raises:
            ValueError: says what.
        """
        if self.print and self.dry_run:
            raise ValueError("--print and --dry-run exclude each other")
        if self.print and self.command:
            raise ValueError("--print runs no command: leave it out, or use --dry-run")
        if not (self.print or self.dry_run or self.command):
            raise ValueError("there is no command to run (or --print, or --dry-run)")
        if not self.stable and self.on_busy is not OnBusy.QUEUE:
            raise ValueError("--no-stable runs every revision, which only --on-busy queue does")
        if not self.stable and self.max_wait is not None:
            raise ValueError("--no-stable does not wait: --max-wait has no meaning with it")
        if self.max_wait is not None and self.max_wait < self.quiet_time:
            raise ValueError("--max-wait must not be shorter than the quiet time")
        if self.env_prefix and self.format is not Format.ENV:
            raise ValueError("--env-prefix is for --format env")
        if self.url is not None and (self.host or self.port or self.protocol):
            raise ValueError("--url says it all: leave out --host, --port and --protocol")
        if self.etcd.endpoints == (EMBEDDED,) and (
            self.url or self.host or self.port or self.protocol
        ):
            raise ValueError("--etcd embedded is an address already: leave out the other one")
