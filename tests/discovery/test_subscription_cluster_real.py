"""Subscribers beside three members that are killed, cut off from each other, and lag behind."""

import random
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from lochkit.discovery.events import Event, Kind
from lochkit.discovery.host import Host
from lochkit.discovery.reading import catalog
from lochkit.discovery.subscription import follow
from lochkit.discovery.watching import Subscription
from lochkit.etcd.client import Client
from lochkit.etcd.errors import Unavailable
from lochkit.etcd.prefix import KeyRange
from tests.discovery.registry_words import Kept, host_key, host_value
from tests.etcd.real import client_of, until
from tests.servers.binaries import Binaries
from tests.servers.etcd_cluster import EtcdCluster

pytestmark = pytest.mark.real_etcd
LIMIT = 120
STEADY = host_key("web/steady")


class Listener:
    """What a subscriber was told, and what it takes for the truth."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.events: list[Event] = []

    def knows(self, truth: dict[tuple[str, str], Host]) -> bool:
        return self.kept.hosts == truth and not self.kept.stale

    async def run(self, events: Subscription) -> None:
        async for event in events:
            self.events.append(event)
            self.kept.take(event)


async def churn(etcd: Client, rng: random.Random) -> None:
    """Instances come and go, by way of whoever answers."""
    while True:
        key = host_key(f"web/{rng.randrange(20)}")
        try:
            if rng.random() < 0.4:
                await etcd.kv.delete(KeyRange.exact(key))
            else:
                await etcd.kv.put(key, host_value(rng.choice("xyz")))
        except Unavailable:  # written or not: the store knows
            await trio.sleep(0.05)


async def leader_killed(cluster: EtcdCluster) -> None:
    member = await cluster.leader()
    member.kill()
    await trio.sleep(3)
    await member.start()


async def leader_cut_off(cluster: EtcdCluster) -> None:
    cluster.isolate(await cluster.leader())
    await trio.sleep(4)
    cluster.heal()


async def one_after_the_other_lags(cluster: EtcdCluster) -> None:
    for member in cluster.members:
        cluster.isolate(member)
        await trio.sleep(2)
        cluster.heal()
        await trio.sleep(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [leader_killed, leader_cut_off, one_after_the_other_lags])
async def test_nothing_is_lost_and_nobody_is_down_for_it(
    debian_etcd: Binaries, trouble: Callable[[EtcdCluster], Awaitable[None]]
) -> None:
    listener = Listener()
    with trio.fail_after(LIMIT):
        async with (
            EtcdCluster.run(debian_etcd) as cluster,
            client_of(*cluster.endpoints) as writing,
            client_of(*cluster.endpoints) as watching,
            client_of(cluster.endpoints[0]) as of_one_member,
            follow(watching) as directory,
            follow(of_one_member) as lagging,
            directory.subscribe("web") as events,
            lagging.subscribe("web") as others,
        ):
            lagger = Listener()
            await writing.kv.put(STEADY, host_value())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listener.run, events)
                nursery.start_soon(lagger.run, others)
                async with trio.open_nursery() as writers:
                    writers.start_soon(churn, writing, random.Random(1))
                    await trio.sleep(1)
                    await trouble(cluster)
                    await trio.sleep(1)
                    writers.cancel_scope.cancel()
                truth = {
                    (name, one.uuid): one.host
                    for name, service in (await catalog(writing)).items()
                    for one in service.instances
                }
                for one in (listener, lagger):
                    await until(30, partial(one.knows, truth))
                    assert one.knows(truth)
                    steady = [event.kind for event in one.events if event.uuid == "steady"]
                    assert steady == [Kind.NEW]
                nursery.cancel_scope.cancel()
