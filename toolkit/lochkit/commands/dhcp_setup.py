"""What the operator's words mean to the parts of ``lochkit dhcp``, in all of its modes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from ..dhcp.documents import Backend
from ..dhcp.layout import Layout
from ..dhcp.model import Group
from ..dhcp.settings import RenderSettings
from ..errors import ConfigError
from ..io.durable import DEFAULT_ACCESS, Access, access_of
from .dhcp_view_options import BackendKind, DhcpPlaceOptions, DhcpViewOptions

__all__ = [
    "STATUS_FILE",
    "SUBNET_IDS_FILE",
    "backend_of",
    "conf_dir_of",
    "kea_base_path",
    "layout_of",
    "new_file_access",
    "require_kea_base",
    "settings_of",
    "state_dir_of",
    "targets_of",
]

STATUS_FILE: Final = "status.json"
"""In the state directory, as are the numbers that Kea's subnets have."""
SUBNET_IDS_FILE: Final = "kea-subnet-ids.json"

_LARGEST_BASE: Final = 64_000_000  # bytes
_CONF_DIRS: Final = {
    BackendKind.ISC: "/etc/dhcp",
    BackendKind.KEA: "/etc/kea",
    BackendKind.DNSMASQ: "/var/lib/lochkit/dnsmasq",
}


def conf_dir_of(options: DhcpPlaceOptions) -> Path:
    """Where the files are."""
    return Path(options.conf_dir or _CONF_DIRS[options.backend]).absolute()


def state_dir_of(options: DhcpPlaceOptions) -> Path:
    """Where generations and status are."""
    if options.state_dir is not None:
        return Path(options.state_dir).absolute()
    return conf_dir_of(options) / ".lochkit"


def layout_of(options: DhcpViewOptions) -> Layout:
    """Where the objects are in etcd."""
    return Layout(options.prefix)


def settings_of(options: DhcpViewOptions) -> RenderSettings:
    """Domains and boot options."""
    settings = RenderSettings.of(options.domain, options.boot)
    domains = dict(settings.domains)
    if options.hypervisors_domain is not None:
        domains[Group.HYPERVISORS] = options.hypervisors_domain
    if options.guests_domain is not None:
        domains[Group.GUESTS] = options.guests_domain
    return replace(settings, domains=domains)


def targets_of(options: DhcpViewOptions) -> dict[str, Path]:
    """The paths of the files that can be in the set, by name."""
    directory = conf_dir_of(options)
    if options.backend is BackendKind.KEA:
        targets = {"kea-dhcp4.conf": directory / "kea-dhcp4.conf"}
        if kea_base_path(options, 6) is not None:
            targets["kea-dhcp6.conf"] = directory / "kea-dhcp6.conf"
        return targets
    if options.backend is BackendKind.DNSMASQ:
        names = ["dnsmasq.conf", "dnsmasq.opts"]
        if options.hosts_dir is None:
            names.append("dnsmasq.hosts")
        return {name: directory / name for name in names}
    chosen = {
        "hypervisors.conf": options.hypervisors_path,
        "guests.conf": options.guests_path,
    }
    if options.subnets_path is not None:
        chosen["subnets.conf"] = options.subnets_path
    return {
        name: Path(path).absolute() if path is not None else directory / name
        for name, path in chosen.items()
    }


def backend_of(options: DhcpViewOptions) -> Backend:
    """The backend, without any hosts yet.

    Raises:
        ConfigError: a base configuration of Kea is missing or can not be used, or a path can not
            be written in dnsmasq's configuration.
    """
    # Each is imported where it is wanted: a daemon has one of them.
    settings = settings_of(options)
    if options.backend is BackendKind.ISC:
        from ..dhcp.isc import IscBackend

        return IscBackend(settings, subnets=options.subnets_path is not None)
    if options.backend is BackendKind.DNSMASQ:
        from ..dhcp.dnsmasq import DnsmasqBackend

        directory = conf_dir_of(options)
        hosts = options.hosts_dir
        try:
            return DnsmasqBackend(
                settings,
                hosts_file=None if hosts else str(directory / "dnsmasq.hosts"),
                hosts_dir=str(Path(hosts).absolute()) if hosts else None,
                opts_file=str(directory / "dnsmasq.opts"),
            )
        except ValueError as exc:
            raise ConfigError(f"--conf-dir or --hosts-dir: {exc}") from exc
    from ..dhcp.kea import KeaBackend

    try:
        return KeaBackend(
            settings,
            base4=_kea_base(options, 4),
            base6=_kea_base(options, 6),
            known_ids=_known_ids(state_dir_of(options) / SUBNET_IDS_FILE),
        )
    except ValueError as exc:
        raise ConfigError(f"the base configuration of Kea: {exc}") from exc


def require_kea_base(options: DhcpViewOptions) -> None:
    """See that the operator has said what Kea is to be besides what we write. To take its file
    over without that would leave it without its interfaces, its hooks and its lease database.

    Raises:
        ConfigError: there is no base configuration.
    """
    if options.backend is BackendKind.KEA and kea_base_path(options, 4) is None:
        path = conf_dir_of(options) / "kea-dhcp4.base.json"
        raise ConfigError(
            f"there is no {path}: put there your configuration of kea-dhcp4 without the subnets and"
            " reservations that lochkit is to write, or name such a file with --kea-base"
            " (lochkit dhcp render -b kea shows one that lochkit can begin with)"
        )


def kea_base_path(options: DhcpViewOptions, version: Literal[4, 6]) -> Path | None:
    """Where the operator's part of a configuration is; None when there is none."""
    given = options.kea_base if version == 4 else options.kea6_base
    path = Path(given) if given else conf_dir_of(options) / f"kea-dhcp{version}.base.json"
    return path if given or path.exists() else None


def new_file_access(options: DhcpViewOptions) -> Access:
    """Who may do what with a file that replaces none. What is made of the operator's base for Kea,
    which may hold the password of a database, is for those who may read the base.

    Raises:
        InstallError: the base can not be looked at.
    """
    found = DEFAULT_ACCESS
    if options.backend is BackendKind.KEA:
        for base in (kea_base_path(options, 6), kea_base_path(options, 4)):
            access = None if base is None else access_of(base)
            if access is not None:
                found = access._replace(mode=access.mode & found.mode)
    return found


def _kea_base(options: DhcpViewOptions, version: Literal[4, 6]) -> Mapping[str, Any] | None:
    path = kea_base_path(options, version)
    if path is None:
        return None
    from ..dhcp.kea_json import parse_kea_json

    try:
        with path.open("rb") as file:
            return parse_kea_json(file.read(_LARGEST_BASE).decode())
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def _known_ids(path: Path) -> dict[str, int]:
    """The numbers that subnets have had.

    Raises:
        ConfigError: the file is there and not readable. To go on would give subnets new numbers,
            and so take their leases from them.
    """
    try:
        known = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path} can not be read: {exc}; restore or remove it") from exc
    if not isinstance(known, dict) or not all(isinstance(one, int) for one in known.values()):
        raise ConfigError(f"{path} does not hold the numbers of subnets; restore or remove it")
    return known
