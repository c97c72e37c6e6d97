"""What is asked of openssl: names that are harmless, certificates that can do what they must."""

import pytest

from lochkit.pki.requests import (
    CertificateRequest,
    authority_config,
    check_alternative,
    check_name,
    check_title,
    host_commands,
    host_config,
)

BAD = [
    "",
    "a/b",
    "..",
    ".",
    "-x",
    "a\nb",
    "a b",
    "x" * 64,
    "\u00e9",
    "a,CN=b",
    "${ENV::HOME}",
    "a-",
]


@pytest.mark.parametrize("name", ["vault", "web1.example.org", "a", "x" * 63, "db_1-a"])
def test_names_of_hosts(name: str) -> None:
    check_name(name)
    check_alternative(name)


@pytest.mark.parametrize("name", BAD)
def test_what_could_mean_something_to_openssl_or_a_path_is_no_name(name: str) -> None:
    for check in (check_name, check_alternative):
        with pytest.raises(ValueError, match="can not be the name of a host"):
            check(name)


@pytest.mark.parametrize("title", [name for name in BAD if name != "a b"])
def test_nor_an_authoritys(title: str) -> None:
    with pytest.raises(ValueError, match="name of an authority"):
        check_title(title)


def test_an_authority_may_have_spaces() -> None:
    check_title("a b")
    assert "CN = a b\n" in authority_config("a b")


def test_a_host_is_its_own_first_alternative_name_and_each_only_once() -> None:
    request = CertificateRequest(
        name="vault", alternatives=("10.0.0.2", "vault", "2001:DB8::1"), days=1, serial=1
    )
    wanted = "subjectAltName = DNS:vault, IP:10.0.0.2, IP:2001:db8::1\n"
    assert host_config(request).endswith(wanted)


def test_commands_are_words_with_no_secret_in_them() -> None:
    request = CertificateRequest(name="vault", alternatives=(), days=9, serial=77)
    paths = {"key": "/k", "config": "/c", "out": "/o", "ca": "/ca", "ca_key": "/cak"}
    asked, signed = host_commands(request, **paths)
    assert asked[:3] == ["openssl", "req", "-new"]
    assert signed[:3] == ["openssl", "x509", "-req"]
    assert signed[signed.index("-days") + 1] == "9"
    assert signed[signed.index("-set_serial") + 1] == "77"
