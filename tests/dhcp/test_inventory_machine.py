"""Any objects, changed in any order and in any batches, give what a naive reading of all gives."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lochkit.dhcp.inventory import Inventory
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.model import Group, Host, Subnet, Update
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import Appeared, KeyChange
from tests.dhcp.cluster import guest, guest_id, hypervisor, hypervisor_id, subnet, subnet_id
from tests.dhcp.naive import KEY, read_all

# What fields are changed to; the first of each are drawn as often as all others.
MACS = [f"02:00:00:00:00:0{number}" for number in range(1, 5)]
ADDRESSES = [f"10.0.1.{number}" for number in range(1, 4)]
ODD = ["", None, "nonsense", 5]
FIELDS: dict[str, dict[str, tuple[list[Any], list[Any]]]] = {
    "guests": {
        "mac": (MACS, ["0200.0000.0003", "02-00-00-00-00-04", "03:00:00:00:00:01", *ODD]),
        "ip": (
            ADDRESSES,
            ["10.0.2.3", "10.0.2.255", "10.0.1.254", "::ffff:10.0.1.3", "2001:DB8::0:3", *ODD],
        ),
        "subnet": ([subnet_id(1), subnet_id(2)], [subnet_id(1).upper(), subnet_id(9), *ODD]),
        "hypervisor": ([hypervisor_id(1)], ODD),
        "metadata": ([{}, {"name": "web-1"}], [None, {"name": "Any; text"}, {"name": 5}, []]),
        "bridge": (["br0", "br1"], ODD),
        "id": ([""], [guest_id(1), guest_id(2).upper()]),
    },
    "hypervisors": {
        "mac": (MACS, ODD),
        "MAC": (MACS, ODD),
        "ip": (ADDRESSES, ["2001:DB8::0:3", "10.0.1.0", *ODD]),
        "netmask": (["255.255.255.0", ""], ["255.255.255.254", "255.0.255.0", *ODD]),
        "gateway": (["10.0.1.2", ""], ["2001:db8::3", *ODD]),
        "metadata": ([{}, {"name": "node"}], [None, {"name": 5}, []]),
    },
    "subnets": {
        "cidr": (["10.0.1.0/24", "10.0.1.9/29"], ["10.0.1.2/31", "2001:db8::/64", *ODD]),
        "gateway": (["10.0.1.254", "10.0.1.2", ""], ["2001:db8::3", *ODD]),
    },
}
MAKERS: dict[str, tuple[Any, Any]] = {
    "guests": (guest, guest_id),
    "hypervisors": (hypervisor, hypervisor_id),
    "subnets": (subnet, subnet_id),
}
NUMBERS = range(1, 6)
KINDS = ["guests"] * 6 + ["hypervisors"] * 2 + ["subnets"]
BROKEN = [b"", b"{}", b"[]", b"null", b'{"id":', b"\xff"]
OTHERS = [hypervisor_id(1), guest_id(2), subnet_id(1).upper(), "no-id"]


@st.composite
def objects(draw: st.DrawFn, kind: str, number: int) -> bytes:
    """Return the value of an object that departs from a right one here and there."""
    fields = MAKERS[kind][0](number)
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS[kind])), max_size=3)):
        usual, odd = FIELDS[kind][name]
        fields[name] = draw(st.sampled_from(draw(st.sampled_from([usual, usual, usual, odd]))))
    return json.dumps(fields).encode()


@st.composite
def changes_of_one(draw: st.DrawFn) -> tuple[bytes, bytes | None]:
    """Return a key and its new value."""
    kind = draw(st.sampled_from(KINDS))
    number = draw(st.sampled_from(NUMBERS))
    name = MAKERS[kind][1](number)
    value: bytes | None = None
    match draw(st.sampled_from(range(20))):
        case 0:
            return f"/lochness/hypervisors/{name}/heartbeat".encode(), b"now"
        case 1:
            name = draw(st.sampled_from(OTHERS))
            value = draw(objects(kind, number)).replace(b'"id": "', b'"id": "", "was": "')
        case 2:
            value = draw(st.sampled_from(BROKEN))
        case 3 | 4 | 5:
            pass
        case _:
            value = draw(objects(kind, number))
    return f"/lochness/{kind}/{name}/metadata".encode(), value


CHANGES = st.lists(changes_of_one(), max_size=10)


class Incremental(RuleBasedStateMachine):
    """An inventory that is told of changes, beside a reading of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory = Inventory(Layout())
        self.entries: dict[bytes, KeyValue] = {}
        self.revision = 0
        self.hosts: dict[tuple[str, str], Host] = {}
        self.subnets: dict[str, Subnet] = {}
        self.problems: dict[str, Any] = {}

    def write(self, changes: list[tuple[bytes, bytes | None]]) -> dict[bytes, KeyChange]:
        before = dict(self.entries)
        for key, value in changes:
            self.revision += 1
            old = self.entries.pop(key, None)
            if value is not None:
                created = old.create_revision if old else self.revision
                self.entries[key] = KeyValue(key, created, self.revision, 1, value, 0)
        return {
            key: KeyChange(key, before.get(key), self.entries.get(key))
            for key, _ in changes
            if before.get(key) != self.entries.get(key)
        }

    def take(self, changes: Mapping[bytes, KeyChange]) -> None:
        update = self.inventory.apply(changes)
        news: dict[Any, Any] = {
            **{("hypervisors", name): host for name, host in update.hypervisors.items()},
            **{("guests", name): host for name, host in update.guests.items()},
        }
        for state, changed in (
            (self.hosts, news),
            (self.subnets, update.subnets),
            (self.problems, update.problems),
        ):
            merge(state, changed)

    @initialize(changes=CHANGES, later=CHANGES, numbers=st.sets(st.sampled_from(NUMBERS)))
    def load(
        self,
        changes: list[tuple[bytes, bytes | None]],
        later: list[tuple[bytes, bytes | None]],
        numbers: set[int],
    ) -> None:
        for number in numbers:
            key = f"/lochness/subnets/{subnet_id(number)}/metadata".encode()
            self.write([(key, json.dumps(subnet(number)).encode())])
        self.write(changes)
        self.inventory.judge_ahead(list(self.entries.values()))
        self.write(later)  # between the page and the state that is taken in
        self.take(Appeared(self.entries))

    @rule(changes=CHANGES)
    def change(self, changes: list[tuple[bytes, bytes | None]]) -> None:
        self.take(self.write(changes))

    @rule(data=st.data())
    def make_anew(self, data: st.DataObject) -> None:
        """Delete and create a key at once: its value is the same, its age is not."""
        if self.entries:
            key = data.draw(st.sampled_from(sorted(self.entries)))
            value = self.entries[key].value
            self.take(self.write([(key, None), (key, value)]))

    @rule()
    def tell_again(self) -> None:
        update = self.inventory.apply(Appeared(self.entries))
        assert update == Update()

    @invariant()
    def it_is_what_a_reading_of_everything_finds(self) -> None:
        seen = read_all(self.entries)
        assert self.hosts == seen.hosts
        assert self.subnets == seen.subnets == self.inventory.subnets
        assert {key: found.reason for key, found in self.problems.items()} == seen.reasons
        assert self.problems == self.inventory.problems
        for group in Group:
            ours = {name: host for (kind, name), host in self.hosts.items() if kind == group.value}
            assert self.inventory.served(group) == ours
            assert self.inventory.hosts(group) == len(ours)
        objects = self.inventory.objects()
        for kind, count in objects.items():
            folder = f"/lochness/{kind.value}/".encode()
            found = [key for key in self.entries if key.startswith(folder) and KEY.fullmatch(key)]
            assert count == len(found)

    @invariant()
    def a_restart_tells_the_same(self) -> None:
        anew = Inventory(Layout())
        update = anew.apply(Appeared(self.entries))
        assert update.problems == self.problems
        assert dict(update.guests) == self.inventory.served(Group.GUESTS)


def merge(state: dict[Any, Any], changed: Mapping[Any, Any]) -> None:
    """Take in what is different; what is not must not be in it."""
    for key, value in changed.items():
        assert state.get(key) != value, key
        if value is None:
            del state[key]
        else:
            state[key] = value


Incremental.TestCase.settings = settings(max_examples=200, stateful_step_count=12, deadline=None)
TestIncremental = Incremental.TestCase
