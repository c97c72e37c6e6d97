"""Records for CoreDNS: their keys and values field by field."""

import json
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.coredns import CoreDns
from lochkit.discovery.doctor_types import DNS_TYPES, type_faults
from lochkit.discovery.errors import InvalidHost, InvalidName
from lochkit.discovery.host import Host

from .stored import UUID4

NAME = "web.prod.example.com"
BELOW = "/skydns/com/example/prod/web"
HOST = Host(
    name="public.example.com",
    service="web",
    uuid=f"{UUID4}-node1.example.com",
    ports={"http": "80"},
    private_hostname="node1.example.com",
    private_ports={"http": "8080"},
)


def published(dns: CoreDns, host: Host = HOST) -> dict[str, Any]:
    return {key.decode(): json.loads(value) for key, value in dns.keys(host).items()}


def test_an_address_is_a_leaf_of_its_name_byte_for_byte() -> None:
    dns = CoreDns((NAME,), addresses=("10.0.0.127",), ptr=False)
    assert dns.keys(HOST) == {
        f"{BELOW}/{UUID4}".encode(): b'{"host":"10.0.0.127","port":8080,"ttl":30}'
    }


def test_all_fields_have_the_types_that_coredns_wants() -> None:
    dns = CoreDns(
        (NAME,), addresses=("10.0.0.1",), ptr=False, ttl=5, priority=20, weight=50, group="g1"
    )
    (value,) = dns.keys(HOST).values()
    assert value == (
        b'{"host":"10.0.0.1","port":8080,"priority":20,"weight":50,"ttl":5,"group":"g1"}'
    )
    assert list(type_faults(json.loads(value), DNS_TYPES)) == []


def test_the_private_hostname_is_the_target_where_no_address_is_given() -> None:
    record = {"host": "node1.example.com", "port": 8080, "ttl": 30}
    assert published(CoreDns((NAME,))) == {f"{BELOW}/{UUID4}": record}
    host = replace(HOST, private_hostname="10.1.2.3")
    assert published(CoreDns((NAME,)), host)[f"{BELOW}/{UUID4}"]["host"] == "10.1.2.3"
    host = replace(HOST, private_hostname="", name="Host.internal.")
    assert published(CoreDns((NAME,)), host)[f"{BELOW}/{UUID4}"]["host"] == "host.internal"


def test_names_are_in_lower_case_and_without_their_last_dot() -> None:
    assert published(CoreDns(("WEB.Prod.example.COM.",))) == published(CoreDns((NAME,)))


@pytest.mark.parametrize("path", ["/dns/prod", "dns/prod/", "/dns/prod/"])
def test_the_path_is_the_plugins(path: str) -> None:
    assert list(CoreDns(("a.b",), path=path).keys(HOST)) == [f"/dns/prod/b/a/{UUID4}".encode()]


def test_each_name_and_each_address_has_a_leaf() -> None:
    dns = CoreDns(("a.b", "c.b"), addresses=("10.0.0.1", "2001:DB8::1", "10.0.0.1"), ptr=False)
    hosts = {key: record["host"] for key, record in published(dns).items()}
    assert hosts == {
        f"/skydns/b/a/{UUID4}": "10.0.0.1",
        f"/skydns/b/a/{UUID4}-1": "2001:db8::1",
        f"/skydns/b/c/{UUID4}": "10.0.0.1",
        f"/skydns/b/c/{UUID4}-1": "2001:db8::1",
    }


def test_an_address_is_named_by_its_own_key() -> None:
    dns = CoreDns((NAME, "other.example.com"), addresses=("10.0.0.127", "2001:db8::1"), ttl=7)
    found = published(dns)
    named = {"host": f"{NAME}.", "ttl": 7}
    assert found["/skydns/arpa/in-addr/10/0/0/127"] == named
    nibbles = "/".join("20010db8" + "0" * 23 + "1")
    assert found[f"/skydns/arpa/ip6/{nibbles}"] == named
    assert len(found) == 6


def test_an_address_of_version_4_in_one_of_6_is_that_of_version_4() -> None:
    found = published(CoreDns((NAME,), addresses=("::ffff:10.0.0.1",)))
    assert found[f"{BELOW}/{UUID4}"]["host"] == "10.0.0.1"
    assert "/skydns/arpa/in-addr/10/0/0/1" in found


def test_srv_names_take_the_place_of_the_plain_one() -> None:
    host = replace(HOST, private_ports={"http": "80", "dns": "53"})
    found = published(CoreDns((NAME,), srv=("http", "dns/UDP")), host)
    assert {key: record["port"] for key, record in found.items()} == {
        f"{BELOW}/_tcp/_http/{UUID4}": 80,
        f"{BELOW}/_udp/_dns/{UUID4}": 53,
    }


@pytest.mark.parametrize(
    ("ports", "scheme", "port"),
    [
        ({"https": "443", "http": "80"}, "", 80),
        ({"https": "443", "a": "1"}, "", 443),
        ({"a": "1"}, "", 1),
        ({"a": "1", "b": "2"}, "b", 2),
    ],
)
def test_which_port_is_told(ports: dict[str, str], scheme: str, port: int) -> None:
    dns = CoreDns((NAME,), scheme=scheme)
    found = published(dns, replace(HOST, private_ports=ports))
    assert found[f"{BELOW}/{UUID4}"]["port"] == port


def test_a_host_without_ports_has_none_there() -> None:
    host = replace(HOST, ports=None, private_ports={})
    assert "port" not in published(CoreDns((NAME,)), host)[f"{BELOW}/{UUID4}"]


@pytest.mark.parametrize(
    ("of_host", "given", "found"),
    [(1, None, None), (2, None, 200), (0, None, 1), (5, 7, 7), (1000, None, 65535), (1, 100, 100)],
)
def test_a_weight_is_in_proportion_to_records_without(
    of_host: int, given: int | None, found: int | None
) -> None:
    dns = CoreDns((NAME,), weight=given)
    record = published(dns, replace(HOST, weight=of_host))[f"{BELOW}/{UUID4}"]
    assert record.get("weight") == found


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ()},
        {"names": ("",)},
        {"names": ("a..b",)},
        {"names": (".a",)},
        {"names": ("*.example.com",)},
        {"names": ("a b",)},
        {"names": ("a/b",)},
        {"names": ("-a.b",)},
        {"names": ("a-.b",)},
        {"names": ("bücher.example",)},
        {"names": ("a" * 64 + ".b",)},
        {"names": (".".join(["a" * 60] * 4),)},
        {"names": (".".join(["a" * 49] * 4),), "srv": ("some-long-service-name",)},
        {"path": ""},
        {"path": "/"},
        {"path": "/a//b"},
        {"path": "/a b"},
        {"ttl": 0},
        {"ttl": 8 * 86_400},
        {"priority": -1},
        {"priority": 65536},
        {"weight": 0},
        {"weight": 65536},
        {"srv": ("a_b",)},
        {"srv": ("http/sctp",)},
        {"srv": ("",)},
        {"group": "a\nb"},
    ],
)
def test_what_coredns_could_not_answer_for_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidHost):
        CoreDns(**{"names": (NAME,), **changes})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"addresses": ("10.0.0.1", "a.example.com")}, "there can be no other beside it"),
        ({"addresses": ("node1",)}, "leads nowhere in DNS"),
        ({"addresses": ("fe80::1%eth0",)}, "on its own link only"),
        ({"addresses": ("0.0.0.0",)}, "nobody's address"),
        ({"addresses": ("::",)}, "nobody's address"),
        ({"addresses": (NAME,)}, "would lead to itself"),
        ({"addresses": (f"x.{NAME}.",)}, "would lead to itself"),
        ({"addresses": ("a b",)}, "is no name for DNS"),
        ({"scheme": "ftp"}, "no port for 'ftp'"),
        ({"srv": ("ftp",)}, "no port for 'ftp'"),
    ],
)
def test_where_a_name_cannot_lead(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidHost, match=why):
        CoreDns((NAME,), **changes).keys(HOST)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"uuid": "node1"}, "does not begin with a UUID"),
        ({"private_ports": {"a": "1", "b": "2"}}, "which port"),
        ({"private_ports": {"http": "x"}}, "is not a number from 1 to 65535"),
        ({"private_ports": {"http": "٨٠"}}, "is not a number from 1 to 65535"),
        ({"private_hostname": "", "name": ""}, "is no name for DNS"),
    ],
)
def test_which_host_cannot_be_published(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidHost, match=why):
        CoreDns((NAME,)).keys(replace(HOST, **changes))


def test_the_longest_name_still_has_room_for_its_leaf() -> None:
    name = ".".join(["a" * 49] * 4) + ".example.com"
    (key,) = CoreDns((name,)).keys(HOST)
    labels = key.decode().removeprefix("/skydns/").split("/")
    assert len(".".join(labels)) <= 253
    assert CoreDns((f"a.{name}",)).keys(HOST)  # 253 characters with an id and two digits
    with pytest.raises(InvalidName, match="1 characters too long"):
        CoreDns((f"ab.{name}",))
    with pytest.raises(InvalidName, match="9 characters too long"):
        CoreDns((f"abcdefghij.{name}",))


def test_nothing_is_shared_by_instances_and_equals_are_equal() -> None:
    assert CoreDns((NAME,)).shared_keys(HOST) == {}
    assert len({CoreDns((NAME,)), CoreDns((NAME,)), CoreDns((NAME,), ttl=31)}) == 2


labels = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,8}[A-Za-z0-9_])?", fullmatch=True)


@given(
    st.lists(st.lists(labels, min_size=1, max_size=5).map(".".join), min_size=1, max_size=3),
    st.lists(st.ip_addresses().map(str), min_size=1, max_size=3),
    st.integers(0, 2**31 - 1),
)
def test_whatever_is_published_can_be_decoded(
    names: list[str], addresses: list[str], weight: int
) -> None:
    dns = CoreDns(tuple(names), addresses=tuple(addresses))
    try:
        found = published(dns, replace(HOST, weight=weight))
    except InvalidHost as exc:
        assert "nobody's address" in str(exc)  # noqa: PT017 - it may be among the addresses
        return
    for key, record in found.items():
        parts = key.split("/")
        assert parts[:2] == ["", "skydns"]
        assert all(part and part == part.lower() and len(part) <= 63 for part in parts[2:])
        assert list(type_faults(record, DNS_TYPES)) == []
        assert record.keys() <= DNS_TYPES.keys()
        assert record["ttl"] == 30
        if parts[2] != "arpa" or record["host"][-1] != ".":
            ip_address(record["host"])
