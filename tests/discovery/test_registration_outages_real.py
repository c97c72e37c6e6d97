"""Registrations on real servers that are restarted, killed, cut off, or silent."""

import pytest
import trio

from lochkit.discovery.registrar import register
from lochkit.discovery.registration import Registration
from lochkit.discovery.registration_status import Phase
from lochkit.etcd.client import Client, open_client
from tests.discovery.test_registrar import HOST
from tests.etcd.real import client_of, config_of, until
from tests.servers.binaries import Binaries
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_cluster import EtcdCluster
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
OUTLIVED = 6.5
"""Seconds after which a lease of 5 s that was not renewed has gone, here and there."""


async def is_there(etcd: Client, here: Registration) -> bool:
    kv = await etcd.kv.get(f"/services/web/{here.uuid}".encode())
    return kv is not None and kv.lease == here.status.lease_id


@pytest.mark.slow
async def test_a_restart_of_etcd(debian_etcd: Binaries) -> None:
    """A short one, and one that takes longer than the lease lives; at the same time."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(restarted, debian_etcd, 0.0)
        nursery.start_soon(restarted, debian_etcd, OUTLIVED)


async def restarted(binaries: Binaries, seconds: float) -> None:
    """Restart a server after so long, beside a registration."""
    with trio.fail_after(60):
        async with EtcdServer.run(binaries) as server, client_of(server.endpoint) as etcd:
            async with register(etcd, "web", HOST) as here:
                await here.wait_ready()
                server.kill()
                await trio.sleep(seconds)
                assert here.ready == (seconds < 5)
                await server.start()
                await until(10, lambda: here.ready)
                assert await is_there(etcd, here)
                if seconds < 5:
                    await trio.sleep(OUTLIVED)
                    assert here.ready
                    assert await is_there(etcd, here)
            async with client_of(server.endpoint) as judge:
                assert await judge.leases.list() == ()


async def test_a_store_that_has_lost_everything(debian_etcd: Binaries) -> None:
    with trio.fail_after(60):
        async with (
            EtcdServer.run(debian_etcd) as first,
            client_of(first.endpoint) as etcd,
            register(etcd, "web", HOST) as here,
        ):
            await here.wait_ready()
            first.kill()
            await trio.run_process(["rm", "-r", str(first.directory / "data")])
            await first.start()
            await trio.sleep(5)
            await until(10, lambda: here.ready)
            assert await is_there(etcd, here)
            assert await etcd.kv.get(b"/services_infos/web") is not None


@pytest.mark.slow
async def test_a_silent_endpoint_of_two(debian_etcd: Binaries) -> None:
    """While it holds a lease, and also while it has none yet."""
    with trio.fail_after(60):
        async with (
            EtcdServer.run(debian_etcd) as server,
            CutProxy.run("127.0.0.1", server.port) as first,
            CutProxy.run("127.0.0.1", server.port) as second,
            open_client(config_of(first.url, second.url)) as etcd,
        ):
            await etcd.kv.get(b"x")
            first.black_hole()
            began = trio.current_time()
            async with register(etcd, "web", HOST) as here:
                phases = here.statuses()
                await here.wait_ready()
                assert trio.current_time() - began < 4
                first.heal()
                second.black_hole()
                await trio.sleep(OUTLIVED)
                assert here.status.phase is Phase.READY
                assert await is_there(etcd, here)
                assert [(await anext(phases)).phase for _ in range(2)] == [
                    *(Phase.STARTING, Phase.READY),
                ]
                with trio.move_on_after(0.1):
                    raise AssertionError(await anext(phases))
                second.heal()
                first.black_hole()
                began = trio.current_time()
                await here.deregister()
                assert trio.current_time() - began < 3.2
            first.heal()
            kv = await etcd.kv.get(f"/services/web/{here.uuid}".encode())
            assert kv is None


@pytest.mark.slow
async def test_members_that_die(debian_etcd: Binaries) -> None:
    with trio.fail_after(90):
        async with (
            EtcdCluster.run(debian_etcd) as cluster,
            open_client(config_of(*cluster.endpoints)) as etcd,
        ):
            async with register(etcd, "web", HOST) as here:
                await here.wait_ready()
                phases = here.statuses()
                leader = await cluster.leader()
                leader.kill()
                await trio.sleep(OUTLIVED)
                assert here.ready
                assert await is_there(etcd, here)
                await leader.start()
                await trio.sleep(1)
                follower = (await cluster.followers())[0]
                follower.kill()
                await trio.sleep(OUTLIVED)
                assert await is_there(etcd, here)
                assert (await anext(phases)).phase is Phase.READY
                with trio.move_on_after(0.1):
                    raise AssertionError(await anext(phases))
            assert await etcd.leases.list() == ()


@pytest.mark.slow
async def test_a_partitioned_member(debian_etcd: Binaries) -> None:
    with trio.fail_after(90):
        async with (
            EtcdCluster.run(debian_etcd) as cluster,
            open_client(config_of(*cluster.endpoints)) as etcd,
            register(etcd, "web", HOST) as here,
        ):
            await here.wait_ready()
            phases = here.statuses()
            cluster.isolate(cluster.members[0])  # the one that it talks to
            await trio.sleep(OUTLIVED)
            assert here.ready
            assert (await anext(phases)).phase is Phase.READY
            with trio.move_on_after(0.1):
                raise AssertionError(await anext(phases))
            async with open_client(config_of(cluster.endpoints[1])) as judge:
                assert await is_there(judge, here)
