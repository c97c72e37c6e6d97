"""Active leases against the hosts that are to be served. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from .findings import Finding, FindingKind
from .leases import Lease
from .model import Group, Host, Subnet
from .networks import parse_network
from .values import number_of

__all__ = ["lease_findings"]


def lease_findings(
    leases: Iterable[Lease],
    hosts: Iterable[tuple[Group, Host]],
    subnets: Iterable[Subnet],
) -> Iterator[Finding]:
    """Yield what leases say that is not wanted.

    A lease without a MAC tells nothing of a host; a host may well have leases of IPv6 besides an
    address of IPv4.

    Args:
        leases: those in force.
        hosts: all that are served.
        subnets: all subnet objects that are right.
    """
    by_address: dict[str, tuple[Group, Host]] = {}
    by_mac: dict[str, tuple[Group, Host]] = {}
    networks = {subnet.network for subnet in subnets}
    for found in hosts:
        by_address[found[1].address] = by_mac[found[1].mac] = found
        networks.add(found[1].subnet.network)
    ours = _Ranges(network for network in networks if network is not None)
    for lease in leases:
        if lease.mac is None:
            continue
        wanted, holder = by_address.get(lease.address), by_mac.get(lease.mac)
        if wanted is not None and wanted[1].mac != lease.mac:
            text = f"it is of {_named(wanted)} ({wanted[1].mac}), but leased to {_who(lease)}"
            if holder is not None:
                text += f", which is {_named(holder)} and is to have {holder[1].address}"
            yield Finding(FindingKind.LEASED_TO_OTHER, lease.address, text)
        elif holder is not None and wanted is None and _same_version(lease, holder[1]):
            text = f"{_named(holder)} ({lease.mac}) has a lease of it, and is to have"
            yield Finding(FindingKind.OTHER_ADDRESS, lease.address, f"{text} {holder[1].address}")
        elif holder is None and lease.address in ours:
            text = f"leased to {_who(lease)}, which is no host of ours"
            yield Finding(FindingKind.UNKNOWN_LEASE, lease.address, text)


class _Ranges:
    """Addresses in any of some networks, which may lie in each other."""

    def __init__(self, networks: Iterable[str]) -> None:
        spans = []
        for network in networks:
            net = parse_network(network)
            first = number_of(net.network.partition("/")[0])
            spans.append((first, net.first - net.last))
        # Of networks with the same first address the largest comes first, and holds the others.
        spans.sort()
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, less in spans:
            if not self._lasts or first > self._lasts[-1]:
                self._firsts.append(first)
                self._lasts.append(first - less)

    def __contains__(self, address: str) -> bool:
        number = number_of(address)
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]


def _named(found: tuple[Group, Host]) -> str:
    group, host = found
    return f"{group.value.removesuffix('s')} {host.id}"


def _who(lease: Lease) -> str:
    # A name in a lease is what any client calls itself.
    return f"{lease.mac} ({lease.hostname!a})" if lease.hostname else str(lease.mac)


def _same_version(lease: Lease, host: Host) -> bool:
    return (":" in lease.address) == (":" in host.address)
