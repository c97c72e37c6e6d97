"""DNS records of an instance, as the ``etcd`` plugin of CoreDNS reads them. Pure.

The name ``web.prod.example.com`` is the key ``/skydns/com/example/prod/web``, and each instance has
a leaf of its own below it. One value that CoreDNS cannot decode fails the whole answer, so all of
them are looked at here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from .errors import InvalidHost, InvalidName
from .host import Host
from .names import check_text, split_uuid
from .publishing import port_inside

__all__ = ["CoreDns"]

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._-]+)+")
_SRV: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?(/(tcp|udp))?", re.IGNORECASE)
_MOST_NAME: Final = 253
_MOST_LEAF: Final = 40
"""Of a UUID, the number of an address, and the dot after them."""
_MOST_TTL: Final = 7 * 86_400
_SHARE: Final = 100
"""The weight that CoreDNS takes a record without one for."""


@dataclass(frozen=True, slots=True)
class CoreDns:
    """Be among the answers to some names: A and AAAA for addresses, CNAME for a name, and SRV.

    Attributes:
        names: the names, with all their labels.
        path: the plugin's own; its ``path`` is ``/skydns`` if it is not configured.
        ttl: seconds that resolvers may keep an answer. Always written: without it, CoreDNS before
            1.12.4 tells the number of the lease for one.
        addresses: what the names lead to; none for the private hostname.
        scheme: whose private port SRV tells; empty for http, else https, else the only one.
        srv: schemes to answer for at ``_SCHEME._tcp.NAME`` instead, such as ``http``, or
            ``dns/udp``; the name alone answers for all of them together.
        ptr: whether the first name is also that of the addresses. The key is the address's own:
            of several instances with one address, it is with the last that wrote it.
        priority: of SRV, the lowest first; 0 for CoreDNS's own, 10.
        weight: of SRV, where 100 is what a record without one has; None for the host's, in which
            that is 1.
        group: only records of one group answer together; empty for none.

    Raises:
        InvalidName: a name cannot be one in DNS.
        InvalidHost: something else cannot be published so.
    """

    names: tuple[str, ...]
    _: KW_ONLY
    path: str = "/skydns"
    ttl: int = 30
    addresses: tuple[str, ...] = ()
    scheme: str = ""
    srv: tuple[str, ...] = ()
    ptr: bool = True
    priority: int = 0
    weight: int | None = None
    group: str = ""

    def __post_init__(self) -> None:
        if not self.names:
            raise InvalidHost("there is no name to be published in DNS")
        for name in self.names:
            _labels(name)
        if not _PATH.fullmatch(self._root()):
            raise InvalidName(f"{self.path[:200]!r} is no path for CoreDNS, such as /skydns")
        for what, number, least, most in (
            ("ttl", self.ttl, 1, _MOST_TTL),
            ("priority", self.priority, 0, 65535),
            ("weight", 1 if self.weight is None else self.weight, 1, 65535),
        ):
            if not least <= number <= most:
                raise InvalidHost(f"a {what} in DNS is from {least} to {most}, not {number}")
        for word in self.srv:
            if not _SRV.fullmatch(word):
                raise InvalidName(f"{word[:80]!r} can be no service in DNS (_SERVICE._tcp)")
        below = max((sum(len(label) + 1 for label in _below(word)) for word in self.srv), default=0)
        if (longest := max(map(len, self.names)) + below + _MOST_LEAF) > _MOST_NAME:
            text = f"a name in DNS is {longest - _MOST_NAME} characters too long, ids included"
            raise InvalidName(text)
        check_text("the group in DNS", self.group)

    def keys(self, host: Host) -> Mapping[bytes, bytes]:
        """The records that lead to this instance.

        Raises:
            InvalidHost: its id, its hostname or its port cannot be published so.
        """
        leaf = split_uuid(host.uuid).uuid
        if not leaf:
            raise InvalidHost(f"the id {host.uuid[:200]!r} does not begin with a UUID")
        targets = self._targets(host)
        found = {}
        for place, port in self._places(host):
            for number, target in enumerate(targets):
                # Each leaf is a name that SRV leads to; so each address has one.
                name = f"{leaf}-{number}" if number else leaf
                found[self._key(*place, name)] = self._value(host, target, port)
        if self.ptr:
            name = ".".join(_labels(self.names[0])) + "."
            for target in targets:
                if not isinstance(target, str):
                    # No leaf below it: CoreDNS looks up the name of an address as one exact key.
                    place = tuple(reversed(target.reverse_pointer.split(".")))
                    found[self._key(*place)] = _json(host=name, ttl=self.ttl)
        return found

    def shared_keys(self, host: Host) -> Mapping[bytes, bytes]:
        """None: every record is that of one instance."""
        del host
        return {}

    def _places(self, host: Host) -> Iterator[tuple[tuple[str, ...], int]]:
        """The labels that each record is below, topmost first, and its port, 0 for none."""
        for name in self.names:
            above = tuple(reversed(_labels(name)))
            if not self.srv:
                chosen = port_inside(host, self.scheme)
                yield above, chosen[1] if chosen else 0
            for word in self.srv:
                chosen = port_inside(host, word.partition("/")[0])
                yield (*above, *_below(word)), chosen[1] if chosen else 0

    def _targets(self, host: Host) -> list[IPv4Address | IPv6Address | str]:
        """What the names lead to."""
        words = self.addresses or (host.private_hostname or host.name,)
        targets = [_target(word) for word in dict.fromkeys(words)]
        for target in targets:
            if not isinstance(target, str):
                continue
            if len(targets) > 1:
                raise InvalidHost(f"{target} is no IP address, so there can be no other beside it")
            if any(_is_within(target, ".".join(_labels(name))) for name in self.names):
                raise InvalidHost(f"in DNS {target} would lead to itself: publish an IP address")
        return targets

    def _value(self, host: Host, target: IPv4Address | IPv6Address | str, port: int) -> bytes:
        weight = self.weight
        if weight is None and host.weight != 1:
            # Without one it counts as 100, and so does a weight of 0, which is meant to be least.
            weight = min(max(_SHARE * host.weight, 1), 65535)
        return _json(
            host=str(target),
            port=port,
            priority=self.priority,
            weight=weight,
            ttl=self.ttl,
            group=self.group,
        )

    def _key(self, *labels: str) -> bytes:
        return "/".join((self._root(), *labels)).encode()

    def _root(self) -> str:
        return "/" + self.path.strip("/")


def _labels(name: str) -> tuple[str, ...]:
    """The labels of a name, in lower case: so they are asked for.

    Raises:
        InvalidName: it is not one that can be answered.
    """
    labels = tuple(name.lower().removesuffix(".").split("."))
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidName(
            f"{name[:300]!r} is no name for DNS: labels of up to 63 letters, digits, '-' and '_',"
            " with dots between them"
        )
    return labels


def _below(word: str) -> tuple[str, str]:
    """The labels of a service that SRV is asked for, topmost first."""
    scheme, _, protocol = word.lower().partition("/")
    return f"_{protocol or 'tcp'}", f"_{scheme}"


def _target(word: str) -> IPv4Address | IPv6Address | str:
    """An address, or a name that can be asked for as it is.

    Raises:
        InvalidHost: it is neither.
    """
    try:
        address = ip_address(word)
    except ValueError:
        labels = _labels(word)
        if len(labels) < 2:
            raise InvalidHost(
                f"the hostname {word!r} leads nowhere in DNS: publish an IP address, or a name with"
                " its domain"
            ) from None
        return ".".join(labels)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise InvalidHost(f"{word} leads somewhere on its own link only: publish another one")
        address = address.ipv4_mapped or address
    if address.is_unspecified:
        raise InvalidHost(f"{word} is nobody's address: publish another one")
    return address


def _is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _json(**fields: Any) -> bytes:
    """A value as CoreDNS decodes it: what is empty left out, and numbers as numbers."""
    present = {name: value for name, value in fields.items() if value}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()
