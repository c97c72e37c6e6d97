"""Every kind of drift is found where it is, and what fits is not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.audit import audit
from lochkit.dhcp.findings import FindingKind
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.leases import Lease
from lochkit.etcd.messages import KeyValue
from tests.dhcp.hosts import GOLDEN

LAYOUT = Layout()
WEB, DB = "04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101", "6e4f9c20-1d88-4b37-8a4c-52d0c7e3b202"
PENDING, HALF = "a9c0e5f1-7b26-4d13-b1f8-3e6d9a4c5303", "f27d3b84-0c59-4a6e-8e97-91b2d8c6f404"
NODE_A, NODE_B = "1f0c6c2e-6c1b-4d0f-9a55-3d1f5b1c7e01", "c3a9e1d4-58a7-4f0b-8a1e-9b7c2f64d502"
NET_A, NET_B = "2b7e1516-28ae-4d2a-a6ab-f7158809cf01", "9e3779b9-7f4a-4c15-b39d-0c6fd1b3ca02"
NET_C = "d1310ba6-98df-4b5a-9f2f-fd72dbd01a03"
GONE = "00000000-0000-4000-8000-000000000000"
GUESTS, NODES, NETS = "/lochness/guests/", "/lochness/hypervisors/", "/lochness/subnets/"
WEB_KEY = f"{GUESTS}{WEB}/metadata"
WEB_RESERVED = f"{NETS}{NET_A}/addresses/10.20.0.37"
WEB_LISTED = f"{NODES}{NODE_A}/guests/{WEB}"


def golden() -> dict[str, str]:
    """The golden data without the guest that is placed by half."""
    texts: dict[str, str] = json.loads((GOLDEN / "etcd-keys.json").read_text())
    del texts[f"{GUESTS}{HALF}/metadata"]
    return texts


def found(texts: Mapping[str, str], *leases: Lease) -> list[tuple[str, str]]:
    """What an audit finds: kinds and places."""
    entries = {
        key.encode(): KeyValue(key.encode(), value=text.encode()) for key, text in texts.items()
    }
    return [(finding.kind.value, finding.where) for finding in audit(entries, LAYOUT, leases)]


def guest(texts: dict[str, str], key: str = WEB_KEY, **fields: Any) -> dict[str, str]:
    """The same with other fields in an object."""
    return {**texts, key: json.dumps({**json.loads(texts[key]), **fields})}


def test_there_is_nothing_to_find_in_what_fits() -> None:
    assert found(golden()) == []
    assert found({}) == []


def test_a_guest_that_is_placed_by_half_is_found() -> None:
    texts = json.loads((GOLDEN / "etcd-keys.json").read_text())
    key = f"{GUESTS}{HALF}/metadata"
    assert found(texts) == [("left-out", key), ("mirror", key)]


def without(*keys: str) -> dict[str, str]:
    return {key: text for key, text in golden().items() if key not in keys}


@pytest.mark.parametrize(
    ("texts", "findings"),
    [
        (without(WEB_RESERVED), [("no-reservation", WEB_KEY)]),
        ({**golden(), WEB_RESERVED: DB}, [("reserved-for-other", WEB_KEY)]),
        ({**golden(), WEB_RESERVED: WEB.upper()}, []),
        (
            guest(golden(), subnet="", hypervisor=""),
            [
                ("no-reservation", WEB_KEY),
                ("orphan-reservation", WEB_RESERVED),
                ("mirror", WEB_LISTED),
            ],
        ),
        (
            guest(golden(), ip="10.20.0.38"),
            [("no-reservation", WEB_KEY), ("orphan-reservation", WEB_RESERVED)],
        ),
        (
            guest(golden(), ip=""),
            [("left-out", WEB_KEY), ("orphan-reservation", WEB_RESERVED)],
        ),
        (guest(golden(), mac=""), [("left-out", WEB_KEY)]),
        (
            {**golden(), f"{NETS}{NET_A}/addresses/10.20.0.99": GONE},
            [("orphan-reservation", f"{NETS}{NET_A}/addresses/10.20.0.99")],
        ),
        (
            {**golden(), f"{NETS}{NET_A}/addresses/nonsense": WEB},
            [("orphan-reservation", f"{NETS}{NET_A}/addresses/nonsense")],
        ),
        (
            {**golden(), f"{NETS}{NET_B}/addresses/10.20.0.37": WEB},
            [("orphan-reservation", f"{NETS}{NET_B}/addresses/10.20.0.37")],
        ),
        (guest(golden(), hypervisor=GONE), [("no-hypervisor", WEB_KEY), ("mirror", WEB_LISTED)]),
        (guest(golden(), hypervisor=NODE_B), [("mirror", WEB_KEY), ("mirror", WEB_LISTED)]),
        (without(WEB_LISTED), [("mirror", WEB_KEY)]),
        ({**golden(), WEB_LISTED: DB}, [("mirror", WEB_LISTED)]),
        (
            {**golden(), f"{NODES}{NODE_A}/guests/{GONE}": GONE},
            [("mirror", f"{NODES}{NODE_A}/guests/{GONE}")],
        ),
        (
            {**golden(), f"{NODES}{NODE_A}/guests/{PENDING}": PENDING},
            [("mirror", f"{NODES}{NODE_A}/guests/{PENDING}")],
        ),
        (
            {**golden(), f"{NODES}{NODE_A}/subnets/{GONE}": "br0"},
            [("subnet-gone", f"{NODES}{NODE_A}/subnets/{GONE}")],
        ),
        (
            guest(golden(), f"{NETS}{NET_A}/metadata", start="10.20.0.40"),
            [("outside-range", WEB_KEY)],
        ),
        (
            guest(golden(), f"{NETS}{NET_A}/metadata", start="", end="10.20.0.36"),
            [("outside-range", WEB_KEY)],
        ),
        (guest(golden(), f"{NETS}{NET_A}/metadata", start="x", end=None), []),
        (
            {**golden(), f"{NODES}{GONE}/heartbeat": "now", f"{NODES}{GONE}/guests/{WEB}": WEB},
            [("leftover", f"{NODES}{GONE}/heartbeat")],
        ),
        (
            {**golden(), f"{NETS}{GONE}/addresses/10.0.0.1": WEB},
            [("leftover", f"{NETS}{GONE}/addresses/10.0.0.1")],
        ),
        ({**golden(), WEB_KEY: "nonsense"}, [("left-out", WEB_KEY)]),
    ],
)
def test_drift(texts: dict[str, str], findings: list[tuple[str, str]]) -> None:
    assert found(texts) == findings


def lease(address: str, mac: str | None, hostname: str = "") -> Lease:
    return Lease(address, mac, None, hostname)


WEB_MAC, DB_MAC, STRANGER = "02:1a:4f:c3:77:01", "02:1a:4f:c3:77:02", "02:00:00:00:00:99"


@pytest.mark.parametrize(
    ("leases", "findings"),
    [
        ([lease("10.20.0.37", WEB_MAC), lease("10.20.5.201", DB_MAC)], []),
        ([lease("10.20.0.37", STRANGER)], [("leased-to-other", "10.20.0.37")]),
        ([lease("10.20.0.37", DB_MAC)], [("leased-to-other", "10.20.0.37")]),
        ([lease("10.20.0.77", WEB_MAC)], [("other-address", "10.20.0.77")]),
        ([lease("203.0.113.7", WEB_MAC)], [("other-address", "203.0.113.7")]),
        ([lease("10.20.0.77", STRANGER, "x")], [("unknown-lease", "10.20.0.77")]),
        ([lease("192.168.100.77", STRANGER)], [("unknown-lease", "192.168.100.77")]),
        ([lease("203.0.113.7", STRANGER)], []),
        ([lease("10.20.0.37", None), lease("10.20.0.77", None)], []),
        ([lease("fd00::5", WEB_MAC), lease("::", STRANGER), lease("fd00::6", STRANGER)], []),
    ],
)
def test_leases(leases: list[Lease], findings: list[tuple[str, str]]) -> None:
    assert found(golden(), *leases) == findings


def test_networks_may_lie_in_each_other() -> None:
    texts = guest(golden(), f"{NETS}{NET_C}/metadata", cidr="10.20.0.0/16", gateway="", start="")
    assert found(texts, lease("10.20.200.1", STRANGER)) == [("unknown-lease", "10.20.200.1")]
    assert found(texts, lease("10.21.0.1", STRANGER)) == []


def test_only_a_strangers_lease_is_no_fault() -> None:
    texts = {
        key.encode(): KeyValue(key.encode(), value=text.encode()) for key, text in golden().items()
    }
    (finding,) = audit(texts, LAYOUT, [lease("10.20.0.77", STRANGER, "evil\x1b")])
    assert not finding.fault
    assert finding.text == f"leased to {STRANGER} ('evil\\x1b'), which is no host of ours"
    (finding,) = audit(texts, LAYOUT, [lease("10.20.0.37", DB_MAC)])
    assert finding.fault
    assert finding.kind is FindingKind.LEASED_TO_OTHER
    assert f"guest {WEB}" in finding.text
    assert f"guest {DB} and is to have 10.20.5.201" in finding.text


IDS = st.sampled_from([WEB, DB, NODE_A, NET_A, GONE, "x"])
PATHS = st.tuples(
    st.sampled_from([GUESTS, NODES, NETS]),
    IDS,
    st.sampled_from(["/metadata", "/heartbeat", "/guests/", "/subnets/", "/addresses/", "", "/"]),
    IDS | st.sampled_from(["", "10.20.0.37", "\u00e9"]),
).map("".join)
VALUES = IDS | st.sampled_from([*golden().values(), "{}", "[]", '{"ip":5}', "\x00"])


@given(st.dictionaries(PATHS | st.sampled_from(sorted(golden())), VALUES, max_size=30))
def test_nothing_is_too_odd_for_it(texts: dict[str, str]) -> None:
    findings = found(texts)
    assert len(set(findings)) == len(findings)
