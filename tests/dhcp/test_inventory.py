"""The inventory on the golden data set: exactly these hosts."""

import json
from pathlib import Path

from lochkit.dhcp.inventory import Inventory
from lochkit.dhcp.layout import Layout, ObjectKind
from lochkit.dhcp.model import Group, Host, Reason, Subnet
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import Appeared

GOLDEN = Path(__file__).parent / "golden" / "etcd-keys.json"


def golden() -> Appeared:
    texts = json.loads(GOLDEN.read_text())
    entries = [
        KeyValue(key.encode(), number, number, 1, value.encode(), 0)
        for number, (key, value) in enumerate(texts.items(), 1)
    ]
    return Appeared({entry.key: entry for entry in entries})


def test_the_golden_objects_are_exactly_these_hosts() -> None:
    inventory = Inventory(Layout())
    update = inventory.apply(golden())
    nodes = Subnet(None, "192.168.100.0/24", "255.255.255.0", "192.168.100.1", 4)
    node_a = "1f0c6c2e-6c1b-4d0f-9a55-3d1f5b1c7e01"
    node_b = "c3a9e1d4-58a7-4f0b-8a1e-9b7c2f64d502"
    assert update.hypervisors == {
        node_a: Host(node_a, "52:54:00:10:00:01", "192.168.100.11", nodes, "node-a"),
        node_b: Host(node_b, "52:54:00:10:00:02", "192.168.100.12", nodes, "node-b"),
    }
    small = "2b7e1516-28ae-4d2a-a6ab-f7158809cf01"
    large = "9e3779b9-7f4a-4c15-b39d-0c6fd1b3ca02"
    other = "d1310ba6-98df-4b5a-9f2f-fd72dbd01a03"
    assert update.subnets == {
        small: Subnet(small, "10.20.0.0/24", "255.255.255.0", "10.20.0.1", 4),
        large: Subnet(large, "10.20.4.0/22", "255.255.252.0", "10.20.4.1", 4),
        other: Subnet(other, "172.16.9.128/25", "255.255.255.128", "172.16.9.129", 4),
    }
    web, db = "04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101", "6e4f9c20-1d88-4b37-8a4c-52d0c7e3b202"
    assert update.guests == {
        web: Host(web, "02:1a:4f:c3:77:01", "10.20.0.37", inventory.subnets[small], "web-1"),
        db: Host(db, "02:1a:4f:c3:77:02", "10.20.5.201", inventory.subnets[large], "db-1"),
    }
    pending = "/lochness/guests/a9c0e5f1-7b26-4d13-b1f8-3e6d9a4c5303/metadata"
    half_placed = "/lochness/guests/f27d3b84-0c59-4a6e-8e97-91b2d8c6f404/metadata"
    assert {key: found.reason for key, found in inventory.problems.items()} == {
        pending: Reason.UNPLACED,
        half_placed: Reason.NO_ADDRESS,
    }
    assert update.problems == inventory.problems
    assert (inventory.hosts(Group.HYPERVISORS), inventory.hosts(Group.GUESTS)) == (2, 2)
    assert inventory.objects() == {
        ObjectKind.HYPERVISORS: 2,
        ObjectKind.GUESTS: 4,
        ObjectKind.SUBNETS: 3,
    }
