"""What is found wrong in a registry as a whole: leases, names, ports, what is published."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.coredns import CoreDns
from lochkit.discovery.defaults import complete, infos_of
from lochkit.discovery.doctor import (
    Finding,
    FindingKind,
    Severity,
    examine,
    leases_of,
)
from lochkit.discovery.host import Host
from lochkit.discovery.layout import DEFAULT_LAYOUT, Layout
from lochkit.discovery.records import encode_host, encode_infos
from lochkit.discovery.traefik import Traefik
from lochkit.etcd.messages import KeyValue, LeaseTimeToLiveResponse

from .stored import stored_host, stored_infos, uuid_of

Lease = LeaseTimeToLiveResponse
GOOD = {"name": "h1", "ports": {"http": "80"}}
PRIVATE = stored_infos("web", {"name": "web", "critical": False})


def found(
    entries: Iterable[KeyValue], leases: dict[int, Lease | None] | None = None, **more: Any
) -> list[tuple[Severity, FindingKind, str]]:
    findings = examine(entries, leases=leases or {}, **more)
    return [(one.severity, one.kind, one.key) for one in findings]


def published(key: str, value: Any, *, lease: int = 7) -> KeyValue:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return KeyValue(key=key.encode(), value=data, lease=lease)


def registry(layout: Layout = DEFAULT_LAYOUT) -> list[KeyValue]:
    """What two public and one private instance write that use all there is."""
    entries = []
    for number, service in enumerate(["web", "web", "api"]):
        host = Host(
            name=f"{service}.example.com",
            ports={"http": "80", "alt": "80"},
            public=service == "web",
            user="user",
            password="password",
            private_hostname=f"node{number}",
            tags=("a",),
            weight=2,
        )
        host = complete(host, service, uuid4=uuid_of(number)[:36], machine="m")
        key = layout.instance_key(service, host.uuid)
        entries.append(
            KeyValue(key=key, value=encode_host(host), create_revision=1, lease=number + 1)
        )
        infos = KeyValue(key=layout.infos_key(service), value=encode_infos(infos_of(host)))
        if infos not in entries:
            entries.append(infos)
    return entries


@pytest.mark.parametrize("layout", [DEFAULT_LAYOUT, Layout(namespace="/blue")])
def test_there_is_nothing_wrong_with_what_we_write(layout: Layout) -> None:
    entries = registry(layout)
    leases = {lease: Lease(ID=lease, TTL=4, grantedTTL=5) for lease in leases_of(entries)}
    host = Host(uuid=uuid_of(1), private_hostname="10.0.0.1", private_ports={"http": "80"})
    dns = [
        KeyValue(key=key, value=value, lease=1)
        for key, value in CoreDns(("web.example.com",), weight=3).keys(host).items()
    ]
    proxy = Traefik("web", rule="Host(`a`)")
    traefik = [KeyValue(key=key, lease=1) for key in proxy.keys(host)]
    traefik += [KeyValue(key=key) for key in proxy.shared_keys(host)]
    assert leases_of(entries) == {1, 2, 3}
    assert len(entries) == 5
    assert examine(entries, leases=leases, layout=layout, dns=dns, traefik=traefik) == ()


@pytest.mark.parametrize(
    ("left", "granted", "expected"),
    [
        (5, 5, None),
        (2, 5, None),
        (1, 5, (Severity.WARNING, FindingKind.OVERDUE)),
        (0, 5, (Severity.WARNING, FindingKind.OVERDUE)),
        (1, 2, None),
        (0, 2, (Severity.WARNING, FindingKind.OVERDUE)),
        (20, 60, None),
        (19, 60, (Severity.WARNING, FindingKind.OVERDUE)),
        (-1, 0, (Severity.NOTE, FindingKind.LEASE_GONE)),
    ],
)
def test_how_late_an_instance_is_etcd_itself_tells(
    left: int, granted: int, expected: tuple[Severity, FindingKind] | None
) -> None:
    kv = stored_host("web", uuid_of(1), GOOD, lease=0x2A)
    leases: dict[int, Lease | None] = {0x2A: Lease(ID=0x2A, TTL=left, grantedTTL=granted)}
    wanted = [(*expected, f"/services/web/{uuid_of(1)}")] if expected else []
    assert found([PRIVATE, kv], leases) == wanted
    texts = [one.text for one in examine([PRIVATE, kv], leases=leases)]
    assert all("its lease 2a " in text for text in texts)


def test_of_a_lease_that_was_not_asked_for_nothing_is_said() -> None:
    kv = stored_host("web", uuid_of(1), GOOD, lease=9)
    assert found([PRIVATE, kv], {}) == found([PRIVATE, kv], {9: None}) == []


def test_an_instance_without_a_lease_never_ends() -> None:
    kv = stored_host("web", uuid_of(1), GOOD, lease=0)
    key = f"/services/web/{uuid_of(1)}"
    assert found([PRIVATE, kv]) == [(Severity.WARNING, FindingKind.NO_LEASE, key)]
    assert leases_of([PRIVATE, kv]) == frozenset()


@pytest.mark.parametrize(
    ("service", "uuid", "severity"),
    [
        ("web", f"{uuid_of(1)}/sub", Severity.ERROR),
        ("_web", uuid_of(1), Severity.WARNING),
        ("web", "_hidden", Severity.WARNING),
        ("wéb", uuid_of(1), Severity.WARNING),
    ],
)
def test_names_that_are_not_found_by_all(service: str, uuid: str, severity: Severity) -> None:
    kv = stored_host(service, uuid, GOOD)
    infos = stored_infos(service, {})
    expected = {(severity, FindingKind.NAME, kv.key.decode())}
    if service != "web":
        expected.add((severity, FindingKind.NAME, infos.key.decode()))
    assert set(found([kv, infos])) == expected


def test_infos_below_infos_are_of_no_service() -> None:
    kinds = [kind for _, kind, _ in found([stored_infos("web/x", {})])]
    assert kinds == [FindingKind.NAME, FindingKind.ORPHAN]


@pytest.mark.parametrize("key", ["/services/web", "/services/web/", "/other"])
def test_a_key_that_is_none_of_the_registrys(key: str) -> None:
    assert found([KeyValue(key=key.encode())]) == [(Severity.WARNING, FindingKind.NAME, key)]


def test_two_instances_cannot_have_one_port() -> None:
    entries = [
        PRIVATE,
        stored_host("web", uuid_of(1), {**GOOD, "private_hostname": "Node"}, create=5),
        stored_host("web", uuid_of(2), {**GOOD, "private_hostname": "node"}, create=4),
        stored_host("web", uuid_of(3), {**GOOD, "private_hostname": "other"}, create=3),
    ]
    # The older one was there first.
    younger = f"/services/web/{uuid_of(1)}"
    for listed in (entries, entries[::-1]):
        assert found(listed) == [(Severity.WARNING, FindingKind.SAME_PORT, younger)]
        (one,) = examine(listed, leases={})
        assert f"/services/web/{uuid_of(2)}" in one.text


def test_one_server_may_stand_for_two_services() -> None:
    api = {**GOOD, "private_ports": {"http": "80"}}
    entries = [
        *(PRIVATE, stored_infos("api", {"name": "api"})),
        *(stored_host("web", uuid_of(1), GOOD), stored_host("api", uuid_of(2), api, create=2)),
    ]
    key = f"/services/api/{uuid_of(2)}"
    assert found(entries) == [(Severity.NOTE, FindingKind.SAME_PORT, key)]


def test_other_ports_and_hosts_are_no_trouble() -> None:
    entries = [
        PRIVATE,
        stored_host("web", uuid_of(1), {**GOOD, "ports": {"http": "80", "https": "80"}}),
        stored_host("web", uuid_of(2), {**GOOD, "private_ports": {"http": "81"}}),
        stored_host("web", uuid_of(3), {**GOOD, "private_hostname": "h2"}),
    ]
    assert found(entries) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"junk", "the value is not JSON"),
        ([], "an object: a list"),
        ({"host": "10.0.0.1", "port": "80"}, "port should be a whole number"),
        ({"host": "10.0.0.1", "ttl": 30.5}, "ttl should be a whole number"),
        ({"host": 10, "mail": 1}, "host should be text; mail should be true or false"),
        ({"Priority": True}, "Priority should be a whole number"),
    ],
)
def test_a_dns_record_that_fails_the_whole_answer(value: Any, text: str) -> None:
    dns = [published("/skydns/com/example/web/a", value)]
    (one,) = examine([], leases={}, dns=dns)
    assert (one.severity, one.kind) == (Severity.ERROR, FindingKind.PUBLISHED_UNREADABLE)
    assert text in one.text


def test_published_keys_of_instances_end_with_them() -> None:
    uuid = uuid_of(1)[:36]
    dns = [
        published(f"/skydns/com/example/web/{uuid}", {"host": "10.0.0.1"}, lease=0),
        published(f"/skydns/com/example/web/{uuid}-1", {"host": "10.0.0.1"}, lease=0),
        published("/skydns/com/example/ns1", {"host": "10.0.0.1"}, lease=0),
    ]
    traefik = [
        published("traefik/http/services/web/loadBalancer/servers/0/url", b"http://a", lease=0),
        published("traefik/http/routers/web/rule", b"Host(`a`)", lease=0),
        published("/traefik/http/routers/web/rule", b"Host(`a`)", lease=0),
    ]
    assert found([], dns=dns, traefik=traefik) == [
        (Severity.WARNING, FindingKind.PUBLISHED_UNREADABLE, "/traefik/http/routers/web/rule"),
        (Severity.WARNING, FindingKind.NO_LEASE, f"/skydns/com/example/web/{uuid}"),
        (Severity.WARNING, FindingKind.NO_LEASE, f"/skydns/com/example/web/{uuid}-1"),
        (
            Severity.NOTE,
            FindingKind.NO_LEASE,
            "traefik/http/services/web/loadBalancer/servers/0/url",
        ),
    ]


def test_the_worst_comes_first_and_each_has_a_remedy() -> None:
    entries = [
        stored_infos("lonely", {"name": "lonely"}),
        stored_host("web", uuid_of(1), GOOD, lease=0),
        stored_host("web", uuid_of(2), b"junk"),
    ]
    findings = examine(entries, leases={})
    order = list(Severity)
    assert [order.index(one.severity) for one in findings] == [0, 1, 1, 2]
    assert all(one.text and one.remedy for one in findings)
    assert findings == examine(entries[::-1], leases={})


keys = st.sampled_from([b"/services/", b"/services_infos/", b""])
stored = st.builds(
    KeyValue,
    key=st.tuples(keys, st.binary(max_size=12)).map(b"web/".join) | st.just(b"/services/web/x"),
    value=st.binary(max_size=12) | st.just(b'{"public":true,"lochkit":{"state":"leaving"}}'),
    lease=st.integers(0, 2),
)


@given(st.lists(stored, max_size=6), st.integers(-1, 5))
def test_any_registry_can_be_examined(entries: list[KeyValue], left: int) -> None:
    leases = {1: Lease(TTL=left, grantedTTL=5), 2: None}
    findings = examine(entries, leases=leases, dns=entries, traefik=entries)
    assert all(isinstance(one, Finding) for one in findings)
