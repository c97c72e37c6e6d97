"""A real Kea takes changes through its control socket while it runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.dhcp.kea_family import ReservationChange
from lochkit.dhcp.kea_live import KeaServer, KeaSocketReloader
from lochkit.dhcp.kea_socket import KeaRefused, KeaSocket
from lochkit.dhcp.reload import ReloadFailed

from .kea_server import real_kea

NAME = "kea-dhcp4.conf"
CEILING = 30
HOOKS = (
    Path("/usr/lib/x86_64-linux-gnu/kea/hooks/libdhcp_lease_cmds.so"),
    Path("/usr/lib/aarch64-linux-gnu/kea/hooks/libdhcp_lease_cmds.so"),
)


def mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def config(directory: Path, *hosts: int, **more: object) -> dict[str, Any]:
    hooks = [{"library": str(path)} for path in HOOKS if path.exists()]
    reservations = [
        {
            "hw-address": mac(number),
            "ip-address": f"10.20.0.{number}",
            "user-context": {"lochkit-id": f"id-{number}"},
        }
        for number in hosts
    ]
    return {
        "Dhcp4": {
            "interfaces-config": {"interfaces": []},
            "control-socket": {"socket-type": "unix", "socket-name": f"{directory}/kea.sock"},
            "lease-database": {"type": "memfile", "persist": False},
            "host-reservation-identifiers": ["hw-address"],
            "hooks-libraries": hooks,
            "subnet4": [{"id": 7, "subnet": "10.20.0.0/24", "reservations": reservations}],
            **more,
        }
    }


async def served(socket: KeaSocket) -> list[str]:
    """The addresses in the configuration that is in force."""
    in_force: Mapping[str, Any] = await socket.demand("config-get")
    return [
        reservation["ip-address"]
        for subnet in in_force["Dhcp4"]["subnet4"]
        for reservation in subnet["reservations"]
    ]


async def test_a_live_change_is_served_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / NAME
    own = tmp_path / "own.conf"
    with trio.fail_after(CEILING):
        async with real_kea(tmp_path, config(tmp_path)) as socket:
            server = KeaServer(socket, write_to=str(own))
            reloader = KeaSocketReloader({NAME: server}, {NAME: file})
            file.write_text(json.dumps(config(tmp_path, 5, 6)))
            await reloader.reload(frozenset({NAME}))
            assert await served(socket) == ["10.20.0.5", "10.20.0.6"]
            assert "10.20.0.6" in own.read_text()

            bad = config(tmp_path, 8)
            bad["Dhcp4"]["subnet4"][0]["reservations"][0]["ip-address"] = "10.99.0.8"
            file.write_text(json.dumps(bad))
            with pytest.raises(KeaRefused, match=r"'10\.99\.0\.8' is not within"):
                await server.test(file)
            server.accept(file)  # even if its checker had let it pass
            with pytest.raises(ReloadFailed, match=r"refuses config-set: .*10\.99\.0\.8"):
                await reloader.reload(frozenset({NAME}))
            assert await served(socket) == ["10.20.0.5", "10.20.0.6"]

            file.write_text('{"Dhcp4": {"nonsense": true}}')
            with pytest.raises(ReloadFailed, match="refuses config-test"):
                await reloader.reload(frozenset({NAME}))
            assert await served(socket) == ["10.20.0.5", "10.20.0.6"]


async def test_the_leases_of_removed_hosts_are_ended_and_no_others(tmp_path: Path) -> None:
    with trio.fail_after(CEILING):
        async with real_kea(tmp_path, config(tmp_path, 5, 6)) as socket:
            for number, owner in ((5, mac(5)), (6, mac(9))):
                lease = {"ip-address": f"10.20.0.{number}", "hw-address": owner, "subnet-id": 7}
                assert (await socket.command("lease4-add", lease)).ok
            gone = [ReservationChange(4, 7, mac(number), None) for number in (5, 6)]
            assert await KeaServer(socket).release(gone) == 1
            left = await socket.demand("lease4-get-all")
            assert [lease["hw-address"] for lease in left["leases"]] == [mac(9)]


async def test_without_the_hook_for_leases_they_are_left_alone(tmp_path: Path) -> None:
    with trio.fail_after(CEILING):
        async with real_kea(tmp_path, config(tmp_path, 5, **{"hooks-libraries": []})) as socket:
            assert await KeaServer(socket).release([ReservationChange(4, 7, mac(5), None)]) == 0


async def test_this_one_is_not_told_of_single_hosts(tmp_path: Path) -> None:
    """Its library for hosts is not free software; it gets the whole file instead."""
    file = tmp_path / NAME
    generation, changes = 1, [ReservationChange(4, 7, mac(6), {"hw-address": mac(6)})]
    with trio.fail_after(CEILING):
        async with real_kea(tmp_path, config(tmp_path)) as socket:
            reloader = KeaSocketReloader(
                {NAME: KeaServer(socket)},
                {NAME: file},
                generation=lambda: generation,
                changes=lambda: changes,
            )
            for hosts in ((5,), (5, 6)):
                generation += 1
                file.write_text(json.dumps(config(tmp_path, *hosts)))
                await reloader.reload(frozenset({NAME}))
            assert await served(socket) == ["10.20.0.5", "10.20.0.6"]


async def test_many_hosts_are_taken_in_one_command(tmp_path: Path) -> None:
    many = config(tmp_path)
    many["Dhcp4"]["subnet4"][0]["subnet"] = "10.0.0.0/8"
    many["Dhcp4"]["subnet4"][0]["reservations"] = [
        {
            "hw-address": f"02:01:00:00:{n >> 8:02x}:{n & 255:02x}",
            "ip-address": f"10.1.{n >> 8}.{n & 255}",
        }
        for n in range(1, 10_001)
    ]
    file = tmp_path / NAME
    file.write_text(json.dumps(many))
    with trio.fail_after(CEILING):
        async with real_kea(tmp_path, config(tmp_path)) as socket:
            await KeaServer(socket).replace(file)
            assert len(await served(socket)) == 10_000


async def test_the_server_for_ipv6_takes_changes_as_well(tmp_path: Path) -> None:
    def six(*hosts: int) -> dict[str, Any]:
        reservations = [
            {"hw-address": mac(number), "ip-addresses": [f"2001:db8::{number}"]} for number in hosts
        ]
        return {
            "Dhcp6": {
                "control-socket": {"socket-type": "unix", "socket-name": f"{tmp_path}/kea.sock"},
                "lease-database": {"type": "memfile", "persist": False},
                "server-id": {"type": "EN", "identifier": "0123456789", "persist": False},
                "subnet6": [{"id": 1, "subnet": "2001:db8::/64", "reservations": reservations}],
            }
        }

    file = tmp_path / "kea-dhcp6.conf"
    file.write_text(json.dumps(six(5)))
    with trio.fail_after(CEILING):
        async with real_kea(tmp_path, six(), 6) as socket:
            await KeaServer(socket, 6).replace(file)
            in_force = await socket.demand("config-get")
    reservations = in_force["Dhcp6"]["subnet6"][0]["reservations"]
    assert [one["ip-addresses"] for one in reservations] == [["2001:db8::5"]]
