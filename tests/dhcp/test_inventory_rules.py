"""Which objects are served and which are not, rule by rule."""

import json
from typing import Any

import pytest

from lochkit.dhcp.layout import ObjectKind
from lochkit.dhcp.model import Boot, Group, Host, Reason, Subnet, Update
from tests.dhcp.cluster import (
    Cluster,
    guest,
    guest_id,
    hypervisor,
    hypervisor_id,
    subnet,
    subnet_id,
)

SUBNET = Subnet(subnet_id(1), "10.0.1.0/24", "255.255.255.0", "10.0.1.254", 4)
GUEST = Host(guest_id(1), "02:00:00:00:00:01", "10.0.1.1", SUBNET, "vm-1")
NODES = Subnet(None, "192.168.1.0/24", "255.255.255.0", "192.168.1.254", 4)
NODE = Host(hypervisor_id(1), "52:54:00:00:00:01", "192.168.1.1", NODES, "node-1")


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({}, {}),
        ({"id": ""}, {}),
        ({"id": None}, {}),
        ({"id": guest_id(1).upper()}, {}),
        ({"subnet": subnet_id(1).upper()}, {}),
        ({"hypervisor": "no such thing"}, {}),
        ({"mac": "02-00-00-00-00-0A"}, {"mac": "02:00:00:00:00:0a"}),
        ({"mac": "0200.0000.000A"}, {"mac": "02:00:00:00:00:0a"}),
        ({"ip": "::ffff:10.0.1.9"}, {"address": "10.0.1.9"}),
        ({"metadata": None}, {"name": None}),
        ({"metadata": {}}, {"name": None}),
        ({"metadata": {"name": "my web server; yes"}}, {"name": None}),
        ({"metadata": {"name": None}}, {"name": None}),
        ({"metadata": {"name": "WEB", "color": "x\n;}"}}, {"name": "WEB"}),
        (
            {"metadata": {"name": "w", "boot.bios": "a.kpxe", "boot.ipxe": ""}},
            {"name": "w", "boot": Boot(bios="a.kpxe", ipxe="")},
        ),
        (
            {"metadata": {"boot.next-server": "10.0.1.7"}},
            {"name": None, "boot": Boot(next_server="10.0.1.7")},
        ),
    ],
)
def test_a_guest_is_served(fields: dict[str, Any], changed: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.put(subnet(1))
    update = cluster.change({f"guests/{guest_id(1)}": _json({**guest(1), **fields})})
    assert update == Update(guests={guest_id(1): GUEST._replace(**changed)})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"hypervisor": ""}, Reason.UNPLACED),
        ({"subnet": None}, Reason.UNPLACED),
        ({"subnet": "", "ip": "", "mac": "nonsense"}, Reason.UNPLACED),
        ({"ip": ""}, Reason.NO_ADDRESS),
        ({"mac": ""}, Reason.NO_MAC),
        ({"ip": 5}, Reason.MALFORMED),
        ({"flavor": ["x"]}, Reason.MALFORMED),
        ({"metadata": {"name": 5}}, Reason.MALFORMED),
        ({"id": guest_id(2)}, Reason.BAD_ID),
        ({"id": "x"}, Reason.BAD_ID),
        ({"mac": "020000000001"}, Reason.BAD_MAC),
        ({"mac": "02:00:00:00:00:00:00:01"}, Reason.BAD_MAC),
        ({"mac": "00:00:00:00:00:00"}, Reason.BAD_MAC),
        ({"mac": "03:00:00:00:00:01"}, Reason.BAD_MAC),
        ({"mac": '02:00:00:00:00:01;}"'}, Reason.BAD_MAC),
        ({"ip": "<nil>"}, Reason.BAD_ADDRESS),
        ({"ip": "010.0.1.1"}, Reason.BAD_ADDRESS),
        ({"ip": "10.0.1.1/24"}, Reason.BAD_ADDRESS),
        ({"ip": "224.0.0.1"}, Reason.BAD_ADDRESS),
        ({"ip": "10.0.2.1"}, Reason.OUTSIDE),
        ({"ip": "10.0.1.0"}, Reason.OUTSIDE),
        ({"ip": "10.0.1.255"}, Reason.OUTSIDE),
        ({"ip": "10.0.1.254"}, Reason.OUTSIDE),
        ({"ip": "2001:db8::1"}, Reason.OUTSIDE),
        ({"subnet": subnet_id(2)}, Reason.UNKNOWN_SUBNET),
        ({"subnet": "x"}, Reason.UNKNOWN_SUBNET),
        ({"metadata": {"boot.bios": 'x";}'}}, Reason.UNSAFE_TEXT),
        ({"metadata": {"name": "w", "boot.next-server": "a b"}}, Reason.UNSAFE_TEXT),
    ],
)
def test_a_guest_is_left_out(fields: dict[str, Any], reason: Reason) -> None:
    cluster = Cluster()
    cluster.put(subnet(1), guest(2))
    path = f"guests/{guest_id(1)}"
    update = cluster.change({path: _json({**guest(1), **fields})})
    assert cluster.guest(1) is reason
    (key,) = update.problems
    assert update == Update(problems={f"/lochness/{path}/metadata": update.problems[key]})
    assert isinstance(cluster.guest(2), Host)
    assert cluster.inventory.objects()[ObjectKind.GUESTS] == 2
    healed = cluster.put(guest(1))
    assert healed == Update(guests={guest_id(1): GUEST}, problems={key: None})


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({}, {}),
        ({"gateway": ""}, {"subnet": NODES._replace(gateway=None)}),
        ({"netmask": ""}, {"subnet": Subnet(None, None, None, "192.168.1.254", 4)}),
        ({"netmask": "", "gateway": "10.9.9.9"}, {"subnet": Subnet(None, None, None, "10.9.9.9")}),
        ({"netmask": "", "gateway": ""}, {"subnet": Subnet(None, None, None, None, 4)}),
        ({"gateway": "192.168.1.1"}, {"subnet": NODES._replace(gateway="192.168.1.1")}),
        (
            {"ip": "2001:DB8::1", "netmask": "", "gateway": "2001:db8::2"},
            {"address": "2001:db8::1", "subnet": Subnet(None, None, None, "2001:db8::2", 6)},
        ),
        (
            {"netmask": "255.255.255.255", "gateway": ""},
            {"subnet": Subnet(None, "192.168.1.1/32", "255.255.255.255", None, 4)},
        ),
        (
            {"ip": "192.168.1.0", "netmask": "255.255.255.254", "gateway": "192.168.1.1"},
            {
                "address": "192.168.1.0",
                "subnet": Subnet(None, "192.168.1.0/31", "255.255.255.254", "192.168.1.1", 4),
            },
        ),
        ({"metadata": {"boot.uefi-x64": "a.efi"}}, {"name": None, "boot": Boot(uefi_x64="a.efi")}),
    ],
)
def test_a_hypervisor_is_served(fields: dict[str, Any], changed: dict[str, Any]) -> None:
    cluster = Cluster()
    update = cluster.put(hypervisor(1, **fields))
    assert update == Update(hypervisors={hypervisor_id(1): NODE._replace(**changed)})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ip": ""}, Reason.NO_ADDRESS),
        ({"mac": ""}, Reason.NO_MAC),
        ({"mac": "x"}, Reason.BAD_MAC),
        ({"ip": "x"}, Reason.BAD_ADDRESS),
        ({"gateway": "x"}, Reason.BAD_ADDRESS),
        ({"netmask": "24"}, Reason.BAD_NETWORK),
        ({"netmask": "255.0.255.0"}, Reason.BAD_NETWORK),
        ({"ip": "2001:db8::1", "gateway": ""}, Reason.BAD_NETWORK),
        ({"ip": "2001:db8::1", "gateway": "", "netmask": "64"}, Reason.BAD_NETWORK),
        ({"ip": "2001:db8::1", "netmask": ""}, Reason.GATEWAY_OUTSIDE),
        ({"gateway": "192.168.2.1"}, Reason.GATEWAY_OUTSIDE),
        ({"ip": "192.168.1.255"}, Reason.OUTSIDE),
        ({"ip": "192.168.1.0"}, Reason.OUTSIDE),
        ({"available_resources": {"cpu": "x"}}, Reason.MALFORMED),
        ({"metadata": {"boot.ipxe": "http://x y"}}, Reason.UNSAFE_TEXT),
    ],
)
def test_a_hypervisor_is_left_out(fields: dict[str, Any], reason: Reason) -> None:
    cluster = Cluster()
    cluster.put(hypervisor(1, **fields), hypervisor(2))
    assert cluster.hypervisor(1) is reason
    assert isinstance(cluster.hypervisor(2), Host)
    assert cluster.inventory.objects()[ObjectKind.HYPERVISORS] == 2
    cluster.put(hypervisor(1))
    assert cluster.hypervisor(1) == NODE
    assert not cluster.inventory.problems


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, SUBNET),
        ({"cidr": "10.0.1.77/24"}, SUBNET),
        ({"gateway": ""}, SUBNET._replace(gateway=None)),
        (
            {"cidr": "2001:db8:0::5/64", "gateway": "2001:DB8::1"},
            Subnet(subnet_id(1), "2001:db8::/64", None, "2001:db8::1", 6),
        ),
        ({"start": "nonsense", "end": ""}, SUBNET),
        ({"cidr": ""}, Reason.BAD_NETWORK),
        ({"cidr": "10.0.1.0"}, Reason.BAD_NETWORK),
        ({"cidr": "10.0.1.0/33"}, Reason.BAD_NETWORK),
        ({"gateway": "10.0.2.1"}, Reason.GATEWAY_OUTSIDE),
        ({"gateway": "2001:db8::1"}, Reason.GATEWAY_OUTSIDE),
        ({"gateway": "x"}, Reason.BAD_ADDRESS),
        ({"start": 5}, Reason.MALFORMED),
    ],
)
def test_a_subnet_is_there_or_left_out(fields: dict[str, Any], wanted: Subnet | Reason) -> None:
    cluster = Cluster()
    update = cluster.put(subnet(1, **fields))
    key = f"/lochness/subnets/{subnet_id(1)}/metadata"
    if isinstance(wanted, Subnet):
        assert update == Update(subnets={subnet_id(1): wanted})
        assert cluster.inventory.subnets == {subnet_id(1): wanted}
    else:
        assert cluster.inventory.problems[key].reason is wanted
        assert not cluster.inventory.subnets
        cluster.put(guest(1))
        told = cluster.inventory.problems[f"/lochness/guests/{guest_id(1)}/metadata"]
        assert told.reason is Reason.UNKNOWN_SUBNET
        assert subnet_id(1) in told.text
        assert wanted.value in told.text


@pytest.mark.parametrize("kind", ObjectKind)
@pytest.mark.parametrize("path_id", ["x", guest_id(1).upper(), "a\nb", "\u00e9", "\\xff"])
def test_an_id_in_a_key_is_a_uuid_in_lower_case(kind: ObjectKind, path_id: str) -> None:
    cluster = Cluster()
    update = cluster.change({f"{kind.value}/{path_id}": b"{}"})
    (problem,) = update.problems.values()
    assert problem is not None
    assert problem.reason is Reason.BAD_ID
    assert problem.text.isprintable()
    assert cluster.inventory.objects()[kind] == 1
    cluster.delete(f"{kind.value}/{path_id}")
    assert not cluster.inventory.problems
    assert not any(cluster.inventory.objects().values())


def test_guests_follow_their_subnet() -> None:
    cluster = Cluster()
    cluster.put(guest(1), guest(2, ip="10.0.1.200"))
    assert cluster.guest(1) is cluster.guest(2) is Reason.UNKNOWN_SUBNET
    cluster.put(subnet(1))
    assert cluster.guest(1) == GUEST
    update = cluster.put(subnet(1, cidr="10.0.1.0/25", gateway=""))
    smaller = Subnet(subnet_id(1), "10.0.1.0/25", "255.255.255.128", None, 4)
    assert update.guests == {guest_id(1): GUEST._replace(subnet=smaller), guest_id(2): None}
    assert cluster.guest(2) is Reason.OUTSIDE
    cluster.put(subnet(1, cidr="wrong"))
    assert cluster.guest(1) is cluster.guest(2) is Reason.UNKNOWN_SUBNET
    cluster.put(subnet(1))
    assert cluster.inventory.hosts(Group.GUESTS) == 2
    cluster.delete(f"subnets/{subnet_id(1)}")
    assert cluster.guest(1) is Reason.UNKNOWN_SUBNET
    cluster.put(subnet(2), guest(1, subnet=subnet_id(2), ip="10.0.2.1"))
    cluster.put(subnet(1))
    assert cluster.inventory.hosts(Group.GUESTS) == 2


def test_what_changes_nothing_tells_nothing() -> None:
    cluster = Cluster()
    cluster.put(subnet(1), hypervisor(1), guest(1), guest(2, ip="x"), guest(3, ip="10.0.1.1"))
    assert cluster.put(hypervisor(1, available_resources={"memory": 0})) == Update()
    assert cluster.put(guest(1), guest(2, ip="x"), guest(3, ip="10.0.1.1"), subnet(1)) == Update()
    assert cluster.put(guest(1, bridge="br1")) == Update()
    assert cluster.put(subnet(1, start="10.0.1.2")) == Update()
    assert cluster.put(guest(9)).guests.keys() == {guest_id(9)}
    assert cluster.delete(f"guests/{guest_id(8)}") == Update()


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (guest(1), guest(2, mac="02-00-00-00-00-01"), Reason.DUPLICATE_MAC),
        (guest(1), guest(2, ip="10.0.1.1"), Reason.DUPLICATE_ADDRESS),
        (guest(1), guest(2, ip="10.0.1.1", mac="0200.0000.0001"), Reason.DUPLICATE_MAC),
    ],
)
def test_of_two_that_want_the_same_the_older_is_served(
    first: dict[str, Any], second: dict[str, Any], reason: Reason
) -> None:
    cluster = Cluster()
    cluster.put(subnet(1), first, second)
    assert isinstance(cluster.guest(1), Host)
    assert cluster.guest(2) is reason
    told = cluster.inventory.problems[f"/lochness/guests/{guest_id(2)}/metadata"].text
    assert guest_id(1) in told
    cluster.put(first)
    assert cluster.guest(2) is reason
    update = cluster.delete(f"guests/{guest_id(1)}")
    assert isinstance(cluster.guest(2), Host)
    assert update.guests.keys() == {guest_id(1), guest_id(2)}
    cluster.put(first)
    assert cluster.guest(1) is reason


def test_a_hypervisor_and_a_guest_want_the_same() -> None:
    cluster = Cluster()
    cluster.put(subnet(1), guest(1), hypervisor(1, mac="02:00:00:00:00:01"))
    assert cluster.hypervisor(1) is Reason.DUPLICATE_MAC
    cluster.put(guest(1, mac="02:00:00:00:00:77"))
    assert isinstance(cluster.hypervisor(1), Host)
    same = {**guest(1), "id": hypervisor_id(1), "ip": "10.0.1.5"}
    cluster.change({f"guests/{hypervisor_id(1)}": _json(same)})
    key = f"/lochness/guests/{hypervisor_id(1)}/metadata"
    assert cluster.inventory.problems[key].reason is Reason.DUPLICATE_ID


def test_one_that_is_left_out_takes_nothing_from_others() -> None:
    cluster = Cluster()
    copied = guest(2, mac="02:00:00:00:00:01")
    cluster.put(subnet(1), guest(1), copied, guest(3, ip="10.0.1.2"))
    assert cluster.guest(2) is Reason.DUPLICATE_MAC
    assert isinstance(cluster.guest(3), Host)
    cluster.delete(f"guests/{guest_id(1)}")
    assert isinstance(cluster.guest(2), Host)
    assert cluster.guest(3) is Reason.DUPLICATE_ADDRESS


def test_two_guests_swap_their_addresses_at_once() -> None:
    cluster = Cluster()
    cluster.put(subnet(1), guest(1), guest(2))
    update = cluster.put(guest(1, ip="10.0.1.2"), guest(2, ip="10.0.1.1"))
    found = {key: host and host.address for key, host in update.guests.items()}
    assert found == {guest_id(1): "10.0.1.2", guest_id(2): "10.0.1.1"}
    assert not update.problems


def test_an_address_that_waits_is_nobody_elses_loss() -> None:
    cluster = Cluster()
    cluster.put(subnet(1), guest(1, subnet=subnet_id(7)), guest(2, ip="10.0.1.1"))
    assert cluster.guest(1) is Reason.UNKNOWN_SUBNET
    assert isinstance(cluster.guest(2), Host)


@pytest.mark.parametrize("prefix", ["/lochness", "lochness", "", "/other/"])
def test_everything_works_below_any_prefix(prefix: str) -> None:
    cluster = Cluster(prefix)
    cluster.put(guest(1), subnet(1), hypervisor(1), guest(2, ip=""))
    assert cluster.guest(1) == GUEST
    assert cluster.hypervisor(1) == NODE
    (key,) = cluster.inventory.problems
    assert key.startswith(prefix)


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()
