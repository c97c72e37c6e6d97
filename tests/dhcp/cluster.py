"""A cluster in miniature: objects put into etcd's keys, and what becomes of them."""

import json
from collections.abc import Mapping
from typing import Any

from lochkit.dhcp.inventory import Inventory
from lochkit.dhcp.layout import Layout, ObjectKind
from lochkit.dhcp.model import Group, Host, Reason, Update
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import KeyChange

__all__ = ["Cluster", "guest", "guest_id", "hypervisor", "hypervisor_id", "subnet", "subnet_id"]


def hypervisor_id(number: int) -> str:
    """Return the id of a hypervisor."""
    return f"{number:08x}-aaaa-4000-8000-000000000000"


def guest_id(number: int) -> str:
    """Return the id of a guest."""
    return f"{number:08x}-bbbb-4000-8000-000000000000"


def subnet_id(number: int) -> str:
    """Return the id of a subnet."""
    return f"{number:08x}-cccc-4000-8000-000000000000"


def hypervisor(number: int, **fields: Any) -> dict[str, Any]:
    """Return a hypervisor as the original writes it, with some fields otherwise."""
    return {
        "id": hypervisor_id(number),
        "metadata": {"name": f"node-{number}"},
        "ip": f"192.168.1.{number}",
        "netmask": "255.255.255.0",
        "gateway": "192.168.1.254",
        "mac": f"52:54:00:00:00:{number:02x}",
        "total_resources": {"memory": 1, "disk": 2, "cpu": 3},
        "available_resources": {"memory": 1, "disk": 2, "cpu": 3},
        **fields,
    }


def guest(number: int, **fields: Any) -> dict[str, Any]:
    """Return a guest in subnet 1."""
    return {
        "id": guest_id(number),
        "metadata": {"name": f"vm-{number}"},
        "type": "kvm",
        "flavor": "",
        "hypervisor": hypervisor_id(1),
        "network": "",
        "subnet": subnet_id(1),
        "fwgroup": "",
        "mac": f"02:00:00:00:00:{number:02x}",
        "ip": f"10.0.1.{number}",
        "bridge": "br0",
        **fields,
    }


def subnet(number: int, **fields: Any) -> dict[str, Any]:
    """Return a subnet."""
    return {
        "id": subnet_id(number),
        "metadata": {},
        "network": "",
        "gateway": f"10.0.{number}.254",
        "cidr": f"10.0.{number}.0/24",
        "start": f"10.0.{number}.10",
        "end": f"10.0.{number}.250",
        **fields,
    }


class Cluster:
    """Objects in etcd, and an inventory of them."""

    def __init__(self, prefix: str = "/lochness") -> None:
        self.layout = Layout(prefix)
        self.inventory = Inventory(self.layout)
        self.revision = 0
        self.entries: dict[bytes, KeyValue] = {}

    def put(self, *objects: Mapping[str, Any]) -> Update:
        """Put objects whose ids tell their kinds."""
        kinds = {"aaaa": "hypervisors", "bbbb": "guests", "cccc": "subnets"}
        return self.change(
            {
                f"{kinds[found['id'][9:13]]}/{found['id']}": json.dumps(found).encode()
                for found in objects
            }
        )

    def delete(self, *paths: str) -> Update:
        """Delete objects by path: ``guests/ID``."""
        return self.change(dict.fromkeys(paths))

    def change(self, values: Mapping[str, bytes | None]) -> Update:
        """Put values of objects, or delete them, by path; each at a revision of its own."""
        changes = {}
        for path, value in values.items():
            self.revision += 1
            kind, _, path_id = path.partition("/")
            key = self.layout.key(ObjectKind(kind), path_id).encode()
            old = self.entries.pop(key, None)
            new = None
            if value is not None:
                created = old.create_revision if old else self.revision
                new = self.entries[key] = KeyValue(key, created, self.revision, 1, value, 0)
            changes[key] = KeyChange(key, old, new)
        return self.inventory.apply(changes)

    def guest(self, number: int) -> Host | Reason | None:
        """Return a guest that is served, or why it is not; None when it is not there."""
        return self._found(Group.GUESTS, guest_id(number))

    def hypervisor(self, number: int) -> Host | Reason | None:
        """Return a hypervisor, likewise."""
        return self._found(Group.HYPERVISORS, hypervisor_id(number))

    def _found(self, group: Group, found_id: str) -> Host | Reason | None:
        host = self.inventory.served(group).get(found_id)
        problem = self.inventory.problems.get(self.layout.key(group, found_id))
        assert host is None or problem is None
        return host or (problem.reason if problem else None)
