"""URLs: where they lead, what is encoded in them, and that no password is shown."""

import logging
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lochkit.discovery.errors import BadRecord, InvalidName, SchemeNotFound, UnknownScheme
from lochkit.discovery.host import Host, Infos
from lochkit.discovery.url import Url, host_in_url, host_url, infos_url, private_url

HOST = Host(
    name="web.example.com",
    service="web",
    uuid="id",
    ports={"http": "80", "https": "443"},
    private_hostname="node1",
    private_ports={"http": "8080", "admin": "9000"},
)
INFOS = Infos(name="web", hostname="web.example.com", ports={"http": "80"}, public=True)


@pytest.mark.parametrize(
    ("scheme", "path", "url"),
    [
        ("http", "/x", "http://web.example.com:80/x"),
        ("https", "", "https://web.example.com:443"),
        ("", "/", "http://web.example.com:80/"),
    ],
)
def test_others_reach_a_host_by_its_name_and_ports(scheme: str, path: str, url: str) -> None:
    assert host_url(HOST, scheme, path).reveal() == url


@pytest.mark.parametrize(
    ("scheme", "url"),
    [
        ("", "http://node1:8080/x"),
        ("http", "http://node1:8080/x"),
        ("admin", "admin://node1:9000/x"),
    ],
)
def test_from_inside_it_is_the_private_pair(scheme: str, url: str) -> None:
    assert private_url(HOST, scheme, "/x").reveal() == url


def test_public_ports_do_not_stand_in_for_private_ones() -> None:
    with pytest.raises(UnknownScheme):
        private_url(HOST, "https")


def test_without_a_private_hostname_it_is_the_other() -> None:
    host = replace(HOST, private_hostname="")
    assert private_url(host, "https", "/x") == host_url(host, "https", "/x")


def test_a_private_host_that_has_only_a_private_name_is_reached_there() -> None:
    host = replace(HOST, name="")
    assert host_url(host).reveal() == "http://node1:80"
    with pytest.raises(BadRecord, match="there is no hostname"):
        host_url(replace(host, public=True))


def test_a_public_service_is_reached_at_its_own_address() -> None:
    infos = replace(INFOS, user="u", password="p")
    assert infos_url(infos, "http", "/x").reveal() == "http://u:p@web.example.com:80/x"
    assert infos_url(infos).reveal() == "http://u:p@web.example.com:80"


@pytest.mark.parametrize(
    ("ports", "scheme"),
    [({"https": "443", "http": "80"}, "http"), ({"a": "1", "https": "443"}, "https")],
)
def test_http_is_preferred_to_https(ports: dict[str, str], scheme: str) -> None:
    assert host_url(replace(HOST, ports=ports)).scheme == scheme
    assert private_url(replace(HOST, private_ports=ports)).scheme == scheme
    assert infos_url(replace(INFOS, ports=ports)).scheme == scheme


@pytest.mark.parametrize("ports", [None, {}, {"ftp": "21"}])
def test_no_scheme_is_chosen_but_those_two(ports: dict[str, str] | None) -> None:
    calls: list[Callable[[], Url]] = [
        lambda: host_url(replace(HOST, ports=ports)),
        lambda: private_url(replace(HOST, private_ports=ports or {})),
        lambda: infos_url(replace(INFOS, ports=ports or {})),
    ]
    for call in calls:
        with pytest.raises(SchemeNotFound, match="no port for http or https"):
            call()


def test_a_scheme_that_has_no_port_is_not_known() -> None:
    for call in (host_url, private_url):
        with pytest.raises(
            UnknownScheme, match="instance 'id' of web has no port for 'ftp'"
        ) as one:
            call(HOST, "ftp")
        assert not isinstance(one.value, SchemeNotFound)
    with pytest.raises(UnknownScheme, match="service web has no port for 'ftp', only for http"):
        infos_url(INFOS, "ftp")


@pytest.mark.parametrize(
    ("user", "password", "userinfo", "shown"),
    [
        ("", "", "", ""),
        ("", "secret", "", ""),
        ("user", "", "user:@", "user:@"),
        ("user", "secret", "user:secret@", "user:***@"),
        ("a@b", "p:/?#[]@%", "a%40b:p%3A%2F%3F%23%5B%5D%40%25@", "a%40b:***@"),
        ("ü", "s p\u20ac", "%C3%BC:s%20p%E2%82%AC@", "%C3%BC:***@"),
        ("user", "%41", "user:%2541@", "user:***@"),
        ("user", "\ud800", "user:%3F@", "user:***@"),
    ],
)
def test_credentials_are_encoded_and_not_shown(
    user: str, password: str, userinfo: str, shown: str
) -> None:
    host = replace(HOST, user=user, password=password)
    for make in (host_url, private_url):
        url = make(host, "http", "/x")
        rest = f"{url.host}:{url.port}/x"
        assert url.reveal() == f"http://{userinfo}{rest}"
        assert url.without_credentials() == f"http://{rest}"
        for text in (str(url), f"{url}", f"{url!s}", "%s" % url):  # noqa: UP031 - as loggers do
            assert text == f"http://{shown}{rest}"
        assert repr(url) == f"Url('http://{shown}{rest}')"


def test_no_log_holds_a_password(caplog: pytest.LogCaptureFixture) -> None:
    url = host_url(replace(HOST, user="user", password="hunter2"))
    logging.getLogger("test").warning("to %s, %r, %s", url, url, [url])
    assert "user:***@" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("path", "encoded"),
    [
        ("", ""),
        ("/", "/"),
        ("x", "/x"),
        ("/a/b?c=d&e=[1]#f", "/a/b?c=d&e=%5B1%5D#f"),
        ("?x=1", "/?x=1"),
        ("/a b\n", "/a%20b%0A"),
        ("/a%20b", "/a%20b"),
        ("/100%", "/100%25"),
        ("/%zz%4", "/%25zz%254"),
        ("/ü\u20ac", "/%C3%BC%E2%82%AC"),
        ('/"<>\\^`{|}', "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("/!$&'()*+,;=:@~._-", "/!$&'()*+,;=:@~._-"),
        ("@evil.example.com", "/@evil.example.com"),
    ],
)
def test_a_path_is_made_one(path: str, encoded: str) -> None:
    assert host_url(HOST, "http", path).reveal() == f"http://web.example.com:80{encoded}"


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("web.example.com", "web.example.com"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("2001:DB8::10.0.0.1", "[2001:DB8::10.0.0.1]"),
        ("fe80::1%eth0", "[fe80::1%25eth0]"),
        ("fe80::1%e?0", "[fe80::1%25e%3F0]"),
        ("bücher.example", "b%C3%BCcher.example"),
        ("evil.example/@x?#y", "evil.example%2F%40x%3F%23y"),
        ("web.example.com.", "web.example.com."),
    ],
)
def test_a_host_stays_in_its_place(name: str, host: str) -> None:
    assert host_in_url(name) == host
    url = host_url(replace(HOST, name=name, user="u", password="p"), "http", "/x").reveal()
    assert url == f"http://u:p@{host}:80/x"


@pytest.mark.parametrize("name", ["web:80", "::1]", "[::1", "1:2", ":", "::1%", "a@b:c"])
def test_what_has_a_colon_and_is_no_address_is_no_host(name: str) -> None:
    with pytest.raises(InvalidName, match="neither a host's name nor an IP address"):
        host_in_url(name)
    with pytest.raises(BadRecord, match="instance 'id' of web can have no URL"):
        host_url(replace(HOST, name=name))


@pytest.mark.parametrize("name", ["", "[]"])
def test_nowhere_is_no_host(name: str) -> None:
    with pytest.raises(BadRecord, match="service web can have no URL: there is no hostname"):
        infos_url(replace(INFOS, hostname=name))


@pytest.mark.parametrize("port", ["", "0", "65536", "http", "80/x", "80@evil", "8 0"])
def test_a_port_that_somebody_else_has_made_up_is_refused(port: str) -> None:
    with pytest.raises(BadRecord, match="is not a number from 1 to 65535"):
        host_url(replace(HOST, ports={"http": port}))


def test_a_scheme_that_somebody_else_has_made_up_is_refused() -> None:
    with pytest.raises(BadRecord, match="is no scheme"):
        host_url(replace(HOST, ports={"http://evil.example/?": "80"}), "http://evil.example/?")


def test_an_error_tells_no_password() -> None:
    host = replace(HOST, user="user", password="hunter2", name="a:b", ports={"http": "x"})
    calls: list[Callable[[], Url]] = [lambda: host_url(host), lambda: private_url(host, "ftp")]
    for call in calls:
        with pytest.raises((BadRecord, UnknownScheme)) as caught:
            call()
        assert "hunter2" not in str(caught.value)


anything = st.text(max_size=12)


@given(user=anything, password=anything, path=anything, name=anything)
def test_each_part_stays_in_its_place(user: str, password: str, path: str, name: str) -> None:
    assume(":" not in name and name.strip("[]"))
    host = replace(HOST, name=name, user=user, password=password)
    url = host_url(host, "http", path)
    text = url.reveal()
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    authority = text.removeprefix("http://").partition("/")[0].partition("?")[0].partition("#")[0]
    userinfo, at, place = authority.rpartition("@")
    assert place == f"{url.host}:80"
    assert bool(at) == bool(user)
    if user:
        shown_user, _, shown_password = userinfo.partition(":")
        expected = [part.encode(errors="replace").decode() for part in (user, password)]
        assert [unquote(shown_user), unquote(shown_password)] == expected
    assert urlsplit(text).port == 80
    assert urlsplit(text).scheme == "http"


@given(st.text(max_size=30))
def test_a_path_that_is_encoded_stays_as_it_is(path: str) -> None:
    once = host_url(HOST, "http", path).path
    assert host_url(HOST, "http", once).path == once
