"""What an instance does about the record of its service: a table, and any record at all."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.host import Credentials, Host, Infos
from lochkit.discovery.infos_policy import Duty, adoptable, plan_infos, shared_part
from lochkit.discovery.records import decode_infos
from lochkit.etcd.messages import KeyValue

PRIVATE = Host(name="a", service="web", uuid="x", user="me", password="mine")
PUBLIC = Host(name="a", service="web", uuid="x", ports={"http": "80"}, public=True)
BRINGS = Host(
    name="a", service="web", uuid="x", ports={"http": "80"}, public=True, user="n", password="new"
)
THERE = {"name": "web", "critical": False, "hostname": "a", "ports": {"http": "80"}, "public": True}
OTHER = THERE | {"hostname": "b", "user": "o", "password": "old", "note": 1}
QUIET = {"name": "web", "critical": False}


def test_what_all_instances_share_is_told_from_what_they_do_not() -> None:
    for host, same in ((PUBLIC, {"weight": 3, "user": "x"}), (PRIVATE, {"name": "b", "ports": {}})):
        assert shared_part(replace(host, **same)) == shared_part(host)
    for other in ({"ports": {"http": "81"}}, {"name": "b"}, {"public": False}, {"critical": True}):
        assert shared_part(replace(PUBLIC, **other)) != shared_part(PUBLIC)


def planned(
    host: Host, there: Any, duty: Duty, *, last: Infos | None = None, brings: bool | None = None
) -> Any:
    """What it writes, as JSON; None for nothing."""
    value = there if isinstance(there, bytes) else json.dumps(there).encode()
    kv = None if there is None else KeyValue(key=b"k", value=value, mod_revision=7)
    brings = bool(host.public and host.credentials) if brings is None else brings
    found = plan_infos(host, kv, duty, brings=brings, last=last)
    return None if found is None else json.loads(found)


@pytest.mark.parametrize(
    ("host", "there", "wanted"),
    [
        (PRIVATE, None, QUIET),
        (PRIVATE, QUIET, None),
        (PRIVATE, QUIET | {"critical": True, "note": 1}, QUIET | {"note": 1}),
        (PRIVATE, OTHER, None),
        (PRIVATE, b"junk", None),
        (PUBLIC, None, THERE),
        (PUBLIC, THERE, None),
        (PUBLIC, QUIET, THERE),
        (PUBLIC, OTHER, OTHER | {"hostname": "a"}),
        (PUBLIC, THERE | {"ports": {"http": 80}}, THERE),
        (PUBLIC, b"junk", THERE),
        (BRINGS, OTHER, OTHER | {"hostname": "a", "user": "n", "password": "new"}),
        (BRINGS, THERE | {"user": "n", "password": "new"}, None),
        (BRINGS, b'{"x":"\\ud800"}', THERE | {"user": "n", "password": "new", "x": "\ud800"}),
    ],
)
def test_who_starts(host: Host, there: Any, wanted: Any) -> None:
    assert planned(host, there, Duty.ASSERT) == wanted


@pytest.mark.parametrize("there", [QUIET, OTHER, THERE, b"junk", b"", b"{}"])
@pytest.mark.parametrize("host", [PRIVATE, PUBLIC, BRINGS])
def test_who_runs_leaves_alone_what_is_there(host: Host, there: Any) -> None:
    assert planned(host, there, Duty.KEEP) is None


def test_what_is_gone_is_put_back_as_it_was() -> None:
    last = decode_infos("web", json.dumps(OTHER).encode())[0]
    assert planned(BRINGS, None, Duty.KEEP, last=last) == OTHER | {"user": "n", "password": "new"}
    assert planned(PRIVATE, None, Duty.KEEP, last=last) == OTHER
    assert planned(PRIVATE, None, Duty.KEEP) == QUIET


@pytest.mark.parametrize("there", [None, OTHER, b"junk"])
def test_a_takeover_overwrites(there: Any) -> None:
    assert planned(PRIVATE, there, Duty.TAKEOVER) == QUIET
    assert planned(PUBLIC, there, Duty.TAKEOVER) == THERE


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b'{"public":true,"user":"u","password":"p"}', Credentials("u", "p")),
        (b'{"public":true}', Credentials()),
        (b'{"user":"u","password":"p"}', None),
        (b'{"public":true,"user":"u","password":"\\u0000"}', None),
        (b'{"public":true,"user":"\\ud800"}', None),
        (b'{"public":true,"user":"u","password":["p"]}', None),
        (b'{"public":true,"user":7,"password":"p"}', None),
        (b'{"public":true,"user":"u","password":"p","ports":{"http":80}}', Credentials("u", "p")),
        (b"", None),
        (b"[]", None),
    ],
)
def test_what_is_adopted(value: bytes, wanted: Credentials | None) -> None:
    assert adoptable("web", value) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(("name", "critical", "hostname", "user", "password", "ports", "public"))


@given(
    st.binary(max_size=40)
    | st.dictionaries(FIELDS | st.text(max_size=4), JSON, max_size=8).map(
        lambda found: json.dumps(found).encode()
    ),
    st.sampled_from((PRIVATE, PUBLIC, BRINGS)),
    st.sampled_from(list(Duty)),
)
def test_any_record_is_survived(value: bytes, host: Host, duty: Duty) -> None:
    kv = KeyValue(key=b"k", value=value, mod_revision=1)
    adoptable("web", value)
    written = plan_infos(host, kv, duty, brings=bool(host.credentials), last=None)
    if written is not None:
        infos, faults = decode_infos("web", written)
        assert not faults
        again = KeyValue(key=b"k", value=written, mod_revision=2)
        assert plan_infos(host, again, duty, brings=bool(host.credentials), last=None) is None
        assert infos.public == host.public
