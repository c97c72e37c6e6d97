"""Certificates as openssl tells of them."""

import pytest

from lochkit.pki.described import parse_description

TEXT = """\
subject=CN=vault
issuer=O=x,CN=lochkit
serial=0144F4A248
notBefore=Nov  1 16:49:29 2026 GMT
notAfter=Feb 23 16:49:29 2029 GMT
sha256 Fingerprint=8C:D7:DA
X509v3 Subject Alternative Name: critical
    DNS:vault, IP Address:10.0.0.2
X509v3 Basic Constraints: critical
    CA:FALSE
"""


def test_everything_is_found() -> None:
    found = parse_description(TEXT)
    assert (found.name, found.issuer, found.authority) == ("vault", "lochkit", False)
    assert found.alternatives == ("DNS:vault", "IP Address:10.0.0.2")
    assert (found.serial, found.fingerprint) == ("0144F4A248", "8C:D7:DA")
    assert (found.begins, found.ends) == (1793551769, 1866559769)


@pytest.mark.parametrize(
    ("later", "days"), [(0, 0), (86_400, 1), (86_399, 0), (-1, -1), (-86_401, -2)]
)
def test_days_are_counted_down(later: int, days: int) -> None:
    found = parse_description(TEXT)
    assert found.days_left(found.ends - later) == days


def test_an_authority_is_known() -> None:
    assert parse_description(TEXT.replace("CA:FALSE", "CA:TRUE, pathlen:0")).authority


def test_names_may_be_missing() -> None:
    text = TEXT.split("X509v3", maxsplit=1)[0].replace("subject=CN=vault", "subject=O=x")
    found = parse_description(text)
    assert (found.name, found.alternatives) == ("O=x", ())


@pytest.mark.parametrize("text", ["", "unable to load certificate", TEXT.replace("serial=", "x=")])
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="openssl did not tell"):
        parse_description(text)


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="does not match"):
        parse_description(TEXT.replace("Feb 23", "Foo 23"))
