"""The variables of the original."""

from base64 import b64encode
from datetime import UTC, datetime
from itertools import count

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.environment import Surroundings, read_surroundings
from lochkit.errors import ConfigError

CA = trustme.CA()
LEAF = CA.issue_cert("client.example.com", not_after=datetime(2124, 1, 1, tzinfo=UTC))
CERT_PEM = b"".join(blob.bytes() for blob in LEAF.cert_chain_pems)
KEY_PEM = LEAF.private_key_pem.bytes()
FILES = {"ETCD_CACERT": "/ca.pem", "ETCD_TLS_CERT": "/cert.pem", "ETCD_TLS_KEY": "/key.pem"}


def base64(pem: bytes) -> str:
    return b64encode(pem).decode()


def in_memory(**variables: str) -> dict[str, str]:
    return {
        "ETCD_TLS_INMEMORY": "true",
        "ETCD_CACERT": base64(CA.cert_pem.bytes()),
        "ETCD_TLS_CERT": base64(CERT_PEM),
        "ETCD_TLS_KEY": base64(KEY_PEM),
        **variables,
    }


def test_nothing_says_nothing() -> None:
    assert read_surroundings({}) == Surroundings()


@pytest.mark.parametrize(
    ("environ", "endpoints"),
    [
        ({"ETCD_HOSTS": "http://a:1,http://b:2"}, ("http://a:1", "http://b:2")),
        ({"ETCD_HOSTS": " http://a:1 , http://b:2 ,"}, ("http://a:1", "http://b:2")),
        ({"ETCD_HOSTS": "http://a:1,a:1"}, ("http://a:1",)),
        ({"ETCD_HOSTS": "a,b:3,[::1]:4"}, ("http://a:2379", "http://b:3", "http://[::1]:4")),
        ({"ETCD_HOSTS": "http://a:1/"}, ("http://a:1",)),
        ({"ETCD_HOSTS": "unix:///run/etcd.sock"}, ("unix:///run/etcd.sock",)),
        ({"ETCD_HOST": " http://a:1 "}, ("http://a:1",)),
        ({"ETCD_HOST": "https://a:1"}, ("https://a:1",)),
        ({"ETCD_HOSTS": "http://a:1", "ETCD_HOST": "http://b:1"}, ("http://a:1",)),
        ({"ETCD_HOSTS": "", "ETCD_HOST": "http://b:1"}, ("http://b:1",)),
        ({"ETCD_HOSTS": " ,", "ETCD_HOST": "http://b:1"}, ("http://b:1",)),
        (
            {"ETCD_1_PORT_2379_TCP_ADDR": "10.0.0.1", "ETCD_1_PORT_2379_TCP_PORT": "4001"},
            ("http://10.0.0.1:4001",),
        ),
        ({"ETCD_1_PORT_2379_TCP_ADDR": "10.0.0.1"}, ("http://10.0.0.1:2379",)),
        ({"ETCD_1_PORT_2379_TCP_ADDR": "fd00::1"}, ("http://[fd00::1]:2379",)),
        ({"ETCD_1_PORT_2379_TCP_PORT": "4001"}, ()),
        ({"ETCD_HOST": "http://b:1", "ETCD_1_PORT_2379_TCP_ADDR": "10.0.0.1"}, ("http://b:1",)),
    ],
)
def test_where_etcd_is(environ: dict[str, str], endpoints: tuple[str, ...]) -> None:
    assert read_surroundings(environ).endpoints == endpoints


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"ETCD_HOSTS": "http://a:1,ftp://b"}, "ETCD_HOSTS"),
        ({"ETCD_HOSTS": "http://a:port"}, "ETCD_HOSTS"),
        ({"ETCD_HOSTS": "http://a:1 http://b:1"}, "ETCD_HOSTS"),
        ({"ETCD_HOST": "http://"}, "ETCD_HOST"),
        ({"ETCD_HOST": "http://a:1/v2"}, "ETCD_HOST"),
        (
            {"ETCD_1_PORT_2379_TCP_ADDR": "a", "ETCD_1_PORT_2379_TCP_PORT": "tcp"},
            "ETCD_1_PORT_2379_TCP_ADDR and _PORT",
        ),
    ],
)
def test_what_is_no_endpoint_is_an_error_of_its_variable(
    environ: dict[str, str], variable: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{variable}: "):
        read_surroundings(environ)


@pytest.mark.parametrize("url", ["http://user:hunter2@a:1", "http://user:hunter/2@a:1"])
def test_a_password_in_a_url_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^ETCD_HOST: no user and no password") as caught:
        read_surroundings({"ETCD_HOST": url})
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    "variables",
    [("ETCD_CACERT",), ("ETCD_TLS_CERT", "ETCD_TLS_KEY"), tuple(FILES)],
)
def test_any_file_means_tls(variables: tuple[str, ...]) -> None:
    environ = {name: FILES[name] for name in variables}
    environ["ETCD_HOSTS"] = "http://a:1,b,https://c:3,unix:///run/etcd.sock"
    found = read_surroundings(environ)
    assert found.endpoints == (
        "https://a:1",
        "https://b:2379",
        "https://c:3",
        "unix:///run/etcd.sock",
    )
    given = (found.cacert, found.cert, found.key)
    assert given == tuple(environ.get(name) for name in FILES)
    assert not found.in_memory


def test_tls_and_no_endpoint_is_that_of_this_host() -> None:
    assert read_surroundings(FILES).endpoints == ("https://localhost:2379",)


def test_files_of_nothing_but_space_are_none() -> None:
    found = read_surroundings(dict.fromkeys(FILES, " ") | {"ETCD_HOST": "http://a:1"})
    assert found == Surroundings(endpoints=("http://a:1",))


@pytest.mark.parametrize(
    ("there", "missing"),
    [("ETCD_TLS_CERT", "ETCD_TLS_KEY"), ("ETCD_TLS_KEY", "ETCD_TLS_CERT")],
)
def test_half_a_certificate_is_an_error(there: str, missing: str) -> None:
    for more in ({}, {"ETCD_CACERT": "/ca.pem"}):
        with pytest.raises(ConfigError, match=f"{there} is set and {missing} is not"):
            read_surroundings({there: "/x.pem", **more})


@pytest.mark.parametrize("word", ["", " ", "false", "False", "0", "no", "off"])
def test_files_are_meant_unless_it_says_true(word: str) -> None:
    assert not read_surroundings({**FILES, "ETCD_TLS_INMEMORY": word}).in_memory


@pytest.mark.parametrize("word", ["True", "TRUE", "1", "yes", "x"])
def test_what_the_original_would_take_for_no_is_an_error(word: str) -> None:
    with pytest.raises(ConfigError, match=f"ETCD_TLS_INMEMORY is '{word}'"):
        read_surroundings({**FILES, "ETCD_TLS_INMEMORY": word})
    assert not read_surroundings({"ETCD_TLS_INMEMORY": word}).in_memory


def test_pem_in_the_variables_is_decoded_whole() -> None:
    bundle = CA.cert_pem.bytes() + b"# another\n" + trustme.CA().cert_pem.bytes()
    found = read_surroundings(in_memory(ETCD_CACERT=base64(bundle)))
    assert found.in_memory
    assert found.endpoints == ("https://localhost:2379",)
    assert found.cacert == bundle.decode()
    assert (found.cert, found.key) == (CERT_PEM.decode(), KEY_PEM.decode())


def test_base64_may_be_in_lines() -> None:
    text = base64(CA.cert_pem.bytes())
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    found = read_surroundings(in_memory(ETCD_CACERT=lines + "\n"))
    assert found.cacert == CA.cert_pem.bytes().decode()


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("ETCD_CACERT", "/etc/ssl/ca.pem", "is not PEM in base64"),
        ("ETCD_CACERT", "hunter2!", "is not PEM in base64"),
        ("ETCD_CACERT", "abcde", "is not PEM in base64"),
        ("ETCD_CACERT", base64(b"\xff\xfe"), "is not PEM in base64"),
        ("ETCD_CACERT", base64(b"hunter2"), "has no PEM block of a certificate"),
        ("ETCD_CACERT", base64(KEY_PEM), "has no PEM block of a certificate"),
        ("ETCD_TLS_CERT", base64(CERT_PEM[:-40]), "has no PEM block of a certificate"),
        ("ETCD_TLS_CERT", base64(CERT_PEM.replace(b"M", b"!")), "has a damaged PEM block"),
        ("ETCD_TLS_KEY", base64(CERT_PEM), "has no PEM block of a private key"),
        (
            "ETCD_TLS_KEY",
            base64(KEY_PEM.replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY")),
            "is an encrypted key",
        ),
        (
            "ETCD_TLS_KEY",
            base64(
                b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
                b"DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
            ),
            "is an encrypted key",
        ),
    ],
    ids=count(),  # the values are made anew in every process
)
def test_what_is_no_pem_is_an_error_of_its_variable(variable: str, value: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^{variable} {why}") as caught:
        read_surroundings(in_memory(**{variable: value}))
    assert "hunter" not in str(caught.value)


def test_no_key_is_shown() -> None:
    found = read_surroundings(in_memory())
    assert "PRIVATE" not in repr(found)
    assert KEY_PEM.decode().splitlines()[1] not in str(found)


def test_the_name_of_the_machine() -> None:
    assert read_surroundings({"HOSTNAME": " web1\n"}).machine == "web1"
    assert read_surroundings({"HOSTNAME": ""}).machine == ""


def test_a_proxy_is_not_looked_at() -> None:
    assert read_surroundings({"HTTP_PROXY": "http://proxy:1"}) == Surroundings()


VARIABLES = [
    *("ETCD_HOSTS", "ETCD_HOST", "ETCD_1_PORT_2379_TCP_ADDR", "ETCD_1_PORT_2379_TCP_PORT"),
    *(*FILES, "ETCD_TLS_INMEMORY", "HOSTNAME"),
]


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=20) | st.just("true")))
def test_whatever_they_say_is_understood_or_an_error(environ: dict[str, str]) -> None:
    try:
        found = read_surroundings(environ)
    except ConfigError as exc:
        assert any(name in str(exc) for name in VARIABLES)  # noqa: PT017 - not all are wrong
    else:
        assert all("://" in endpoint for endpoint in found.endpoints)
