"""Which names may be written, and the id of an instance."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.errors import InvalidHost, InvalidName
from lochkit.discovery.names import (
    check_hostname,
    check_port,
    check_ports,
    check_scheme,
    check_service,
    check_text,
    make_uuid,
    split_uuid,
)
from lochkit.errors import ConfigError

from .stored import UUID4


@pytest.mark.parametrize("name", ["web", "web-2", "web_2", "Web.v2", "0", "a" * 128])
def test_names_of_services_are_taken(name: str) -> None:
    check_service(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "_web", ".web", "-web", "web/2", "/web", "web ", "web\n", "wéb", "web@2", "a" * 129),
        *("web\0", "web\ud800", "%", "..", "web,api"),
    ],
)
def test_what_would_break_a_key_is_no_service(name: str) -> None:
    with pytest.raises(InvalidName, match="is no name for a service"):
        check_service(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "h",
            "web1",
            "web1.example.com",
            "web_1",
            "10.0.0.1",
            "_x",
            "a" * 253,
            "xn--bcher-kva.de",
        ),
        *("::", "::1", "2001:DB8::1", "fe80::1%eth0", "::ffff:10.0.0.1"),
    ],
)
def test_hostnames_and_addresses_are_taken(name: str) -> None:
    check_hostname(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "-web", "web-", "web.", ".web", "a..b", "web 1", "user@web", "web/x", "web\n", "wéb"),
        *(
            "a" * 254,
            "[::1]",
            "::::",
            "1:2",
            "web:80",
            "fe80::1%",
            "fe80::1%a/b",
            "12345::",
            "%eth0",
        ),
    ],
)
def test_what_no_url_could_have_is_no_hostname(name: str) -> None:
    with pytest.raises(InvalidName, match=r"^the place '.*' is neither a host's name"):
        check_hostname(name, "the place")


@pytest.mark.parametrize("port", ["1", "80", "65535"])
def test_ports_are_taken(port: str) -> None:
    check_port("http", port)


@pytest.mark.parametrize(
    "port",
    ["", "0", "65536", "-1", "+80", "80 ", " 80", "8e1", "http", "80/tcp", "٨٠", "000080", "80\n"],
)
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(InvalidHost, match=r"^port http='.*' is not a number from 1 to 65535"):
        check_port("http", port)


@pytest.mark.parametrize("scheme", ["http", "h2c", "svn+ssh", "my_proto", "a.b", "X"])
def test_schemes_are_taken(scheme: str) -> None:
    check_scheme(scheme)


@pytest.mark.parametrize("scheme", ["", "2h", "http:", "ht tp", "http/x", "+x", "schéma", "a" * 65])
def test_what_cannot_begin_a_url_is_no_scheme(scheme: str) -> None:
    with pytest.raises(InvalidName, match="is no scheme"):
        check_scheme(scheme)


def test_a_table_of_ports_is_refused_for_one_bad_item() -> None:
    check_ports({"http": "80", "https": "443"})
    with pytest.raises(InvalidHost, match="https='x'"):
        check_ports({"http": "80", "https": "x"})
    with pytest.raises(InvalidName, match="'ht tp'"):
        check_ports({"ht tp": "80"})


def test_text_may_be_any_that_can_be_shown() -> None:
    check_text("password", "p@ss:wörd/😀 ~\xa0" + "x" * 4000)
    check_text("password", "x" * 4096)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hunter2\n", "holds a control character"),
        ("hunter2\x1f", "holds a control character"),
        ("hunter2\x7f", "holds a control character"),
        ("hunter2\x9f", "holds a control character"),
        ("hunter2\0", "holds a control character"),
        ("hunter2\ud800", "is not UTF-8"),
        ("hunter2" * 585 + "x" * 2, "is longer than 4096 characters"),
    ],
)
def test_text_that_is_refused_is_not_told(text: str, why: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        check_text("the password", text)
    assert str(caught.value) == f"the password {why}"


@pytest.mark.parametrize(
    ("check", "args"),
    [(check_service, ("/",)), (check_hostname, ("/",)), (check_port, ("http", "x"))],
)
def test_what_is_refused_is_for_the_operator_to_change(
    check: Callable[..., None], args: tuple[Any, ...]
) -> None:
    with pytest.raises(ConfigError):
        check(*args)


@pytest.mark.parametrize("hostname", ["", "web1", "web-1.example.com", "fe80::1%eth0", "a/b"])
def test_the_parts_of_an_id_are_found_again(hostname: str) -> None:
    assert split_uuid(make_uuid(UUID4, hostname)) == (UUID4, hostname)


@pytest.mark.parametrize(
    "instance",
    ["", "web1", "web-1", UUID4[:-1], UUID4.upper(), UUID4 + "x", "web1.example.com-" + UUID4],
)
def test_an_id_of_an_old_record_is_all_hostname(instance: str) -> None:
    assert split_uuid(instance) == ("", instance)


def test_a_bare_uuid_is_an_id_without_a_hostname() -> None:
    assert split_uuid(UUID4) == (UUID4, "")


@given(st.uuids(version=4), st.text(max_size=40))
def test_any_id_that_is_made_is_split(uuid4: object, hostname: str) -> None:
    assert split_uuid(make_uuid(str(uuid4), hostname)) == (str(uuid4), hostname)


@given(st.text(max_size=60))
def test_no_id_is_lost_by_splitting(instance: str) -> None:
    uuid4, hostname = split_uuid(instance)
    assert instance in (uuid4 + hostname, f"{uuid4}-{hostname}")
