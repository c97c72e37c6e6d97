"""Objects that are judged before it is certain that they are what they will be."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from lochkit.dhcp import ahead
from lochkit.dhcp.inventory import Inventory
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.model import Group, Reason, Update
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import Appeared
from tests.dhcp.cluster import guest, guest_id, hypervisor, hypervisor_id, subnet, subnet_id

GUEST_KEY = f"/lochness/guests/{guest_id(1)}/metadata"


def kv(kind: str, fields: dict[str, Any], created: int = 1) -> KeyValue:
    key = f"/lochness/{kind}/{fields['id']}/metadata".encode()
    return KeyValue(key, created, created, 1, json.dumps(fields).encode(), 0)


def first(*seen: KeyValue, then: Iterable[KeyValue]) -> tuple[Inventory, Update]:
    """Show some objects, and take in others; what comes out is what comes out without the show."""
    appeared = Appeared({entry.key: entry for entry in then})
    inventory, other = Inventory(Layout()), Inventory(Layout())
    inventory.judge_ahead(seen)
    update = inventory.apply(appeared)
    assert update == other.apply(appeared)
    assert inventory.objects() == other.objects()
    assert inventory.apply(appeared) == Update()
    return inventory, update


def whole() -> list[KeyValue]:
    return [
        kv("subnets", subnet(1)),
        kv("hypervisors", hypervisor(1), 2),
        *(kv("guests", guest(number), number + 2) for number in range(1, 5)),
    ]


def test_what_was_judged_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kvs = whole()
    inventory = Inventory(Layout())
    inventory.judge_ahead(kvs[:3])
    inventory.judge_ahead(kvs[3:])
    assert inventory.served(Group.GUESTS) == {}  # nothing is said before it is certain

    def judged_again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ahead, "judge_guest", judged_again)
    monkeypatch.setattr(ahead, "judge_subnet", judged_again)
    update = inventory.apply(Appeared({entry.key: entry for entry in kvs}))
    assert len(update.guests) == 4


@pytest.mark.parametrize("backwards", [False, True])
def test_the_order_of_the_list_does_not_matter(backwards: bool) -> None:
    kvs = sorted(whole(), reverse=backwards)
    _, update = first(*kvs, then=kvs)
    assert len(update.guests) == 4
    assert len(update.hypervisors) == 1


def test_an_empty_store_and_the_first_objects_in_it() -> None:
    inventory, update = first(then=[])
    assert update == Update()
    kvs = whole()
    inventory.judge_ahead(kvs)
    assert len(inventory.apply(Appeared({entry.key: entry for entry in kvs})).guests) == 4


def test_a_list_that_is_begun_anew_does_not_remember_the_other() -> None:
    old = [kv("subnets", subnet(1, cidr="10.0.0.0/16")), kv("guests", guest(1)), *whole()]
    gone = kv("guests", guest(9, ip="10.0.9.9"))
    new = [kv("subnets", subnet(1)), kv("guests", guest(1, mac="02:00:00:00:00:77"))]
    inventory, update = first(*old, gone, *new, then=new)
    assert update.guests == inventory.served(Group.GUESTS)
    assert {host.mac for host in update.guests.values() if host} == {"02:00:00:00:00:77"}


def test_an_object_of_another_value_is_judged_again() -> None:
    seen = whole()
    changed = kv("guests", guest(1, ip=""), 3)
    _, update = first(*seen, then=[*seen[:2], changed, *seen[3:]])
    assert [found.reason for found in update.problems.values() if found] == [Reason.NO_ADDRESS]
    assert guest_id(1) not in update.guests


def test_the_same_object_made_anew_has_its_new_age() -> None:
    seen = whole()
    rival = kv("guests", guest(5, ip="10.0.1.1"), 20)
    _, update = first(*seen, rival, then=[*seen[:2], kv("guests", guest(1), 30), rival])
    assert set(update.guests) == {guest_id(5)}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cidr": "10.0.2.0/24", "gateway": ""}, Reason.OUTSIDE),
        ({"gateway": "10.0.1.1"}, Reason.OUTSIDE),
        ({"cidr": "x"}, Reason.UNKNOWN_SUBNET),
        (None, Reason.UNKNOWN_SUBNET),
    ],
)
def test_a_subnet_that_changes_takes_its_guests_along(
    fields: dict[str, Any] | None, reason: Reason
) -> None:
    was, placed = kv("subnets", subnet(1)), kv("guests", guest(1), 2)
    now = [] if fields is None else [kv("subnets", subnet(1, **fields), 3)]
    inventory, _ = first(was, placed, then=[placed, *now])
    assert inventory.problems[GUEST_KEY].reason is reason
    inventory, update = first(*now, placed, then=[placed, was])  # and the other way round
    assert set(update.guests) == {guest_id(1)}


def test_what_is_wrong_or_of_no_object_stays_so() -> None:
    kvs = [
        kv("subnets", subnet(1, cidr="x")),
        kv("guests", guest(1)),
        kv("guests", guest(2, mac="x")),
        kv("networks", {"id": subnet_id(1)}),
        KeyValue(f"/lochness/hypervisors/{hypervisor_id(1)}/heartbeat".encode(), 1, 1, 1, b"", 0),
    ]
    inventory, _ = first(*kvs, then=kvs)
    assert {found.reason for found in inventory.problems.values()} == {
        Reason.BAD_NETWORK,
        Reason.UNKNOWN_SUBNET,
        Reason.BAD_MAC,
    }


def test_nothing_is_judged_ahead_when_something_is_known() -> None:
    kvs = whole()
    inventory, _ = first(*kvs, then=kvs)
    inventory.judge_ahead([kv("guests", guest(6))])  # a list that only compares
    assert inventory.apply({}) == Update()
