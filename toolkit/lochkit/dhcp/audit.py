"""What does not fit together: objects, the keys that repeat what they say, and leases. Pure.

Placing a guest is four writes without a transaction: its address is reserved below the subnet, the
hypervisor lists it, and its own object names both. Only the last is what DHCP is made of; that the
others say something else is found here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from ..etcd.messages import KeyValue
from ..etcd.model import Appeared
from .audit_leases import lease_findings
from .findings import Finding, FindingKind
from .inventory import Inventory
from .layout import Layout, ObjectKind
from .leases import Lease
from .model import Group, Reason
from .records import GuestRecord, RecordError, SubnetRecord, read_guest, read_subnet
from .values import number_of, quote, read_address

__all__ = ["audit"]

_METADATA: Final = "metadata"
_RECORD = TypeVar("_RECORD")


def audit(
    entries: Mapping[bytes, KeyValue], layout: Layout, leases: Iterable[Lease] = ()
) -> list[Finding]:
    """Return what does not fit, by kind and place.

    Args:
        entries: all keys of hypervisors, guests and subnets, not only those of the objects.
        layout: where they are.
        leases: those in force; none if they are not to be looked at.
    """
    inventory = Inventory(layout)
    inventory.apply(Appeared(entries))
    found = [
        Finding(FindingKind.LEFT_OUT, key, f"{problem.reason.value}: {problem.text}")
        for key, problem in inventory.problems.items()
        if problem.reason is not Reason.UNPLACED
    ]
    cluster = _Cluster(entries, layout)
    for check in (_guests, _reservations, _hypervisors, _leftovers):
        found += check(cluster)
    hosts = ((group, host) for group in Group for host in inventory.served(group).values())
    found += lease_findings(leases, hosts, inventory.subnets.values())
    order = {kind: place for place, kind in enumerate(FindingKind)}
    return sorted(found, key=lambda finding: (order[finding.kind], finding.where))


class _Cluster:
    """The keys, sorted by what they say.

    Attributes:
        ids: of each kind of objects, those that there is an object of, right or wrong.
        folders: of each kind, ids with any key, and one of these keys for each.
        guests: what can be read.
        subnets: what can be read.
        reservations: by subnet and address: who it is for. Texts as in the keys.
        listed: by hypervisor and guest: what is written there.
        links: hypervisors and the subnets they list.
    """

    def __init__(self, entries: Mapping[bytes, KeyValue], layout: Layout) -> None:
        self.ids: dict[ObjectKind, set[str]] = {kind: set() for kind in ObjectKind}
        self.folders: dict[ObjectKind, dict[str, str]] = {kind: {} for kind in ObjectKind}
        self.guests: dict[str, GuestRecord] = {}
        self.subnets: dict[str, SubnetRecord] = {}
        self.reservations: dict[tuple[str, str], str] = {}
        self.listed: dict[tuple[str, str], str] = {}
        self.links: list[tuple[str, str]] = []
        self._folders = {kind: layout.folder(kind) for kind in ObjectKind}
        for key, entry in entries.items():
            for kind, folder in self._folders.items():
                if key.startswith(folder):
                    self._take(kind, _text(key[len(folder) :]).split("/"), entry.value)

    def key(self, kind: ObjectKind, *path: str) -> str:
        """Return a key as text."""
        return _text(self._folders[kind]) + "/".join(path)

    def _take(self, kind: ObjectKind, path: list[str], value: bytes) -> None:
        self.folders[kind].setdefault(path[0], "/".join(path))
        if len(path) == 2 and path[1] == _METADATA:
            self.ids[kind].add(path[0])
            if kind is ObjectKind.GUESTS:
                _put(self.guests, path[0], read_guest, value)
            elif kind is ObjectKind.SUBNETS:
                _put(self.subnets, path[0], read_subnet, value)
        elif len(path) == 3:
            owner, folder, name = path
            if (kind, folder) == (ObjectKind.SUBNETS, "addresses"):
                self.reservations[owner, name] = _text(value)
            elif (kind, folder) == (ObjectKind.HYPERVISORS, "guests"):
                self.listed[owner, name] = _text(value)
            elif (kind, folder) == (ObjectKind.HYPERVISORS, "subnets"):
                self.links.append((owner, name))


def _put(
    records: dict[str, _RECORD], path_id: str, read: Callable[[bytes], _RECORD], value: bytes
) -> None:
    """Keep a record; one that can not be read is left out, and known as that already."""
    with suppress(RecordError):
        records[path_id] = read(value)


def _guests(cluster: _Cluster) -> Iterator[Finding]:
    for guest_id, guest in cluster.guests.items():
        key = cluster.key(ObjectKind.GUESTS, guest_id, _METADATA)
        hypervisor, subnet_id = guest.hypervisor.lower(), guest.subnet.lower()
        if hypervisor and hypervisor not in cluster.ids[ObjectKind.HYPERVISORS]:
            text = f"it is on hypervisor {quote(hypervisor)}, which is not there"
            yield Finding(FindingKind.NO_HYPERVISOR, key, text)
        elif hypervisor and (hypervisor, guest_id) not in cluster.listed:
            text = f"it is on hypervisor {hypervisor}, which does not list it as its guest"
            yield Finding(FindingKind.MIRROR, key, text)
        address = _address(guest.ip)
        if address is None:
            continue
        if not subnet_id:
            text = f"it has the address {address}, but no subnet"
            yield Finding(FindingKind.NO_RESERVATION, key, text)
            continue
        holder = cluster.reservations.get((subnet_id, address))
        if holder is None:
            text = f"its address {address} is not reserved in subnet {quote(subnet_id)}"
            yield Finding(FindingKind.NO_RESERVATION, key, text)
        elif holder.lower() != guest_id:
            text = f"its address {address} is reserved for {quote(holder)}"
            yield Finding(FindingKind.RESERVED_FOR_OTHER, key, text)
        if subnet_id in cluster.subnets:
            yield from _range(key, address, cluster.subnets[subnet_id])


def _range(key: str, address: str, subnet: SubnetRecord) -> Iterator[Finding]:
    """Yield whether an address is outside of what a subnet gives to guests, if it says that."""
    start, end = _address(subnet.start), _address(subnet.end)
    number = number_of(address)
    if (start and number < number_of(start)) or (end and number > number_of(end)):
        text = f"its address {address} is not from {start or '?'} to {end or '?'}"
        yield Finding(FindingKind.OUTSIDE_RANGE, key, text)


def _reservations(cluster: _Cluster) -> Iterator[Finding]:
    held = {
        (guest.subnet.lower(), _address(guest.ip)): guest_id
        for guest_id, guest in cluster.guests.items()
    }
    for (subnet_id, name), holder in cluster.reservations.items():
        guest_id = holder.lower()
        if subnet_id not in cluster.ids[ObjectKind.SUBNETS] or (subnet_id, name) in held:
            continue  # it is a leftover, or has been looked at with the guest
        if _address(name) != name:
            text = "this is not an address as guests have them"
        elif guest_id not in cluster.ids[ObjectKind.GUESTS]:
            text = f"it is reserved for {quote(holder)}, which is no guest"
        elif (guest := cluster.guests.get(guest_id)) is None:
            continue  # nobody knows what it has
        else:
            has = f"has {quote(guest.ip)}" if guest.ip else "has no address"
            if _address(guest.ip) == name:
                has = f"has it in subnet {quote(guest.subnet)}"
            text = f"it is reserved for guest {guest_id}, which {has}"
        key = cluster.key(ObjectKind.SUBNETS, subnet_id, "addresses", name)
        yield Finding(FindingKind.ORPHAN_RESERVATION, key, text)


def _hypervisors(cluster: _Cluster) -> Iterator[Finding]:
    there = cluster.ids[ObjectKind.HYPERVISORS]
    for (hypervisor, guest_id), value in cluster.listed.items():
        if hypervisor not in there:
            continue
        guest = cluster.guests.get(guest_id)
        if guest_id not in cluster.ids[ObjectKind.GUESTS]:
            text = "there is no such guest"
        elif guest is not None and guest.hypervisor.lower() != hypervisor:
            elsewhere = f"on {quote(guest.hypervisor)}" if guest.hypervisor else "not placed"
            text = f"the guest is {elsewhere}"
        elif value.lower() != guest_id:
            text = f"the value is {quote(value)}, not the guest's id"
        else:
            continue
        key = cluster.key(ObjectKind.HYPERVISORS, hypervisor, "guests", guest_id)
        yield Finding(FindingKind.MIRROR, key, text)
    for hypervisor, subnet_id in cluster.links:
        if hypervisor in there and subnet_id not in cluster.ids[ObjectKind.SUBNETS]:
            key = cluster.key(ObjectKind.HYPERVISORS, hypervisor, "subnets", subnet_id)
            yield Finding(FindingKind.SUBNET_GONE, key, "there is no such subnet")


def _leftovers(cluster: _Cluster) -> Iterator[Finding]:
    for kind, folders in cluster.folders.items():
        for path_id, path in folders.items():
            if path_id not in cluster.ids[kind]:
                text = f"there is no such {kind.value.removesuffix('s')}, but it still has keys"
                yield Finding(FindingKind.LEFTOVER, cluster.key(kind, path), text)


def _address(text: str) -> str | None:
    """Return an address in canonical spelling; None when it is none."""
    try:
        return read_address(text)[0] if text else None
    except ValueError:
        return None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
