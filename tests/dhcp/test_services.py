"""Which unit is meant, and what is done with it."""

import pytest

from lochkit.dhcp.services import SERVICES, Service, action, verb


def all_verbs(backend: str, *changed: str) -> list[str | None]:
    return [verb(service, frozenset(changed)) for service in SERVICES[backend]]


@pytest.mark.parametrize(
    ("backend", "changed", "verbs"),
    [
        ("isc", ("guests.conf",), ["restart"]),
        ("isc", (), ["restart"]),
        ("kea", ("kea-dhcp4.conf",), ["reload-or-restart", None]),
        ("kea", ("kea-dhcp6.conf",), [None, "reload-or-restart"]),
        ("kea", (), ["reload-or-restart", "reload-or-restart"]),
        ("dnsmasq", ("dnsmasq.hosts", "dnsmasq.opts"), ["reload-or-restart"]),
        ("dnsmasq", ("hosts directory",), ["reload-or-restart"]),
        ("dnsmasq", ("dnsmasq.hosts", "dnsmasq.conf"), ["restart"]),
        ("dnsmasq", (), ["reload-or-restart"]),
    ],
)
def test_verb(backend: str, changed: tuple[str, ...], verbs: list[str | None]) -> None:
    assert all_verbs(backend, *changed) == verbs


@pytest.mark.parametrize(
    ("state", "seen", "done"),
    [
        ("active", False, "reload"),
        ("reloading", False, "reload"),
        ("active", True, "reload"),
        ("inactive", False, None),
        ("inactive", True, None),  # its operator has stopped it
        ("failed", False, None),
        ("failed", True, "restart"),  # perhaps of our last attempt
        ("activating", True, "restart"),
        ("activating", False, None),
        ("unknown", True, None),
    ],
)
def test_action(state: str, seen: bool, done: str | None) -> None:
    assert action(state, "reload", seen_active=seen) == done


def test_services_are_told_apart() -> None:
    services = [service for group in SERVICES.values() for service in group]
    assert len(set(services)) == len(services)
    assert Service(units=("a",)).verb == "restart"
