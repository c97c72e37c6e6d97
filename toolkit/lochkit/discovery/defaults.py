"""What a host is taken to be where it does not say, by the rules of the original. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from .errors import InvalidHost
from .host import Host, Infos
from .names import make_uuid

__all__ = ["complete", "infos_of"]


def complete(host: Host, service: str, *, uuid4: str, machine: str) -> Host:
    """The host as it is to be registered: every default filled in, in the original's order.

    The hostname itself has no default, as it has none there: who gives only a private one is
    found by that alone. What is wrong with the result, `encode_host` tells.

    Args:
        host: as its owner described it; its service and its id are overwritten. Ports may be
            numbers here.
        service: the service that it is an instance of.
        uuid4: a random UUID, 36 characters, lower case.
        machine: the name of this machine.

    Raises:
        InvalidHost: there is no name to be had, from nowhere.
    """
    # A public hostname is often that of a load balancer, and says nothing of the machine behind.
    private_hostname = host.private_hostname or ("" if host.public else host.name) or machine
    if not private_hostname:
        raise InvalidHost("the host has no hostname, and this machine has no name to take for it")
    ports = None if host.ports is None else _as_text(host.ports)
    return replace(
        host,
        service=service,
        ports=ports,
        private_hostname=private_hostname,
        private_ports=_as_text(host.private_ports) or dict(ports or {}),
        uuid=make_uuid(uuid4, private_hostname),
    )


def infos_of(host: Host) -> Infos:
    """What all instances have in common, as this one sees it.

    Only a public service has an address and credentials of its own.
    """
    if not host.public:
        return Infos(name=host.service, critical=host.critical)
    return Infos(
        name=host.service,
        critical=host.critical,
        hostname=host.name,
        user=host.user,
        password=host.password,
        ports=dict(host.ports or {}),
        public=True,
    )


def _as_text(ports: Mapping[str, str]) -> dict[str, str]:
    """Ports as the records have them, whatever somebody without a type checker gave."""
    return {scheme: str(port) for scheme, port in ports.items()}
