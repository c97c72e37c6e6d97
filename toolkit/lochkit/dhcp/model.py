"""What a DHCP configuration is made of, once everything doubtful has been left out. Pure data.

The inventory makes these of what is in etcd; the backends write them. Whatever is in a `Host` has
been checked: no backend need look again at whether an address is one, or a text can be trusted in a
file. The records are tuples: a first load makes a hundred thousand of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NamedTuple

__all__ = ["Boot", "Group", "Host", "Problem", "Reason", "Subnet", "Update"]


class Group(Enum):
    """The two kinds of hosts, which differ in domain name and boot options."""

    HYPERVISORS = "hypervisors"
    GUESTS = "guests"


class Boot(NamedTuple):
    """What a group or a host boots. None leaves it to the more general setting, "" is nothing.

    Attributes:
        ipxe: URL of the script for a client that is iPXE already.
        bios: file for PXE on a BIOS.
        uefi_x64: file for PXE on UEFI, x86-64 (client architectures 7 and 9, RFC 4578).
        uefi_arm64: file for PXE on UEFI, 64-bit ARM (11).
        http_x64: URL for UEFI HTTP boot, x86-64 (16).
        http_arm64: URL for UEFI HTTP boot, 64-bit ARM (19).
        next_server: address or name of the server that has the files.
    """

    ipxe: str | None = None
    bios: str | None = None
    uefi_x64: str | None = None
    uefi_arm64: str | None = None
    http_x64: str | None = None
    http_arm64: str | None = None
    next_server: str | None = None

    def over(self, general: "Boot") -> "Boot":
        """These settings, and those of `general` where nothing is said here."""
        return Boot(
            *(theirs if mine is None else mine for mine, theirs in zip(self, general, strict=True))
        )


class Subnet(NamedTuple):
    """Where a host lives.

    Attributes:
        id: of the subnet object; None when it was made of a hypervisor's own netmask and gateway.
        network: in CIDR notation, without host bits: ``10.20.4.0/22``. None for a hypervisor that
            tells no netmask.
        netmask: dotted quad; None for IPv6, or when there is no `network`.
        gateway: address in the network; None when there is none.
        version: 4 or 6.
    """

    id: str | None
    network: str | None
    netmask: str | None
    gateway: str | None
    version: Literal[4, 6] = 4


class Host(NamedTuple):
    """One reservation.

    Attributes:
        id: UUID, in lower case.
        mac: six bytes, lower case, with colons.
        address: canonical text of an IPv4 or IPv6 address.
        subnet: where it lives.
        name: a valid host name of one label, None when it has none.
        boot: what it boots unlike its group; None when nothing.
    """

    id: str
    mac: str
    address: str
    subnet: Subnet
    name: str | None = None
    boot: Boot | None = None


class Reason(Enum):
    """Why an object is not served: the word for counters, and for who scripts against it."""

    UNPLACED = "unplaced"
    """A guest without hypervisor or subnet: normal, and no fault."""
    NO_ADDRESS = "no-address"
    NO_MAC = "no-mac"
    MALFORMED = "malformed"
    """Not JSON, or a field is of the wrong type."""
    BAD_ID = "bad-id"
    """Not a UUID in lower case, or not that of its key."""
    BAD_MAC = "bad-mac"
    BAD_ADDRESS = "bad-address"
    BAD_NETWORK = "bad-network"
    """A CIDR or netmask that is none."""
    OUTSIDE = "outside-subnet"
    GATEWAY_OUTSIDE = "gateway-outside"
    UNKNOWN_SUBNET = "unknown-subnet"
    """There is no such subnet object, or it is quarantined itself."""
    DUPLICATE_ID = "duplicate-id"
    DUPLICATE_MAC = "duplicate-mac"
    DUPLICATE_ADDRESS = "duplicate-address"
    UNSAFE_TEXT = "unsafe-text"
    """Text that could become statements in a configuration file."""
    UNSUPPORTED = "unsupported"
    """Right, but not for this DHCP server."""


class Problem(NamedTuple):
    """Why one object is not served.

    Attributes:
        reason: the kind.
        text: a sentence for the operator: what was found, and what to do if that is not obvious.
    """

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What is different after some changes: only what really is, None for what is no more.

    Attributes:
        hypervisors: served hypervisors by id.
        guests: served guests by id.
        subnets: valid subnet objects by id.
        problems: by etcd key, as text (bytes that are no UTF-8 escaped).
    """

    hypervisors: Mapping[str, Host | None] = field(default_factory=dict)
    guests: Mapping[str, Host | None] = field(default_factory=dict)
    subnets: Mapping[str, Subnet | None] = field(default_factory=dict)
    problems: Mapping[str, Problem | None] = field(default_factory=dict)
