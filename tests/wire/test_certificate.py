"""The name that permissions are given to."""

import pytest

from lochkit.wire.certificate import certificate_name
from lochkit.wire.faults import WireFault


def certificate(*names: str, dns: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        "subject": (
            (("organizationName", "x"),),
            *((("commonName", name),) for name in names),
        ),
        "subjectAltName": (("IP Address", "10.0.0.1"), *(("DNS", name) for name in dns)),
    }


def test_the_common_name_is_taken_first() -> None:
    assert certificate_name(certificate("vault", dns=("other",))) == "vault"


def test_without_one_it_is_the_first_dns_name() -> None:
    assert certificate_name(certificate(dns=("vault", "other"))) == "vault"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "neither"),
        (certificate(), "neither"),
        (certificate("vault", "web1"), "more than one"),
        (certificate(""), "empty"),
        (certificate("x" * 254), "too long"),
        (certificate("vault\n"), "printable"),
        (certificate("vault\0.evil"), "printable"),
        (certificate("v\u0430ult"), "ASCII"),
    ],
)
def test_a_name_that_nobody_should_have_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(WireFault, match=said):
        certificate_name(given)
