"""What an operator can say to the daemon ``lochkit dhcp``, besides what all of its modes know."""

from dataclasses import dataclass
from typing import Final, Literal

from ..etcd_options import EtcdOptions
from ..io.process import signal_named
from ..options import flag, option, shared
from .dhcp_view_options import (
    KEA,
    BackendKind,
    DhcpViewOptions,
    check_timeout_option,
    main_config_option,
)

__all__ = ["DhcpOptions"]

PIPELINE: Final = "When and how files are installed"
RELOAD: Final = "How the server takes them"

QUIET_TIME: Final = 0.1  # seconds
MAX_WAIT: Final = 2.0  # seconds


def _is_signal(word: str) -> None:
    signal_named(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpOptions(DhcpViewOptions):
    """The options of the daemon, as given: see their help."""

    once: bool = flag("--once", "-1", section=PIPELINE, help="Do it once, and end.")
    quiet_time: float | None = option(
        "--quiet-time",
        default=None,
        default_text=f"{QUIET_TIME:g}, or --max-wait where that is shorter",
        minimum=0,
        maximum=86400,
        metavar="SECONDS",
        section=PIPELINE,
        help="Install when nothing has changed for so long. 0 installs at once.",
    )
    max_wait: float | None = option(
        "--max-wait",
        default=None,
        default_text=f"{MAX_WAIT:g}, or --quiet-time where that is longer",
        minimum=0,
        maximum=86400,
        metavar="SECONDS",
        section=PIPELINE,
        help="Install after so long even if it goes on changing.",
    )
    check: bool = flag(
        "--check/--no-check",
        default=True,
        section=PIPELINE,
        help="Let the server's own checker judge the whole configuration first; if it is not"
        " installed that is said, and nothing more.",
    )
    require_check: bool = flag(
        "--require-check",
        section=PIPELINE,
        help="Install nothing without a checker.",
    )
    check_timeout: float = check_timeout_option(section=PIPELINE)
    main_config: str | None = main_config_option(section=PIPELINE)
    max_shrink: float = option(
        "--max-shrink",
        default=50.0,
        minimum=0,
        maximum=100,
        metavar="PERCENT",
        section=PIPELINE,
        help="Refuse to install when more of the hosts than this would be gone at once.",
    )
    allow_empty: bool = flag(
        "--allow-empty",
        section=PIPELINE,
        help="Allow that no host is left at all.",
    )
    generations: int = option(
        "--generations",
        default=5,
        minimum=2,
        maximum=1000,
        metavar="COUNT",
        section=PIPELINE,
        help="How many generations of the files are kept.",
    )
    resync_interval: float = option(
        "--resync-interval",
        default=0.0,
        minimum=0,
        metavar="SECONDS",
        section=PIPELINE,
        help="Read everything in etcd anew so often, as a safety net. 0 is never; HUP does it now.",
    )
    reload_command: str = option(
        "--reload-command",
        default="auto",
        metavar="CMD",
        section=RELOAD,
        help="What makes the server take the files: a command, split into words and run without a"
        " shell; auto: systemctl, if systemd runs the server; none.",
    )
    pid_file: str | None = option(
        "--pid-file",
        default=None,
        metavar="FILE",
        completes="file",
        section=RELOAD,
        help="Send --reload-signal to the process of this file, instead of running a command.",
    )
    reload_signal: str = option(
        "--reload-signal",
        default="HUP",
        metavar="SIGNAL",
        check=_is_signal,
        section=RELOAD,
        help="The signal for --pid-file.",
    )
    reload_timeout: float = option(
        "--reload-timeout",
        default=30.0,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=RELOAD,
        help="How long a reload may take.",
    )
    reload_interval: float = option(
        "--reload-interval",
        default=1.0,
        minimum=0,
        metavar="SECONDS",
        section=RELOAD,
        help="Shortest time from one reload to the next.",
    )
    reload_retries: int = option(
        "--reload-retries",
        default=2,
        minimum=0,
        maximum=100,
        metavar="COUNT",
        section=RELOAD,
        help="How often a failed reload is tried again before the last good files are put back.",
    )
    kea_socket: str | None = option(
        "--kea-socket",
        default=None,
        metavar="PATH",
        completes="file",
        section=KEA,
        help="Control socket of kea-dhcp4: changes go live through it, without a reload.",
    )
    kea6_socket: str | None = option(
        "--kea6-socket",
        default=None,
        metavar="PATH",
        completes="file",
        section=KEA,
        help="Control socket of kea-dhcp6.",
    )
    kea_write: str | None = option(
        "--kea-write",
        default=None,
        metavar="FILE",
        section=KEA,
        help="After each change let kea-dhcp4 itself write its configuration to this file of its"
        " own (config-write).",
    )
    log_level: Literal["debug", "info", "warning", "error", "critical", "fatal"] | None = option(
        "--log-level",
        "-l",
        default=None,
        default_text="warning",
        help="Least important level to log.",
    )
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")

    @property
    def quiet(self) -> float:
        """The quiet time, in seconds."""
        if self.quiet_time is not None:
            return self.quiet_time
        return QUIET_TIME if self.max_wait is None else min(QUIET_TIME, self.max_wait)

    @property
    def longest_wait(self) -> float:
        """How long changes may put off an installation, in seconds."""
        return max(MAX_WAIT, self.quiet) if self.max_wait is None else self.max_wait

    def __post_init__(self) -> None:
        """Refuse what can not be meant together.

        Raises:
            ValueError: says what.
        """
        if self.longest_wait < self.quiet:
            raise ValueError("--max-wait must not be shorter than the quiet time")
        if self.require_check and not self.check:
            raise ValueError("--require-check and --no-check exclude each other")
        if self.pid_file is not None and self.reload_command not in ("auto", "none"):
            raise ValueError("--pid-file and --reload-command exclude each other")
        if self.hosts_dir is not None and self.backend is not BackendKind.DNSMASQ:
            raise ValueError("--hosts-dir is for --backend dnsmasq")
        if (self.kea_socket or self.kea6_socket or self.kea_write) and (
            self.backend is not BackendKind.KEA
        ):
            raise ValueError("--kea-socket and --kea-write are for --backend kea")
        if self.kea_write and not self.kea_socket:
            raise ValueError("--kea-write needs --kea-socket")
