"""Where plain text may go by itself."""

import pytest

from lochkit.wire.addresses import is_own_network


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.4.5"),
        *("169.254.1.1", "::1", "fd00::1", "fe80::1", "fe80::1%eth0", "::ffff:10.0.0.1"),
    ],
)
def test_own_networks(address: str) -> None:
    assert is_own_network(address)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "100.64.0.1", "0.0.0.0"),
        *("192.0.2.1", "2001:db8::1", "::", "::ffff:8.8.8.8", "2002:a00:1::", "", "vault"),
    ],
)
def test_others(address: str) -> None:
    assert not is_own_network(address)
