"""From any keys in etcd to files: exactly the valid hosts, and the real checkers are content."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lochkit.dhcp.dnsmasq import DnsmasqBackend
from lochkit.dhcp.documents import Backend
from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.kea import KeaBackend
from lochkit.dhcp.kea_base import default_base
from lochkit.dhcp.layout import Layout
from lochkit.dhcp.model import Group, Reason
from lochkit.dhcp.wanted import Wanted
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import Appeared, Origin, Step

from .naive import read_all
from .rendering import SETTINGS, contents, run_checker
from .servers import dhcp_server
from .test_inventory_machine import changes_of_one

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PAIRS = st.lists(changes_of_one(), max_size=14)


def entries_of(pairs: list[tuple[bytes, bytes | None]]) -> dict[bytes, KeyValue]:
    """Keys as they stand after these writes, each as old as its last creation."""
    entries: dict[bytes, KeyValue] = {}
    for revision, (key, value) in enumerate(pairs, 2):
        if value is None:
            entries.pop(key, None)
        else:
            created = entries[key].create_revision if key in entries else revision
            entries[key] = KeyValue(
                key=key, create_revision=created, mod_revision=revision, value=value
            )
    return entries


def wanted_of(backend: Backend, entries: Mapping[bytes, KeyValue]) -> Wanted:
    layout = Layout()
    wanted = Wanted(layout, backend)
    objects = {key: kv for key, kv in entries.items() if layout.wanted(key)}
    wanted.take(Step(revision=99, changes=Appeared(objects), origin=Origin.LISTED), 0)
    return wanted


def written(text: str, form: str) -> set[tuple[str, str]]:
    """Every MAC and address that stands together in a file, by a regular expression for both."""
    return {(mac.lower(), address) for mac, address in re.findall(form, text)}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs=PAIRS)
def test_dhcpds_files(pairs: list[tuple[bytes, bytes | None]], tmp_path: Path) -> None:
    entries = entries_of(pairs)
    wanted = wanted_of(IscBackend(SETTINGS), entries)
    seen = read_all(entries)
    v4 = {key: host for key, host in seen.hosts.items() if host.subnet.version == 4}
    for name, text in contents(wanted.backend).items():
        group = name.removesuffix(".conf")
        ids = set(re.findall(rf"host ({UUID}) {{", text.decode()))
        assert ids == {path_id for kind, path_id in v4 if kind == group}
        form = r"ethernet  ([0-9A-F:]{17});\s+fixed-address      ([0-9.]+);"
        assert written(text.decode(), form) == {
            (host.mac, host.address) for (kind, _), host in v4.items() if kind == group
        }
        path = tmp_path / name
        path.write_bytes(text)
        run_checker([dhcp_server("dhcpd"), "-4", "-t", "-cf", str(path)], tmp_path)
    told = {key: entry.problem.reason for key, entry in wanted.ledger.entries.items()}
    unsupported = {
        f"/lochness/{kind}/{path_id}/metadata": Reason.UNSUPPORTED
        for kind, path_id in seen.hosts.keys() - v4.keys()
    }
    assert told == {**seen.reasons, **unsupported}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs=PAIRS)
def test_keas_files(pairs: list[tuple[bytes, bytes | None]], tmp_path: Path) -> None:
    entries = entries_of(pairs)
    backend = KeaBackend(SETTINGS, base4=default_base(4), base6=default_base(6))
    wanted = wanted_of(backend, entries)
    found = set()
    for version in (4, 6):
        text = contents(backend)[f"kea-dhcp{version}.conf"]
        for network in json.loads(text)[f"Dhcp{version}"][f"subnet{version}"]:
            for one in network["reservations"]:
                address = one["ip-address"] if version == 4 else one["ip-addresses"][0]
                found.add((one["user-context"]["lochkit-id"], one["hw-address"], address))
        path = tmp_path / f"kea{version}.conf"
        path.write_bytes(text)
        run_checker([dhcp_server(f"kea-dhcp{version}"), "-t", str(path)], tmp_path)
    refused = {path_id for _, path_id in backend.refused}
    assert found == {
        (path_id, host.mac, host.address)
        for (_, path_id), host in read_all(entries).hosts.items()
        if path_id not in refused
    }
    assert wanted.hosts(Group.GUESTS) + wanted.hosts(Group.HYPERVISORS) == len(found)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs=PAIRS)
def test_dnsmasqs_files(pairs: list[tuple[bytes, bytes | None]], tmp_path: Path) -> None:
    entries = entries_of(pairs)
    hosts, options = tmp_path / "hosts", tmp_path / "opts"
    backend = DnsmasqBackend(SETTINGS, opts_file=str(options), hosts_file=str(hosts))
    wanted_of(backend, entries)
    text = contents(backend)["dnsmasq.hosts"].decode()
    form = r"(?m)^([0-9a-f:]{17}),.*?,\[?([0-9a-f.:]+)\]?(?:,[A-Za-z0-9-]+)?$"
    refused = {path_id for _, path_id in backend.refused}
    assert written(text, form) == {
        (host.mac, host.address)
        for (_, path_id), host in read_all(entries).hosts.items()
        if path_id not in refused
    }
    main = tmp_path / "main.conf"
    lines = b"\n".join(backend.lines_to_check())
    conf = b"".join(
        line
        for line in contents(backend)["dnsmasq.conf"].splitlines(keepends=True)
        if not line.startswith((b"dhcp-hostsfile", b"dhcp-optsfile"))
    )
    main.write_bytes(conf + lines + b"\n")
    run_checker([dhcp_server("dnsmasq"), "--test", "-C", str(main)], tmp_path)
