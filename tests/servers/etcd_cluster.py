"""Three real etcds that agree, and ways to make them disagree."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import trio

from .binaries import Binaries
from .cut_proxy import CutProxy
from .etcd_server import EtcdServer, ServerOptions
from .kernel import local_ports
from .ports import free_port
from .process import ServerFailed
from .workspace import workspace

__all__ = ["EtcdCluster"]

LEADER_SECONDS = 15.0
POLL_SECONDS = 0.05
# Elections in a second, yet no false ones on a busy machine.
TIMING = ("--heartbeat-interval=50", "--election-timeout=500")


class EtcdCluster:
    """Members whose traffic among each other passes proxies.

    Attributes:
        members: the servers; their order never changes.
        proxies: each member's front to the other members.
    """

    def __init__(self, members: list[EtcdServer], proxies: list[CutProxy]) -> None:
        self.members = members
        self.proxies = proxies
        self._away: set[int] = set()

    @property
    def endpoints(self) -> list[str]:
        """The members' URLs for clients."""
        return [member.endpoint for member in self.members]

    @classmethod
    @asynccontextmanager
    async def run(cls, programs: Binaries, *, size: int = 3) -> AsyncIterator["EtcdCluster"]:
        """A healthy cluster for as long as the block runs; killed and removed afterwards."""
        async with AsyncExitStack() as stack:
            root = stack.enter_context(workspace())
            ports = [free_port() for _ in range(size)]
            proxies = [
                await stack.enter_async_context(CutProxy.run("127.0.0.1", port)) for port in ports
            ]
            members = _members(programs, root, ports, proxies)
            cluster = cls(members, proxies)
            try:
                async with trio.open_nursery() as nursery:
                    for member in members:
                        nursery.start_soon(member.start)
                yield cluster
            finally:
                for member in members:
                    member.kill()

    async def leader(self) -> EtcdServer:
        """Return the member that leads, as soon as a running majority agrees on one.

        Raises:
            ServerFailed: that took too long.
        """
        deadline = monotonic() + LEADER_SECONDS
        while monotonic() < deadline:
            votes = await self._votes()
            for member_id, name in votes.values():
                agree = sum(1 for voter, _ in votes.values() if voter == member_id)
                if agree * 2 > len(self.members) and name is not None:
                    return name
            await trio.sleep(POLL_SECONDS)
        raise ServerFailed("no leader in time")

    async def followers(self) -> list[EtcdServer]:
        """Return the members that run and do not lead."""
        leader = await self.leader()
        return [m for m in self.members if m is not leader and m.process.running]

    async def _votes(self) -> dict[str, tuple[int, EtcdServer | None]]:
        """Whom each reachable member takes for the leader: its id, and it, once known."""
        own: dict[int, EtcdServer] = {}
        says: dict[str, int] = {}
        for index, member in enumerate(self.members):
            if not member.process.running or index in self._away:
                continue
            try:
                answer = json.loads(await member.ctl("endpoint", "status", "--write-out=json"))
            except AssertionError:
                continue
            status = answer[0]["Status"]
            own[status["header"]["member_id"]] = member
            says[member.name] = status.get("leader", 0)
        return {name: (leader, own.get(leader)) for name, leader in says.items() if leader}

    def isolate(self, member: EtcdServer) -> None:
        """Cut a member off from the others, in both directions; clients still reach it."""
        away = self.members.index(member)
        self._away.add(away)

        def from_outside(port: int) -> bool:
            return port in local_ports(member.process.pid)

        for index, proxy in enumerate(self.proxies):
            if index == away:
                proxy.black_hole()
            else:
                proxy.blocks = from_outside

    def heal(self) -> None:
        """End all isolation."""
        self._away.clear()
        for proxy in self.proxies:
            proxy.cut()  # what was silent for long is better begun anew
            proxy.heal()


def _members(
    programs: Binaries, root: Path, ports: list[int], proxies: list[CutProxy]
) -> list[EtcdServer]:
    names = [f"m{index}" for index in range(len(ports))]
    everyone = ",".join(f"{name}={proxy.url}" for name, proxy in zip(names, proxies, strict=True))
    members = []
    for name, port, proxy in zip(names, ports, proxies, strict=True):
        directory = root / name
        directory.mkdir()
        peers = (
            f"--listen-peer-urls=http://127.0.0.1:{port}",
            f"--initial-advertise-peer-urls={proxy.url}",
            f"--initial-cluster={everyone}",
            "--initial-cluster-state=new",
            *TIMING,
        )
        members.append(EtcdServer(programs, directory, ServerOptions(), name=name, peers=peers))
    return members
