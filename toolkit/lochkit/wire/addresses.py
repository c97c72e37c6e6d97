"""Which addresses are of a network of one's own: the only ones for plain text, unless told so."""

from ipaddress import ip_address, ip_network
from typing import Final

__all__ = ["is_own_network"]

_OWN: Final = tuple(
    ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1122, RFC 1918
        *("169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"),  # RFC 3927, RFC 4193, RFC 4291
    )
)


def is_own_network(address: str) -> bool:
    """Whether an address is loopback, private or link-local; False for what is no address.

    Python's ``is_private`` is wider: it has documentation's, benchmarks' and reserved networks.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in _OWN)
