"""Endpoints as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.errors import ConfigError
from lochkit.etcd.config import (
    Credentials,
    EtcdConfig,
    TlsConfig,
    parse_endpoint,
    parse_endpoints,
)


@pytest.mark.parametrize(
    ("text", "url", "authority"),
    [
        ("http://127.0.0.1:2379", "http://127.0.0.1:2379", "127.0.0.1:2379"),
        ("127.0.0.1:4001", "http://127.0.0.1:4001", "127.0.0.1:4001"),
        ("etcd.example", "http://etcd.example:2379", "etcd.example:2379"),
        ("https://etcd.example/", "https://etcd.example:2379", "etcd.example:2379"),
        ("HTTPS://Etcd.Example:99", "https://etcd.example:99", "etcd.example:99"),
        ("http://[::1]:4001", "http://[::1]:4001", "[::1]:4001"),
        ("[fe80::1]", "http://[fe80::1]:2379", "[fe80::1]:2379"),
        ("unix:///run/etcd.sock", "unix:///run/etcd.sock", "localhost"),
        ("unixs:///run/etcd.sock", "unixs:///run/etcd.sock", "localhost"),
        (" http://a:1 ", "http://a:1", "a:1"),
    ],
)
def test_endpoints_are_read(text: str, url: str, authority: str) -> None:
    endpoint = parse_endpoint(text)
    assert (str(endpoint), endpoint.authority) == (url, authority)
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://a:1", "unknown scheme 'ftp'"),
        ("http://", "host is missing"),
        ("http://:2379", "host is missing"),
        ("http://a:port", "port"),
        ("http://a:70000", "port|range"),
        ("http://[::1", "IPv6"),
        ("http://a:1/v2/keys", "nothing may follow"),
        ("http://a:1?x=1", "nothing may follow"),
        ("unix://", "path is missing"),
        ("", "host is missing"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse_endpoint(text)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_endpoint("http://root:s3cret@10.0.0.1:2379")
    assert "s3cret" not in str(caught.value)
    assert "--password-file" in str(caught.value)


def test_lists_are_split_and_duplicates_dropped() -> None:
    endpoints = parse_endpoints(["http://a:1,http://b:2", " http://a:1, ,c:3"])
    assert [str(endpoint) for endpoint in endpoints] == ["http://a:1", "http://b:2", "http://c:3"]


@given(st.text(max_size=40))
def test_any_text_is_an_endpoint_or_a_config_error(text: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except ConfigError:
        return
    assert parse_endpoint(str(endpoint)) == endpoint


def test_incomplete_configurations_are_refused() -> None:
    with pytest.raises(ConfigError, match="endpoint"):
        EtcdConfig(endpoints=())
    with pytest.raises(ConfigError, match="--key"):
        TlsConfig(cert="client.pem")
    with pytest.raises(ConfigError, match="password"):
        Credentials(user="root")


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Credentials(user="root", password="s3cret"))
