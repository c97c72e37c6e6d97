"""What the operator's words mean to the parts of ``lochkit dhcp`` that install."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..dhcp.applier import ApplyPolicy
from ..dhcp.checker import AllCheckers, Checker, DnsmasqChecker, IscChecker, KeaChecker
from ..dhcp.documents import Backend, LineSource
from ..dhcp.handover import ReloadPolicy
from ..dhcp.kea import KeaBackend
from ..dhcp.kea_live import KeaServer, KeaSocketReloader
from ..dhcp.kea_socket import KeaSocket
from ..dhcp.reload import (
    AutoReloader,
    CommandReloader,
    NoReloader,
    Reloader,
    SharedReloader,
    SignalReloader,
)
from ..dhcp.shrink import ShrinkGuard
from ..errors import ConfigError
from ..io.durable import replace_file
from ..io.folder import FileFolder
from ..io.generations import GenerationStore
from ..io.process import check_command, signal_named
from .dhcp_options import DhcpOptions
from .dhcp_setup import SUBNET_IDS_FILE, state_dir_of, targets_of
from .dhcp_view_options import BackendKind, DhcpViewOptions

__all__ = [
    "checker_of",
    "folder_of",
    "kea_servers_of",
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


def kea_servers_of(options: DhcpOptions) -> dict[str, KeaServer]:
    """The running Kea servers that are spoken to, by the file that each reads."""
    timeout, servers = options.reload_timeout, {}
    if options.kea_socket is not None:
        socket = KeaSocket(Path(options.kea_socket), timeout=timeout)
        servers["kea-dhcp4.conf"] = KeaServer(socket, 4, write_to=options.kea_write)
    if options.kea6_socket is not None:
        socket = KeaSocket(Path(options.kea6_socket), timeout=timeout)
        servers["kea-dhcp6.conf"] = KeaServer(socket, 6)
    return servers


def checker_of(options: DhcpOptions, servers: Mapping[str, KeaServer]) -> Checker | None:
    """The server's own checker; None when the operator wants none."""
    if not options.check:
        return None
    return server_checker(options, options.main_config, options.check_timeout, servers)


def server_checker(
    options: DhcpViewOptions,
    main_config: str | None,
    timeout: float,
    servers: Mapping[str, KeaServer] = MappingProxyType({}),
) -> Checker:
    """The server's own checker.

    Args:
        options: which server, and where the files are.
        main_config: the server's own configuration; None is the usual one.
        timeout: seconds for a check.
        servers: running Kea servers, which judge where no binary is installed.

    Raises:
        ConfigError: the configuration that was named is not there.
    """
    targets = targets_of(options)
    if options.backend is BackendKind.KEA:
        checkers = [KeaChecker(4, timeout=timeout, server=servers.get("kea-dhcp4.conf"))]
        if "kea-dhcp6.conf" in targets:
            server = servers.get("kea-dhcp6.conf")
            checkers.append(KeaChecker(6, timeout=timeout, server=server))
        return AllCheckers(checkers)
    main = Path(main_config or _MAIN[options.backend])
    if main_config is not None and not main.exists():
        raise ConfigError(f"--main-config {main}: there is no such file")
    if options.backend is BackendKind.ISC:
        return IscChecker(main, targets, timeout=timeout)
    return DnsmasqChecker(main, targets, timeout=timeout)


def reloader_of(
    options: DhcpOptions,
    servers: Mapping[str, KeaServer],
    backend: Backend,
    store: GenerationStore,
) -> Reloader:
    """What makes the servers take new files: Kea's sockets where they are known, and for what else
    there is, as the operator says.

    Raises:
        ConfigError: the command can not be split into words.
        CommandFailed: there is no such command.
    """
    targets = targets_of(options)
    others = frozenset(targets) - servers.keys()
    ordinary = _ordinary_reloader(options)
    if not servers:
        return ordinary
    live = KeaSocketReloader(
        servers,
        targets,
        generation=lambda: store.current.number if store.current else None,
        changes=backend.take_reservations if isinstance(backend, KeaBackend) else lambda: None,
    )
    return SharedReloader(live, ordinary, others) if others else live


def _ordinary_reloader(options: DhcpOptions) -> Reloader:
    """By command or signal.

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
        reloads=ReloadPolicy(
            interval=0.0 if idle else options.reload_interval, retries=options.reload_retries
        ),
    )


def folder_of(options: DhcpOptions) -> FileFolder | None:
    """The hosts directory; None when there is none."""
    if options.hosts_dir is None:
        return None
    from ..dhcp.dnsmasq import is_host_file

    return FileFolder(Path(options.hosts_dir).absolute(), is_host_file)


def lines_of(backend: Backend) -> LineSource | None:
    """What has the lines that dnsmasq's checker must be given."""
    return backend if isinstance(backend, LineSource) else None


def prepare_of(options: DhcpOptions, backend: Backend) -> Callable[[], None] | None:
    """What keeps the numbers of Kea's subnets on the disk, before they are used."""
    if not isinstance(backend, KeaBackend):
        return None
    path = state_dir_of(options) / SUBNET_IDS_FILE
    written: list[dict[str, int]] = []

    def prepare() -> None:
        numbers = backend.subnet_ids
        if [numbers] != written:
            replace_file(path, (json.dumps(numbers, indent=1, sort_keys=True).encode(), b"\n"))
            written[:] = [dict(numbers)]

    return prepare
