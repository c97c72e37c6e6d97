"""What is found wrong with one record, and with the records of one service."""

from typing import Any

import pytest

from lochkit.discovery.doctor import Finding, FindingKind, Severity, examine
from lochkit.discovery.doctor_types import HOST_TYPES, type_faults
from lochkit.etcd.messages import KeyValue

from .stored import stored_host, stored_infos, uuid_of

GOOD = {"name": "h1", "ports": {"http": "80"}}
PRIVATE = stored_infos("web", {"name": "web", "critical": False})
PUBLIC = stored_infos(
    "web",
    {
        "name": "web",
        "critical": False,
        "public": True,
        "hostname": "web.example.com",
        "ports": {"http": "80"},
        "user": "user",
        "password": "hunter2",
    },
    mod=10,
)


def only(*entries: KeyValue) -> Finding:
    (one,) = examine(entries, leases={})
    assert "hunter" not in repr(one)
    return one


def public_host(number: int, **record: Any) -> KeyValue:
    hostname = f"node{number}"
    fields = {**GOOD, "public": True, "private_hostname": hostname, **record}
    return stored_host("web", uuid_of(number, hostname), fields)


@pytest.mark.parametrize("value", [b"", b"10.0.0.1:80", b"[]", b"\xff", b'{"password":"hunter2'])
def test_a_value_that_is_no_record(value: bytes) -> None:
    one = only(PRIVATE, stored_host("web", uuid_of(1), value))
    assert (one.severity, one.kind) == (Severity.ERROR, FindingKind.UNREADABLE)
    one = only(stored_infos("web", value), stored_host("web", uuid_of(1), GOOD))
    assert (one.severity, one.kind) == (Severity.ERROR, FindingKind.UNREADABLE)
    assert one.key == "/services_infos/web"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ports": {"http": 80}}, "ports.'http' should be text"),
        ({"ports": {"http": "80"}, "private_ports": {"a": 1}}, "private_ports.'a' should be text"),
        ({"Shard": 1}, "Shard should be text"),
        ({"critical": "true"}, "critical should be true or false"),
        ({"public": 0}, "public should be true or false"),
        ({"user": ["hunter2"], "shard": {}}, "user should be text; shard should be text"),
        ({"private_ports": []}, "private_ports should be an object"),
    ],
)
def test_a_type_that_go_fails_on(changes: dict[str, Any], text: str) -> None:
    one = only(PRIVATE, stored_host("web", uuid_of(1), {**GOOD, **changes}))
    assert (one.severity, one.kind) == (Severity.ERROR, FindingKind.GO_FAILS)
    assert one.text == f"readers in Go fail on the whole service: {text}"


def test_a_type_in_infos_that_go_fails_on() -> None:
    infos = stored_infos("web", {"name": "web", "critical": "no"})
    one = only(infos, stored_host("web", uuid_of(1), GOOD))
    assert (one.kind, one.key) == (FindingKind.GO_FAILS, "/services_infos/web")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"ports": None, "user": None, "public": None},
        {"ports": {"http": None}},
        {"theirs": 1, "lochkit": {"weight": "3"}, "hostname": 7},
    ],
)
def test_what_go_takes(record: dict[str, Any]) -> None:
    assert list(type_faults(record, HOST_TYPES)) == []


def test_a_record_that_says_it_is_another() -> None:
    record = {**GOOD, "uuid": "other", "service_name": "api"}
    findings = examine([PRIVATE, stored_host("web", uuid_of(1), record)], leases={})
    assert [(one.severity, one.kind) for one in findings] == [
        (Severity.WARNING, FindingKind.MISMATCH)
    ] * 2
    assert {word for one in findings for word in ("'other'", "'api'") if word in one.text} == {
        "'other'",
        "'api'",
    }


def test_infos_that_lead_readers_in_go_elsewhere() -> None:
    one = only(stored_infos("web", {"name": "api"}), stored_host("web", uuid_of(1), GOOD))
    assert (one.severity, one.kind) == (Severity.ERROR, FindingKind.MISMATCH)


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ({"weight": "3"}, "lochkit.weight is a string and should be a number"),
        ({"state": "dozing"}, "lochkit.state is none that is known"),
        ("x", "lochkit is a string and should be an object"),
    ],
)
def test_what_was_not_understood_of_ours(own: Any, text: str) -> None:
    one = only(PRIVATE, stored_host("web", uuid_of(1), {**GOOD, "lochkit": own}))
    assert (one.severity, one.kind, one.text) == (Severity.WARNING, FindingKind.ODD, text)


@pytest.mark.parametrize(
    ("record", "severity", "text"),
    [
        ({"ports": {"http": "80"}, "private_hostname": "p"}, Severity.WARNING, "no hostname"),
        ({"name": "a:b", "ports": {"http": "80"}}, Severity.WARNING, "'a:b' is neither"),
        ({"name": "h1", "ports": {"http": "x"}}, Severity.WARNING, "port http='x' is not"),
        (
            {**GOOD, "private_ports": {"http": "0"}},
            Severity.WARNING,
            "port http='0' is not",
        ),
        ({"name": "h1", "ports": {"ht tp": "80"}}, Severity.WARNING, "'ht tp' is no scheme"),
        ({"name": "h1"}, Severity.NOTE, "no port"),
    ],
)
def test_an_instance_that_nobody_can_reach(
    record: dict[str, Any], severity: Severity, text: str
) -> None:
    one = only(PRIVATE, stored_host("web", uuid_of(1), record))
    assert (one.severity, one.kind) == (severity, FindingKind.NO_ADDRESS)
    assert text in one.text


def test_a_public_service_that_nobody_can_reach() -> None:
    one = only(stored_infos("web", {"name": "web", "public": True}), public_host(1))
    assert (one.severity, one.kind) == (Severity.WARNING, FindingKind.NO_ADDRESS)
    assert one.key == "/services_infos/web"


@pytest.mark.parametrize(("lease", "severity"), [(7, Severity.NOTE), (0, Severity.WARNING)])
def test_who_leaves_and_is_still_there(lease: int, severity: Severity) -> None:
    record = {**GOOD, "lochkit": {"state": "leaving"}}
    findings = examine([PRIVATE, stored_host("web", uuid_of(1), record, lease=lease)], leases={})
    assert (severity, FindingKind.LEAVING) in [(one.severity, one.kind) for one in findings]


def test_instances_without_infos_are_told_once() -> None:
    entries = [
        stored_host("web", uuid_of(number), {**GOOD, "name": f"h{number}"}, create=9 - number)
        for number in (1, 2)
    ]
    one = only(*entries)
    assert (one.severity, one.kind) == (Severity.WARNING, FindingKind.NO_INFOS)
    assert one.key == f"/services/web/{uuid_of(2)}"


def test_infos_without_instances_lead_nowhere() -> None:
    one = only(PRIVATE)
    assert (one.severity, one.kind) == (Severity.NOTE, FindingKind.ORPHAN)
    one = only(PUBLIC)
    assert (one.severity, one.kind) == (Severity.WARNING, FindingKind.ORPHAN)
    assert "public address" in one.text


def test_a_service_of_unreadable_instances_is_no_orphan() -> None:
    assert only(PUBLIC, stored_host("web", uuid_of(1), b"")).kind is not FindingKind.ORPHAN


def test_infos_on_a_lease_would_go_with_their_writer() -> None:
    infos = stored_infos("web", {"name": "web"}, lease=7)
    one = only(infos, stored_host("web", uuid_of(1), GOOD))
    assert (one.kind, one.text) == (
        FindingKind.ODD,
        "it hangs on a lease, and will go with the instance that wrote it",
    )


def test_a_public_service_of_private_instances() -> None:
    one = only(PUBLIC, stored_host("web", uuid_of(1), GOOD))
    assert (one.severity, one.kind) == (Severity.WARNING, FindingKind.PUBLIC_MISMATCH)
    assert one.key == "/services_infos/web"


def test_a_public_instance_of_a_private_service() -> None:
    one = only(PRIVATE, public_host(1))
    assert (one.severity, one.kind) == (Severity.WARNING, FindingKind.PUBLIC_MISMATCH)
    assert one.key.endswith("node1")


ADOPTED = {"user": "user", "password": "hunter2"}


@pytest.mark.parametrize(
    ("record", "severity"),
    [
        (ADOPTED, None),
        ({"user": "user", "lochkit": {"credentials": 10}}, None),
        ({"lochkit": {"credentials": 11}}, None),
        ({"user": "user", "lochkit": {"credentials": 9}}, Severity.NOTE),
        ({"user": "user", "password": "hunter1"}, Severity.WARNING),
        ({"user": "user", "password": "hunter1", "lochkit": {"credentials": 10}}, Severity.WARNING),
        ({"user": "other", "password": "hunter2"}, Severity.WARNING),
        ({}, Severity.WARNING),
    ],
)
def test_who_has_other_credentials_than_its_service(
    record: dict[str, Any], severity: Severity | None
) -> None:
    findings = examine([PUBLIC, public_host(1, **record)], leases={})
    expected = [(severity, FindingKind.CREDENTIALS)] if severity else []
    assert [(one.severity, one.kind) for one in findings] == expected
    assert "hunter" not in repr(findings)


def test_a_service_without_credentials_asks_for_none() -> None:
    infos = stored_infos(
        "web", {"name": "web", "public": True, "hostname": "h", "ports": {"http": "80"}}
    )
    assert examine([infos, public_host(1)], leases={}) == ()
    one = only(infos, public_host(1, **ADOPTED))
    assert one.kind is FindingKind.CREDENTIALS


def test_passwords_that_others_keep_out_of_their_records() -> None:
    silent = {"user": "user", "lochkit": {"credentials": 10}}
    one = only(PUBLIC, public_host(1, **ADOPTED), public_host(2, **silent))
    assert (one.severity, one.kind) == (Severity.NOTE, FindingKind.PASSWORDS)
    assert one.key.endswith("node1")
    both = [PUBLIC, public_host(1, **ADOPTED), public_host(2, **ADOPTED)]
    assert examine(both, leases={}) == ()
