"""What the operator's words mean to the parts of ``lochkit dhcp`` that install."""

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ..dhcp.applier import ApplyPolicy
from ..dhcp.checker import AllCheckers, Checker, DnsmasqChecker, IscChecker, KeaChecker
from ..dhcp.documents import Backend
from ..dhcp.reload import AutoReloader, CommandReloader, NoReloader, Reloader, SignalReloader
from ..dhcp.shrink import ShrinkGuard
from ..errors import ConfigError
from ..io.durable import replace_file
from ..io.folder import FileFolder
from ..io.process import check_command, signal_named
from .dhcp_options import DhcpOptions
from .dhcp_setup import SUBNET_IDS_FILE, state_dir_of, targets_of
from .dhcp_view_options import BackendKind, DhcpViewOptions

__all__ = [
    "checker_of",
    "folder_of",
    "lines_of",
    "policy_of",
    "prepare_of",
    "reloader_of",
    "server_checker",
]

_MAIN: Final = {
    BackendKind.ISC: "/etc/dhcp/dhcpd.conf",
    BackendKind.DNSMASQ: "/etc/dnsmasq.conf",
}


def checker_of(options: DhcpOptions) -> Checker | None:
    """The server's own checker; None when the operator wants none."""
    if not options.check:
        return None
    return server_checker(options, options.main_config, options.check_timeout)


def server_checker(options: DhcpViewOptions, main_config: str | None, timeout: float) -> Checker:
    """The server's own checker.

    Args:
        options: which server, and where the files are.
        main_config: the server's own configuration; None is the usual one.
        timeout: seconds for a check.

    Raises:
        ConfigError: the configuration that was named is not there.
    """
    targets = targets_of(options)
    if options.backend is BackendKind.KEA:
        versions = [4, 6] if "kea-dhcp6.conf" in targets else [4]
        return AllCheckers([KeaChecker(4 if one == 4 else 6, timeout=timeout) for one in versions])
    main = Path(main_config or _MAIN[options.backend])
    if main_config is not None and not main.exists():
        raise ConfigError(f"--main-config {main}: there is no such file")
    if options.backend is BackendKind.ISC:
        return IscChecker(main, targets, timeout=timeout)
    return DnsmasqChecker(main, targets, timeout=timeout)


def reloader_of(options: DhcpOptions) -> Reloader:
    """What makes the server take new files.

    Raises:
        ConfigError: the command can not be split into words.
        CommandFailed: there is no such command.
    """
    timeout, command = options.reload_timeout, options.reload_command
    if options.pid_file is not None:
        return SignalReloader(Path(options.pid_file), signal_named(options.reload_signal))
    if command == "none":
        return NoReloader()
    if command == "auto":
        return AutoReloader(options.backend.value, timeout=timeout)
    try:
        argv = shlex.split(command)
    except ValueError as exc:
        raise ConfigError(f"--reload-command {command!r}: {exc}") from exc
    if not argv:
        raise ConfigError("--reload-command is empty: 'none' is the word for no command")
    check_command(argv)
    return CommandReloader(argv, timeout=timeout)


def policy_of(options: DhcpOptions) -> ApplyPolicy:
    """What the operator wants of every attempt."""
    idle = options.once or (options.reload_command == "none" and options.pid_file is None)
    return ApplyPolicy(
        guard=ShrinkGuard(max_percent=options.max_shrink, allow_empty=options.allow_empty),
        require_check=options.require_check,
        reload_interval=0.0 if idle else options.reload_interval,
        reload_retries=options.reload_retries,
    )


def folder_of(options: DhcpOptions) -> FileFolder | None:
    """The hosts directory; None when there is none."""
    if options.hosts_dir is None:
        return None
    from ..dhcp.dnsmasq import is_host_file

    return FileFolder(Path(options.hosts_dir).absolute(), is_host_file)


def lines_of(backend: Backend) -> Callable[[], Sequence[bytes]]:
    """What takes the lines that dnsmasq's checker must be given."""
    take = getattr(backend, "take_lines", None)
    return tuple if take is None else take


def prepare_of(options: DhcpOptions, backend: Backend) -> Callable[[], None] | None:
    """What keeps the numbers of Kea's subnets on the disk, before they are used."""
    if options.backend is not BackendKind.KEA:
        return None
    path = state_dir_of(options) / SUBNET_IDS_FILE
    written: list[dict[str, int]] = []

    def prepare() -> None:
        numbers: dict[str, int] = backend.subnet_ids  # type: ignore[attr-defined]
        if [numbers] != written:
            replace_file(path, (json.dumps(numbers, indent=1, sort_keys=True).encode(), b"\n"))
            written[:] = [dict(numbers)]

    return prepare
