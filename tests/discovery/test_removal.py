"""Taking instances out: with which lease, with what else, and at whose expense."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.host import State
from lochkit.discovery.layout import Layout
from lochkit.discovery.records import decode_host
from lochkit.discovery.removal import Removal, marked_leaving, orphaned_infos, plan_removals
from lochkit.etcd.messages import KeyValue

LAYOUT = Layout(namespace="/blue")


def kv(uuid: str, lease: int = 0, service: str = "web") -> KeyValue:
    return KeyValue(LAYOUT.instance_key(service, uuid), lease=lease, value=b"{}")


A, B, C = kv("a", 7), kv("b", 7), kv("c", 8)
DNS = b"/skydns/com/example/web/a"


def test_a_lease_goes_with_all_that_hangs_on_it() -> None:
    assert plan_removals([C], {8: (C.key, DNS)}, LAYOUT) == (
        Removal(chosen=(C,), lease=8, along=(DNS,)),
    )


def test_a_lease_that_others_need_stays() -> None:
    assert plan_removals([A], {7: (A.key, B.key, DNS)}, LAYOUT) == (
        Removal(chosen=(A,), shared_with=(B.key,)),
    )


def test_all_that_share_a_lease_go_at_once() -> None:
    plan = plan_removals([A, B, C], {7: (A.key, B.key), 8: (C.key,)}, LAYOUT)
    assert plan == (Removal(chosen=(A, B), lease=7), Removal(chosen=(C,), lease=8))


def test_an_instance_of_another_namespace_is_no_instance_here() -> None:
    other = Layout(namespace="/green").instance_key("web", "x")
    assert plan_removals([C], {8: (C.key, other)}, LAYOUT)[0].along == (other,)


@pytest.mark.parametrize("one", [kv("a"), kv("a", 9)], ids=["no lease", "lease ended"])
def test_without_a_lease_the_key_is_deleted(one: KeyValue) -> None:
    assert plan_removals([one], {}, LAYOUT) == (Removal(chosen=(one,)),)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8))
def test_who_was_chosen_goes_and_no_other_instance(kinds: list[tuple[int, bool]]) -> None:
    kvs = [kv(f"u{number}", lease) for number, (lease, _) in enumerate(kinds)]
    chosen = [one for one, (_, is_chosen) in zip(kvs, kinds, strict=True) if is_chosen]
    holdings = {lease: [one.key for one in kvs if one.lease == lease] for lease in (1, 2, 3)}
    plan = plan_removals(chosen, holdings, LAYOUT)
    gone = [one.key for removal in plan for one in removal.chosen]
    assert sorted(gone) == sorted(one.key for one in chosen)
    for removal in plan:
        if removal.lease:
            assert set(holdings[removal.lease]) <= set(gone)


def test_orphans() -> None:
    infos = [KeyValue(LAYOUT.infos_key(name)) for name in ("web", "web2", "db")]
    instances = [kv("a", service="web"), kv("a", service="other")]
    assert orphaned_infos(infos, instances, LAYOUT) == (infos[1], infos[2])
    assert orphaned_infos(infos, [], LAYOUT) == tuple(infos)
    assert orphaned_infos([KeyValue(b"/elsewhere")], [], LAYOUT) == ()


def test_marked_as_leaving_and_otherwise_as_it_was() -> None:
    record = {"name": "x", "ports": {"http": 80}, "other": [1], "lochkit": {"weight": 2, "new": 1}}
    marked = marked_leaving(json.dumps(record).encode())
    assert marked is not None
    assert decode_host(marked)[0].state is State.LEAVING
    record["lochkit"] = {"weight": 2, "new": 1, "state": "leaving"}
    assert json.loads(marked) == record
    assert marked_leaving(marked) is None


@given(st.binary(max_size=40))
def test_no_bytes_are_too_odd_to_be_removed(value: bytes) -> None:
    marked_leaving(value)


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b'{"lochkit": 1}', b"\xff"])
def test_what_can_not_be_marked(value: bytes) -> None:
    assert marked_leaving(value) is None
