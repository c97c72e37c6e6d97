"""Subscribers beside real servers that are killed, cut, compacted and silent."""

import random
import statistics
from functools import partial

import pytest
import trio

from lochkit.discovery.directory import Directory
from lochkit.discovery.events import Kind
from lochkit.discovery.layout import DEFAULT_LAYOUT, Layout
from lochkit.discovery.reading import catalog
from lochkit.discovery.subscription import follow, subscribe, subscribe_down
from lochkit.discovery.watching import Subscription
from lochkit.etcd.client import Client, open_client
from lochkit.etcd.prefix import KeyRange
from tests.discovery.registry_words import Kept, host_key, host_value, words
from tests.etcd.real import client_of, config_of, until
from tests.servers.binaries import Binaries
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
LIMIT = 90
A, B, C = (host_key(f"web/{name}") for name in "abc")
LEAVING = host_value(lochkit={"state": "leaving"})


async def up_to(events: Subscription, last: str, seconds: float = 30) -> list[str]:
    """What is told up to and with an event."""
    told: list[str] = []
    with trio.fail_after(seconds):
        while last not in told:
            told += words([await anext(events)])
    return told


async def register(etcd: Client, key: bytes, *, ttl: int = 60) -> int:
    lease = await etcd.leases.grant(ttl)
    await etcd.kv.put(key, host_value(), lease=lease.ID)
    return lease.ID


async def test_how_an_instance_goes_is_told(shared_etcd: EtcdServer) -> None:
    layout = Layout(namespace="/going")
    left, removed, gone, other = (layout.instance_key("web", name) for name in "lrgo")
    with trio.fail_after(LIMIT):
        async with (
            client_of(shared_etcd.endpoint) as etcd,
            subscribe(etcd, "web", layout=layout) as events,
            subscribe_down(etcd, "web", layout=layout) as downs,
        ):
            lease = await register(etcd, left)
            await etcd.kv.put(layout.instance_key("web2", "x"), host_value())
            await etcd.kv.put(left, LEAVING, lease=lease)
            await etcd.leases.revoke(lease)
            assert await up_to(events, "down web/l left") == [
                *("new web/l", "changed web/l", "down web/l left")
            ]
            await etcd.kv.put(removed, host_value())
            await etcd.kv.delete(KeyRange.exact(removed))
            assert await up_to(events, "down web/r removed") == ["new web/r", "down web/r removed"]
            await register(etcd, gone, ttl=1)
            assert await up_to(events, "down web/g expired") == ["new web/g", "down web/g expired"]
            await etcd.kv.put(layout.infos_key("web"), b'{"name":"web","public":true}')
            assert await up_to(events, "infos web") == ["infos web"]
            # All keys of one lease go at one revision.
            lease = await register(etcd, other)
            await etcd.kv.put(layout.instance_key("web", "p"), host_value(), lease=lease)
            await etcd.leases.revoke(lease)
            await up_to(events, "down web/p expired")
            heard = [await anext(downs) for _ in range(5)]
            assert heard[3].revision == heard[4].revision
            assert [event.uuid for event in heard[:3]] == ["l", "r", "g"]


async def test_a_restart_is_heard_as_an_outage_and_nothing_is_down(debian_etcd: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(debian_etcd) as server,
            client_of(server.endpoint) as etcd,
            follow(etcd) as directory,
            directory.subscribe("web") as events,
        ):
            await register(etcd, A)
            assert await up_to(events, "new web/a") == ["new web/a"]
            for _ in range(2):
                server.kill()
                assert await up_to(events, "stale") == ["stale"]
                assert directory.service("web").stale
                await server.start()
                assert await up_to(events, "fresh") == ["fresh"]
                assert not directory.service("web").stale
            await register(etcd, B)
            assert await up_to(events, "new web/b") == ["new web/b"]


@pytest.mark.parametrize("compacted", [False, True])
async def test_what_happened_while_cut_off_is_told_exactly(
    etcd_binary: Binaries, compacted: bool
) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(etcd_binary) as server,
            client_of(server.endpoint) as etcd,
            CutProxy.run("127.0.0.1", server.port) as proxy,
            client_of(proxy.url) as watching,
        ):
            for key in (A, B, C):
                await etcd.kv.put(key, host_value())
            async with subscribe(watching, "web") as events:
                proxy.refuse()
                assert await up_to(events, "stale") == ["stale"]
                await etcd.kv.delete(KeyRange.exact(A))
                await etcd.kv.put(B, host_value("other"))
                await etcd.kv.delete(KeyRange.exact(C))
                await etcd.kv.put(C, host_value())
                newest = (await etcd.kv.put(host_key("web/d"), LEAVING)).header.revision
                if compacted:
                    await etcd.kv.compact(newest)
                proxy.heal()
                told = await up_to(events, "fresh")
                mark = " ~" if compacted else ""
                assert sorted(told[:-1]) == [
                    f"changed web/b{mark}",
                    f"down web/a removed{mark}",
                    f"down web/c removed{mark}",
                    f"new web/c{mark}",
                    f"new web/d{mark}",
                ]
                assert told.index(f"down web/c removed{mark}") < told.index(f"new web/c{mark}")


@pytest.mark.slow
@pytest.mark.parametrize("stalls", [False, True])
async def test_a_silent_etcd_is_an_outage_and_no_end(debian_etcd: Binaries, stalls: bool) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(debian_etcd) as server,
            client_of(server.endpoint) as etcd,
            CutProxy.run("127.0.0.1", server.port) as proxy,
            open_client(config_of(proxy.url, ping_interval=5.0)) as watching,
            subscribe(watching, "web") as events,
        ):
            if stalls:  # as on a busy machine: all is listed, and the watches do not stand yet
                server.pause()
                await trio.sleep(2.5)
                server.resume()
            began = trio.current_time()  # the last that is heard of etcd comes later
            await etcd.kv.put(A, host_value())
            await etcd.kv.put(DEFAULT_LAYOUT.infos_key("web"), b"{}")
            told: list[str] = []
            # Until both watches stand, before which there may have been an outage.
            while not {"infos web", "new web/a"} <= set(told) or (
                told.count("stale") > told.count("fresh")
            ):
                told += words([await anext(events)])
            assert sorted({*told} - {"stale", "fresh"}) == ["infos web", "new web/a"]
            proxy.black_hole()
            assert await up_to(events, "stale") == ["stale"]
            assert 6 < trio.current_time() - began < 25  # the interval, and what a ping may take
            await etcd.kv.put(B, host_value())
            proxy.heal()
            assert await up_to(events, "fresh") == ["new web/b", "fresh"]


@pytest.mark.parametrize("seed", range(2))
async def test_cuts_anywhere_lead_to_the_truth(debian_etcd: Binaries, seed: int) -> None:
    """Many instances come and go while the line is cut after any number of bytes."""
    rng = random.Random(seed)
    kept, slow = Kept(), Kept()

    async def listen(directory: Directory, one: Kept, room: int, pause: float) -> None:
        async with directory.subscribe(present=True, room=room) as events:
            async for event in events:
                one.take(event)
                await trio.sleep(pause)

    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(debian_etcd) as server,
            client_of(server.endpoint) as etcd,
            CutProxy.run("127.0.0.1", server.port) as proxy,
            client_of(proxy.url) as watching,
            follow(watching) as directory,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(listen, directory, kept, 1000, 0)
            nursery.start_soon(listen, directory, slow, 5, 0.01)
            for _ in range(8):
                rng.choice(
                    (proxy.cut, proxy.refuse, partial(proxy.cut_after, rng.randrange(3000)))
                )()
                for _ in range(40):
                    key = host_key(f"{rng.choice(('web', 'db'))}/{rng.randrange(15)}")
                    if rng.random() < 0.4:
                        await etcd.kv.delete(KeyRange.exact(key))
                    else:
                        await etcd.kv.put(key, host_value(rng.choice("xyz")))
                if rng.random() < 0.5:
                    await etcd.kv.compact((await etcd.kv.put(b"/c", b"")).header.revision)
                proxy.heal()
                await trio.sleep(rng.random() / 4)
            truth = {
                (name, one.uuid): one.host
                for name, service in (await catalog(etcd)).items()
                for one in service.instances
            }
            await until(30, lambda: kept.hosts == truth and slow.hosts == truth and not kept.stale)
            assert kept.hosts == truth
            assert slow.hosts == truth
            await until(10, lambda: not slow.stale)
            assert not kept.stale
            assert not slow.stale
            nursery.cancel_scope.cancel()


async def test_200_subscribers_hear_of_an_end_at_once(debian_etcd: Binaries) -> None:
    heard: list[float] = []

    async def run(
        directory: Directory, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        async with directory.subscribe("web", kinds=(Kind.DOWN,)) as events:
            task_status.started()
            while True:
                await anext(events)
                heard.append(trio.current_time())

    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(debian_etcd) as server,
            client_of(server.endpoint) as etcd,
            follow(etcd, ("web",)) as directory,
            trio.open_nursery() as nursery,
        ):
            for _ in range(200):
                await nursery.start(run, directory)
            medians, worst = [], []
            for _ in range(20):
                await etcd.kv.put(A, host_value())
                await trio.sleep(0.05)
                heard.clear()
                began = trio.current_time()
                await etcd.kv.delete(KeyRange.exact(A))
                await until(10, lambda: len(heard) == 200)
                assert len(heard) == 200
                medians.append(1000 * (statistics.median(heard) - began))
                worst.append(1000 * (max(heard) - began))
            nursery.cancel_scope.cancel()
    print(f"median {statistics.median(medians):.1f} ms, last {statistics.median(worst):.1f} ms")
    # The delete itself, as the client sees it, is in this.
    assert statistics.median(medians) < 50
