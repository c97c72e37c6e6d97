"""ISC dhcpd's files: the original's bytes, and what dhcpd says of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from lochkit.dhcp.boot import IPXE, KINDS, Kind, file_of
from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.isc_boot import boot_chain
from lochkit.dhcp.model import Boot, Group, Reason, Update
from lochkit.dhcp.settings import RenderSettings

from .hosts import (
    GOLDEN,
    GOLDEN_UPDATE,
    NET_A,
    NODE_A,
    NODES,
    WEB,
    World,
    boots,
    identity,
    worlds,
)
from .rendering import SETTINGS, contents, hosts_of, load, run_checker
from .servers import dhcp_server

LEGACY = RenderSettings.of("example.com")
DECLARATION = "option client-arch code 93 = unsigned integer 16;\n"

HOST = re.compile(
    r"\n    host (\S+) \{\n        hardware ethernet  (\S+);\n        fixed-address      (\S+);\n"
    r"(?:        option routers     (\S+);\n)?(?:        option subnet-mask (\S+);\n)?"
)


def rendered(update: Update, with_settings: RenderSettings = LEGACY) -> dict[str, str]:
    backend = IscBackend(with_settings)
    backend.update(update)
    return {name: content.decode() for name, content in contents(backend).items()}


def web(**changes: Any) -> Update:
    host = GOLDEN_UPDATE.guests[WEB]
    assert host is not None
    return Update(guests={WEB: host._replace(**changes)})


def test_the_golden_data_gives_the_bytes_of_the_original() -> None:
    backend = IscBackend(LEGACY)
    backend.update(GOLDEN_UPDATE)
    assert contents(backend) == {
        name: (GOLDEN / name).read_bytes() for name in ("hypervisors.conf", "guests.conf")
    }
    assert backend.hosts == 4
    assert backend.take_files() == {}


def test_nothing_gives_the_bytes_of_the_original() -> None:
    backend = IscBackend(RenderSettings.of("ex"))
    assert contents(backend) == {
        name: (GOLDEN / "empty" / name).read_bytes() for name in ("hypervisors.conf", "guests.conf")
    }


def test_what_is_unknown_is_left_out() -> None:
    nowhere = NODES._replace(network=None, netmask=None, gateway=None)
    text = rendered(web(subnet=nowhere))["guests.conf"]
    assert "fixed-address      10.20.0.37;\n    }\n" in text
    text = rendered(web(subnet=NET_A._replace(gateway=None)))["guests.conf"]
    assert "10.20.0.37;\n        option subnet-mask 255.255.255.0;\n    }\n" in text


def test_ipv6_is_refused_with_a_way_out() -> None:
    six = NET_A._replace(network="2001:db8::/64", netmask=None, gateway=None, version=6)
    backend = IscBackend(LEGACY)
    backend.update(GOLDEN_UPDATE)
    backend.update(web(address="2001:db8::1", subnet=six))
    problem = backend.refused[Group.GUESTS, WEB]
    assert problem.reason is Reason.UNSUPPORTED
    assert "Kea or dnsmasq" in problem.text
    assert backend.hosts == 3
    backend.update(GOLDEN_UPDATE)
    assert not backend.refused
    backend.update(web(address="2001:db8::1", subnet=six))
    backend.update(Update(guests={WEB: None}))
    assert not backend.refused
    assert backend.hosts == 3


def test_a_chain_for_all_architectures() -> None:
    boot = Boot("script", "bios", "x64", "arm64", "http://x", "http://a", "192.0.2.9")
    assert boot_chain(boot, "  ").text == (
        '  if exists user-class and option user-class = "iPXE" {\n'
        '      filename "script";\n'
        "  } elsif option client-arch = 00:07 or option client-arch = 00:09 {\n"
        "      next-server 192.0.2.9;\n"
        '      filename "x64";\n'
        "  } elsif option client-arch = 00:0b {\n"
        "      next-server 192.0.2.9;\n"
        '      filename "arm64";\n'
        "  } elsif option client-arch = 00:10 {\n"
        '      option vendor-class-identifier "HTTPClient";\n'
        '      filename "http://x";\n'
        "  } elsif option client-arch = 00:13 {\n"
        '      option vendor-class-identifier "HTTPClient";\n'
        '      filename "http://a";\n'
        "  } else {\n"
        "      next-server 192.0.2.9;\n"
        '      filename "bios";\n'
        "  }\n"
    )


@pytest.mark.parametrize(
    ("boot", "text"),
    [
        (Boot(), ""),
        (Boot(next_server="192.0.2.9"), ""),
        (Boot(bios="b"), 'filename "b";\n'),
        (Boot(bios="b", next_server="2001:db8::1"), 'filename "b";\n'),
        (
            Boot(uefi_arm64="a", bios=""),
            'if option client-arch = 00:0b {\n    filename "a";\n}\n',
        ),
    ],
)
def test_shorter_chains(boot: Boot, text: str) -> None:
    assert boot_chain(boot, "").text == text


def evaluate(text: str, client: Kind, said: dict[str, str]) -> None:
    """Do what dhcpd does with a chain of ours for a client of one kind."""
    marks = ["iPXE"] if client is IPXE else [f"00:{arch:02x}" for arch in client.architectures]
    taken, runs = False, True
    for line in text.splitlines():
        if line.endswith(" {"):
            runs = not taken and (line == "} else {" or any(mark in line for mark in marks))
            taken = taken or runs
        elif line == "}":
            runs = True
        elif runs:
            name, _, value = line.strip(" ;").removeprefix("option ").partition(" ")
            said[name] = value.strip('"')


@given(general=boots(), own=boots())
def test_a_host_says_what_differs_from_its_group_and_takes_the_rest_back(
    general: Boot, own: Boot
) -> None:
    assert boot_chain(general, "", general).text == ""
    boot = own.over(general)
    for client in KINDS:
        said: dict[str, str] = {}
        evaluate(boot_chain(general, "").text, client, said)
        evaluate(boot_chain(boot, "", general).text, client, said)
        wanted: dict[str, str] = {}
        evaluate(boot_chain(boot, "").text, client, wanted)
        silent = ("", "= null", "0.0.0.0")
        assert {k: v for k, v in said.items() if v not in silent} == wanted
        found = file_of(boot, client)
        assert wanted.get("filename") == (found and found[1])


def test_the_architecture_is_declared_where_it_is_asked_for_and_only_there() -> None:
    own = Boot(uefi_x64="x")
    backend = IscBackend(LEGACY)
    backend.update(GOLDEN_UPDATE)
    before = contents(backend)
    backend.update(web(boot=own))
    with_own = contents(backend)
    assert with_own["guests.conf"].decode().count(DECLARATION) == 1
    assert with_own["hypervisors.conf"] == before["hypervisors.conf"]
    backend.update(GOLDEN_UPDATE)
    assert contents(backend) == before
    backend.update(web(boot=own))
    backend.update(Update(guests={WEB: None}))
    assert DECLARATION not in contents(backend)["guests.conf"].decode()
    assert rendered(GOLDEN_UPDATE, SETTINGS)["hypervisors.conf"].count(DECLARATION) == 1


def test_each_address_is_in_one_declared_subnet() -> None:
    inner = NET_A._replace(id=identity(1), network="10.20.0.64/26", netmask="255.255.255.192")
    six = NET_A._replace(id=identity(2), network="2001:db8::/64", netmask=None, version=6)
    same = NET_A._replace(id=identity(3), gateway=None)
    extra = {str(net.id): net for net in (inner, six, same)}
    backend = IscBackend(LEGACY, subnets=True)
    backend.update(GOLDEN_UPDATE)
    backend.update(Update(subnets=extra))
    assert contents(backend)["subnets.conf"].decode() == (
        "\n# Generated by lochkit dhcp\n"
        "subnet 10.20.0.0 netmask 255.255.255.0 { }\n"
        "subnet 10.20.4.0 netmask 255.255.252.0 { }\n"
        "subnet 172.16.9.128 netmask 255.255.255.128 { }\n"
        "subnet 192.168.100.0 netmask 255.255.255.0 { }\n"
    )
    backend.update(Update(hypervisors=dict.fromkeys(GOLDEN_UPDATE.hypervisors)))
    backend.update(Update(subnets={str(NET_A.id): None, identity(3): None}))
    text = contents(backend)["subnets.conf"].decode()
    assert "192.168.100.0" not in text
    assert "subnet 10.20.0.64 netmask 255.255.255.192 { }\n" in text


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(world=worlds())
def test_the_files_hold_exactly_the_hosts_and_dhcpd_accepts_them(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    backend = IscBackend(SETTINGS, subnets=True)
    load(backend, world)
    files = {name: content.decode() for name, content in contents(backend).items()}
    found = {match[0]: match for text in files.values() for match in HOST.findall(text)}
    served = {key: host for key, host in hosts_of(world).items() if host.subnet.version == 4}
    assert found == {
        key: (
            key,
            host.mac.upper(),
            host.address,
            host.subnet.gateway or "",
            host.subnet.netmask or "",
        )
        for key, host in served.items()
    }
    assert backend.hosts == len(served)
    assert {key for _, key in backend.refused} == hosts_of(world).keys() - served.keys()
    directory = tmp_path_factory.mktemp("isc")
    _check(directory, files)


def _check(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).write_text(text)
    main = "".join(f'include "{directory / name}";\n' for name in files)
    (directory / "dhcpd.conf").write_text(main)
    run_checker([dhcp_server("dhcpd"), "-4", "-t", "-cf", str(directory / "dhcpd.conf")], directory)


def test_hosts_are_sorted_by_id() -> None:
    found = HOST.findall(rendered(GOLDEN_UPDATE)["hypervisors.conf"])
    assert [match[0] for match in found] == sorted(GOLDEN_UPDATE.hypervisors)
    assert found[0][0] == NODE_A
