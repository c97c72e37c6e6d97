"""What a running Kea is told of single hosts."""

from typing import Any

import pytest

from lochkit.dhcp.kea_family import ReservationChange
from lochkit.dhcp.kea_plan import knows_reservations, lease_query, lease_to_end, steps

BOTH = ["config-set", "reservation-add", "reservation-del"]
MAC = "02:1a:4f:c3:77:01"


def put(address: str, mac: str = MAC, subnet: int = 7) -> ReservationChange:
    return ReservationChange(4, subnet, mac, {"hw-address": mac, "ip-address": address})


def out(mac: str = MAC, subnet: int = 7) -> ReservationChange:
    return ReservationChange(4, subnet, mac, None)


@pytest.mark.parametrize(
    ("commands", "release", "known"),
    [
        (BOTH, "3.0.0", True),
        (BOTH, "2.7.7", True),
        (BOTH, "2.7.10-git", True),
        (BOTH, "2.7.6", False),  # not ours to use: it may put hosts into a database
        (BOTH, "2.2.0", False),
        (BOTH, "", False),
        (["reservation-add"], "3.0.0", False),
        (["config-set"], "3.0.0", False),
        (None, "3.0.0", False),
        ({"reservation-add": 1}, "3.0.0", False),
    ],
)
def test_only_servers_that_surely_can_are_told_of_single_hosts(
    commands: object, release: str, known: bool
) -> None:
    assert knows_reservations(commands, release) == known


def test_deletions_come_first_and_nothing_goes_into_a_database() -> None:
    moved = [put("10.0.0.2"), out(), put("10.0.0.1", "02:00:00:00:00:02")]
    assert list(steps(moved)) == [
        (
            "reservation-del",
            {
                "subnet-id": 7,
                "identifier-type": "hw-address",
                "identifier": MAC,
                "operation-target": "memory",
            },
        ),
        (
            "reservation-add",
            {
                "reservation": {"hw-address": MAC, "ip-address": "10.0.0.2", "subnet-id": 7},
                "operation-target": "memory",
            },
        ),
        (
            "reservation-add",
            {
                "reservation": {
                    "hw-address": "02:00:00:00:00:02",
                    "ip-address": "10.0.0.1",
                    "subnet-id": 7,
                },
                "operation-target": "memory",
            },
        ),
    ]


LEASE = {"hw-address": MAC, "ip-address": "10.0.0.1", "subnet-id": 7}


@pytest.mark.parametrize(
    ("found", "more", "ended"),
    [
        (LEASE, [], "10.0.0.1"),
        ({**LEASE, "hw-address": MAC.upper()}, [], "10.0.0.1"),
        (LEASE, [put("10.0.0.2")], "10.0.0.1"),  # it has another address now
        (LEASE, [put("10.0.0.1")], None),  # only something else about it has changed
        (LEASE, [put("10.0.0.1", "02:00:00:00:00:02")], "10.0.0.1"),  # another's address now
        ({**LEASE, "hw-address": "02:00:00:00:00:02"}, [], None),
        ({**LEASE, "subnet-id": 8}, [], None),
        ({"hw-address": MAC}, [], None),
        ({}, [], None),
        (None, [], None),
        ([LEASE], [], None),
    ],
)
def test_only_the_lease_of_the_removed_host_is_ended(
    found: Any, more: list[ReservationChange], ended: str | None
) -> None:
    assert lease_query(out()) == {
        "subnet-id": 7,
        "identifier-type": "hw-address",
        "identifier": MAC,
    }
    assert lease_to_end(out(), found, [out(), *more]) == ended
