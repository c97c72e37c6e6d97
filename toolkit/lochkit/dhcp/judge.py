"""Whether an object can be served, as far as it alone tells. Pure.

Each function returns the checked object, or the first thing that is wrong with it. Nothing here
knows of other objects: whether a guest's subnet is there, or who else has its address, is for
`inventory` and `claims`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from .boot import boot_of
from .model import Boot, Host, Problem, Reason, Subnet
from .records import (
    HypervisorRecord,
    Labels,
    RecordError,
    read_guest,
    read_hypervisor,
    read_subnet,
)
from .values import (
    Network,
    is_label,
    is_uuid,
    network_of,
    number_of,
    quote,
    read_host_address,
    read_mac,
    read_netmask,
    read_network,
)

__all__ = [
    "Candidate",
    "Place",
    "judge_guest",
    "judge_hypervisor",
    "judge_subnet",
    "misfit",
    "seat",
    "unseat",
]


class Candidate(NamedTuple):
    """A guest that is right in itself, but for which there is no place.

    Attributes:
        id: UUID, in lower case.
        mac: canonical.
        address: canonical.
        number: of the address (see `values`).
        subnet: id, in lower case.
        name: a host name label, or None.
        boot: what it boots unlike other guests, or None.
    """

    id: str
    mac: str
    address: str
    number: int
    subnet: str
    name: str | None
    boot: Boot | None


class Place(NamedTuple):
    """A subnet object, and where in it guests may be.

    Attributes:
        subnet: for the hosts in it.
        low: number of the first address that a guest may have.
        high: number of the last.
        gateway: number of the gateway's address; -1 when there is none.
    """

    subnet: Subnet
    low: int
    high: int
    gateway: int


class _UnfitError(Exception):
    """The object can not be served."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.problem = Problem(reason, text)


# One of each: there may be very many such guests.
_NO_HYPERVISOR: Final = Problem(Reason.UNPLACED, "the guest is on no hypervisor")
_NO_SUBNET: Final = Problem(Reason.UNPLACED, "the guest is in no subnet")


def seat(guest: Candidate, place: Place | None) -> Host | Candidate:
    """Return the guest as a host in a subnet; as it is when it can not be one there."""
    if place is not None:
        subnet, low, high, gateway = place
        if low <= guest.number <= high and guest.number != gateway:
            return Host(guest.id, guest.mac, guest.address, subnet, guest.name, guest.boot)
    return guest


def unseat(host: Host) -> Candidate:
    """Return what a guest is apart from its subnet."""
    subnet = host.subnet.id or ""
    number = number_of(host.address)
    return Candidate(host.id, host.mac, host.address, number, subnet, host.name, host.boot)


def misfit(guest: Candidate, place: Place) -> Problem:
    """Return why a guest can not be in its subnet."""
    network = read_network(place.subnet.network or "")
    if guest.number == place.gateway:
        what = "is the gateway of"
    elif network.first <= guest.number <= network.last:
        what = "is the network's own or broadcast address in"
    else:
        what = "is not in"
    text = f"the address {guest.address} {what} its subnet, {network.text}"
    return Problem(Reason.OUTSIDE, text)


def judge_guest(
    path_id: str, value: bytes, places: Mapping[str, Place]
) -> Host | Candidate | Problem:
    """Return the guest as a host in its subnet, one of `places` by id, or what is wrong with it.

    A candidate is right in itself, but there is no place for it.
    """
    try:
        if not is_uuid(path_id):
            raise _wrong_path(path_id)
        # Taken apart at once: this is where a first load spends its time.
        said, labels, _, _, hypervisor, _, subnet_id, _, mac, address, _ = read_guest(value)
        if said != path_id:
            _check_id(path_id, said)
        if not hypervisor:
            return _NO_HYPERVISOR
        if not subnet_id:
            return _NO_SUBNET
        try:
            address, number = read_host_address(address)
            mac = read_mac(mac)
        except ValueError:  # once more, to find which it was
            address, number = _address(address)
            mac = _mac(mac)
        name = labels.get("name")
        boot = None if len(labels) == (name is not None) else _boot(labels)
        if name is not None and not is_label(name):
            name = None
        subnet_id = subnet_id.lower()
        place = places.get(subnet_id)
        if place is not None:  # as in `seat`, without making a candidate first
            subnet, low, high, gateway = place
            if low <= number <= high and number != gateway:
                return Host(path_id, mac, address, subnet, name, boot)
        return Candidate(path_id, mac, address, number, subnet_id, name, boot)
    except RecordError as exc:
        return Problem(Reason.MALFORMED, str(exc))
    except _UnfitError as exc:
        return exc.problem


def judge_hypervisor(path_id: str, value: bytes) -> Host | Problem:
    """Return the hypervisor as a host, or what is wrong with it."""
    try:
        if not is_uuid(path_id):
            raise _wrong_path(path_id)
        record = read_hypervisor(value)
        _check_id(path_id, record.id)
        address, number = _address(record.ip)
        mac = _mac(record.mac)
        subnet = _own_subnet(record, address, number)
        name = record.metadata.get("name")
        if name is not None and not is_label(name):
            name = None
        return Host(path_id, mac, address, subnet, name, _boot(record.metadata))
    except RecordError as exc:
        return Problem(Reason.MALFORMED, str(exc))
    except _UnfitError as exc:
        return exc.problem


def judge_subnet(path_id: str, value: bytes) -> Place | Problem:
    """Return the subnet, or what is wrong with it."""
    try:
        if not is_uuid(path_id):
            raise _wrong_path(path_id)
        record = read_subnet(value)
        _check_id(path_id, record.id)
        if not record.cidr:
            raise _UnfitError(Reason.BAD_NETWORK, "the subnet has no cidr")
        try:
            network = read_network(record.cidr)
        except ValueError as exc:
            raise _UnfitError(Reason.BAD_NETWORK, f"the cidr {exc}") from None
        gateway, number = _gateway(record.gateway, network)
        subnet = Subnet(path_id, network.text, network.netmask, gateway, network.version)
        return Place(subnet, network.low, network.high, number)
    except RecordError as exc:
        return Problem(Reason.MALFORMED, str(exc))
    except _UnfitError as exc:
        return exc.problem


def _wrong_path(path_id: str) -> _UnfitError:
    text = f"the id in the key, {quote(path_id)}, is not a UUID in lower case"
    return _UnfitError(Reason.BAD_ID, text)


def _check_id(path_id: str, said: str) -> None:
    if said and said != path_id and said.lower() != path_id:
        text = f"the object says its id is {quote(said)}, which is not the one in the key"
        raise _UnfitError(Reason.BAD_ID, text)


def _address(text: str) -> tuple[str, int]:
    if not text:
        raise _UnfitError(Reason.NO_ADDRESS, "it has no IP address")
    try:
        return read_host_address(text)
    except ValueError as exc:
        raise _UnfitError(Reason.BAD_ADDRESS, f"the IP address {exc}") from None


def _mac(text: str) -> str:
    if not text:
        raise _UnfitError(Reason.NO_MAC, "it has no MAC address")
    try:
        return read_mac(text)
    except ValueError as exc:
        raise _UnfitError(Reason.BAD_MAC, f"the MAC address {exc}") from None


def _boot(labels: Labels) -> Boot | None:
    try:
        return boot_of(labels)
    except ValueError as exc:
        raise _UnfitError(Reason.UNSAFE_TEXT, str(exc)) from None


def _gateway(text: str, network: Network | None) -> tuple[str | None, int]:
    """Return a gateway's address and number: None and -1 when there is none."""
    if not text:
        return None, -1
    try:
        gateway, number = read_host_address(text)
    except ValueError as exc:
        raise _UnfitError(Reason.BAD_ADDRESS, f"the gateway {exc}") from None
    if network is not None and not network.first <= number <= network.last:
        text = f"the gateway {gateway} is not in the network {network.text}"
        raise _UnfitError(Reason.GATEWAY_OUTSIDE, text)
    return gateway, number


def _own_subnet(record: HypervisorRecord, address: str, number: int) -> Subnet:
    """Return where a hypervisor lives, which it tells itself."""
    version = 6 if ":" in address else 4
    if not record.netmask:
        gateway, _ = _gateway(record.gateway, None)
        if gateway is not None and (":" in gateway) != (version == 6):
            text = f"the gateway {gateway} is not of the IP version of the address {address}"
            raise _UnfitError(Reason.GATEWAY_OUTSIDE, text)
        return _shared_subnet(None, None, gateway, version)
    if version == 6:
        text = f"the netmask {quote(record.netmask)} means nothing for the IPv6 address {address}"
        raise _UnfitError(Reason.BAD_NETWORK, text)
    try:
        network = network_of(number, read_netmask(record.netmask))
    except ValueError as exc:
        raise _UnfitError(Reason.BAD_NETWORK, f"the netmask {exc}") from None
    gateway, _ = _gateway(record.gateway, network)
    if not network.low <= number <= network.high:
        text = f"the address {address} is the network's own or broadcast address in {network.text}"
        raise _UnfitError(Reason.OUTSIDE, text)
    return _shared_subnet(network.text, network.netmask, gateway, 4)


@lru_cache(maxsize=4096)
def _shared_subnet(
    network: str | None, netmask: str | None, gateway: str | None, version: int
) -> Subnet:
    """Return the one copy of what many hypervisors have in common."""
    return Subnet(None, network, netmask, gateway, 6 if version == 6 else 4)
