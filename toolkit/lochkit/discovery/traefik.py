"""An instance as a server behind Traefik, as its ``etcd`` provider reads it. Pure.

One key that Traefik does not know makes it refuse all that the provider has, of any service. Only
such keys are written here as both version 2 and 3 know, unless more is asked for.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from hashlib import sha256
from typing import Final

from .errors import InvalidHost, InvalidName
from .host import Host
from .names import check_text
from .publishing import port_inside
from .url import host_in_url

__all__ = ["Protocol", "Traefik"]

# No '@', which is between a name and its provider; no ',', which is between the items of a list;
# no '/', which is between the parts of a key. Digits alone would be a place in a list.
_NAME: Final = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_REFERENCE: Final = re.compile(rf"{_NAME.pattern}(@[A-Za-z0-9-]{{1,64}})?")
_ROOT: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_SCHEMES: Final = ("http", "https", "h2c")
_MOST_PRIORITY: Final = 2**31 - 1


class Protocol(Enum):
    """What Traefik passes on."""

    HTTP = "http"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class Traefik:
    """Be one of the servers of a service of Traefik's, and perhaps write a router that leads there.

    The servers end with their instances. A router is the instances' in common: it is written by
    each, and stays.

    Attributes:
        service: the service of Traefik's, and the router to it.
        scheme: whose private port takes the requests; empty for http, else https, else the only
            one there is.
        protocol: what is passed on. Where that is HTTP, the scheme is how Traefik speaks to the
            instance: ``http``, ``https`` or ``h2c``; any other stands for ``http``.
        root: the provider's ``rootKey``.
        weight: the instance's share; None for none. Only for HTTP, and Traefik 3.
        rule: of the router, such as ``Host(`web.example.com`)``; None for no router. UDP has no
            rules: there, entry points make one.
        entrypoints: of the router: where it listens; none for Traefik's defaults.
        middlewares: of the router, in this order, each perhaps with its provider
            (``auth@file``). Only for HTTP.
        priority: of the router; None for Traefik's own. Not for UDP.
        tls: whether the router takes TLS only. Not for UDP, nor are the next two.
        cert_resolver: who gets its certificates; makes the router take TLS only.
        passthrough: whether TLS is for the instance to end. Only for TCP.

    Raises:
        InvalidName: a name is none for Traefik.
        InvalidHost: something else cannot be published so.
    """

    service: str
    _: KW_ONLY
    scheme: str = ""
    protocol: Protocol = Protocol.HTTP
    root: str = "traefik"
    weight: int | None = None
    rule: str | None = None
    entrypoints: tuple[str, ...] = ()
    middlewares: tuple[str, ...] = ()
    priority: int | None = None
    tls: bool = False
    cert_resolver: str = ""
    passthrough: bool = False

    def __post_init__(self) -> None:
        for name in (self.service, *self.entrypoints, *filter(None, (self.cert_resolver,))):
            if not _NAME.fullmatch(name):
                raise _not_a_name(name)
        for name in self.middlewares:
            if not _REFERENCE.fullmatch(name):
                raise _not_a_name(name)
        if not _ROOT.fullmatch(self._root()):
            raise InvalidName(f"{self.root[:200]!r} is no root key of Traefik's provider")
        check_text("the rule of the router", self.rule or "")
        if self.weight is not None and not 0 <= self.weight <= _MOST_PRIORITY:
            raise InvalidHost(f"a weight is 0 or more, not {self.weight}")
        if self.priority is not None and abs(self.priority) > _MOST_PRIORITY:
            raise InvalidHost(f"a priority of {self.priority} is more than Traefik takes")
        self._check_protocol()

    def keys(self, host: Host) -> Mapping[bytes, bytes]:
        """The instance as a server.

        Raises:
            InvalidHost: it has no such port, or its hostname cannot be in a URL.
        """
        chosen = port_inside(host, self.scheme)
        if chosen is None:
            raise InvalidHost("the host has no port for Traefik to send anything to")
        scheme, port = chosen
        address = f"{host_in_url(host.private_hostname or host.name)}:{port}"
        # Any number will do that no other server of the service has, in no order.
        number = int.from_bytes(sha256(host.uuid.encode()).digest()[:8]) >> 1
        server = f"services/{self.service}/loadbalancer/servers/{number}"
        if self.protocol is not Protocol.HTTP:
            return {self._key(f"{server}/address"): address.encode()}
        spoken = scheme if scheme in _SCHEMES else "http"
        found = {self._key(f"{server}/url"): f"{spoken}://{address}".encode()}
        if self.weight is not None:
            found[self._key(f"{server}/weight")] = str(self.weight).encode()
        return found

    def shared_keys(self, host: Host) -> Mapping[bytes, bytes]:
        """The router to the service, if one is to be written: the same for all hosts."""
        del host
        if not self._has_router():
            return {}
        router = f"routers/{self.service}"
        return {self._key(f"{router}/{name}"): value.encode() for name, value in self._router()}

    def _has_router(self) -> bool:
        return bool(self.entrypoints if self.protocol is Protocol.UDP else self.rule)

    def _router(self) -> Iterator[tuple[str, str]]:
        if self.rule:
            yield "rule", self.rule
        yield "service", self.service
        for number, name in enumerate(self.entrypoints):
            yield f"entrypoints/{number}", name
        for number, name in enumerate(self.middlewares):
            yield f"middlewares/{number}", name
        if self.priority is not None:
            yield "priority", str(self.priority)
        if self.cert_resolver:
            yield "tls/certresolver", self.cert_resolver
        if self.passthrough:
            yield "tls/passthrough", "true"
        if self.tls and not self.cert_resolver and not self.passthrough:
            yield "tls", "true"

    def _check_protocol(self) -> None:
        """Refuse what Traefik has no key for in this protocol, and a router that would not be."""
        only_http = {"weight": self.weight is not None, "middlewares": bool(self.middlewares)}
        not_udp = {
            "rule": bool(self.rule),
            "priority": self.priority is not None,
            "tls": self.tls,
            "cert_resolver": bool(self.cert_resolver),
        }
        wrong = [
            *(name for name, given in only_http.items() if given and self.protocol.value != "http"),
            *(name for name, given in not_udp.items() if given and self.protocol.value == "udp"),
            *(["passthrough"] if self.passthrough and self.protocol.value != "tcp" else []),
        ]
        if wrong:
            raise InvalidHost(f"Traefik has no {wrong[0]} for {self.protocol.value}")
        only_router = (self.entrypoints, self.middlewares, self.priority is not None, self.tls)
        if not self._has_router() and any((*only_router, self.cert_resolver, self.passthrough)):
            raise InvalidHost(
                "there is no router without a rule, so nothing more can be said of it"
            )

    def _key(self, name: str) -> bytes:
        return f"{self._root()}/{self.protocol.value}/{name}".encode()

    def _root(self) -> str:
        # Traefik drops a slash in front from its own root key, but not from the keys it finds.
        return self.root.strip("/")


def _not_a_name(name: str) -> InvalidName:
    return InvalidName(
        f"{name[:200]!r} is no name for Traefik: up to 128 letters, digits, '.', '_' and '-', not"
        " digits alone"
    )
