"""The names that may be written, and the id of an instance.

Readers put service and id side by side into a key, and hostnames and ports into URLs, without a
look at them; so the looking is done here, once, before anything is written.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from .errors import InvalidHost, InvalidName

__all__ = [
    "InstanceId",
    "check_hostname",
    "check_port",
    "check_ports",
    "check_scheme",
    "check_service",
    "check_text",
    "make_uuid",
    "split_uuid",
]

_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HOSTNAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_ZONE: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+._-]{0,63}")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_MOST_TEXT: Final = 4096


class InstanceId(NamedTuple):
    """The two parts of an instance's id; ``uuid`` is empty in the ids of very old records."""

    uuid: str
    hostname: str


def make_uuid(uuid4: str, private_hostname: str) -> str:
    """The id of a new instance: a random UUID, and the host it is on.

    Args:
        uuid4: 36 characters, lower case.
        private_hostname: after all defaults.
    """
    return f"{uuid4}-{private_hostname}"


def split_uuid(instance: str) -> InstanceId:
    """The parts of an id; hostnames may contain hyphens, the first part has a fixed length."""
    head, hyphen, rest = instance[:36], instance[36:37], instance[37:]
    if _UUID.fullmatch(head) and hyphen in ("", "-"):
        return InstanceId(head, rest)
    return InstanceId("", instance)


def check_service(name: str) -> None:
    """Refuse a name of a service that cannot be part of a key, or would not be found again.

    Raises:
        InvalidName: why.
    """
    if not _SERVICE.fullmatch(name):
        raise InvalidName(
            f"{name[:200]!r} is no name for a service: up to 128 letters, digits, '.', '_' and '-',"
            " the first a letter or digit"
        )


def check_hostname(name: str, what: str = "hostname") -> None:
    """Refuse what is neither a host's name nor an IP address.

    Raises:
        InvalidName: why.
    """
    if ":" in name and _is_address_6(name):
        return
    if not _HOSTNAME.fullmatch(name) or ".." in name:
        raise InvalidName(f"{what} {name[:300]!r} is neither a host's name nor an IP address")


def _is_address_6(name: str) -> bool:
    address, percent, zone = name.partition("%")
    try:
        IPv6Address(address)
    except ValueError:
        return False
    return not percent or _ZONE.fullmatch(zone) is not None


def check_port(scheme: str, port: str) -> None:
    """Refuse what is no TCP or UDP port as text.

    Raises:
        InvalidHost: why.
    """
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise InvalidHost(f"port {scheme}={port[:40]!r} is not a number from 1 to 65535")


def check_scheme(scheme: str) -> None:
    """Refuse what can not begin a URL.

    Raises:
        InvalidName: why.
    """
    if not _SCHEME.fullmatch(scheme):
        raise InvalidName(f"{scheme[:80]!r} is no scheme: letters, digits, '+', '.', '_' and '-'")


def check_text(what: str, text: str) -> None:
    """Refuse text that is too long or holds control characters.

    Raises:
        InvalidHost: why; the text itself is not told, for it may be a password.
    """
    if len(text) > _MOST_TEXT:
        raise InvalidHost(f"{what} is longer than {_MOST_TEXT} characters")
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text):
        raise InvalidHost(f"{what} holds a control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidHost(f"{what} is not UTF-8") from None


def check_ports(ports: Mapping[str, str]) -> None:
    """Refuse a table of ports with a scheme or a port that is none.

    Raises:
        InvalidHost: why.
    """
    for scheme, port in ports.items():
        check_scheme(scheme)
        check_port(scheme, str(port))  # who has no type checker may give a number
