"""What all renderers promise: changes give what a fresh start gives, and cost what they touch."""

from collections.abc import Callable
from statistics import median
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lochkit.dhcp.dnsmasq import DnsmasqBackend
from lochkit.dhcp.documents import Backend
from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.kea import KeaBackend
from lochkit.dhcp.kea_base import default_base
from lochkit.dhcp.model import Update

from .hosts import World, many_hosts, worlds
from .rendering import SETTINGS, contents, hosts_of, load

Make = Callable[[], Backend]

BASE = default_base(4)
BASE["Dhcp4"]["subnet4"] = [{"id": 1, "subnet": "10.20.0.0/24"}]

BACKENDS: dict[str, Make] = {
    "isc": lambda: IscBackend(SETTINGS),
    "isc-subnets": lambda: IscBackend(SETTINGS, subnets=True),
    "kea": lambda: KeaBackend(SETTINGS),
    "kea-6": lambda: KeaBackend(SETTINGS, base4=BASE, base6=default_base(6)),
    "dnsmasq-file": lambda: DnsmasqBackend(SETTINGS, opts_file="/o", hosts_file="/h"),
    "dnsmasq-directory": lambda: DnsmasqBackend(SETTINGS, opts_file="/o", hosts_dir="/h"),
}

each_backend = pytest.mark.parametrize("make", BACKENDS.values(), ids=BACKENDS)


@each_backend
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(steps=st.lists(worlds(), max_size=4))
def test_changes_give_what_a_fresh_start_gives(make: Make, steps: list[World]) -> None:
    backend = make()
    names = [document.name for document in backend.documents()]
    before: World | None = None
    files: dict[str, bytes] = {}
    for world in steps:
        old = {document.name: document for document in backend.documents()}
        old_bytes = {name: b"".join(document.pieces) for name, document in old.items()}
        backend.update(world.update_from(before))
        before = world
        fresh = make()
        load(fresh, world)
        assert contents(backend) == contents(fresh)
        assert backend.refused == fresh.refused
        assert backend.hosts == fresh.hosts == len(hosts_of(world)) - len(backend.refused)
        assert [document.name for document in backend.documents()] == names
        marked = sum(content.count(b"\n") for content in backend.files().values())
        for document in backend.documents():
            now = b"".join(document.pieces)
            assert (document.stamp == old[document.name].stamp) == (now == old_bytes[document.name])
            # What was handed over has not been changed behind the installer's back.
            assert b"".join(old[document.name].pieces) == old_bytes[document.name]
            marked += now.count(document.marker)
        assert marked == backend.hosts
        for name, content in backend.take_files().items():
            if content is None:
                del files[name]
            else:
                assert files.get(name) != content
                files[name] = content
        assert files == backend.files()


@each_backend
def test_nothing_new_changes_nothing(make: Make) -> None:
    backend = make()
    update = many_hosts(100, 3)
    backend.update(update)
    before = backend.documents()
    backend.take_files()
    backend.update(Update())
    backend.update(update)
    assert [document.stamp for document in backend.documents()] == [
        document.stamp for document in before
    ]
    assert backend.take_files() == {}


@each_backend
def test_speed(make: Make) -> None:
    """The bounds are some five times what is measured; of the processor, as others use it too."""
    backend, update = make(), many_hosts(110_000)
    began = process_time()
    backend.update(update)
    backend.documents()
    assert process_time() - began < 2
    assert backend.hosts == 110_000
    took = []
    for key in list(update.guests)[:200]:
        host = update.guests[key]
        assert host is not None
        change = Update(guests={key: host._replace(mac="02:ff" + host.mac[5:])})
        began = process_time()
        backend.update(change)
        backend.documents()
        backend.take_files()
        took.append(process_time() - began)
    assert median(took) < 0.002
