"""What people and programs are shown of the registry, and what they are not."""

import json
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest

from lochkit.discovery.events import Cause, Event, Kind
from lochkit.discovery.host import Host, Infos, Instance, State
from lochkit.discovery.lookup import Fault, Service
from lochkit.discovery.showing import (
    REDACTED,
    Selection,
    changed_fields,
    event_cells,
    event_fields,
    infos_fields,
    instance_fields,
    instance_named,
    instance_rows,
    service_fields,
    service_rows,
)

SECRET = "s3cr3t-of-all"
HOST = Host(
    name="app1.example.com",
    service="web",
    ports={"https": "443", "http": "80"},
    user="app",
    password=SECRET,
    public=True,
    private_hostname="app1",
    private_ports={"http": "8080"},
    shard="eu",
    uuid="0a-app1",
    tags=("blue",),
    meta={"rack": "7"},
    version="1.2",
)
INFOS = Infos(name="web", hostname="web.example.com", user="app", password=SECRET, public=True)
ALL = Selection()


def instance(
    uuid: str, state: State = State.PASSING, shard: str = "", lease: int = 255
) -> Instance:
    host = replace(HOST, uuid=uuid, state=state, shard=shard)
    return Instance(service="web", uuid=uuid, host=host, create_revision=5, lease=lease)


SERVICE = Service(
    name="web",
    infos=INFOS,
    instances=(
        instance("a-1"),
        instance("b-1", State.CRITICAL, "eu"),
        instance("c-1", State.LEAVING),
        instance("d-1", State.CRITICAL),
    ),
    faults=(Fault("/services/web/x", "the value is not JSON"),),
    revision=7,
)


def test_no_password_unless_asked_for() -> None:
    event = Event(kind=Kind.CHANGED, service="web", uuid="a", host=HOST, previous=HOST)
    infos = Event(kind=Kind.INFOS, service="web", infos=INFOS)
    down = Event(kind=Kind.DOWN, service="web", uuid="a", host=HOST, cause=Cause.LEFT)
    for secrets in (False, True):
        told = json.dumps(
            [
                service_fields(SERVICE, ALL, secrets=secrets),
                infos_fields(INFOS, secrets=secrets),
                instance_fields(instance("a"), secrets=secrets),
                *(event_fields(one, secrets=secrets) for one in (event, infos, down)),
            ]
        )
        assert told.count(SECRET) == (0 if not secrets else 10)
        assert (REDACTED in told) is not secrets
    rows = [*service_rows([SERVICE], ALL), *instance_rows(SERVICE.instances)]
    cells = [*rows, *map(event_cells, (event, infos, down))]
    assert SECRET not in repr(cells)


def test_no_password_is_not_shown_as_one() -> None:
    assert infos_fields(Infos(name="web"), secrets=False)["password"] == ""


@pytest.mark.parametrize(
    ("selection", "uuids"),
    [
        (ALL, ["a-1", "b-1", "c-1", "d-1"]),
        (Selection(passing=True), ["a-1"]),
        (Selection(shard="eu"), ["b-1"]),
        (Selection(shard="eu", passing=True), []),
    ],
)
def test_selection(selection: Selection, uuids: list[str]) -> None:
    assert [one.uuid for one in selection.instances(SERVICE)] == uuids
    shown = service_fields(SERVICE, selection, secrets=False)["instances"]
    assert [one["uuid"] for one in shown] == uuids


def test_an_event_concerns_who_was_shown_or_is() -> None:
    passing, critical = HOST, replace(HOST, state=State.CRITICAL)
    left = Event(kind=Kind.CHANGED, service="web", host=critical, previous=passing)
    never = Event(kind=Kind.CHANGED, service="web", host=critical, previous=critical)
    assert Selection(passing=True).concerns(left)
    assert not Selection(passing=True).concerns(never)
    assert not Selection(shard="us").concerns(left)
    assert Selection(shard="us").concerns(Event(kind=Kind.STALE, service=""))
    assert Selection(shard="us").concerns(Event(kind=Kind.INFOS, service="web", infos=INFOS))


def test_every_field_of_a_host_that_differs_is_told() -> None:
    other: dict[str, Any] = {
        "ports": {"http": "81"},
        "private_ports": {},
        "public": False,
        "critical": True,
        "state": State.MAINTENANCE,
        "weight": 3,
        "tags": (),
        "meta": {},
        "credentials_revision": 9,
        "extra": {"x": 1},
        "extra_own": {"x": 1},
    }
    key_of_its_own = {"service", "uuid"}  # they are the key: if they differ it is another instance
    for field in fields(Host):
        if field.name not in key_of_its_own:
            changed = replace(HOST, **{field.name: other.get(field.name, "other")})
            assert len(changed_fields(HOST, changed)) == 1, field.name
    assert changed_fields(HOST, HOST) == ()
    assert changed_fields(HOST, replace(HOST, password="x")) == ("credentials",)


def test_rows_of_services() -> None:
    private = Service(name="db", infos=Infos(name="db"), instances=())
    head, web, db = service_rows([SERVICE, private], ALL)
    assert len(head) == len(web) == len(db)
    assert web == ("web", "1", "2 critical, 1 leaving, 1 faulty", "web.example.com")
    assert db == ("db", "0", "-", "-")
    twice = replace(SERVICE, faults=(Fault("/k", "odd"), Fault("/k", "odder")))
    assert list(service_rows([twice], ALL))[1][2].endswith(", 1 faulty")


def test_rows_of_instances() -> None:
    one = replace(instance("a-1", lease=0), faults=("odd",))
    head, row = instance_rows([one])
    assert len(head) == len(row)
    assert row[:5] == (
        "a-1",
        "passing",
        "app1.example.com http=80 https=443",
        "app1 http=8080",
        "-",
    )
    assert row[5] == "public, no lease, version 1.2, tag blue, rack=7, fault: odd"


AT = "app1.example.com http=80 https=443"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Event(kind=Kind.NEW, service="web", uuid="a", host=HOST), AT),
        (
            Event(kind=Kind.NEW, service="w", host=replace(HOST, state=State.CRITICAL)),
            f"{AT} critical",
        ),
        (Event(kind=Kind.DOWN, service="w", host=HOST, cause=Cause.EXPIRED), f"expired {AT}"),
        (
            Event(
                kind=Kind.DOWN,
                service="w",
                host=replace(HOST, state=State.LEAVING),
                cause=Cause.LEFT,
            ),
            f"left {AT}",
        ),
        (
            Event(
                kind=Kind.CHANGED,
                service="w",
                host=replace(HOST, state=State.CRITICAL, user="x"),
                previous=HOST,
            ),
            f"{AT} passing -> critical credentials",
        ),
        (Event(kind=Kind.INFOS, service="w", infos=INFOS), "public: web.example.com"),
        (Event(kind=Kind.INFOS, service="w", infos=Infos()), "private"),
        (Event(kind=Kind.INFOS, service="w"), "gone or unreadable"),
        (Event(kind=Kind.STALE, service=""), "etcd is away: nothing is known to change"),
        (Event(kind=Kind.FRESH, service="", synthetic=True), "etcd is back (as found)"),
    ],
)
def test_events_in_words(event: Event, told: str) -> None:
    assert event_cells(event) == (
        event.kind.value,
        event.service or "-",
        event.uuid or "-",
        told,
    )


def test_fields_of_an_event() -> None:
    event = Event(
        kind=Kind.DOWN, service="web", uuid="a-1", host=HOST, cause=Cause.REMOVED, revision=4
    )
    found = event_fields(event, secrets=False)
    assert (found["kind"], found["cause"], found["revision"]) == ("down", "removed", 4)
    assert found["host"]["ports"] == {"http": "80", "https": "443"}
    assert found["previous_state"] == ""


def test_a_lease_is_shown_as_etcdctl_does() -> None:
    assert instance_fields(instance("a", lease=0x694D), secrets=False)["lease"] == "694d"
    assert instance_fields(instance("a", lease=0), secrets=False)["lease"] == ""


UUIDS = ("0a1b-app1", "0a1b-app10", "0a2c-app1")


@pytest.mark.parametrize(
    ("word", "uuid"), [("0a2c", "0a2c-app1"), ("0a1b-app1", "0a1b-app1"), ("0a1b-app10", None)]
)
def test_an_instance_is_named_by_its_beginning(word: str, uuid: str | None) -> None:
    assert instance_named(word, UUIDS) == (uuid or word)


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("", "too short: write 4"),
        ("0", "too short: write 4"),
        ("0a2", "too short: write 4"),
        ("ffff", "there is no instance"),
        ("f", "there is no instance"),
        ("0a1b", "may be"),
        ("0a1b-app", "may be"),
    ],
)
def test_no_instance_is_guessed(word: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        instance_named(word, UUIDS)


def test_the_states_are_counted_in_one_order() -> None:
    rows = list(service_rows([SERVICE], ALL))
    order = [state.value for state in State]
    found = [word.split()[1] for word in rows[1][2].split(", ")[:2]]
    assert all(order.index(a) < order.index(b) for a, b in pairwise(found))
