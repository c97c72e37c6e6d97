"""What an operator can say to ``lochkit dhcp`` in all of its modes: what is wanted, and where."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from ..dhcp.boot import parse_boot_words
from ..dhcp.naming import check_domain
from ..options import option

__all__ = [
    "KEA",
    "BackendKind",
    "DhcpPlaceOptions",
    "DhcpViewOptions",
    "check_timeout_option",
    "main_config_option",
]

VIEW: Final = "What is configured"
PLACE: Final = "Where the files are"
KEA: Final = "Kea"


class BackendKind(Enum):
    """The DHCP server."""

    ISC = "isc"
    KEA = "kea"
    DNSMASQ = "dnsmasq"


def main_config_option(**facts: Any) -> Any:
    """Declare the field of the server's own configuration; typed as `option` is."""
    return option(
        "--main-config",
        default=None,
        default_text="/etc/dhcp/dhcpd.conf or /etc/dnsmasq.conf, if there is one",
        metavar="FILE",
        completes="file",
        help="The server's own configuration, which includes the files: checked with them.",
        **facts,
    )


def check_timeout_option(**facts: Any) -> Any:
    """Declare the field of the checker's time; typed as `option` is."""
    return option(
        "--check-timeout",
        default=60.0,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        help="How long the checker may take.",
        **facts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpPlaceOptions:
    """Which server, and where its files are: what even ``status`` must know."""

    backend: BackendKind = option(
        "--backend", "-b", default=BackendKind.ISC, section=VIEW, help="The DHCP server."
    )
    conf_dir: str | None = option(
        "--conf-dir",
        "-c",
        default=None,
        default_text="/etc/dhcp, /etc/kea or /var/lib/lochkit/dnsmasq",
        metavar="DIRECTORY",
        completes="directory",
        section=PLACE,
        help="Where the files are written.",
    )
    hypervisors_path: str | None = option(
        "--hypervisors-path",
        default=None,
        default_text="hypervisors.conf in --conf-dir",
        metavar="FILE",
        completes="file",
        section=PLACE,
        help="The hypervisors' file of dhcpd.",
    )
    guests_path: str | None = option(
        "--guests-path",
        default=None,
        default_text="guests.conf in --conf-dir",
        metavar="FILE",
        completes="file",
        section=PLACE,
        help="The guests' file of dhcpd.",
    )
    subnets_path: str | None = option(
        "--subnets-path",
        default=None,
        metavar="FILE",
        completes="file",
        section=PLACE,
        help="Write dhcpd's subnet declarations too, to this file.",
    )
    hosts_dir: str | None = option(
        "--hosts-dir",
        default=None,
        metavar="DIRECTORY",
        completes="directory",
        section=PLACE,
        help="Let dnsmasq have one file for each host in this directory (dhcp-hostsdir): the cost"
        " of a change no longer depends on how many hosts there are.",
    )
    state_dir: str | None = option(
        "--state-dir",
        default=None,
        default_text=".lochkit in --conf-dir",
        metavar="DIRECTORY",
        completes="directory",
        section=PLACE,
        help="Where generations of the files and the status are kept. The files themselves become"
        " symbolic links into it.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpViewOptions(DhcpPlaceOptions):
    """What is to be in the files: what every mode that renders must know."""

    domain: str = option(
        "--domain",
        "-d",
        metavar="NAME",
        check=check_domain,
        section=VIEW,
        help="The domain: hypervisors are in nodes.NAME, guests in guests.NAME.",
    )
    prefix: str = option(
        "--prefix",
        default="/lochness",
        metavar="KEY",
        section=VIEW,
        help="Where the objects are in etcd, with or without a leading slash, as the keys have it.",
    )
    hypervisors_domain: str | None = option(
        "--hypervisors-domain",
        default=None,
        default_text="nodes.DOMAIN",
        metavar="NAME",
        check=check_domain,
        section=VIEW,
        help="The domain of hypervisors.",
    )
    guests_domain: str | None = option(
        "--guests-domain",
        default=None,
        default_text="guests.DOMAIN",
        metavar="NAME",
        check=check_domain,
        section=VIEW,
        help="The domain of guests.",
    )
    boot: tuple[str, ...] = option(
        "--boot",
        default=(),
        default_text="hypervisors: iPXE from ipxe.services.DOMAIN, undionly.kpxe from"
        " tftp.services.DOMAIN; guests: nothing",
        metavar="GROUP.KIND=VALUE",
        check=lambda word: parse_boot_words((word,)),
        section=VIEW,
        help="What hypervisors or guests boot: GROUP is one of these; KIND is ipxe, bios, uefi-x64,"
        " uefi-arm64, http-x64, http-arm64 or next-server. An empty value is nothing. May be given"
        " several times; an object overrides it by boot.KIND in its metadata.",
    )
    kea_base: str | None = option(
        "--kea-base",
        default=None,
        default_text="kea-dhcp4.base.json in --conf-dir",
        metavar="FILE",
        completes="file",
        section=KEA,
        help="Your configuration of kea-dhcp4, without what lochkit writes: subnets, reservations"
        " and boot classes are added to it.",
    )
    kea6_base: str | None = option(
        "--kea6-base",
        default=None,
        default_text="kea-dhcp6.base.json in --conf-dir, if there is one",
        metavar="FILE",
        completes="file",
        section=KEA,
        help="The same for kea-dhcp6. Without it, hosts with IPv6 addresses are not served by Kea.",
    )
