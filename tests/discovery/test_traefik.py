"""Keys for Traefik: exactly those it knows."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.errors import InvalidHost, InvalidName
from lochkit.discovery.host import Host
from lochkit.discovery.traefik import Protocol, Traefik

from .stored import UUID4

HOST = Host(
    name="public.example.com",
    service="web",
    uuid=f"{UUID4}-10.0.0.1",
    user="user",
    password="hunter2",
    ports={"http": "80"},
    private_hostname="10.0.0.1",
    private_ports={"http": "8080"},
)
RULE = "Host(`web.example.com`) && PathPrefix(`/a,b`)"

# All that may be written: Traefik refuses the whole tree for one key that it does not know.
KNOWN = re.compile(
    r"traefik/(http/services/[^/]+/loadbalancer/servers/[0-9]+/(url|weight)"
    r"|(tcp|udp)/services/[^/]+/loadbalancer/servers/[0-9]+/address"
    r"|http/routers/[^/]+/(rule|service|entrypoints/[0-9]+|middlewares/[0-9]+|priority|tls"
    r"|tls/certresolver)"
    r"|tcp/routers/[^/]+/(rule|service|entrypoints/[0-9]+|priority|tls|tls/certresolver"
    r"|tls/passthrough)"
    r"|udp/routers/[^/]+/(service|entrypoints/[0-9]+))"
)


def server(traefik: Traefik, host: Host = HOST) -> dict[str, str]:
    """What hangs on the lease, the number of the server as N."""
    found = {key.decode(): value.decode() for key, value in traefik.keys(host).items()}
    assert all(KNOWN.fullmatch(key) for key in found)
    return {re.sub(r"/servers/[0-9]+/", "/servers/N/", key): value for key, value in found.items()}


def router(traefik: Traefik) -> dict[str, str]:
    found = {key.decode(): value.decode() for key, value in traefik.shared_keys(HOST).items()}
    assert all(KNOWN.fullmatch(key) for key in found)
    return found


def test_a_server_is_its_private_url_without_credentials() -> None:
    assert server(Traefik("web")) == {
        "traefik/http/services/web/loadbalancer/servers/N/url": "http://10.0.0.1:8080"
    }


def test_the_number_of_a_server_is_its_own_and_stays() -> None:
    (key,) = Traefik("web").keys(HOST)
    assert key == b"traefik/http/services/web/loadbalancer/servers/1625378982011442554/url"
    (again,) = Traefik("web").keys(replace(HOST, private_hostname="10.0.0.2"))
    (other,) = Traefik("web").keys(replace(HOST, uuid="other"))
    assert key == again
    assert key != other


@given(st.text(max_size=50))
def test_the_number_of_a_server_fits_into_63_bits(uuid: str) -> None:
    (key,) = Traefik("web").keys(replace(HOST, uuid=uuid.encode(errors="replace").decode()))
    assert 0 <= int(key.split(b"/")[-2]) < 1 << 63


@pytest.mark.parametrize(
    ("ports", "scheme", "url"),
    [
        ({"https": "443", "http": "80"}, "", "http://10.0.0.1:80"),
        ({"https": "443"}, "", "https://10.0.0.1:443"),
        ({"h2c": "81"}, "", "h2c://10.0.0.1:81"),
        ({"admin": "9000"}, "", "http://10.0.0.1:9000"),
        ({"admin": "9000", "http": "80"}, "admin", "http://10.0.0.1:9000"),
    ],
)
def test_how_an_instance_is_spoken_to(ports: dict[str, str], scheme: str, url: str) -> None:
    host = replace(HOST, private_ports=ports)
    assert list(server(Traefik("web", scheme=scheme), host).values()) == [url]


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_what_is_not_http_has_an_address(protocol: Protocol) -> None:
    traefik = Traefik("db", protocol=protocol, scheme="sql")
    for hostname, shown in (("10.0.0.1", "10.0.0.1"), ("::1", "[::1]")):
        host = replace(HOST, private_hostname=hostname, private_ports={"sql": "5432"})
        assert server(traefik, host) == {
            f"traefik/{protocol.value}/services/db/loadbalancer/servers/N/address": f"{shown}:5432"
        }


def test_an_ipv6_address_is_in_brackets() -> None:
    host = replace(HOST, private_hostname="2001:db8::1")
    assert list(server(Traefik("web"), host).values()) == ["http://[2001:db8::1]:8080"]


def test_a_weight_is_written_only_if_it_is_asked_for() -> None:
    host = replace(HOST, weight=5)
    assert len(server(Traefik("web"), host)) == 1
    below = "traefik/http/services/web/loadbalancer/servers/N"
    for weight in (0, 3):
        found = server(Traefik("web", weight=weight), host)
        assert found[f"{below}/weight"] == str(weight)


@pytest.mark.parametrize("root", ["prod/proxy", "/prod/proxy", "/prod/proxy/"])
def test_no_key_begins_with_a_slash(root: str) -> None:
    traefik = Traefik("web", root=root, rule=RULE)
    for key in (*traefik.keys(HOST), *traefik.shared_keys(HOST)):
        assert key.startswith(b"prod/proxy/http/")


def test_without_a_rule_there_is_no_router() -> None:
    assert router(Traefik("web")) == {}


def test_a_router_of_http() -> None:
    traefik = Traefik(
        "web",
        rule=RULE,
        entrypoints=("web", "websecure"),
        middlewares=("auth@file", "gzip"),
        priority=42,
        tls=True,
    )
    below = "traefik/http/routers/web"
    assert router(traefik) == {
        f"{below}/rule": RULE,
        f"{below}/service": "web",
        f"{below}/entrypoints/0": "web",
        f"{below}/entrypoints/1": "websecure",
        f"{below}/middlewares/0": "auth@file",
        f"{below}/middlewares/1": "gzip",
        f"{below}/priority": "42",
        f"{below}/tls": "true",
    }


def test_a_resolver_of_certificates_means_tls() -> None:
    for tls in (False, True):
        found = router(Traefik("web", rule=RULE, tls=tls, cert_resolver="le"))
        assert found["traefik/http/routers/web/tls/certresolver"] == "le"
        assert "traefik/http/routers/web/tls" not in found


def test_a_router_of_tcp() -> None:
    rule = "HostSNI(`*`)"
    traefik = Traefik("db", protocol=Protocol.TCP, rule=rule, tls=True, passthrough=True)
    assert router(traefik) == {
        "traefik/tcp/routers/db/rule": rule,
        "traefik/tcp/routers/db/service": "db",
        "traefik/tcp/routers/db/tls/passthrough": "true",
    }


def test_a_router_of_udp_has_entry_points_only() -> None:
    traefik = Traefik("dns", protocol=Protocol.UDP, entrypoints=("dns",))
    assert router(traefik) == {
        "traefik/udp/routers/dns/service": "dns",
        "traefik/udp/routers/dns/entrypoints/0": "dns",
    }


@pytest.mark.parametrize(
    "name", ["", "web@file", "a,b", "a/b", "a b", "7", "123", "-web", "wéb", "a" * 129, "web\n"]
)
def test_names_that_traefik_would_misread_are_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="is no name for Traefik"):
        Traefik(name)
    with pytest.raises(InvalidName, match="is no name for Traefik"):
        Traefik("web", rule=RULE, entrypoints=(name,))
    if name != "web@file":
        with pytest.raises(InvalidName, match="is no name for Traefik"):
            Traefik("web", rule=RULE, middlewares=(name,))


@pytest.mark.parametrize(
    "given",
    [
        {"root": ""},
        {"root": "/"},
        {"root": "a//b"},
        {"root": "a b"},
        {"rule": "Host(`a`)\n"},
        {"rule": "x" * 5000},
        {"weight": -1},
        {"rule": RULE, "priority": 1 << 40},
        {"rule": RULE, "cert_resolver": "a/b"},
        {"rule": RULE, "passthrough": True},
        {"protocol": Protocol.TCP, "weight": 1},
        {"protocol": Protocol.TCP, "rule": RULE, "middlewares": ("auth",)},
        {"protocol": Protocol.UDP, "rule": RULE},
        {"protocol": Protocol.UDP, "entrypoints": ("a",), "tls": True},
        {"protocol": Protocol.UDP, "entrypoints": ("a",), "cert_resolver": "le"},
        {"protocol": Protocol.UDP, "entrypoints": ("a",), "priority": 1},
        {"entrypoints": ("web",)},
        {"middlewares": ("auth",)},
        {"tls": True},
        {"cert_resolver": "le"},
        {"priority": 0},
    ],
)
def test_what_traefik_has_no_key_for_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidHost):
        Traefik("web", **given)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ports": None, "private_ports": {}}, "has no port for Traefik"),
        ({"private_ports": {"a": "1", "b": "2"}}, "which port"),
        ({"private_ports": {"http": "0"}}, "is not a number from 1 to 65535"),
        ({"private_hostname": "", "name": ""}, "there is no hostname"),
        ({"private_hostname": "a:b"}, "neither a host's name nor an IP address"),
    ],
)
def test_which_host_cannot_be_published(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidHost, match=why):
        Traefik("web").keys(replace(HOST, **changes))


def test_the_router_is_the_same_for_all_hosts() -> None:
    traefik = Traefik("web", rule=RULE)
    assert traefik.shared_keys(HOST) == traefik.shared_keys(replace(HOST, uuid="x"))


def test_no_key_holds_a_password() -> None:
    traefik = Traefik("web", rule=RULE, weight=1)
    everything = {**traefik.keys(HOST), **traefik.shared_keys(HOST)}
    assert not any(b"hunter2" in value or b"user" in value for value in everything.values())
