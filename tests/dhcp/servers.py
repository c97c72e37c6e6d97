"""The real DHCP servers that the tests hold our output against."""

import os
import shutil

import pytest

__all__ = ["dhcp_server"]

PACKAGES = {
    "dhcpd": "isc-dhcp-server",
    "kea-dhcp4": "kea-dhcp4-server",
    "kea-dhcp6": "kea-dhcp6-server",
    "dnsmasq": "dnsmasq-base",
}


def dhcp_server(name: str) -> str:
    """Return the path of a server's binary; the test fails when it is missing.

    Args:
        name: ``dhcpd``, ``kea-dhcp4``, ``kea-dhcp6`` or ``dnsmasq``.
    """
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        pytest.fail(
            f"{name} is not installed: apt-get install {PACKAGES[name]}, or scripts/servers"
        )
    return path
