"""The operator's part of a Kea configuration, and where ours goes in it. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from .kea_classes import PREFIX
from .networks import Network, parse_network

__all__ = ["Hole", "KeaBase", "default_base"]

Version = Literal[4, 6]


class Hole(NamedTuple):
    """A place in the text of the base, before the end of a list.

    Attributes:
        what: ``classes``, ``subnets``, or the network whose reservations go here.
        first: whether nothing stands before it in the list.
    """

    what: str
    first: bool


def default_base(version: Version) -> dict[str, Any]:
    """Return a configuration without any of ours, for who has none: every interface is served."""
    return {
        f"Dhcp{version}": {
            "interfaces-config": {"interfaces": ["*"]},
            "control-socket": {
                "socket-type": "unix",
                "socket-name": f"/run/kea/kea{version}-ctrl-socket",
            },
            "lease-database": {"type": "memfile", "persist": True},
            "valid-lifetime": 3600,
            **({"authoritative": True} if version == 4 else {}),
        }
    }


class KeaBase:
    """A base configuration that has been looked through.

    Attributes:
        subnets: those it declares, by network, also within shared networks, with the router
            that each announces. Hosts in one of them are added to it.
        numbers: of these subnets, where they have one; without, Kea gives them one by itself.
        parts: its text, with holes where ours goes.
    """

    def __init__(self, base: Mapping[str, Any], version: Version) -> None:
        """Look a configuration through.

        Args:
            base: parsed JSON; it is not changed.
            version: 4 for ``Dhcp4``, 6 for ``Dhcp6``.

        Raises:
            ValueError: it can not take ours in, with a sentence.
        """
        self.version = version
        root = f"Dhcp{version}"
        copy = json.loads(json.dumps(base))
        server = copy.get(root)
        if not isinstance(server, dict):
            raise ValueError(f"the base configuration has no object {root!r}")
        _check(server, root)
        self.subnets: dict[str, Network] = {}
        self.numbers: dict[str, int] = {}
        token = "lochkit"
        while token in json.dumps(copy):
            token += "-"
        for subnet in self._walk(server):
            subnet.setdefault("reservations", []).append(f"{token}:{self._note(subnet)}")
        server.setdefault("client-classes", []).append(f"{token}:classes")
        server.setdefault(f"subnet{version}", []).append(f"{token}:subnets")
        self.parts = tuple(_split(json.dumps(copy, indent=2), token))

    def _walk(self, server: dict[str, Any]) -> Iterator[dict[str, Any]]:
        name = f"subnet{self.version}"
        yield from _objects(server, name)
        for shared in _objects(server, "shared-networks"):
            yield from _objects(shared, name)

    def _note(self, subnet: dict[str, Any]) -> str:
        """Remember a subnet, and return its network."""
        try:
            found = parse_network(subnet["subnet"], _gateway(subnet))
        except (KeyError, TypeError, ValueError):
            text = json.dumps(subnet)[:60]
            raise ValueError(f"a subnet of the base has no valid 'subnet': {text}") from None
        network = found.network
        if network in self.subnets:
            raise ValueError(f"the base declares the subnet {network} twice")
        if isinstance(subnet.get("id"), int):
            self.numbers[network] = subnet["id"]
        self.subnets[network] = found
        return network


def _check(server: dict[str, Any], root: str) -> None:
    identifiers = server.setdefault("host-reservation-identifiers", ["hw-address"])
    if "hw-address" not in identifiers:
        raise ValueError(
            f"'host-reservation-identifiers' of {root} lacks 'hw-address', by which hosts are known"
        )
    for item in _objects(server, "client-classes"):
        if str(item.get("name", "")).startswith(PREFIX):
            raise ValueError(f"the class {item['name']!r} of {root} has a name that we give")


def _objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = parent.get(name, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"{name!r} of the base is no list of objects")
    return items


def _gateway(subnet: dict[str, Any]) -> str | None:
    for option in _objects(subnet, "option-data"):
        if option.get("name") == "routers" or option.get("code") == 3:
            return str(option.get("data"))
    return None


def _split(text: str, token: str) -> Iterator[bytes | Hole]:
    """Yield the text with a hole for each token, and without the commas before them."""
    start = 0
    for found in re.finditer(rf'(,?)\s*"{token}:([^"]*)"', text):
        yield text[start : found.start()].encode()
        yield Hole(found[2], first=not found[1])
        start = found.end()
    yield text[start:].encode() + b"\n"
