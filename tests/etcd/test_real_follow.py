"""The follower against real servers that are killed, cut, compacted, restored and partitioned.

In each test the state followed ends equal to what ``etcdctl get --prefix`` says, and every step on
the way fits the one before (`Seen.take`).
"""

import random

import pytest
import trio

from lochkit.etcd import operations as op
from lochkit.etcd.client import Client
from lochkit.etcd.model import Origin
from lochkit.etcd.prefix import KeyRange
from tests.etcd.real import client_of, config_of, following, until
from tests.servers.binaries import VARIANTS, Binaries, binaries
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_cluster import EtcdCluster
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
LIMIT = 90


@pytest.fixture(params=VARIANTS)
def programs(request: pytest.FixtureRequest) -> Binaries:
    return binaries(request.param)


async def scribble(etcd: Client, rng: random.Random, count: int) -> None:
    """Puts, deletes and transactions over two prefixes and some foreign keys."""
    for number in range(count):
        key = b"/%s/%d" % (rng.choice((b"a", b"b", b"m")), rng.randrange(30))
        match rng.randrange(4):
            case 0:
                await etcd.kv.delete(KeyRange.exact(key))
            case 1:
                pair = [op.put(b"/%s/pair" % part, b"%d" % number) for part in (b"a", b"b")]
                await etcd.kv.txn([], pair)
            case _:
                await etcd.kv.put(key, b"%d" % number)


async def test_changes_transactions_and_expiry(programs: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(programs) as server,
            client_of(server.endpoint) as etcd,
            following(config_of(server.endpoint)) as (_, seen),
        ):
            await scribble(etcd, random.Random(1), 300)
            lease = await etcd.leases.grant(1)
            await etcd.kv.put(b"/leased", b"", lease=lease.ID)
            await until(10, lambda: b"/leased" in seen.state)
            assert b"/leased" in seen.state
            await until(10, lambda: b"/leased" not in seen.state)
            await seen.reaches(await server.dump("/"))
            assert {step.origin for step in seen.steps[1:]} == {Origin.WATCHED}


async def test_a_transaction_over_two_prefixes_is_one_step(programs: Binaries) -> None:
    ranges = (KeyRange.prefix(b"/a/"), KeyRange.prefix(b"/z/"))
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(programs) as server,
            client_of(server.endpoint) as etcd,
            following(config_of(server.endpoint), ranges) as (_, seen),
        ):
            for number in range(200):
                value = b"%d" % number
                await etcd.kv.txn([], [op.put(b"/a/1", value), op.put(b"/z/1", value)])
                await etcd.kv.put(b"/m/1", value)  # in between, and not wanted
            await seen.reaches({b"/a/1": b"199", b"/z/1": b"199"})
            for step in seen.steps[1:]:
                assert set(step.changes) == {b"/a/1", b"/z/1"}


async def test_kill_and_restart_lose_nothing_and_double_nothing(programs: Binaries) -> None:
    rng = random.Random(2)
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(programs) as server,
            following(config_of(server.endpoint)) as (_, seen),
        ):
            for _ in range(4):
                async with client_of(server.endpoint) as etcd:
                    await scribble(etcd, rng, 50)
                server.kill()
                await trio.sleep(0.2)
                await server.start()
            await server.ctl("put", "/end", "1")
            await seen.reaches(await server.dump("/"))
            assert [step.origin for step in seen.steps].count(Origin.LISTED) == 1
            revisions = [step.revision for step in seen.steps]
            assert revisions == sorted(set(revisions))


@pytest.mark.parametrize("seed", range(3))
async def test_cuts_anywhere_and_compaction_meanwhile(programs: Binaries, seed: int) -> None:
    """The proxy cuts after any number of bytes; sometimes history is compacted before it heals."""
    rng = random.Random(seed)
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(programs) as server,
            client_of(server.endpoint) as etcd,
            CutProxy.run("127.0.0.1", server.port) as proxy,
            following(config_of(proxy.url)) as (_, seen),
        ):
            for _ in range(12):
                match rng.randrange(3):
                    case 0:
                        proxy.cut_after(rng.randrange(3000))
                    case 1:
                        proxy.cut()
                    case _:
                        proxy.refuse()
                await scribble(etcd, rng, 40)
                if rng.random() < 0.5:
                    newest = (await etcd.kv.put(b"/c", b"")).header.revision
                    await etcd.kv.compact(newest)
                proxy.heal()
                await scribble(etcd, rng, 5)
            await etcd.kv.put(b"/end", b"")
            await seen.reaches(await server.dump("/"))
            assert [step.origin for step in seen.steps].count(Origin.LISTED) == 1


async def test_what_was_deleted_and_compacted_unseen_is_deleted(programs: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(programs) as server,
            client_of(server.endpoint) as etcd,
            CutProxy.run("127.0.0.1", server.port) as proxy,
        ):
            for key in (b"/keep", b"/gone"):
                await etcd.kv.put(key, b"1")
            async with following(config_of(proxy.url)) as (follower, seen):
                await seen.reaches({b"/keep": b"1", b"/gone": b"1"})
                proxy.refuse()
                await until(10, lambda: not follower.connected)
                assert not follower.connected
                await etcd.kv.delete(KeyRange.exact(b"/gone"))
                newest = (await etcd.kv.put(b"/elsewhere", b"")).header.revision
                await etcd.kv.compact(newest)
                proxy.heal()
                await seen.reaches({b"/keep": b"1", b"/elsewhere": b""})
                assert seen.steps[-1].origin is Origin.RESYNCED
                assert set(seen.steps[-1].changes) == {b"/gone", b"/elsewhere"}


@pytest.mark.slow
async def test_a_black_hole_is_noticed_in_seconds_and_another_endpoint_taken(
    programs: Binaries,
) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(programs) as server,
            client_of(server.endpoint) as etcd,
            CutProxy.run("127.0.0.1", server.port) as hole,
            CutProxy.run("127.0.0.1", server.port) as other,
            following(config_of(hole.url, other.url, ping_interval=5)) as (_, seen),
        ):
            await etcd.kv.put(b"/a", b"1")
            await seen.reaches({b"/a": b"1"})
            hole.black_hole()
            await etcd.kv.put(b"/a", b"2")
            began = trio.current_time()
            await seen.reaches({b"/a": b"2"})
            assert trio.current_time() - began < 12


async def test_a_store_that_went_back_is_noticed(programs: Binaries) -> None:
    """Another, younger store behind the same address: what a restore from backup looks like."""
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(programs) as first,
            client_of(first.endpoint) as etcd,
            CutProxy.run("127.0.0.1", first.port) as proxy,
            following(config_of(proxy.url)) as (_, seen),
        ):
            await scribble(etcd, random.Random(3), 100)
            await seen.reaches(await first.dump("/"))
            async with EtcdServer.run(programs) as second:
                await second.ctl("put", "/restored", "1")
                proxy._target = ("127.0.0.1", second.port)
                proxy.cut()
                await seen.reaches({b"/restored": b"1"})
                await second.ctl("put", "/restored", "2")
                await seen.reaches({b"/restored": b"2"})


@pytest.mark.slow
async def test_a_cluster_that_loses_its_leader_and_then_a_member(programs: Binaries) -> None:
    rng = random.Random(4)
    with trio.fail_after(LIMIT):
        async with EtcdCluster.run(programs) as cluster:
            leader = await cluster.leader()
            endpoints = [leader.endpoint, *(m.endpoint for m in await cluster.followers())]
            async with following(config_of(*endpoints)) as (_, seen):
                async with client_of(*reversed(endpoints)) as etcd:
                    await scribble(etcd, rng, 50)
                leader.kill()
                second = await cluster.leader()
                async with client_of(second.endpoint) as etcd:
                    await scribble(etcd, rng, 50)
                await leader.start()
                await second.stop()
                third = await cluster.leader()
                async with client_of(third.endpoint) as etcd:
                    await scribble(etcd, rng, 50)
                await seen.reaches(await third.dump("/"))
                revisions = [step.revision for step in seen.steps]
                assert revisions == sorted(set(revisions))
                assert [step.origin for step in seen.steps].count(Origin.LISTED) == 1


async def test_a_member_cut_off_from_the_others_is_left(programs: Binaries) -> None:
    """Its clients still reach it; only its missing leader gives it away."""
    with trio.fail_after(LIMIT):
        async with EtcdCluster.run(programs) as cluster:
            alone, healthy = await cluster.followers()
            async with (
                following(config_of(alone.endpoint, healthy.endpoint)) as (_, seen),
                client_of(healthy.endpoint) as etcd,
            ):
                await etcd.kv.put(b"/a", b"1")
                await seen.reaches({b"/a": b"1"})
                cluster.isolate(alone)
                await etcd.kv.put(b"/a", b"2")
                await seen.reaches({b"/a": b"2"})


@pytest.mark.slow
async def test_nothing_is_missed_while_a_member_lags(programs: Binaries) -> None:
    """Follow one member, let it fall behind, go on to it from a newer one: a lag is no restore."""
    with trio.fail_after(LIMIT):
        async with EtcdCluster.run(programs) as cluster:
            lagging, healthy = await cluster.followers()
            async with (
                CutProxy.run("127.0.0.1", healthy.port) as proxy,
                following(config_of(proxy.url, lagging.endpoint)) as (_, seen),
                client_of(healthy.endpoint) as etcd,
            ):
                cluster.isolate(lagging)
                await scribble(etcd, random.Random(5), 100)
                await seen.reaches(await healthy.dump("/"))
                proxy.refuse()
                await trio.sleep(1)
                cluster.heal()
                await lagging.healthy()  # whoever comes back may cause one more election
                await cluster.leader()
                await healthy.healthy()
                await scribble(etcd, random.Random(6), 20)
                await seen.reaches(await healthy.dump("/"))
                assert {step.origin for step in seen.steps[1:]} <= {Origin.WATCHED}
