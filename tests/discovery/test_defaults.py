"""What a host is taken to be where it does not say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.defaults import complete, infos_of
from lochkit.discovery.errors import InvalidHost
from lochkit.discovery.host import Host, Infos
from lochkit.discovery.records import decode_host, encode_host, encode_infos

from .stored import UUID4

HTTP = {"http": "80"}
INSIDE = {"http": "8080"}


def completed(host: Host, machine: str = "machine") -> Host:
    return complete(host, "web", uuid4=UUID4, machine=machine)


@pytest.mark.parametrize(
    ("host", "private_hostname"),
    [
        (Host(name="h1"), "h1"),
        (Host(name="h1", private_hostname="p1"), "p1"),
        (Host(), "machine"),
        (Host(private_hostname="p1"), "p1"),
        (Host(name="h1", public=True), "machine"),
        (Host(name="h1", public=True, private_hostname="p1"), "p1"),
    ],
)
def test_where_it_is_reached_from_inside(host: Host, private_hostname: str) -> None:
    found = completed(host)
    assert found.private_hostname == private_hostname
    assert found.uuid == f"{UUID4}-{private_hostname}"
    assert found.name == host.name  # it has no default


@pytest.mark.parametrize(
    ("ports", "private_ports", "found"),
    [
        (None, {}, (None, {})),
        ({}, {}, ({}, {})),
        (HTTP, {}, (HTTP, HTTP)),
        (HTTP, INSIDE, (HTTP, INSIDE)),
        (None, INSIDE, (None, INSIDE)),
    ],
)
@pytest.mark.parametrize("public", [False, True])
def test_private_ports_are_those_that_others_use(
    public: bool, ports: Any, private_ports: Any, found: Any
) -> None:
    host = completed(Host(name="h1", ports=ports, private_ports=private_ports, public=public))
    assert (host.ports, host.private_ports) == found


def test_service_and_id_are_overwritten() -> None:
    host = completed(Host(name="h1", service="other", uuid="mine"))
    assert (host.service, host.uuid) == ("web", f"{UUID4}-h1")


def test_ports_may_be_given_as_numbers() -> None:
    numbers: Any = {"http": 80}
    host = completed(Host(name="h1", ports=numbers, private_ports=numbers))
    assert (host.ports, host.private_ports) == (HTTP, HTTP)


def test_what_the_owner_keeps_can_change_without_the_host() -> None:
    ports = dict(HTTP)
    host = completed(Host(name="h1", ports=ports))
    ports["http"] = "81"
    assert (host.ports, host.private_ports) == (HTTP, HTTP)
    assert host.private_ports is not host.ports


def test_nobody_is_registered_without_any_name() -> None:
    with pytest.raises(InvalidHost, match="no hostname"):
        completed(Host(name="public.example.com", public=True), machine="")
    assert completed(Host(name="h1"), machine="").private_hostname == "h1"


def test_a_minimal_host_is_written_as_the_original_did() -> None:
    host = complete(Host(name="x"), "minimal", uuid4=UUID4, machine="m")
    assert encode_host(host).decode() == (
        '{"name":"x","service_name":"minimal","ports":null,"private_hostname":"x",'
        f'"uuid":"{UUID4}-x"}}'
    )
    assert encode_infos(infos_of(host)) == b'{"name":"minimal","critical":false}'


def test_only_a_public_service_has_an_address_in_common() -> None:
    host = Host(
        name="web.example.com",
        service="web",
        ports=HTTP,
        user="user",
        password="password",
        critical=True,
        shard="s1",
        private_hostname="p1",
        private_ports=INSIDE,
        uuid="x",
    )
    assert infos_of(host) == Infos(name="web", critical=True)
    assert infos_of(completed(host)) == Infos(name="web", critical=True)
    public = completed(
        Host(name="web.example.com", ports=HTTP, user="u", password="p", public=True)
    )
    assert infos_of(public) == Infos(
        name="web", hostname="web.example.com", user="u", password="p", ports=HTTP, public=True
    )
    assert infos_of(Host(service="web", public=True)) == Infos(name="web", public=True)


names = st.sampled_from(["", "h1", "h2.example.com", "fe80::1%eth0"])
tables = st.sampled_from([{}, HTTP, INSIDE])


@given(
    st.builds(
        Host,
        name=names,
        private_hostname=names,
        ports=tables | st.none(),
        private_ports=tables,
        public=st.booleans(),
    )
)
def test_whatever_is_completed_can_be_written_and_is_complete(host: Host) -> None:
    found = completed(host)
    assert decode_host(encode_host(found)) == (found, ())
    assert completed(found) == found
    assert bool(found.private_ports) == bool(host.private_ports or host.ports)
