"""Whole agents, in one process, on hosts in memory: with TLS, orders, streams and their files."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from lochkit.errors import ConfigError, leaves
from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints
from lochkit.etcd.prefix import KeyRange
from lochkit.io.lockfile import LockHeld
from lochkit.io.notify import Notifier
from lochkit.zfs.agent import Agent
from lochkit.zfs.agent_settings import AgentSettings, Etcd
from lochkit.zfs.agent_status import AgentStatus, ChoreStatus, read_status
from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.order_client import Destination, OrderClient
from lochkit.zfs.orders import Action, Order
from lochkit.zfs.policy_types import HostAddress
from tests.fakes.zfs_host import FakeHost
from tests.io.peering import Hosts
from tests.servers.etcd_server import EtcdServer

VAULT = """
[clients.web1]
write = ["bulk/web1"]
orders = ["destroy_snapshot"]
[clients.director]
orders = ["all"]
orders_on = ["bulk"]
"""
JOB = """
[hosts.vault]
address = "127.0.0.1"
orders = {orders}
streams = {streams}
[[job]]
name = "pg"
datasets = ["ssd/pg"]
recursive = true
snapshot = {{ cron = "0 4 * * *", prefix = "hot", zone = "UTC" }}
keep = ["last 2"]
[[job.replicate]]
to = "{to}"
target = "bulk/web1/pg"
keep = ["last 3"]
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    return Hosts(tmp_path_factory.mktemp("hosts") / "pki")


class Bench:
    """Two hosts and their agents."""

    def __init__(self, hosts: Hosts, directory: Path) -> None:
        self.hosts, self.directory = hosts, directory
        self.web1 = FakeHost("web1", pools=("ssd", "bulk"))
        self.vault = FakeHost("vault", pools=("bulk",))
        self.web1.state.make("ssd/pg")
        self.web1.state.now = 1_700_000_000
        self.web1.state.snaps("ssd/pg", *(f"hot_2023-11-1{day}T04:00:00Z" for day in range(5)))
        self.vault.state.make("bulk/web1")

    def settings(self, host: str, policy: str, **more: object) -> AgentSettings:
        file = self.write(host, policy)
        facts = {
            "credentials": self.hosts.credentials(host),
            "listen": "127.0.0.1",
            "orders_port": 0,
            "streams_port": 0,
        } | more
        return AgentSettings(
            host=host,
            state=self.directory / host,
            policy=str(file),
            **facts,  # type: ignore[arg-type]
        )

    def write(self, host: str, policy: str) -> Path:
        file = self.directory / f"{host}.toml"
        file.write_text(policy)
        return file

    def status(self, host: str) -> AgentStatus:
        return read_status((self.directory / host / "agent.json").read_bytes())


@pytest.fixture
def bench(hosts: Hosts, tmp_path: Path) -> Bench:
    return Bench(hosts, tmp_path)


def agent(settings: AgentSettings, host: FakeHost, etcd: Client | None = None) -> Agent:
    return Agent(settings, host, etcd, notifier=Notifier({}), watch=None)


@asynccontextmanager
async def running(
    settings: AgentSettings, host: FakeHost, etcd: Client | None = None
) -> AsyncIterator[Agent]:
    found = agent(settings, host, etcd)
    async with trio.open_nursery() as nursery:
        await nursery.start(found.run)
        with trio.fail_after(30):  # noqa: ASYNC100 (the test's)
            yield found
        nursery.cancel_scope.cancel()


async def until(found: Agent, holds: Callable[[AgentStatus], bool]) -> AgentStatus:
    while True:
        seen = found.board.version
        if holds(found.board.status):
            return found.board.status
        await found.board.changed(seen)


def chore(status: AgentStatus, work: str, to: str = "") -> ChoreStatus:
    return next(one for one in status.chores if (one.work, one.to) == (work, to))


def ports(found: Agent) -> dict[str, int]:
    listening = found.board.status.listening
    return {name: int(shown.rpartition(":")[2]) for name, shown in listening.items()}


async def test_a_policy_is_all_that_two_agents_need(bench: Bench) -> None:
    async with running(bench.settings("vault", VAULT), bench.vault) as vault:
        policy = JOB.format(to="vault", **ports(vault))
        settings = bench.settings("web1", policy, listen=None)
        async with running(settings, bench.web1) as web1:
            await until(
                web1,
                lambda status: (
                    len(status.chores) == 4
                    and all(one.last_success for one in status.chores)
                    and chore(status, "destroy", "vault").message == "3 destroyed"
                ),
            )
            here = bench.web1.state.guids("ssd/pg")
            there = bench.vault.state.guids("bulk/web1/pg")
            assert there[-1] == here[-1]
            assert (len(here), len(there)) == (2, 3)  # what each is to keep
            assert vault.board.status.orders_done == 1
    for host in ("web1", "vault"):
        status = bench.status(host)
        assert (status.host, status.state, status.transfers) == (host, "stopped", ())
        assert (bench.directory / host).stat().st_mode & 0o777 == 0o700


async def test_agents_find_each_other_in_etcd(bench: Bench, one_etcd: EtcdServer) -> None:
    config = EtcdConfig(endpoints=parse_endpoints((one_etcd.endpoint,)))
    tells = Etcd(namespace="/agents", address="127.0.0.1", ttl=5)
    async with open_client(config) as etcd:
        settings = bench.settings("vault", VAULT, etcd=tells)
        async with running(settings, bench.vault, etcd) as vault:
            await until(vault, lambda status: status.etcd == "connected")
            policy = JOB.format(to="vault", orders=1, streams=1).split("[[job]]", 1)[1]
            settings = bench.settings("web1", "[[job]]" + policy, listen=None, etcd=tells)
            async with running(settings, bench.web1, etcd) as web1:
                await until(
                    web1,
                    lambda status: (
                        len(status.chores) == 4
                        and chore(status, "destroy", "vault").message == "3 destroyed"
                    ),
                )
        assert await etcd.kv.count(KeyRange.prefix(b"/agents/")) == 0


async def test_another_pool_of_the_same_host_will_do(bench: Bench) -> None:
    bench.web1.state.make("bulk/web1")
    policy = JOB.format(to="local", orders=1, streams=1)
    settings = bench.settings("web1", policy, credentials=None, listen=None)
    async with running(settings, bench.web1) as web1:
        await until(
            web1,
            lambda status: (
                len(status.chores) == 4
                and chore(status, "destroy", "local").message == "3 destroyed"
            ),
        )
    assert bench.web1.state.guids("bulk/web1/pg")[-1] == bench.web1.state.guids("ssd/pg")[-1]
    assert len(bench.web1.state.guids("bulk/web1/pg")) == 3


async def test_once_is_enough_for_a_timer(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.web1.state.make("bulk/web1")
    policy = JOB.format(to="local", orders=1, streams=1)
    settings = bench.settings("web1", policy, credentials=None, listen=None)
    assert await agent(settings, bench.web1).once()
    assert len(bench.web1.state.guids("ssd/pg")) == 2
    assert len(bench.web1.state.guids("bulk/web1/pg")) == 3
    assert await agent(settings, bench.web1).once()  # nothing to do
    assert len(bench.web1.asked("take")) == 1
    bench.web1.state.remove("ssd/pg")
    assert not await agent(settings, bench.web1).once()
    assert "there is no ssd/pg" in caplog.text


async def test_an_agent_without_a_certificate_speaks_with_nobody(bench: Bench) -> None:
    policy = JOB.format(to="vault", orders=1, streams=1)
    settings = bench.settings("web1", policy, credentials=None, listen=None)
    async with running(settings, bench.web1) as web1:
        status = await until(
            web1,
            lambda status: any(one.work == "send" and one.last_error for one in status.chores),
        )
        assert "no certificate" in chore(status, "send", "vault").last_error


async def test_orders_are_taken_and_their_permission_is_that_of_now(bench: Bench) -> None:
    settings = bench.settings("vault", VAULT)
    async with running(settings, bench.vault) as vault:
        client = OrderClient(bench.hosts.credentials("director"))
        where = HostAddress(address="127.0.0.1", orders=ports(vault)["orders"])
        to = Destination(host="vault", where=where)

        def take(uuid: str) -> Order:
            return Order(uuid=uuid, action=Action.TAKE, dataset="bulk/web1", snapshot_name=uuid)

        assert (await client.give(take("one"), to, timeout=10)).is_success
        bench.write("vault", VAULT.replace("director", "somebody"))
        vault.hang_up()
        with trio.fail_after(10):
            while (await client.give(take("two"), to, timeout=10)).is_success:  # noqa: ASYNC110 (files tell no trio.Event)
                await trio.sleep(0.05)
    assert bench.vault.state.names("bulk/web1")[0] == "one"


async def test_a_policy_is_read_anew_and_a_bad_one_is_not_followed(bench: Bench) -> None:
    policy = JOB.format(to="local", orders=1, streams=1)
    settings = bench.settings("web1", policy, credentials=None, listen=None)
    bench.web1.state.make("bulk/web1")
    async with running(settings, bench.web1) as web1:
        await until(web1, lambda status: len(status.chores) == 4)
        bench.write("web1", policy + "colour = 1\n")
        web1.hang_up()
        status = await until(web1, lambda status: bool(status.policy_error))
        assert "colour" in status.policy_error
        assert len(status.chores) == 4
        bench.write("web1", policy.replace('name = "pg"', 'name = "other"'))
        web1.hang_up()
        status = await until(web1, lambda status: {one.job for one in status.chores} == {"other"})
        assert status.policy_error == ""


async def test_a_state_directory_is_for_one_agent(bench: Bench) -> None:
    settings = bench.settings("vault", VAULT)
    async with running(settings, bench.vault):
        with pytest.raises(LockHeld, match="only one"):
            await agent(settings, bench.vault).run()


@pytest.mark.parametrize(
    ("policy", "more", "error", "word"),
    [
        ("[clients.web1]\nwrit = []", {}, BadPolicy, "writ"),
        (VAULT, {"listen": "192.0.2.1"}, ConfigError, "192.0.2.1"),
    ],
)
async def test_an_agent_that_can_not_be_does_not_begin(
    bench: Bench, policy: str, more: dict[str, object], error: type[Exception], word: str
) -> None:
    settings = bench.settings("vault", policy, **more)
    with pytest.RaisesGroup(error, allow_unwrapped=True, flatten_subgroups=True) as caught:
        await agent(settings, bench.vault).run()
    assert word in str(next(leaves(caught.value)))


async def test_once_without_a_job_is_a_mistake(bench: Bench) -> None:
    settings = bench.settings("vault", VAULT, listen=None)
    with pytest.raises(ConfigError, match="no job for vault"):
        await agent(settings, bench.vault).once()
