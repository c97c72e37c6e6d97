"""Which of its ways a running Kea is told by, with a server that only writes down what it hears."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.dhcp.checker import KeaChecker, Outcome
from lochkit.dhcp.kea_family import ReservationChange
from lochkit.dhcp.kea_live import KeaServer, KeaSocketReloader
from lochkit.dhcp.kea_socket import KeaSocket
from lochkit.dhcp.reload import ReloadFailed

from .kea_server import fake_kea

NAME = "kea-dhcp4.conf"
CHANGED = frozenset({NAME})
MAC = "02:1a:4f:c3:77:01"
PUT = ReservationChange(4, 1, MAC, {"hw-address": MAC, "ip-address": "10.0.0.1"})
OUT = ReservationChange(4, 1, MAC, None)
NEW_KEA = ["reservation-add", "reservation-del", "lease4-get", "lease4-del"]


@dataclass
class World:
    """A server, the installed file, and what the daemon would know of both."""

    path: Path
    file: Path
    replies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    generation: int | None = 1
    changes: list[list[ReservationChange] | None] = field(default_factory=list)
    taken: int = 0

    def take(self) -> list[ReservationChange] | None:
        self.taken += 1
        return self.changes.pop(0) if self.changes else None

    def answer(self, name: str, arguments: Any) -> Mapping[str, Any]:
        if name in self.replies:
            return self.replies[name]
        if name == "list-commands":
            return {"result": 0, "arguments": NEW_KEA}
        return {"result": 0, "text": "3.0.0"}

    def server(self, write_to: str | None = None) -> KeaServer:
        return KeaServer(KeaSocket(self.path, timeout=2), write_to=write_to)

    def reloader(self) -> KeaSocketReloader:
        return KeaSocketReloader(
            {NAME: self.server()},
            {NAME: self.file},
            generation=lambda: self.generation,
            changes=self.take,
        )

    def heard(self) -> list[str]:
        """The commands since the last time, but for tests."""
        names = [name for name, _ in self.asked if name != "config-test"]
        self.asked.clear()
        return names

    async def next(self, reloader: KeaSocketReloader, *changes: ReservationChange) -> list[str]:
        """Install the next generation, which differs in these; return what the server heard."""
        self.generation = (self.generation or 0) + 1
        self.changes.append(list(changes))
        await reloader.reload(CHANGED)
        return self.heard()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    file = tmp_path / NAME
    file.write_text(json.dumps({"Dhcp4": {}}))
    world = World(tmp_path / "kea.sock", file)
    async with running(world):
        yield world


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    with trio.fail_after(20):
        async with fake_kea(world.path, world.answer) as asked:
            world.asked = asked
            yield


WHOLE = ["config-set"]
SINGLE = ["list-commands", "version-get"]


async def test_the_first_time_the_whole_file_is_given(world: World) -> None:
    await world.reloader().reload(CHANGED)
    assert world.asked == [("config-test", {"Dhcp4": {}}), ("config-set", {"Dhcp4": {}})]


async def test_what_the_checker_has_accepted_is_not_tested_again(
    world: World, tmp_path: Path
) -> None:
    server = world.server()
    checker = KeaChecker(binary="true", server=server)
    assert (await checker.check({NAME: world.file})).outcome is Outcome.ACCEPTED
    world.file.rename(tmp_path / "installed")
    await server.replace(tmp_path / "installed")
    (tmp_path / "installed").write_text('{"Dhcp4": {"changed": 1}}')
    await server.replace(tmp_path / "installed")
    assert [name for name, _ in world.asked] == ["config-set", "config-test", "config-set"]


async def test_without_a_checker_the_server_tests_what_is_staged(world: World) -> None:
    server = world.server()
    checker = KeaChecker(binary="no-such-kea", server=server)
    assert (await checker.check({NAME: world.file})).outcome is Outcome.ACCEPTED
    await server.replace(world.file)
    assert [name for name, _ in world.asked] == ["config-test", "config-set"]
    world.replies["config-test"] = {"result": 1, "text": "no good"}
    verdict = await checker.check({NAME: world.file})
    assert verdict.outcome is Outcome.REJECTED
    assert "no good" in verdict.text


async def test_with_neither_checker_nor_server_nothing_is_checked(world: World) -> None:
    server = KeaServer(KeaSocket(world.path.parent / "none"))
    verdict = await KeaChecker(binary="no-such-kea", server=server).check({NAME: world.file})
    assert verdict.outcome is Outcome.SKIPPED
    assert "nobody listens" in verdict.text


async def test_single_hosts_are_told_one_by_one(world: World) -> None:
    reloader = world.reloader()
    assert await world.next(reloader) == WHOLE
    assert await world.next(reloader, PUT) == [*SINGLE, "reservation-add"]
    world.replies["lease4-get"] = {"result": 3}
    assert await world.next(reloader, OUT) == [*SINGLE, "reservation-del", "lease4-get"]


async def test_a_server_that_can_not_is_given_the_whole_file(world: World) -> None:
    world.replies["list-commands"] = {"result": 0, "arguments": ["config-set"]}
    reloader = world.reloader()
    await world.next(reloader)
    assert await world.next(reloader, PUT) == [*SINGLE, *WHOLE]


@pytest.mark.parametrize("name", ["reservation-add", "list-commands"])
async def test_a_server_that_refuses_is_given_the_whole_file(world: World, name: str) -> None:
    world.replies[name] = {"result": 1, "text": "no"}
    reloader = world.reloader()
    await world.next(reloader)
    assert (await world.next(reloader, PUT))[-1:] == WHOLE


async def test_a_host_that_is_gone_already_is_no_reason(world: World) -> None:
    world.replies |= {"reservation-del": {"result": 3}, "lease4-get": {"result": 2}}
    reloader = world.reloader()
    await world.next(reloader)
    assert await world.next(reloader, OUT, PUT) == [
        *(*SINGLE, "reservation-del", "reservation-add", "lease4-get"),
    ]


async def test_more_than_single_hosts_is_the_whole_file(world: World) -> None:
    reloader = world.reloader()
    await world.next(reloader)
    world.generation, world.changes = 5, [None]
    await reloader.reload(CHANGED)
    assert world.heard() == WHOLE
    assert await world.next(reloader) == WHOLE  # nothing is known to differ, and yet it was changed


async def test_after_a_failure_it_is_whole_files_until_all_is_known_again(world: World) -> None:
    reloader = world.reloader()
    await world.next(reloader)
    world.replies |= {
        "reservation-add": {"result": 1, "text": "no"},
        "config-set": {"result": 1, "text": "bad"},
    }
    with pytest.raises(ReloadFailed, match="refuses config-set: bad"):
        await world.next(reloader, PUT)
    with pytest.raises(ReloadFailed):  # tried again
        await reloader.reload(CHANGED)
    world.replies.clear()
    good, taken, world.generation = world.generation, world.taken, 2
    world.heard()
    await reloader.reload(CHANGED)  # the last good generation is back
    assert world.heard() == WHOLE
    assert world.taken == taken
    world.generation = good
    assert await world.next(reloader, PUT) == WHOLE  # changes since what has failed, not since this
    assert await world.next(reloader, PUT) == [*SINGLE, "reservation-add"]


async def test_nobody_listens_is_a_failed_reload(world: World) -> None:
    reloader = KeaSocketReloader(
        {NAME: KeaServer(KeaSocket(world.path.parent / "none"))}, {NAME: world.file}
    )
    with pytest.raises(ReloadFailed, match="nobody listens"):
        await reloader.reload(CHANGED)


async def test_a_file_that_can_not_be_read_is_a_failed_reload(world: World) -> None:
    world.file.unlink()
    with pytest.raises(ReloadFailed, match="can not read"):
        await world.reloader().reload(CHANGED)


async def test_only_servers_whose_file_has_changed_are_told(world: World, tmp_path: Path) -> None:
    (tmp_path / "kea-dhcp6.conf").write_text('{"Dhcp6": {}}')
    other = World(tmp_path / "kea6.sock", tmp_path / "kea-dhcp6.conf")
    async with running(other):
        six = KeaServer(KeaSocket(other.path, timeout=2), 6)
        reloader = KeaSocketReloader(
            {NAME: world.server(), "kea-dhcp6.conf": six},
            {NAME: world.file, "kea-dhcp6.conf": other.file},
            generation=lambda: world.generation,
            changes=world.take,
        )
        await world.next(reloader)
        assert other.heard() == []
        other.replies["config-set"] = {"result": 1, "text": "six says no"}
        with pytest.raises(ReloadFailed, match="six says no"):
            await reloader.reload(frozenset())
        assert world.heard() == WHOLE
        other.replies.clear()
        other.heard()
        await reloader.reload(CHANGED)  # it still has to hear of that
        assert other.heard() == WHOLE


async def test_leases_of_removed_hosts_are_ended(world: World) -> None:
    lease = {"hw-address": MAC, "ip-address": "10.0.0.1", "subnet-id": 1}
    world.replies["lease4-get"] = {"result": 0, "arguments": lease}
    assert await world.server().release([OUT]) == 1
    assert world.asked[-1] == ("lease4-del", {"ip-address": "10.0.0.1"})
    assert await world.server().release([OUT, PUT]) == 0  # it has the same address again


async def test_a_fault_with_leases_is_only_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.replies["lease4-get"] = {"result": "nonsense"}
    with caplog.at_level(logging.WARNING):
        assert await world.server().release([OUT]) == 0
    assert "leases of removed hosts may be left" in caplog.text


async def test_the_server_writes_its_own_file_and_failing_that_is_said_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    server = world.server("/var/lib/kea/own.conf")
    await server.replace(world.file)
    assert world.asked[-1] == ("config-write", {"filename": "/var/lib/kea/own.conf"})
    world.replies["config-write"] = {"result": 1, "text": "disk full"}
    with caplog.at_level(logging.WARNING):
        await server.replace(world.file)
        await server.replace(world.file)
    assert len(caplog.messages) == 1
    assert "disk full" in caplog.text
