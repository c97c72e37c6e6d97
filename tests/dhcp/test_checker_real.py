"""The servers' real checkers accept what is right, and their complaints are understood."""

import shutil
from pathlib import Path

import pytest
import trio

from lochkit.dhcp.checker import (
    Checker,
    DnsmasqChecker,
    IscChecker,
    KeaChecker,
    Outcome,
    Verdict,
)
from lochkit.dhcp.dnsmasq import DnsmasqBackend
from lochkit.dhcp.documents import Backend
from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.kea import KeaBackend

from .hosts import GOLDEN_UPDATE, many_hosts
from .rendering import SETTINGS
from .servers import dhcp_server

ACCEPTED = Verdict(outcome=Outcome.ACCEPTED)
GROUP = """
group guests {{
    option domain-name "guests.example.com";

    host 04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101 {{
        hardware ethernet  02:1A:4F:C3:77:01;
        fixed-address      {address};
    }}
}}
"""
KEA = """{{
  "Dhcp4": {{
    "interfaces-config": {{ "interfaces": [ ] }},
    "lease-database": {{ "type": "memfile", "persist": false }},
    "subnet4": [ {{ "id": 1, "subnet": "10.20.0.0/24", "reservations": [
{{ "hw-address": "02:1a:4f:c3:77:01", "ip-address": "10.20.0.37",
   "user-context": {{ "lochkit-id": "one" }} }},
{{ "hw-address": "{mac}", "ip-address": "{address}", "user-context": {{ "lochkit-id": "two" }} }}
    ] }} ]
  }}
}}
"""


@pytest.fixture(autouse=True)
def _servers() -> None:
    """None of these tests may pass because a server was not found, and its check skipped."""
    for name in ("dhcpd", "kea-dhcp4", "dnsmasq"):
        dhcp_server(name)


async def test_dhcpd_judges_ours_within_the_whole(tmp_path: Path) -> None:
    targets = {name: tmp_path / name for name in ("hypervisors.conf", "guests.conf")}
    (tmp_path / ".new").mkdir()
    staged = {name: tmp_path / ".new" / name for name in targets}
    main = tmp_path / "dhcpd.conf"
    main.write_text(
        f"subnet 10.20.0.0 netmask 255.255.255.0 {{ }}\n"
        f'include "{targets["hypervisors.conf"]}";\ninclude "{targets["guests.conf"]}";\n'
    )
    targets["guests.conf"].write_text("this is in force, and bad")
    staged["hypervisors.conf"].write_text("")
    staged["guests.conf"].write_text(GROUP.format(address="10.20.0.37"))
    checker = IscChecker(main, targets)
    with trio.fail_after(20):
        assert await checker.check(staged) == ACCEPTED
        assert await IscChecker(None, targets).check(staged) == ACCEPTED
        staged["guests.conf"].write_text(GROUP.format(address="<nil>"))
        bad = await checker.check(staged)
        staged["guests.conf"].write_text(GROUP.format(address="10.20.0.37"))
        main.write_text(main.read_text() + GROUP.format(address="10.20.0.38"))
        clash = await checker.check(staged)
    assert bad.outcome is Outcome.REJECTED
    assert "guests.conf line 7 (host 04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101): < (60)" in bad.text
    assert clash.outcome is Outcome.REJECTED  # right alone, and wrong where it is included
    assert f"{main} line " in clash.text
    assert "already exists" in clash.text


@pytest.mark.parametrize(
    ("mac", "address", "said"),
    [
        ("02:1a:4f:c3:77:02", "10.20.0.38", None),
        ("02:1a:4f:c3:77:02", "10.20.1.38", "host two: specified reservation '10.20.1.38'"),
        ("02:1a:4f:c3:77:02", "nil", "kea-dhcp4.conf line 8 (host two): Failed to convert"),
        ("02:1a:4f:c3:77:01", "10.20.0.38", "02:1a:4f:c3:77:01' to the IPv4 subnet"),
    ],
)
async def test_kea_says_which_host_is_wrong(
    tmp_path: Path, mac: str, address: str, said: str | None
) -> None:
    path = tmp_path / "kea-dhcp4.conf"
    path.write_text(KEA.format(mac=mac, address=address))
    with trio.fail_after(20):
        verdict = await KeaChecker(4).check({"kea-dhcp4.conf": path})
    assert (verdict == ACCEPTED) == (said is None)
    assert (said or "") in verdict.text


async def test_kea_judges_dhcpv6(tmp_path: Path) -> None:
    dhcp_server("kea-dhcp6")
    path = tmp_path / "kea-dhcp6.conf"
    path.write_text('{"Dhcp6": {"lease-database": {"type": "memfile", "persist": false}}}')
    with trio.fail_after(20):
        assert await KeaChecker(6).check({"kea-dhcp6.conf": path}) == ACCEPTED
        path.write_text('{"Dhcp6": {"nonsense": 1}}')
        assert (await KeaChecker(6).check({"kea-dhcp6.conf": path})).outcome is Outcome.REJECTED


async def test_dnsmasq_judges_lines_it_would_not_read(tmp_path: Path) -> None:
    targets = {name: tmp_path / name for name in ("dnsmasq.conf", "dnsmasq.hosts")}
    (tmp_path / ".new").mkdir()
    staged = {name: tmp_path / ".new" / name for name in targets}
    hosts = targets["dnsmasq.hosts"]
    staged["dnsmasq.conf"].write_text(
        f"dhcp-range=set:n,10.20.0.0,static,255.255.255.0\ndhcp-hostsfile={hosts}\n"
    )
    staged["dnsmasq.hosts"].write_text("whatever\n")
    shutil.copyfile(staged["dnsmasq.conf"], targets["dnsmasq.conf"])
    main = tmp_path / "main.conf"
    main.write_text(f"port=0\nconf-dir={tmp_path},.hosts\nconf-file=/no/such\n")
    good = b"dhcp-host=02:1a:4f:c3:77:01,set:guest,10.20.0.37"
    with trio.fail_after(20):
        missing = await DnsmasqChecker(main, targets).check(staged, [good])
        main.write_text(f"port=0\nconf-file={targets['dnsmasq.conf']}\n")
        accepted = await DnsmasqChecker(main, targets).check(staged, [good])
        rejected = await DnsmasqChecker(main, targets).check(
            staged, [good, b"dhcp-host=02:1a:4f:c3:77:02,<nil>"]
        )
        staged["dnsmasq.conf"].write_text("# ours\nnonsense=1\n")
        config = await DnsmasqChecker(main, targets).check(staged, [])
    assert "/no/such" in missing.text
    assert accepted == ACCEPTED
    assert rejected.text == (
        "dnsmasq rejects it: dhcp-host=02:1a:4f:c3:77:02,<nil>: bad DHCP host name"
    )
    assert config.text == "dnsmasq rejects it: dnsmasq.conf line 2: bad option"


async def test_dnsmasq_is_not_slow_with_many_lines(tmp_path: Path) -> None:
    """One run with all of these would compare each with each: twenty seconds and more."""
    lines = [
        b"dhcp-host=02:00:%02x:%02x:%02x:01,10.%d.%d.%d"
        % (n >> 16, n >> 8 & 255, n & 255, n >> 16, n >> 8 & 255, n & 255)
        for n in range(100_000)
    ]
    (tmp_path / "dnsmasq.conf").write_text("port=0\n")
    began = trio.current_time()
    with trio.fail_after(60):
        verdict = await DnsmasqChecker(None, {}).check(
            {"dnsmasq.conf": tmp_path / "dnsmasq.conf"}, lines
        )
    assert verdict == ACCEPTED
    assert trio.current_time() - began < 10


def checkers() -> list[tuple[Backend, Checker]]:
    return [
        (IscBackend(SETTINGS, subnets=True), IscChecker(None, {})),
        (KeaBackend(SETTINGS), KeaChecker(4)),
        (
            DnsmasqBackend(SETTINGS, opts_file="/x/opts", hosts_file="/x/hosts"),
            DnsmasqChecker(None, {}),
        ),
    ]


@pytest.mark.parametrize("count", [0, 12_000])  # more than one run of dnsmasq
@pytest.mark.parametrize("number", range(3))
async def test_what_is_rendered_is_accepted(tmp_path: Path, number: int, count: int) -> None:
    backend, checker = checkers()[number]
    backend.update(GOLDEN_UPDATE if not count else many_hosts(count))
    staged = {}
    for document in backend.documents():
        staged[document.name] = path = tmp_path / document.name
        path.write_bytes(b"".join(document.pieces))
    lines = backend.lines_to_check() if isinstance(backend, DnsmasqBackend) else ()
    assert len(lines) >= count or number < 2
    with trio.fail_after(30):
        assert await checker.check(staged, lines) == ACCEPTED
