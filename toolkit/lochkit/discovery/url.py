"""The URL of an instance or of a service, its password out of sight. Pure.

The host is the one that a record names, and a record may have been written by anybody: each part
is encoded for its place, so that none of them can reach into the next.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from itertools import islice
from typing import Final
from urllib.parse import quote

from .errors import BadRecord, InvalidHost, InvalidName, SchemeNotFound, UnknownScheme
from .host import Host, Infos
from .names import check_port, check_scheme

__all__ = ["Url", "host_in_url", "host_url", "in_words", "infos_url", "private_url"]

_PREFERRED: Final = ("http", "https")
"""What is meant where no scheme is asked for; the first that there is a port for."""

_SUBDELIMS: Final = "!$&'()*+,;="
_NOT_IN_PATH: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?#%-]")
_REDACTED: Final = "***"
_MOST_TOLD: Final = 10
_LONGEST_TOLD: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Url:
    """A URL that can be logged: ``str`` and ``repr`` show no password, only `reveal` does.

    Attributes:
        scheme: what comes before ``://``.
        host: as it stands in the URL: encoded, an IPv6 address in brackets.
        port: in digits; never left out.
        path: encoded, with a query and a fragment if it has them; empty, or begins with a slash.
        user: as it is, not encoded; without one there is no password in the URL either.
        password: as it is, not encoded.
    """

    scheme: str
    host: str
    port: str
    path: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self._with(_REDACTED if self.password else "")

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"

    def reveal(self) -> str:
        """The URL to connect to: the password is in it."""
        return self._with(_encoded(self.password))

    def without_credentials(self) -> str:
        """The URL with neither user nor password."""
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"

    def _with(self, password: str) -> str:
        userinfo = f"{_encoded(self.user)}:{password}@" if self.user else ""
        return f"{self.scheme}://{userinfo}{self.host}:{self.port}{self.path}"


def host_url(host: Host, scheme: str = "", path: str = "") -> Url:
    """The URL of an instance, as others reach it.

    A private instance that has only a private hostname is reached there.

    Args:
        host: the instance.
        scheme: one that it has a port for; empty for http, else https.
        path: what follows the port, query included. A slash in front of it may be left out; what
            a URL cannot have is encoded, what is encoded already stays as it is.

    Raises:
        UnknownScheme: the instance has no port for that scheme.
        SchemeNotFound: no scheme was given, and the instance has neither http nor https.
        BadRecord: the instance has no hostname, or one or a port that no URL can have.
    """
    name = host.name or ("" if host.public else host.private_hostname)
    return _url(_named(host), name, host.ports or {}, scheme, path, host.user, host.password)


def private_url(host: Host, scheme: str = "", path: str = "") -> Url:
    """The URL of an instance, as it is reached from inside; its `host_url` if it has no such.

    Private ports go with the private hostname: the others do not stand in for them.

    Args:
        host: the instance.
        scheme: as in `host_url`.
        path: as in `host_url`.

    Raises:
        UnknownScheme: as of `host_url`, and so the next two.
        SchemeNotFound: see there.
        BadRecord: see there.
    """
    if not host.private_hostname:
        return host_url(host, scheme, path)
    name, ports = host.private_hostname, host.private_ports
    return _url(_named(host), name, ports, scheme, path, host.user, host.password)


def infos_url(infos: Infos, scheme: str = "", path: str = "") -> Url:
    """The one URL of a public service.

    Args:
        infos: of a public service.
        scheme: as in `host_url`.
        path: as in `host_url`.

    Raises:
        UnknownScheme: as of `host_url`, and so the next two.
        SchemeNotFound: see there.
        BadRecord: see there.
    """
    what = f"service {infos.name}"
    return _url(what, infos.hostname, infos.ports, scheme, path, infos.user, infos.password)


def host_in_url(name: str) -> str:
    """A hostname or an address as it stands in a URL: encoded, with brackets if it needs them.

    Raises:
        InvalidName: there is none, or it has a colon and is no IPv6 address.
    """
    bare = name[1:-1] if name[:1] + name[-1:] == "[]" else name
    if not bare:
        raise InvalidName("there is no hostname")
    if ":" not in bare:
        return _encoded(bare, _SUBDELIMS)
    try:
        IPv6Address(bare)
    except ValueError:
        text = f"{name[:300]!r} is neither a host's name nor an IP address"
        raise InvalidName(text) from None
    address, percent, zone = bare.partition("%")
    return f"[{address}%25{_encoded(zone)}]" if percent else f"[{address}]"


def _url(
    what: str,
    name: str,
    ports: Mapping[str, str],
    scheme: str,
    path: str,
    user: str,
    password: str,
) -> Url:
    scheme = _chosen(what, ports, scheme)
    try:
        check_scheme(scheme)
        check_port(scheme, ports[scheme])
        host = host_in_url(name)
    except InvalidHost as exc:
        raise BadRecord(f"{what} can have no URL: {exc}") from None
    return Url(
        scheme=scheme,
        host=host,
        port=str(int(ports[scheme])),
        path=_path(path),
        user=user,
        # A password alone is none: so it is in the original.
        password=password if user else "",
    )


def _chosen(what: str, ports: Mapping[str, str], scheme: str) -> str:
    has = f"only for {in_words(sorted(ports))}" if ports else "for none"
    if not scheme:
        scheme = next((scheme for scheme in _PREFERRED if scheme in ports), "")
        if not scheme:
            raise SchemeNotFound(f"{what} has no port for http or https, {has}: name a scheme")
    elif scheme not in ports:
        raise UnknownScheme(f"{what} has no port for {scheme[:80]!r}, {has}")
    return scheme


def in_words(names: Collection[str]) -> str:
    """Names that anybody may have written, for an error: in one line, and not too many."""
    told = [
        name[:_LONGEST_TOLD] if name.isprintable() else repr(name[:_LONGEST_TOLD])
        for name in islice(names, _MOST_TOLD)
    ]
    if len(names) > _MOST_TOLD:
        told.append(f"{len(names) - _MOST_TOLD} more")
    return ", ".join(told) or "none"


def _path(path: str) -> str:
    encoded = _NOT_IN_PATH.sub(lambda found: _encoded(found[0]), path)
    return f"/{encoded}" if encoded and not encoded.startswith("/") else encoded


def _encoded(text: str, safe: str = "") -> str:
    # JSON can hold halves of characters, which no URL can.
    return quote(text, safe=safe, errors="replace")


def _named(host: Host) -> str:
    return f"instance {host.uuid[:300]!r} of {host.service}"
