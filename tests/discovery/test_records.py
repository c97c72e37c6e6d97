"""The records byte for byte, and what is made of those that others wrote."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lochkit.discovery.errors import BadRecord, InvalidHost, InvalidName
from lochkit.discovery.host import Credentials, Host, Infos, State
from lochkit.discovery.records import (
    decode_host,
    decode_infos,
    decode_instance,
    encode_host,
    encode_infos,
)

from .stored import UUID4

ID = f"{UUID4}-x"
MINIMAL = Host(name="x", service="minimal", private_hostname="x", uuid=ID)
FULL = Host(
    name="web.example.com",
    service="web",
    ports={"https": "443", "http": "80"},
    user="üser",
    password="p<&>w",
    public=True,
    private_hostname="node1",
    private_ports={"http": "8080"},
    critical=True,
    shard="s1",
    uuid=f"{UUID4}-node1",
    state=State.CRITICAL,
    weight=3,
    tags=("b", "a"),
    meta={"z": "1", "a": "2"},
    version="1.2.3",
    zone="z1",
    credentials_revision=17,
    extra={"theirs": [1, {"x": None}]},
    extra_own={"later": True},
)


@pytest.mark.parametrize(
    ("host", "value"),
    [
        (
            MINIMAL,
            '{"name":"x","service_name":"minimal","ports":null,"private_hostname":"x",'
            f'"uuid":"{ID}"}}',
        ),
        (
            replace(MINIMAL, name="", ports={}, private_hostname="", weight=0),
            f'{{"name":"","service_name":"minimal","ports":{{}},"uuid":"{ID}",'
            '"lochkit":{"weight":0}}',
        ),
        (
            FULL,
            '{"name":"web.example.com","service_name":"web","ports":{"http":"80","https":"443"},'
            '"user":"üser","password":"p\\u003c\\u0026\\u003ew","public":true,'
            '"private_hostname":"node1","private_ports":{"http":"8080"},"critical":true,'
            f'"shard":"s1","uuid":"{UUID4}-node1","lochkit":{{"state":"critical","tags":["b","a"],'
            '"meta":{"a":"2","z":"1"},"version":"1.2.3","zone":"z1","credentials":17,"weight":3,'
            '"later":true},"theirs":[1,{"x":null}]}',
        ),
    ],
)
def test_a_host_is_written_as_go_writes_it(host: Host, value: str) -> None:
    assert encode_host(host).decode() == value
    assert decode_host(value.encode()) == (host, ())


@pytest.mark.parametrize(
    ("infos", "value"),
    [
        (Infos(name="mix"), '{"name":"mix","critical":false}'),
        (
            Infos(
                name="web",
                critical=True,
                hostname="web.example.com",
                user="user",
                password="pw",
                ports={"https": "443", "http": "80"},
                public=True,
                extra={"theirs": 1},
            ),
            '{"name":"web","critical":true,"hostname":"web.example.com","user":"user",'
            '"password":"pw","ports":{"http":"80","https":"443"},"public":true,"theirs":1}',
        ),
    ],
)
def test_infos_are_written_as_go_writes_them(infos: Infos, value: str) -> None:
    assert encode_infos(infos).decode() == value
    assert decode_infos(infos.name, value.encode()) == (infos, ())


def test_a_record_of_version_2_is_read() -> None:
    value = b'{"Name":"h1","Ports":{"http":"80"},"User":"u","Password":"p"}'
    instance = decode_instance("web", "h1", value)
    host = Host(name="h1", service="web", ports={"http": "80"}, user="u", password="p", uuid="h1")
    assert (instance.host, instance.faults) == (host, ())


def test_an_empty_record_is_a_host() -> None:
    instance = decode_instance("web", ID, b"{}", create_revision=3, mod_revision=5, lease=7)
    assert instance.host == Host(service="web", uuid=ID)
    assert (instance.create_revision, instance.mod_revision, instance.lease) == (3, 5, 7)
    assert instance.faults == ()


def test_a_numeric_port_is_read_and_never_written() -> None:
    host, faults = decode_host(b'{"ports":{"http":80},"private_ports":{"http":8080}}')
    assert (host.ports, host.private_ports) == ({"http": "80"}, {"http": "8080"})
    assert faults == (
        "ports.http is a number and should be a string",
        "private_ports.http is a number and should be a string",
    )
    numeric: Any = {"http": 80}
    written = encode_host(replace(MINIMAL, ports=numeric, private_ports=numeric))
    assert json.loads(written)["ports"] == json.loads(written)["private_ports"] == {"http": "80"}
    assert json.loads(encode_infos(Infos(name="web", ports=numeric)))["ports"] == {"http": "80"}


def test_the_key_goes_before_the_record() -> None:
    value = b'{"uuid":"other","service_name":"other"}'
    instance = decode_instance("web", ID, value)
    assert (instance.host.service, instance.host.uuid) == ("web", ID)
    assert instance.faults == (
        "uuid is not that of its key",
        "service_name is not that of its key",
    )
    assert decode_infos("web", b'{"name":"other"}') == (
        Infos(name="web"),
        ("name is not that of its key",),
    )
    assert decode_infos("web", b"{}") == (Infos(name="web"), ())


def test_the_slip_of_an_old_document_is_read_and_not_written() -> None:
    host, faults = decode_host(b'{"critcal":true}')
    assert (host.critical, host.extra, faults) == (True, {}, ())


def test_a_state_that_is_not_known_is_not_well() -> None:
    host, faults = decode_host(b'{"lochkit":{"state":"dozing"}}')
    assert (host.state, faults) == (State.CRITICAL, ("lochkit.state is none that is known",))
    assert not host.in_rotation


@pytest.mark.parametrize("state", list(State))
def test_only_who_passes_wants_work(state: State) -> None:
    host, _ = decode_host(encode_host(replace(MINIMAL, state=state)))
    assert host.state is state
    assert host.in_rotation == (state is State.PASSING)


def test_fields_of_others_survive_unless_go_would_take_them_for_ours() -> None:
    theirs = {"x": 1, "User": "evil", "u\u017fer": "evil", "LOCHKIT": {}, "half": "\ud800"}
    host = replace(MINIMAL, extra=theirs, extra_own={"y": 2, "State": "leaving"})
    value = encode_host(host)
    found, _ = decode_host(value)
    assert (found.extra, found.extra_own) == ({"x": 1, "half": "\ud800"}, {"y": 2})
    assert (found.user, found.state) == ("", State.PASSING)
    assert b'"half":"\\ud800"' in value


def test_passwords_are_not_shown() -> None:
    infos = Infos(name="web", password="hunter2", extra={"pw": "hunter2"})
    host = replace(MINIMAL, password="hunter2", extra={"pw": "hunter2"})
    instance = decode_instance("minimal", ID, encode_host(host))
    for thing in (host, infos, instance, host.credentials, Credentials("u", "hunter2")):
        assert "hunter2" not in repr(thing)
        assert "hunter2" not in str(thing)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"service": ""}, InvalidName),
        ({"service": "a/b"}, InvalidName),
        ({"name": "a/b"}, InvalidName),
        ({"private_hostname": "a b"}, InvalidName),
        ({"ports": {"http": "x"}}, InvalidHost),
        ({"ports": {"ht tp": "80"}}, InvalidName),
        ({"private_ports": {"http": "0"}}, InvalidHost),
        ({"user": "a\n"}, InvalidHost),
        ({"password": "hunter2\0"}, InvalidHost),
        ({"shard": "\ud800"}, InvalidHost),
        ({"tags": ("a\n",)}, InvalidHost),
        ({"meta": {"a": "\x1b"}}, InvalidHost),
        ({"meta": {"\x1b": "a"}}, InvalidHost),
        ({"weight": -1}, InvalidHost),
        ({"weight": 1 << 63}, InvalidHost),
        ({"uuid": ""}, InvalidHost),
        ({"uuid": "a/b"}, InvalidHost),
        ({"extra": {"x": float("nan")}}, InvalidHost),
        ({"extra": {"x": object()}}, InvalidHost),
    ],
)
def test_what_some_reader_would_not_understand_is_not_written(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        encode_host(replace(MINIMAL, **changes))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "infos",
    [
        Infos(name=""),
        Infos(name="web", hostname="a/b"),
        Infos(name="web", ports={"http": "http"}),
        Infos(name="web", user="a\nb"),
        Infos(name="web", password="a\nb"),
    ],
)
def test_infos_that_some_reader_would_not_understand_are_not_written(infos: Infos) -> None:
    with pytest.raises(InvalidHost):
        encode_infos(infos)


# A record has many fields, and the machine may have much else to do.
patient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
hostnames = st.from_regex(r"[a-z0-9]{1,10}(\.[a-z0-9]{1,10}){0,3}", fullmatch=True)
ports = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9+]{0,8}", fullmatch=True),
    st.integers(1, 65535).map(str),
    max_size=3,
)
foreign = st.dictionaries(
    text.map("x-{}".format),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=4,
    ),
    max_size=2,
)
hosts = st.builds(
    Host,
    name=hostnames | st.just(""),
    service=st.just("web"),
    ports=ports | st.none(),
    user=text,
    password=text,
    public=st.booleans(),
    private_hostname=hostnames,
    private_ports=ports,
    critical=st.booleans(),
    shard=text,
    uuid=hostnames.map(lambda name: f"{UUID4}-{name}"),
    state=st.sampled_from(State),
    weight=st.integers(0, 1000),
    tags=st.lists(text, max_size=3).map(tuple),
    meta=st.dictionaries(text, text, max_size=3),
    version=text,
    zone=text,
    credentials_revision=st.integers(0, 2**62),
    extra=foreign,
    extra_own=foreign,
)


@patient
@given(hosts)
def test_what_is_written_is_read(host: Host) -> None:
    instance = decode_instance("web", host.uuid, encode_host(host))
    assert (instance.host, instance.faults) == (host, ())
    assert encode_host(instance.host) == encode_host(host)


@given(
    st.builds(
        Infos,
        name=st.just("web"),
        hostname=hostnames,
        user=text,
        password=text,
        ports=ports,
        public=st.booleans(),
        critical=st.booleans(),
        extra=foreign,
    )
)
def test_infos_that_are_written_are_read(infos: Infos) -> None:
    assert decode_infos("web", encode_infos(infos)) == (infos, ())


fields = st.sampled_from(
    ["name", "Ports", "user", "private_ports", "public", "lochkit", "uuid", "z"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["state", "weight", "tags", "meta", "http"]), inner)
    ),
    max_leaves=6,
)


@given(
    st.binary(max_size=60) | st.dictionaries(fields, values).map(lambda it: json.dumps(it).encode())
)
def test_anything_is_a_record_or_a_bad_one(value: bytes) -> None:
    for decode in (decode_host, lambda value: decode_infos("web", value)):
        try:
            decode(value)
        except BadRecord as exc:
            assert str(exc)  # noqa: PT017 - any bytes will do, so that none may be expected to fail
