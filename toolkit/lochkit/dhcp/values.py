"""The texts in objects that must be addresses, networks, MACs, ids and names. Pure.

What is taken and what is not is what the programs that wrote the objects take: Go's ``ParseIP``,
``ParseCIDR`` and ``ParseMAC``. Every function returns the canonical form, so that equal things are
equal texts, and raises ValueError with a phrase for the operator.

Addresses of both versions are numbers on one line, IPv6 after IPv4, so that a comparison of numbers
is never true between the two.
"""

import json
import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal, NamedTuple

__all__ = [
    "Network",
    "is_label",
    "is_uuid",
    "network_of",
    "number_of",
    "quote",
    "read_address",
    "read_host_address",
    "read_mac",
    "read_netmask",
    "read_network",
]

_V6: Final = 1 << 128
"""What is added to the number of an IPv6 address."""

_OCTETS: Final = {str(number): number for number in range(256)}
_NETMASKS: Final = {
    str(IPv4Address((0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF)): length for length in range(33)
}
_MULTICAST4: Final = 0xE0000000  # 224.0.0.0/4
_AFTER_MULTICAST4: Final = 0xF0000000
_BROADCAST4: Final = 0xFFFFFFFF
_MULTICAST6: Final = _V6 + (0xFF << 120)  # ff00::/8
_LONGEST_ADDRESS: Final = 45  # characters: six groups of four digits, and an IPv4 address

# A lower-case hexadecimal digit becomes an x, a hyphen stays, anything else becomes a zero byte: to
# compare the outcome costs a quarter of a regular expression.
_SHAPE: Final = bytes(
    ord("x") if chr(byte) in "0123456789abcdef" else byte if byte == ord("-") else 0
    for byte in range(256)
)
_UUID_SHAPE: Final = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # RFC 1123, 2.1
# The usual spelling of a MAC address that one machine may have; written out, it is twice as fast.
_USUAL_MAC: Final = re.compile("[0-9a-f][02468ace]" + ":[0-9a-f][0-9a-f]" * 5)
_MAC: Final = re.compile(
    r"[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2})*|[0-9a-f]{4}(?:\.[0-9a-f]{4})+", re.IGNORECASE
)
_MAC_LENGTHS: Final = (6, 8, 20)  # bytes: EUI-48, EUI-64, InfiniBand
_NO_MAC: Final = "00:00:00:00:00:00"
_SHOWN: Final = 60  # characters of a wrong text that are repeated


class Network(NamedTuple):
    """A network, and which addresses in it are those of hosts.

    Attributes:
        text: in CIDR notation, without host bits.
        netmask: dotted quad; None for IPv6.
        version: 4 or 6.
        first: number of its first address.
        last: number of its last address.
        low: number of the first address that a host may have. In an IPv4 network of more than two
            addresses the first is the network's own and the last is for broadcasts.
        high: number of the last address that a host may have.
    """

    text: str
    netmask: str | None
    version: Literal[4, 6]
    first: int
    last: int
    low: int
    high: int


def quote(text: str) -> str:
    """Return a text of unknown origin in quotes: printable ASCII in one line, and not too long."""
    return json.dumps(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def is_uuid(text: str) -> bool:
    """Whether it is a UUID in lower case, in the one canonical spelling."""
    return text.isascii() and text.encode().translate(_SHAPE) == _UUID_SHAPE


def is_label(text: str) -> bool:
    """Whether it is one label of a host name: letters, digits and hyphens, 63 at most."""
    return _LABEL.fullmatch(text) is not None


def read_address(text: str) -> tuple[str, int]:
    """Return an IP address in its canonical spelling, and its number.

    An IPv6 address that stands for an IPv4 one is that one.

    Raises:
        ValueError: it is none.
    """
    try:
        first, second, third, fourth = text.split(".", 4)
        octets = _OCTETS
        return text, (
            octets[first] << 24 | octets[second] << 16 | octets[third] << 8 | octets[fourth]
        )
    except (ValueError, KeyError):
        return _read_other_address(text)


def _read_other_address(text: str) -> tuple[str, int]:
    if ":" not in text or len(text) > _LONGEST_ADDRESS:
        raise ValueError(
            f"{quote(text)} is not four numbers from 0 to 255 without leading zeros, nor an IPv6"
            " address"
        )
    if "%" in text:
        raise ValueError(f"{quote(text)} has a zone, which means something on one machine only")
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise ValueError(f"{quote(text)} is not an IPv6 address") from None
    mapped = address.ipv4_mapped
    if mapped is not None:
        return str(mapped), int(mapped)
    return str(address), int(address) + _V6


def number_of(address: str) -> int:
    """Return the number of an address in canonical spelling."""
    return read_address(address)[1]


def read_host_address(text: str) -> tuple[str, int]:
    """Return the address of one host in its canonical spelling, and its number.

    Raises:
        ValueError: it is no address, or one that no single host can have.
    """
    try:  # as in `read_address`: a call less for each host of a first load
        first, second, third, fourth = text.split(".", 4)
        octets = _OCTETS
        number = octets[first] << 24 | octets[second] << 16 | octets[third] << 8 | octets[fourth]
        if 0 < number < _MULTICAST4:
            return text, number
    except (ValueError, KeyError):
        pass
    found = read_address(text)
    number = found[1]
    if number in (0, _V6):
        raise ValueError(f"{found[0]} is the unspecified address")
    if number == _BROADCAST4:
        raise ValueError(f"{found[0]} is the broadcast address")
    if _MULTICAST4 <= number < _AFTER_MULTICAST4 or number >= _MULTICAST6:
        raise ValueError(f"{found[0]} is a multicast address")
    return found


def read_netmask(text: str) -> int:
    """Return the prefix length that an IPv4 netmask stands for.

    Raises:
        ValueError: it is no dotted quad, or its bits are not in one row.
    """
    length = _NETMASKS.get(text)
    if length is None:
        canonical, number = read_address(text)
        if number >= _V6:
            raise ValueError(f"{quote(text)} is not an IPv4 netmask")
        length = _NETMASKS.get(canonical)
        if length is None:
            raise ValueError(f"{quote(text)} is not a netmask: its bits are not in one row")
    return length


def network_of(number: int, length: int) -> Network:
    """Return the network of a prefix length that an address is in.

    Args:
        number: of the address.
        length: of the prefix: 0 to 32, or to 128 for IPv6.
    """
    bits = 32 if number < _V6 else 128
    return _network(number & -(1 << (bits - length)), length, bits)


@lru_cache(maxsize=4096)
def _network(first: int, length: int, bits: int) -> Network:
    """Return a network; of that of many hosts there is one copy."""
    size = 1 << (bits - length)
    last = first + size - 1
    if bits == 128:
        text = f"{IPv6Address(first - _V6)}/{length}"
        return Network(text, None, 6, first, last, first, last)
    netmask = str(IPv4Address((1 << 32) - size))
    edge = 1 if size > 2 else 0  # RFC 3021: a network of two addresses has two hosts
    text = f"{IPv4Address(first)}/{length}"
    return Network(text, netmask, 4, first, last, first + edge, last - edge)


def read_network(text: str) -> Network:
    """Return a network from its CIDR notation; host bits are dropped.

    Raises:
        ValueError: it is none.
    """
    address, slash, word = text.partition("/")
    if not slash:
        raise ValueError(f"{quote(text)} has no prefix length, such as /24")
    canonical, number = read_address(address)
    bits = 32 if number < _V6 else 128
    if bits == 32 and ":" in address:
        raise ValueError(f"{quote(text)} is an IPv4 network in IPv6 notation, from {canonical} on")
    length = int(word) if len(word) <= 3 and word.isascii() and word.isdigit() else bits + 1
    if length > bits:
        raise ValueError(f"{quote(text)} has no prefix length from 0 to {bits}")
    return network_of(number, length)


def read_mac(text: str) -> str:
    """Return the MAC address of an Ethernet interface: six bytes, lower case, with colons.

    Raises:
        ValueError: it is none, or not one that a single interface can have.
    """
    if _USUAL_MAC.fullmatch(text) and text != _NO_MAC:
        return text
    digits = re.sub("[:.-]", "", text) if _MAC.fullmatch(text) else ""
    if len(digits) // 2 not in _MAC_LENGTHS:
        raise ValueError(
            f"{quote(text)} is not six pairs of hexadecimal digits with colons or hyphens between"
        )
    data = bytes.fromhex(digits)
    mac = data.hex(":")
    if len(data) != 6:
        raise ValueError(f"{mac} is not an Ethernet address: it has {len(data)} bytes, not 6")
    if mac == _NO_MAC:
        raise ValueError(f"{mac} is the address of no interface")
    if data[0] & 1:
        raise ValueError(f"{mac} is a group address, not that of one interface")
    return mac
