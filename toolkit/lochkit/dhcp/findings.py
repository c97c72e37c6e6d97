"""What an audit finds. Pure data."""

from enum import Enum
from typing import NamedTuple

__all__ = ["Finding", "FindingKind"]


class FindingKind(Enum):
    """The kinds of findings: the word for who scripts against it."""

    LEFT_OUT = "left-out"
    """An object that is not served, and not for want of a place."""
    NO_RESERVATION = "no-reservation"
    """A guest's address is not reserved below its subnet: another guest may be given it."""
    RESERVED_FOR_OTHER = "reserved-for-other"
    """It is reserved for another guest."""
    ORPHAN_RESERVATION = "orphan-reservation"
    """An address is reserved for a guest that is gone or has another one: nobody can get it."""
    OUTSIDE_RANGE = "outside-range"
    """A guest's address is not between start and end of its subnet."""
    NO_HYPERVISOR = "no-hypervisor"
    """A guest is on a hypervisor that is not there."""
    MIRROR = "mirror"
    """What a hypervisor lists as its guests is not what these say."""
    SUBNET_GONE = "subnet-gone"
    """A hypervisor lists a subnet that is not there."""
    LEFTOVER = "leftover"
    """There are keys of an object that has none itself."""
    LEASED_TO_OTHER = "leased-to-other"
    """The address of one host is leased to another."""
    OTHER_ADDRESS = "other-address"
    """A host has a lease of another address than the one it is to have."""
    UNKNOWN_LEASE = "unknown-lease"
    """Somebody unknown has a lease in one of the networks: no fault, but good to know."""


class Finding(NamedTuple):
    """One thing that does not fit.

    Attributes:
        kind: which way.
        where: the key in etcd, or the leased address.
        text: a sentence for the operator.
    """

    kind: FindingKind
    where: str
    text: str

    @property
    def fault(self) -> bool:
        """Whether somebody should do something."""
        return self.kind is not FindingKind.UNKNOWN_LEASE
