"""The networks that subnet objects and hosts tell of, each once, with the gateway it has. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from .model import Host, Subnet, Update

__all__ = ["Network", "Networks", "parse_network"]


class Network(NamedTuple):
    """One network.

    Attributes:
        network: in CIDR notation.
        gateway: the one most told of; None when nobody tells one.
        version: 4 or 6.
        first: its first address, as a number.
        last: its last address.
    """

    network: str
    gateway: str | None
    version: int
    first: int
    last: int

    def order(self) -> tuple[int, int, int]:
        """Return what to sort by: each network stands behind those that it lies in."""
        return self.version, self.first, -self.last


class _Told:
    """How often each gateway (None for none) of one network is told of."""

    __slots__ = ("hosts", "objects")

    def __init__(self) -> None:
        self.objects: Counter[str | None] = Counter()
        self.hosts: Counter[str | None] = Counter()

    def __bool__(self) -> bool:
        return bool(self.objects or self.hosts)

    def gateway(self) -> str | None:
        """Return what subnet objects say, else what hosts say: the most told one, then the least
        text, so that it depends on what there is now and not on how it came about."""
        for counter in (self.objects, self.hosts):
            told = [(-count, gateway) for gateway, count in counter.items() if gateway is not None]
            if told:
                return min(told)[1]
        return None


class Networks:
    """All networks: those of the subnet objects, and those of the hypervisors' own netmasks.

    Attributes:
        stamp: goes up when there may be another set of networks or gateways.
    """

    def __init__(self) -> None:
        self._objects: dict[str, Subnet] = {}
        self._hosts: dict[str, Subnet] = {}
        self._told: dict[str, _Told] = {}
        self._known: dict[str, Network] = {}
        self._sizes: dict[int, dict[int, dict[int, str]]] = {}  # of `_by_size`, when it is known
        self.stamp = 0

    def __iter__(self) -> Iterator[Network]:
        yield from self._known.values()

    def __contains__(self, network: object) -> bool:
        return network in self._known

    def get(self, network: str) -> Network | None:
        """Return one network; None when nobody tells of it."""
        return self._known.get(network)

    def around(self, address: str, others: Iterable["Network"] = ()) -> str | None:
        """Return the smallest network that an address is in; None when it is in none.

        Args:
            address: in canonical text.
            others: networks that are known besides.
        """
        parsed = ip_address(address)
        number, version = int(parsed), parsed.version
        found = [
            (net.last - net.first + 1, net.network)
            for net in others
            if net.first <= number <= net.last and net.version == version
        ]
        for size, by_first in self._by_size(version).items():
            if (network := by_first.get(number - number % size)) is not None:
                found.append((size, network))
        return min(found)[1] if found else None

    def _by_size(self, version: int) -> dict[int, dict[int, str]]:
        """Return the networks by how many addresses they have and their first address."""
        if not self._sizes:
            self._sizes = {4: {}, 6: {}}
            for net in self._known.values():
                sizes = self._sizes[net.version]
                sizes.setdefault(net.last - net.first + 1, {})[net.first] = net.network
        return self._sizes[version]

    def update(self, update: Update) -> frozenset[str]:
        """Take in what is different, and return the networks that came, went or changed."""
        touched: set[str] = set()
        for key, subnet in update.subnets.items():
            self._move(self._objects, key, subnet, touched)
        for key, host in update.hypervisors.items():
            self._move(self._hosts, key, _own_subnet(host), touched)
        changed = frozenset(network for network in touched if self._settle(network))
        if changed:
            self.stamp += 1
            self._sizes = {}
        return changed

    def _move(
        self, owners: dict[str, Subnet], key: str, subnet: Subnet | None, touched: set[str]
    ) -> None:
        """Let the owner `key` tell of this subnet and no longer of the one before."""
        before = owners.pop(key, None)
        if subnet is not None:
            owners[key] = subnet
        for told_of, step in ((before, -1), (subnet, 1)):
            if told_of is None or told_of.network is None:
                continue
            told = self._told.setdefault(told_of.network, _Told())
            counter = told.objects if owners is self._objects else told.hosts
            counter[told_of.gateway] += step
            if not counter[told_of.gateway]:
                del counter[told_of.gateway]
            touched.add(told_of.network)

    def _settle(self, network: str) -> bool:
        """Bring what is known of one network up to date; return whether it is different now."""
        before = self._known.pop(network, None)
        told = self._told[network]
        if not told:
            del self._told[network]
            return before is not None
        now = before or parse_network(network)
        now = now._replace(gateway=told.gateway())
        self._known[network] = now
        return now != before


def parse_network(text: str, gateway: str | None = None) -> Network:
    """Return the network of a text in CIDR notation; host bits are left out.

    Raises:
        ValueError: it is none.
    """
    net = ip_network(text, strict=False)
    first, last = int(net.network_address), int(net.broadcast_address)
    return Network(str(net), gateway, net.version, first, last)


def _own_subnet(host: Host | None) -> Subnet | None:
    return host.subnet if host is not None and host.subnet.id is None else None
