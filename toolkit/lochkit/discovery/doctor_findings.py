"""What the doctor finds. Pure data."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["Finding", "FindingKind", "Severity", "finding"]


class Severity(Enum):
    """How bad it is."""

    ERROR = "error"
    """Some reader fails on it."""
    WARNING = "warning"
    """Readers are led wrong, or soon will be."""
    NOTE = "note"
    """Good to know; it may be meant so."""


class FindingKind(Enum):
    """The kinds of findings: the word for who scripts against it."""

    UNREADABLE = "unreadable"
    """A value is no record: nobody can read it, and in Go nobody its service."""
    GO_FAILS = "go-fails"
    """A record is read here, but none of its service in Go, which is strict about types."""
    PUBLISHED_UNREADABLE = "published-unreadable"
    """What is published for others is not as they decode it, which fails more than itself."""
    MISMATCH = "mismatch"
    """A record says that it is another than its key does."""
    NAME = "name"
    """A key has names that are not found again, or not by all."""
    ODD = "odd"
    """A record has something in it that was not understood."""
    NO_ADDRESS = "no-address"
    """An instance or a public service has no hostname, or no port, that a URL could have."""
    SAME_PORT = "same-port"
    """Two instances have the same port of the same host."""
    NO_LEASE = "no-lease"
    """A key that ends with its instance hangs on no lease: it never ends."""
    LEASE_GONE = "lease-gone"
    """The lease of a key has ended."""
    OVERDUE = "overdue"
    """A lease is close to its end: whoever keeps it alive is late."""
    LEAVING = "leaving"
    """An instance has said that it leaves, and is still there."""
    NO_INFOS = "no-infos"
    """A service has instances, and no record of what they have in common."""
    ORPHAN = "orphan"
    """A service has such a record, and no instance."""
    PUBLIC_MISMATCH = "public-mismatch"
    """A service is public, and its instances are not; or the other way about."""
    CREDENTIALS = "credentials"
    """A public instance has other credentials than its service, or may have."""
    PASSWORDS = "passwords"
    """Some instances keep the password in their own records, others of the service do not."""


_REMEDIES: Final = {
    FindingKind.UNREADABLE: "delete the key, or restart what wrote it",
    FindingKind.GO_FAILS: "have its writer write text for text, ports above all",
    FindingKind.PUBLISHED_UNREADABLE: "delete the key, or correct what writes it",
    FindingKind.MISMATCH: "restart the instance; delete the key if nobody owns it",
    FindingKind.NAME: "register under another name, and delete this key",
    FindingKind.ODD: "have its writer write what the field is for",
    FindingKind.NO_ADDRESS: "register it with a hostname and ports",
    FindingKind.SAME_PORT: "deregister the one that does not run",
    FindingKind.NO_LEASE: "if it does not run, delete the key; else restart it",
    FindingKind.LEASE_GONE: "look again; if it is still there, delete the key",
    FindingKind.OVERDUE: "look at the instance's machine, and its way to etcd",
    FindingKind.LEAVING: "look again; if it is still there, deregister it",
    FindingKind.NO_INFOS: "restart an instance: it writes the record anew",
    FindingKind.ORPHAN: "delete the key if the service will not come back",
    FindingKind.PUBLIC_MISMATCH: "register all instances alike; the last public one is right",
    FindingKind.CREDENTIALS: "restart the instance, or rotate the credentials again",
    FindingKind.PASSWORDS: "register all instances alike",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        severity: how bad it is.
        key: where.
        kind: which way.
        text: a sentence for the operator; no password is in it.
        remedy: what to do about it.
    """

    severity: Severity
    key: str
    kind: FindingKind
    text: str
    remedy: str


def finding(severity: Severity, kind: FindingKind, key: bytes, text: str) -> Finding:
    """A finding, with the remedy of its kind."""
    where = key.decode("utf-8", "backslashreplace")
    return Finding(severity=severity, key=where, kind=kind, text=text, remedy=_REMEDIES[kind])
