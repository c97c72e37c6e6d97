"""Kea's configurations: what is in them, what stays the same, and what Kea says of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lochkit.dhcp.boot import boot_key
from lochkit.dhcp.kea import KeaBackend, ReservationChange
from lochkit.dhcp.kea_base import default_base
from lochkit.dhcp.kea_ids import FIRST, LAST, assign
from lochkit.dhcp.kea_json import parse_kea_json
from lochkit.dhcp.model import Boot, Group, Host, Reason, Subnet, Update
from lochkit.dhcp.settings import RenderSettings

from .hosts import (
    DB,
    GOLDEN_UPDATE,
    NET_A,
    NET_B,
    NETWORKS,
    NODE_A,
    NODE_B,
    NODES,
    WEB,
    World,
    identity,
    mac,
    many_hosts,
    worlds,
)
from .rendering import SETTINGS, contents, hosts_of, load, run_checker
from .servers import dhcp_server

LEGACY = RenderSettings.of("example.com")
SIX = Subnet(identity(6), "2001:db8:1::/64", None, "2001:db8:1::1", 6)


def base(version: int, **fields: Any) -> dict[str, Any]:
    """Return a base that the real Kea accepts on any machine."""
    return {
        f"Dhcp{version}": {
            "interfaces-config": {"interfaces": []},
            "lease-database": {"type": "memfile", "persist": False},
            **fields,
        }
    }


def whole(backend: KeaBackend, version: int = 4) -> dict[str, Any]:
    found = json.loads(contents(backend)[f"kea-dhcp{version}.conf"])[f"Dhcp{version}"]
    assert isinstance(found, dict)
    return found


def subnets(backend: KeaBackend, version: int = 4) -> dict[str, dict[str, Any]]:
    return {item["subnet"]: item for item in whole(backend, version)[f"subnet{version}"]}


def golden(**fields: Any) -> KeaBackend:
    backend = KeaBackend(LEGACY, base4=base(4, **fields))
    backend.update(GOLDEN_UPDATE)
    return backend


def guest(key: str = WEB, **changes: Any) -> Update:
    host = GOLDEN_UPDATE.guests[key]
    assert host is not None
    return Update(guests={key: host._replace(**changes)})


def web_in(backend: KeaBackend) -> dict[str, Any]:
    found: dict[str, Any] = subnets(backend)["10.20.0.0/24"]["reservations"][0]
    return found


# The parts.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('// x\n{"a": 1 # y\n, /* z\n */ "b": [1, 2,], }', {"a": 1, "b": [1, 2]}),
        ('{"a": "http://x/*#*/", "c": ",]"}', {"a": "http://x/*#*/", "c": ",]"}),
        ('{"a": "\\"//", "b": 1}', {"a": '"//', "b": 1}),
        ('{"a": [1, // why\n ]}', {"a": [1]}),
        ('{"a": "<?include"}', {"a": "<?include"}),
    ],
)
def test_kea_s_json_has_comments(text: str, value: object) -> None:
    assert parse_kea_json(text) == value


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("[]", "is one object"),
        ("", "line 1, column 1"),
        ('{\n/* \n */ "a": }', "line 3, column 10"),
        ('{\n "Dhcp4": <?include "x.json"?>}', r"line 2: <\?include"),
        ("[" * 100_000, "nested too deep"),
        ('{"a": 1 /* open', "line 1"),
        ('{"a": "open', "line 1"),
    ],
)
def test_what_is_wrong_with_a_base_is_said_with_its_place(text: str, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        parse_kea_json(text)


@given(
    networks=st.sets(st.sampled_from(NETWORKS)),
    known=st.dictionaries(st.sampled_from(NETWORKS), st.integers(0, 2**32)),
    taken=st.sets(st.integers(FIRST, FIRST + 20)),
)
def test_numbers_are_different_and_stay(
    networks: set[str], known: dict[str, int], taken: set[int]
) -> None:
    given_ids = assign(known, networks, taken)
    assert given_ids.keys() == networks
    assert len(set(given_ids.values())) == len(networks)
    assert not taken & set(given_ids.values())
    assert all(FIRST <= number <= LAST for number in given_ids.values())
    assert assign(given_ids, networks, taken) == given_ids
    assert assign(given_ids, list(networks)[:1], taken).items() <= given_ids.items()
    for network in networks:
        if list(known.values()).count(known.get(network, -1)) == 1:
            usable = FIRST <= known[network] <= LAST and known[network] not in taken
            assert not usable or given_ids[network] == known[network]


def test_a_taken_number_is_passed_over() -> None:
    first = assign({}, ["10.0.0.0/8"])["10.0.0.0/8"]
    assert assign({}, ["10.0.0.0/8"], [first]) == {"10.0.0.0/8": first + 1}
    assert assign({"10.0.0.0/8": LAST}, ["10.0.0.0/8"], [LAST, first]) == {"10.0.0.0/8": first + 1}


# The whole.


def test_the_golden_data() -> None:
    backend = golden()
    found = subnets(backend)
    ids = assign({}, found)
    assert list(found) == ["10.20.0.0/24", "10.20.4.0/22", "172.16.9.128/25", "192.168.100.0/24"]
    assert found["10.20.0.0/24"] == {
        "id": ids["10.20.0.0/24"],
        "subnet": "10.20.0.0/24",
        "reservations-global": False,
        "reservations-in-subnet": True,
        "reservations-out-of-pool": True,
        "option-data": [{"name": "routers", "data": "10.20.0.1"}],
        "reservations": [
            {
                "hw-address": "02:1a:4f:c3:77:01",
                "ip-address": "10.20.0.37",
                "hostname": "web-1",
                "client-classes": ["lochkit-guests"],
                "user-context": {"lochkit-id": WEB},
            }
        ],
    }
    assert found["172.16.9.128/25"]["reservations"] == []
    nodes = found["192.168.100.0/24"]["reservations"]
    assert [item["user-context"]["lochkit-id"] for item in nodes] == [NODE_A, NODE_B]
    classes = {item["name"]: item for item in whole(backend)["client-classes"]}
    assert classes["lochkit-guests"]["option-data"][0]["data"] == "guests.example.com"
    assert classes["lochkit-hypervisors-bios"]["boot-file-name"] == "undionly.kpxe"
    assert backend.hosts == 4
    assert backend.subnet_ids == ids


def test_the_operator_s_own_is_kept() -> None:
    theirs = {"id": 7, "subnet": "192.0.2.0/24", "reservations": [{"hw-address": mac(1)}]}
    shared = {"name": "wire", "subnet4": [{"id": 8, "subnet": "10.20.0.0/24", "pools": []}]}
    own = {"name": "theirs", "test": "known"}
    backend = golden(
        **{
            "subnet4": [theirs],
            "shared-networks": [shared],
            "client-classes": [own],
            "reservations": [{"hw-address": mac(2)}],
        }
    )
    found = whole(backend)
    assert found["subnet4"][0] == theirs
    assert len(found["subnet4"]) == 4
    assert found["client-classes"][0] == own
    assert found["reservations"] == [{"hw-address": mac(2)}]
    (inner,) = found["shared-networks"][0]["subnet4"]
    assert inner["id"] == 8
    # Their subnet announces no router that we know of: the reservation says it.
    (reservation,) = inner["reservations"]
    assert reservation["option-data"] == [{"name": "routers", "data": "10.20.0.1"}]
    assert "10.20.0.0/24" not in backend.subnet_ids


def test_hosts_are_added_to_those_of_a_subnet_that_the_operator_has() -> None:
    options = [{"name": "routers", "data": "10.20.0.1"}]
    theirs = {"subnet": "10.20.0.0/24", "option-data": options, "reservations": [{"x": 1}]}
    backend = golden(subnet4=[theirs])
    first, second = subnets(backend)["10.20.0.0/24"]["reservations"]
    assert first == {"x": 1}
    assert "option-data" not in second
    backend.take_reservations()
    backend.update(guest(name="other"))
    assert backend.take_reservations() is None  # Kea alone knows the number of that subnet


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ({"client-classes": [{"name": "lochkit-x"}]}, "has a name that we give"),
        ({"host-reservation-identifiers": ["duid"]}, "lacks 'hw-address'"),
        ({"subnet4": [{"id": 1}]}, "no valid 'subnet'"),
        ({"subnet4": [{"subnet": 5.5}]}, "no valid 'subnet'"),
        ({"subnet4": [{"subnet": "10.0.0.0/8"}, {"subnet": "10.0.0.0/8"}]}, "twice"),
        ({"subnet4": {}}, "'subnet4' of the base is no list of objects"),
        ({"shared-networks": [1]}, "'shared-networks' of the base is no list"),
    ],
)
def test_a_base_that_can_not_take_ours_is_refused(fields: dict[str, Any], phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        golden(**fields)


def test_a_base_for_the_other_version_is_refused() -> None:
    with pytest.raises(ValueError, match="has no object 'Dhcp4'"):
        KeaBackend(LEGACY, base4=base(6))


def test_a_text_like_our_marks_in_the_base_is_only_text() -> None:
    backend = golden(**{"user-context": {"x": "lochkit:classes", "y": "lochkit-:subnets"}})
    assert whole(backend)["user-context"] == {"x": "lochkit:classes", "y": "lochkit-:subnets"}
    assert len(subnets(backend)) == 4


def test_a_gateway_that_differs_is_told_to_the_host() -> None:
    backend = golden()
    backend.update(guest(subnet=NET_A._replace(id=identity(1), gateway="10.20.0.9")))
    assert web_in(backend)["option-data"] == [{"name": "routers", "data": "10.20.0.9"}]


def test_no_router_is_announced_where_a_host_has_none() -> None:
    backend = golden()
    other = Host(identity(1), mac(1), "10.20.0.38", NET_A._replace(id=identity(1), gateway=None))
    backend.update(Update(guests={other.id: other}))
    found = subnets(backend)["10.20.0.0/24"]
    assert found["option-data"] == []
    said = {item["ip-address"]: item.get("option-data") for item in found["reservations"]}
    assert said == {"10.20.0.38": None, "10.20.0.37": [{"name": "routers", "data": "10.20.0.1"}]}
    backend.update(Update(guests={other.id: None}))
    assert contents(backend) == contents(golden())


def test_a_hypervisor_without_netmask_is_put_where_its_address_is() -> None:
    nowhere = Subnet(None, None, None, "192.168.100.1")
    host = Host(NODE_A, mac(1), "192.168.100.11", nowhere)
    backend = KeaBackend(LEGACY, base4=base(4))
    backend.update(Update(hypervisors={NODE_A: host}))
    assert backend.refused[Group.HYPERVISORS, NODE_A].reason is Reason.UNSUPPORTED
    assert backend.hosts == 0
    wide = Subnet(identity(1), "192.168.0.0/16", "255.255.0.0", "192.168.0.1")
    backend.update(Update(subnets={identity(1): wide}))
    assert backend.hosts == 1
    assert not backend.refused
    assert subnets(backend)["192.168.0.0/16"]["reservations"][0]["hw-address"] == mac(1)
    neighbour = Host(NODE_B, mac(2), "192.168.100.12", NODES)
    backend.update(Update(hypervisors={NODE_B: neighbour}))
    assert subnets(backend)["192.168.0.0/16"]["reservations"] == []
    assert len(subnets(backend)["192.168.100.0/24"]["reservations"]) == 2
    backend.update(Update(hypervisors={NODE_B: None}, subnets={identity(1): None}))
    assert backend.hosts == 0
    assert backend.refused.keys() == {(Group.HYPERVISORS, NODE_A)}
    backend.update(Update(hypervisors={NODE_A: None}))
    assert not backend.refused


def test_a_network_of_the_base_takes_hosts_without_netmask() -> None:
    backend = KeaBackend(LEGACY, base4=base(4, subnet4=[{"id": 1, "subnet": "192.168.0.0/16"}]))
    host = Host(NODE_A, mac(1), "192.168.100.11", Subnet(None, None, None, None))
    backend.update(Update(hypervisors={NODE_A: host}))
    assert len(subnets(backend)["192.168.0.0/16"]["reservations"]) == 1


def test_ipv6_needs_a_base() -> None:
    host = Host(WEB, mac(1), "2001:db8:1::5", SIX, "web")
    update = Update(guests={WEB: host}, subnets={str(SIX.id): SIX})
    backend = KeaBackend(LEGACY, base4=base(4))
    backend.update(update)
    assert "DHCPv6" in backend.refused[Group.GUESTS, WEB].text
    backend.update(Update(guests={WEB: None}))
    assert not backend.refused
    backend = KeaBackend(LEGACY, base4=base(4), base6=base(6))
    backend.update(update)
    assert whole(backend)["subnet4"] == []
    (found,) = subnets(backend, 6)["2001:db8:1::/64"]["reservations"]
    assert found["ip-addresses"] == ["2001:db8:1::5"]
    assert "option-data" not in found


def test_hosts_that_boot_alike_share_classes() -> None:
    backend = golden()
    own = Boot(bios="x" * 128, next_server="tftp.example.com")
    backend.update(guest(WEB, boot=own))
    backend.update(guest(DB, boot=own._replace(ipxe="")))
    classes = {item["name"]: item for item in whole(backend)["client-classes"]}
    name = f"lochkit-boot-{boot_key(own)}"
    assert [known for known in classes if known.startswith("lochkit-boot")] == [
        name,
        f"{name}-bios",
    ]
    assert web_in(backend)["client-classes"] == ["lochkit-guests", "lochkit-own-boot", name]
    bios = classes[f"{name}-bios"]
    assert "boot-file-name" not in bios  # it would not fit the field
    assert {item["name"]: item["data"] for item in bios["option-data"]} == {
        "tftp-server-name": "tftp.example.com",
        "boot-file-name": "x" * 128,
    }
    backend.update(guest(WEB))
    assert name in {item["name"] for item in whole(backend)["client-classes"]}
    backend.update(guest(DB))
    assert contents(backend) == contents(golden())


# What to tell a running server.


def test_changes_of_single_hosts_can_be_told() -> None:
    backend = golden()
    assert backend.take_reservations() is None
    assert backend.take_reservations() == []
    number = backend.subnet_ids["10.20.0.0/24"]
    backend.update(guest(mac=mac(9)))
    new = web_in(backend)
    assert backend.take_reservations() == [
        ReservationChange(4, number, "02:1a:4f:c3:77:01", None),
        ReservationChange(4, number, mac(9), new),
    ]
    backend.update(guest())
    backend.update(guest(mac=mac(9)))
    assert backend.take_reservations() == []
    backend.update(Update(guests={WEB: None}))
    assert backend.take_reservations() == [ReservationChange(4, number, mac(9), None)]


def test_a_host_that_moves_goes_before_it_comes() -> None:
    backend = golden()
    backend.take_reservations()
    backend.update(guest(DB, address="10.20.0.99", subnet=NET_A))
    taken = backend.take_reservations()
    assert taken is not None
    assert [(change.subnet_id, change.reservation is None) for change in taken] == [
        (backend.subnet_ids["10.20.4.0/22"], True),
        (backend.subnet_ids["10.20.0.0/24"], False),
    ]


@pytest.mark.parametrize(
    "update",
    [
        guest(boot=Boot(bios="x")),
        Update(subnets={identity(1): NET_A._replace(network="10.99.0.0/16")}),
        Update(subnets={str(NET_B.id): NET_B._replace(gateway="10.20.4.9")}),
        many_hosts(1001, 1),
    ],
    ids=["classes", "subnet", "router", "many"],
)
def test_what_is_more_than_hosts_is_told_as_a_whole(update: Update) -> None:
    backend = golden()
    backend.update(Update(subnets=many_hosts(0, 1).subnets))
    backend.take_reservations()
    backend.update(update)
    assert backend.take_reservations() is None
    backend.update(guest(DB, name="x"))
    assert len(backend.take_reservations() or ()) == 2


def test_numbers_survive_a_restart() -> None:
    known = {"10.20.0.0/24": 2_000_000, "10.20.4.0/22": 2_000_000}
    backend = KeaBackend(LEGACY, base4=base(4), known_ids=known)
    backend.update(GOLDEN_UPDATE)
    assert backend.subnet_ids["10.20.0.0/24"] == 2_000_000
    again = KeaBackend(LEGACY, base4=base(4), known_ids=backend.subnet_ids)
    again.update(GOLDEN_UPDATE)
    assert contents(again) == contents(backend)


# The real Kea.


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(world=worlds())
def test_the_files_hold_exactly_the_hosts_and_kea_accepts_them(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    backend = KeaBackend(SETTINGS, base4=base(4), base6=base(6))
    load(backend, world)
    found: dict[str, tuple[str, str, str | None]] = {}
    for version in (4, 6):
        for subnet in subnets(backend, version).values():
            for item in subnet["reservations"]:
                address = item["ip-address"] if version == 4 else item["ip-addresses"][0]
                key = item["user-context"]["lochkit-id"]
                found[key] = (item["hw-address"], address, item.get("hostname"))
    refused = {key for _, key in backend.refused}
    served = {key: host for key, host in hosts_of(world).items() if key not in refused}
    assert found == {key: (host.mac, host.address, host.name) for key, host in served.items()}
    assert all(hosts_of(world)[key].subnet.network is None for key in refused)
    assert backend.hosts == len(served)
    directory = tmp_path_factory.mktemp("kea")
    _check(directory, backend)


def _check(directory: Path, backend: KeaBackend) -> None:
    for name, content in contents(backend).items():
        path = directory / name
        path.write_bytes(content)
        run_checker([dhcp_server(name.removesuffix(".conf")), "-t", str(path)], directory)


def test_kea_accepts_the_default_base(tmp_path: Path) -> None:
    backend = KeaBackend(LEGACY, base6=default_base(6))
    backend.update(GOLDEN_UPDATE)
    _check(tmp_path, backend)
