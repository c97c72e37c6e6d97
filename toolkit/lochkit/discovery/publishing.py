"""What an instance publishes of itself for readers that know nothing of the registry. Pure.

DNS servers and proxies have keys of their own. Those that are about one instance are written with
its record, in one transaction and on the same lease, while it is in rotation; so they come and go
with it.
"""

from collections.abc import Mapping
from typing import Protocol

from .errors import InvalidHost
from .host import Host

__all__ = ["Publication", "port_inside"]


class Publication(Protocol):
    """One way to publish: `lochkit.discovery.coredns` has one, `lochkit.discovery.traefik` another.

    It is data: equal ones publish the same of the same host.
    """

    def keys(self, host: Host) -> Mapping[bytes, bytes]:
        """What is about this instance alone, and ends with it.

        Raises:
            InvalidHost: the host cannot be published so.
        """
        ...

    def shared_keys(self, host: Host) -> Mapping[bytes, bytes]:
        """What its instances have in common, and must stay when one of them ends: of no lease.

        Raises:
            InvalidHost: the host cannot be published so.
        """
        ...


def port_inside(host: Host, scheme: str = "") -> tuple[str, int] | None:
    """The port at which DNS servers and proxies, which are inside, send others to the instance.

    Args:
        host: with all defaults.
        scheme: whose port; empty for http, else https, else the only one there is.

    Returns:
        The scheme and its port; None when no scheme is asked for and there is no port at all.

    Raises:
        InvalidHost: there is no port for the scheme, or several and none of them is meant.
    """
    ports = host.private_ports or host.ports or {}
    has = ", ".join(sorted(ports)) or "none"
    if not scheme:
        if not ports:
            return None
        scheme = next((name for name in ("http", "https", *ports) if name in ports), "")
        if len(ports) > 1 and scheme not in ("http", "https"):
            raise InvalidHost(f"which port is to be published? Name one of {has}")
    if scheme not in ports:
        raise InvalidHost(f"there is no port for {scheme!r} to be published, only for {has}")
    text = str(ports[scheme])
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 65535):
        raise InvalidHost(f"port {scheme}={text[:40]!r} is not a number from 1 to 65535")
    return scheme, int(text)
