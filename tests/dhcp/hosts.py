"""Hosts to render: those of the golden data, and whatever Hypothesis thinks of."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import UUID

from hypothesis import strategies as st

from lochkit.dhcp.boot import check_text
from lochkit.dhcp.model import Boot, Host, Subnet, Update

__all__ = ["GOLDEN", "GOLDEN_UPDATE", "World", "boots", "many_hosts", "worlds"]

V = TypeVar("V")

GOLDEN = Path(__file__).parent / "golden"

NET_A = Subnet("2b7e1516-28ae-4d2a-a6ab-f7158809cf01", "10.20.0.0/24", "255.255.255.0", "10.20.0.1")
NET_B = Subnet("9e3779b9-7f4a-4c15-b39d-0c6fd1b3ca02", "10.20.4.0/22", "255.255.252.0", "10.20.4.1")
NET_C = Subnet(
    "d1310ba6-98df-4b5a-9f2f-fd72dbd01a03", "172.16.9.128/25", "255.255.255.128", "172.16.9.129"
)
NODES = Subnet(None, "192.168.100.0/24", "255.255.255.0", "192.168.100.1")

NODE_A, NODE_B = (
    "1f0c6c2e-6c1b-4d0f-9a55-3d1f5b1c7e01",
    "c3a9e1d4-58a7-4f0b-8a1e-9b7c2f64d502",
)
WEB, DB = "04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101", "6e4f9c20-1d88-4b37-8a4c-52d0c7e3b202"

GOLDEN_UPDATE = Update(
    hypervisors={
        NODE_B: Host(NODE_B, "52:54:00:10:00:02", "192.168.100.12", NODES, "node-b"),
        NODE_A: Host(NODE_A, "52:54:00:10:00:01", "192.168.100.11", NODES, "node-a"),
    },
    guests={
        DB: Host(DB, "02:1a:4f:c3:77:02", "10.20.5.201", NET_B, "db-1"),
        WEB: Host(WEB, "02:1a:4f:c3:77:01", "10.20.0.37", NET_A, "web-1"),
    },
    subnets={str(net.id): net for net in (NET_A, NET_B, NET_C)},
)


class World(NamedTuple):
    """All that is served at one time."""

    hypervisors: Mapping[str, Host]
    guests: Mapping[str, Host]
    subnets: Mapping[str, Subnet]

    def update_from(self, before: "World | None") -> Update:
        """Return what is different from `before`; everything when there was nothing."""
        old = before or World({}, {}, {})
        return Update(
            hypervisors=difference(old.hypervisors, self.hypervisors),
            guests=difference(old.guests, self.guests),
            subnets=difference(old.subnets, self.subnets),
        )


def difference(old: Mapping[str, V], new: Mapping[str, V]) -> dict[str, V | None]:
    """Return what turns one mapping into the other, None for what is no more."""
    changes: dict[str, V | None] = {key: None for key in old if key not in new}
    changes.update({key: value for key, value in new.items() if old.get(key) != value})
    return changes


def many_hosts(count: int, networks: int = 500) -> Update:
    """Return so many guests, in networks of 1022 addresses each."""
    subnets = []
    for number in range(networks):
        base = ip_address("10.0.0.0") + 1024 * number
        subnets.append(Subnet(identity(number), f"{base}/22", "255.255.252.0", str(base + 1)))
    guests = {}
    for number in range(count):
        key = identity(2**96 + number * 0x9E3779B97F4A7C15 % 2**64 * 2**20 + number)
        subnet = subnets[number % networks]
        address = ip_address("10.0.0.0") + 1024 * (number % networks) + 2 + number // networks
        guests[key] = Host(key, mac(number), str(address), subnet, f"guest-{number}")
    return Update(guests=guests, subnets={str(net.id): net for net in subnets})


def identity(number: int) -> str:
    """Return a UUID."""
    return str(UUID(int=number % 2**128))


def mac(number: int) -> str:
    """Return an Ethernet address of the local kind."""
    return "02:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(5, "big"))


# Networks that nest, a small one, one of two addresses, and IPv6.
NETWORKS = [
    *("10.20.0.0/24", "10.20.0.128/26", "10.20.4.0/22", "172.16.9.128/25", "192.0.2.4/30"),
    *("10.0.0.0/8", "203.0.113.6/31", "2001:db8:1::/64", "2001:db8:1::/48", "fd00:0:0:5::/126"),
]

_FILES = st.text("abyzABYZ019!$%&()*+-./:=?@[]^_{}~", min_size=1, max_size=20) | st.sampled_from(
    [
        *("undionly.kpxe", "http://boot.example.com:8888/ipxe/${net0/ip}", "1234", "10.0.0.1"),
        *("00:01", "::1", "[::1]", "tag:x", "x" * 127, "y" * 128, "z" * 255),
    ]
)
_SERVERS = st.sampled_from(["192.0.2.9", "tftp.example.com", "2001:db8::9"])


def boots(off: bool = True) -> st.SearchStrategy[Boot]:
    """Return a strategy for boot options; `off` allows "" for what is switched off."""
    nothing = st.just("") if off else st.nothing()
    text = st.none() | nothing | _FILES.map(check_text)
    server = st.none() | nothing | _SERVERS
    return st.builds(Boot, text, text, text, text, text, text, server)


_NAMES = st.none() | st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True)


@st.composite
def worlds(draw: st.DrawFn, networks: Sequence[str] = NETWORKS, size: int = 8) -> World:
    """Return what an inventory may hand over: unique ids, MACs and addresses, in their places."""
    subnets: dict[str, Subnet] = {}
    for network in draw(st.lists(st.sampled_from(networks), max_size=6)):
        key = identity(draw(st.integers(0, 99)))
        subnets[key] = _subnet(key, network, draw(st.integers(0, 2)))
    numbers = draw(st.lists(st.integers(0, 10**6), unique=True, max_size=size))
    used: set[str] = set()
    hypervisors: dict[str, Host] = {}
    guests: dict[str, Host] = {}
    for number in numbers:
        key, boot, name = identity(number), draw(st.none() | boots()), draw(_NAMES)
        if key_of := draw(st.sampled_from([None, *sorted(subnets)])):
            subnet = subnets[key_of]
        else:
            subnet = _subnet(None, draw(st.sampled_from(networks)), draw(st.integers(0, 2)))
        net = ip_network(str(subnet.network))
        room = net.num_addresses
        address = str(net[draw(st.integers(0, min(room, 250) - 1))])
        if address in used or address == subnet.gateway or (room > 2 and address == str(net[0])):
            continue
        if net.version == 4 and room > 2 and address == str(net[-1]):
            continue
        used.add(address)
        if subnet.id is None and draw(st.booleans()):
            subnet = Subnet(None, None, None, subnet.gateway, subnet.version)
        host = Host(key, mac(number), address, subnet, name, boot)
        (hypervisors if subnet.id is None else guests)[key] = host
    return World(hypervisors, guests, subnets)


def _subnet(key: str | None, network: str, gateway: int) -> Subnet:
    """Return a subnet whose gateway is the address of that number; 0 for none."""
    net = ip_network(network)
    router = str(net[min(gateway, net.num_addresses - 1)]) if gateway else None
    netmask = str(net.netmask) if net.version == 4 else None
    return Subnet(key, network, netmask, router, net.version)
