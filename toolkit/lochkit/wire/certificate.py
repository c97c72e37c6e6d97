"""Whose certificate it is: the name that permissions are given to."""

from collections.abc import Mapping
from typing import Any, Final

from .faults import WireFault

__all__ = ["certificate_name"]

_LONGEST: Final = 253  # characters: of a DNS name, RFC 1035


def certificate_name(certificate: Mapping[str, Any]) -> str:
    """Return the common name, or without one the first DNS name.

    Args:
        certificate: verified, as ``ssl`` describes it (``getpeercert()``).

    Raises:
        WireFault: it has no name, or several common names, or one that nobody should have.
    """
    names = [
        value
        for part in certificate.get("subject", ())
        for key, value in part
        if key == "commonName"
    ]
    if len(names) > 1:
        raise WireFault("the certificate has more than one common name")
    names = names or [
        value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"
    ]
    if not names:
        raise WireFault("the certificate has neither a common name nor a DNS name")
    name = str(names[0])
    if not name.isascii() or not name.isprintable() or not 0 < len(name) <= _LONGEST:
        raise WireFault("the certificate's name is empty, too long, or not printable ASCII")
    return name
