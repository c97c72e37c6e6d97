"""Which systemd units run a DHCP server, and what makes each take new files. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["SERVICES", "Service", "action", "verb"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One server.

    Attributes:
        units: names that distributions give to its unit; one that is active is meant.
        files: names of the files it reads; empty for all there are.
        restart_for: those of them that only a restart makes it read again.
        verb: what systemctl is to do for all others.
    """

    units: tuple[str, ...]
    files: frozenset[str] = frozenset()
    restart_for: frozenset[str] = frozenset()
    verb: str = "restart"


# Not every distribution's unit for Kea knows how to reload; Debian's does not.
_RELOAD: Final = "reload-or-restart"

SERVICES: Final[Mapping[str, tuple[Service, ...]]] = {
    "isc": (
        Service(
            units=(
                "isc-dhcp-server.service",
                "isc-dhcp-server4.service",
                "dhcpd.service",
                "dhcpd4.service",
            )
        ),
    ),
    "kea": (
        Service(
            units=("kea-dhcp4-server.service", "kea-dhcp4.service"),
            files=frozenset({"kea-dhcp4.conf"}),
            verb=_RELOAD,
        ),
        Service(
            units=("kea-dhcp6-server.service", "kea-dhcp6.service"),
            files=frozenset({"kea-dhcp6.conf"}),
            verb=_RELOAD,
        ),
    ),
    "dnsmasq": (
        Service(
            units=("dnsmasq.service",),
            restart_for=frozenset({"dnsmasq.conf"}),
            verb=_RELOAD,
        ),
    ),
}
"""By backend."""


def verb(service: Service, changed: frozenset[str]) -> str | None:
    """Return what to do after these files have changed; None when it does not read them.

    Args:
        service: the server.
        changed: names of files; empty when nothing is known of what changed.
    """
    if changed and service.files and not changed & service.files:
        return None
    return "restart" if changed & service.restart_for else service.verb


def action(state: str, wanted: str, *, seen_active: bool) -> str | None:
    """Return what to do with a unit in this state; None for nothing.

    A unit that an operator has stopped, or never started, stays as it is. One that we have seen
    running and that has failed since, perhaps by our own last attempt, is restarted: there is
    nothing to reload.

    Args:
        state: as ``systemctl is-active`` says it.
        wanted: the verb for an active unit.
        seen_active: whether it has been active before.
    """
    if state in ("active", "reloading", "refreshing"):
        return wanted
    if seen_active and state in ("failed", "activating", "deactivating"):
        return "restart"
    return None
