"""What is to be served, read from all keys at once by the rules alone.

It uses the standard library's own parsers and knows nothing of what was before: the inventory must
come to the same, however it was told.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from lochkit.dhcp.model import Host, Reason, Subnet
from lochkit.etcd.messages import KeyValue

__all__ = ["KEY", "Seen", "read_all"]

KEY = re.compile(rb"/lochness/(hypervisors|guests|subnets)/([^/]+)/metadata")


class Left(Exception):
    """An object is left out."""


class Seen(NamedTuple):
    """What a reading finds."""

    hosts: dict[tuple[str, str], Host]
    subnets: dict[str, Subnet]
    reasons: dict[str, Reason]


def read_all(entries: Mapping[bytes, KeyValue]) -> Seen:
    """Return what is to be served, from all keys there are."""
    seen = Seen({}, {}, {})
    found: list[tuple[int, int, str, Host]] = []
    for kind in (b"subnets", b"hypervisors", b"guests"):
        for key, entry in entries.items():
            match = KEY.fullmatch(key)
            if not match or match[1] != kind:
                continue
            path_id = match[2].decode()
            try:
                fields = fields_of(path_id, entry.value)
                if kind == b"subnets":
                    seen.subnets[path_id] = read_subnet(path_id, fields)
                else:
                    hosts = read_hypervisor if kind == b"hypervisors" else read_guest
                    host = hosts(path_id, fields, seen.subnets)
                    found.append((entry.create_revision, int(kind == b"guests"), path_id, host))
            except Left as exc:
                seen.reasons[key.decode()] = exc.args[0]
    taken: set[str] = set()
    for _, order, path_id, host in sorted(found):
        wanted = (path_id, host.mac, host.address)
        kind_name = ("hypervisors", "guests")[order]
        clash = [value in taken for value in wanted]
        if any(clash):
            reason = (Reason.DUPLICATE_ID, Reason.DUPLICATE_MAC, Reason.DUPLICATE_ADDRESS)
            seen.reasons[f"/lochness/{kind_name}/{path_id}/metadata"] = reason[clash.index(True)]
        else:
            taken.update(wanted)
            seen.hosts[kind_name, path_id] = host
    return seen


def fields_of(path_id: str, value: bytes) -> dict[str, Any]:
    try:
        if str(UUID(path_id)) != path_id:
            raise Left(Reason.BAD_ID)
    except ValueError:
        raise Left(Reason.BAD_ID) from None
    try:
        fields = json.loads(value)
    except ValueError:
        raise Left(Reason.MALFORMED) from None
    if not isinstance(fields, dict):
        raise Left(Reason.MALFORMED)
    labels: Any = fields.pop("metadata", None)
    labels = {} if labels is None else labels
    told = {
        name: text
        for name, text in fields.items()
        if text is not None and not name.endswith("_resources")
    }
    if not isinstance(labels, dict) or not all(
        isinstance(text, str) for text in [*told.values(), *labels.values()]
    ):
        raise Left(Reason.MALFORMED)
    texts = {name.lower(): text for name, text in told.items()}
    if texts.get("id", "").lower() not in ("", path_id):
        raise Left(Reason.BAD_ID)
    return {**texts, "metadata": labels}


def address_of(text: str, reason: Reason) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise Left(reason) from None
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255":
        raise Left(reason)
    return found


def mac_of(text: str) -> str:
    digits = re.sub("[:.-]", "", text.lower())
    shapes = (
        "(..):(..):(..):(..):(..):(..)",
        "(..)-(..)-(..)-(..)-(..)-(..)",
        r"(....)\.(....)\.(....)",
    )
    if not any(re.fullmatch(shape, text) for shape in shapes):
        raise Left(Reason.BAD_MAC)
    if not re.fullmatch("[0-9a-f]{12}", digits) or int(digits, 16) == 0:
        raise Left(Reason.BAD_MAC)
    if int(digits[1], 16) % 2:
        raise Left(Reason.BAD_MAC)
    return ":".join(re.findall("..", digits))


def name_of(fields: dict[str, Any]) -> str | None:
    name = fields["metadata"].get("name", "")
    return name if re.fullmatch("[a-z]+(-[0-9]+)?", name) else None


def read_subnet(path_id: str, fields: dict[str, Any]) -> Subnet:
    text = fields.get("cidr", "")
    try:
        if not re.fullmatch(r"[^/]+/\d+", text):
            raise ValueError
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Left(Reason.BAD_NETWORK) from None
    gateway = None
    if fields.get("gateway"):
        gateway = address_of(fields["gateway"], Reason.BAD_ADDRESS)
        if gateway not in network:
            raise Left(Reason.GATEWAY_OUTSIDE)
    mask = str(network.netmask) if network.version == 4 else None
    return Subnet(path_id, str(network), mask, str(gateway) if gateway else None, network.version)


def read_common(fields: dict[str, Any]) -> tuple[str, str]:
    if not fields.get("ip"):
        raise Left(Reason.NO_ADDRESS)
    address = address_of(fields["ip"], Reason.BAD_ADDRESS)
    if not fields.get("mac"):
        raise Left(Reason.NO_MAC)
    return mac_of(fields["mac"]), str(address)


def is_host_of(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    address = ipaddress.ip_address(text)
    if address not in network:
        return False
    edges = (network.network_address, network.broadcast_address)
    return network.version == 6 or network.prefixlen > 30 or address not in edges


def read_hypervisor(path_id: str, fields: dict[str, Any], _: Mapping[str, Subnet]) -> Host:
    mac, address = read_common(fields)
    network = gateway = mask = None
    if fields.get("netmask"):
        mask = fields["netmask"]
        try:
            if ":" in address or "." not in mask:
                raise ValueError
            network = ipaddress.IPv4Network(f"{address}/{mask}", strict=False)
        except ValueError:
            raise Left(Reason.BAD_NETWORK) from None
        if str(network.netmask) != mask:
            raise Left(Reason.BAD_NETWORK)
    version = ipaddress.ip_address(address).version
    if fields.get("gateway"):
        found = address_of(fields["gateway"], Reason.BAD_ADDRESS)
        if found.version != version or (network and found not in network):
            raise Left(Reason.GATEWAY_OUTSIDE)
        gateway = str(found)
    if network and not is_host_of(address, network):
        raise Left(Reason.OUTSIDE)
    subnet = Subnet(None, str(network) if network else None, mask, gateway, version)
    return Host(path_id, mac, address, subnet, name_of(fields))


def read_guest(path_id: str, fields: dict[str, Any], subnets: Mapping[str, Subnet]) -> Host:
    if not fields.get("hypervisor") or not fields.get("subnet"):
        raise Left(Reason.UNPLACED)
    mac, address = read_common(fields)
    subnet = subnets.get(fields["subnet"].lower())
    if subnet is None or subnet.network is None:
        raise Left(Reason.UNKNOWN_SUBNET)
    if address == subnet.gateway or not is_host_of(address, ipaddress.ip_network(subnet.network)):
        raise Left(Reason.OUTSIDE)
    return Host(path_id, mac, address, subnet, name_of(fields))
