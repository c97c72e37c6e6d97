"""What is asked of the ``openssl`` program: names that are checked, configuration, commands. Pure.

Keys are elliptic, on P-256; signatures are with SHA-256. The authority's certificate signs nothing
but hosts' (path length 0), and a host's is good for both ends of a connection.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

__all__ = [
    "CertificateRequest",
    "authority_commands",
    "authority_config",
    "check_alternative",
    "check_name",
    "check_title",
    "host_commands",
    "host_config",
    "key_command",
    "show_command",
]

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_TITLE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,61}[A-Za-z0-9])?")


def check_name(name: str) -> None:
    """Refuse what can not be a host's name, and with it a directory's.

    Raises:
        ValueError: says so.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} can not be the name of a host: at most 63 letters, digits, dots, "
            "dashes and underscores, with a letter or digit at both ends"
        )


def check_title(title: str) -> None:
    """Refuse what can not be an authority's name: as a host's, but there may be spaces.

    Raises:
        ValueError: says so.
    """
    if not _TITLE.fullmatch(title):
        raise ValueError(f"{title[:80]!r} can not be the name of an authority")


def check_alternative(text: str) -> None:
    """Refuse what is neither an address nor a host name.

    Raises:
        ValueError: says so.
    """
    _alternative(text)


def _alternative(text: str) -> str:
    try:
        return f"IP:{ip_address(text)}"
    except ValueError:
        check_name(text)
        return f"DNS:{text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A certificate for a host.

    Attributes:
        name: common name, and DNS name.
        alternatives: further DNS names and addresses.
        days: that it is valid for.
        serial: a number that no other certificate of the authority has; at most 159 bits.
    """

    name: str
    alternatives: Sequence[str]
    days: int
    serial: int


_COMMON: Final = """\
[req]
prompt = no
string_mask = utf8only
distinguished_name = name

[name]
CN = {name}

[extensions]
subjectKeyIdentifier = hash
"""


def authority_config(title: str) -> str:
    """The configuration with which an authority's certificate is made."""
    return _COMMON.format(name=title) + (
        "basicConstraints = critical, CA:TRUE, pathlen:0\n"
        "keyUsage = critical, keyCertSign, cRLSign\n"
    )


def host_config(request: CertificateRequest) -> str:
    """The configuration with which a host's certificate is made."""
    names = dict.fromkeys(_alternative(text) for text in (request.name, *request.alternatives))
    return _COMMON.format(name=request.name) + (
        "authorityKeyIdentifier = keyid\n"
        "basicConstraints = critical, CA:FALSE\n"
        "keyUsage = critical, digitalSignature\n"
        "extendedKeyUsage = serverAuth, clientAuth\n"
        f"subjectAltName = {', '.join(names)}\n"
    )


def key_command(key: str) -> list[str]:
    """The command that makes a private key."""
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    return ["openssl", "genpkey", *curve, "-out", key]


def authority_commands(*, key: str, config: str, out: str, days: int) -> list[list[str]]:
    """The commands that make an authority's certificate for its key.

    Args:
        key: path of its key.
        config: path of `authority_config`.
        out: path of the certificate.
        days: that it is valid for.
    """
    made = ["-key", key, "-config", config, "-extensions", "extensions", "-out", out]
    return [["openssl", "req", "-x509", "-new", "-sha256", "-days", str(days), *made]]


def host_commands(
    request: CertificateRequest, *, key: str, config: str, out: str, ca: str, ca_key: str
) -> list[list[str]]:
    """The commands that make a host's certificate for its key.

    Args:
        request: what it says.
        key: path of its key.
        config: path of `host_config`.
        out: path of the certificate; beside it a file is left with ``.csr`` after its name.
        ca: path of the authority's certificate.
        ca_key: path of the authority's key.
    """
    asked = f"{out}.csr"
    sign = ["-CA", ca, "-CAkey", ca_key, "-set_serial", str(request.serial)]
    said = ["-extfile", config, "-extensions", "extensions", "-days", str(request.days)]
    return [
        ["openssl", "req", "-new", "-sha256", "-key", key, "-config", config, "-out", asked],
        ["openssl", "x509", "-req", "-sha256", "-in", asked, *sign, *said, "-out", out],
    ]


def show_command(certificate: str) -> list[str]:
    """The command that describes a certificate."""
    facts = ["-subject", "-issuer", "-serial", "-startdate", "-enddate", "-fingerprint", "-sha256"]
    names = ["-nameopt", "RFC2253,-esc_msb,utf8", "-ext", "subjectAltName,basicConstraints"]
    return ["openssl", "x509", "-in", certificate, "-noout", *facts, *names]
