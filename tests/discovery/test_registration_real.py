"""Registrations on real servers: starting, stopping, sharing what is common, being killed."""

import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio

from lochkit.discovery.host import Credentials, Host, State
from lochkit.discovery.layout import Layout
from lochkit.discovery.register_options import RegisterOptions
from lochkit.discovery.registrar import Registrar, register
from lochkit.etcd.client import Client
from lochkit.etcd.prefix import KeyRange
from tests.discovery.test_registrar import HOST, PUBLIC, Words
from tests.etcd.real import client_of, until
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
SOURCE = Path(__file__).parents[2] / "toolkit"


async def keys_of(etcd: Client, layout: Layout) -> list[bytes]:
    listing = await etcd.kv.list(KeyRange.prefix(layout.namespace.encode() + b"/services/"))
    return [kv.key for kv in listing.kvs]


@asynccontextmanager
async def registrar_of(etcd: Client, layout: Layout) -> AsyncIterator[Registrar]:
    async with trio.open_nursery() as nursery:
        registrar = Registrar(etcd, layout=layout, machine="box")
        await nursery.start(registrar.run)
        try:
            yield registrar
        finally:
            nursery.cancel_scope.cancel()


async def test_one_life(shared_etcd: EtcdServer) -> None:
    layout = Layout(namespace="/life")
    options = RegisterOptions(publications=(Words(),))
    with trio.fail_after(30):
        async with client_of(shared_etcd.endpoint) as etcd:
            async with register(etcd, "web", PUBLIC, options=options, layout=layout) as here:
                await here.wait_ready()
                lease = await etcd.leases.time_to_live(here.status.lease_id, keys=True)
                own = layout.instance_key("web", here.uuid)
                assert set(lease.keys) == {own, f"/words/{here.uuid}".encode()}
                here.set_state(State.CRITICAL)
                await until(5, lambda: here.host.state is State.CRITICAL)
                await trio.sleep(0.3)
                lease = await etcd.leases.time_to_live(here.status.lease_id, keys=True)
                assert set(lease.keys) == {own}
                revision = await shared_etcd.revision()
                await trio.sleep(2)  # it is kept alive each 5/3 s
                assert await shared_etcd.revision() == revision, "written in the steady state"
                assert here.ready
            assert await keys_of(etcd, layout) == []
            assert (await etcd.leases.time_to_live(here.status.lease_id)).TTL == -1
            infos = await etcd.kv.get(layout.infos_key("web"))
            assert infos is not None
            assert json.loads(infos.value)["password"] == "p"


@pytest.mark.parametrize("where", ["inside", "outside"])
async def test_all_keys_are_gone_when_cancelled(one_etcd: EtcdServer, where: str) -> None:
    """Also where the client's own connections are cancelled in the same moment."""
    layout = Layout(namespace=f"/cancel-{where}")
    with trio.fail_after(60):
        async with client_of(one_etcd.endpoint) as judge:
            with trio.CancelScope() as outside:
                async with (
                    client_of(one_etcd.endpoint) as etcd,
                    registrar_of(etcd, layout) as registrar,
                ):
                    many = [await registrar.add(f"s{n % 7}", HOST) for n in range(400)]
                    for each in many:
                        await each.wait_ready()
                    assert len(await keys_of(judge, layout)) == 400
                    began = trio.current_time()
                    if where == "outside":
                        outside.cancel()
                    # "inside": the registrar is cancelled here, the client is not
            took = trio.current_time() - began
            assert await keys_of(judge, layout) == []
            assert took < 5  # all that it may take; measured: 0.5 s


@pytest.mark.parametrize("where", ["inside", "outside"])
async def test_one_stops_at_once(one_etcd: EtcdServer, where: str) -> None:
    layout = Layout(namespace=f"/stop-{where}")
    with trio.fail_after(30):
        async with client_of(one_etcd.endpoint) as judge:
            with trio.CancelScope() as outside:
                async with (
                    client_of(one_etcd.endpoint) as etcd,
                    register(etcd, "web", HOST, layout=layout) as here,
                ):
                    await here.wait_ready()
                    began = trio.current_time()
                    if where == "outside":
                        outside.cancel()
            assert trio.current_time() - began < 1
            assert await keys_of(judge, layout) == []


async def test_credentials_are_adopted_within_a_second(one_etcd: EtcdServer) -> None:
    layout = Layout(namespace="/rotate")
    with trio.fail_after(30):
        async with (
            client_of(one_etcd.endpoint) as etcd,
            registrar_of(etcd, layout) as registrar,
        ):
            many = [await registrar.add("web", PUBLIC) for _ in range(20)]
            for each in many:
                await each.wait_ready()
            await registrar.add("web", replace(HOST, user="x", password="y"))  # private
            key = layout.infos_key("web")
            new = b'{"name":"web","critical":false,"user":"u2","password":"p2","public":true}'
            await etcd.kv.put(key, new)
            await until(1, lambda: {e.credentials for e in many} == {Credentials("u2", "p2")})
            assert {each.credentials for each in many} == {Credentials("u2", "p2")}
            await etcd.kv.delete(KeyRange.exact(key))
            await trio.sleep(1)
            assert {each.credentials for each in many} == {Credentials("u2", "p2")}
            back = await etcd.kv.get(key)
            assert back is not None
            assert json.loads(back.value) == json.loads(new)


async def test_a_deleted_key_and_a_revoked_lease_come_back(one_etcd: EtcdServer) -> None:
    layout = Layout(namespace="/back")
    with trio.fail_after(30):
        async with (
            client_of(one_etcd.endpoint) as etcd,
            register(etcd, "web", HOST, layout=layout) as here,
        ):
            await here.wait_ready()
            own = layout.instance_key("web", here.uuid)
            lease = here.status.lease_id
            await etcd.kv.delete(KeyRange.exact(own))
            await trio.sleep(1)
            kv = await etcd.kv.get(own)
            assert kv is not None
            assert kv.lease == lease
            await etcd.leases.revoke(lease)
            await until(6, lambda: here.status.lease_id not in (0, lease))
            kv = await etcd.kv.get(own)
            assert kv is not None
            assert kv.lease == here.status.lease_id != lease


CHILD = """
import sys, trio
from lochkit.discovery.host import Host
from lochkit.discovery.layout import Layout
from lochkit.discovery.registrar import register
from lochkit.etcd.client import open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints

async def main():
    config = EtcdConfig(endpoints=parse_endpoints([sys.argv[1]]))
    async with open_client(config) as etcd:
        async with register(etcd, "web", Host(name="h"), layout=Layout(namespace="/kill")) as here:
            await here.wait_ready()
            print("ready", flush=True)
            await trio.sleep_forever()

trio.run(main)
"""


async def test_what_is_killed_is_gone_within_its_time(shared_etcd: EtcdServer) -> None:
    layout = Layout(namespace="/kill")
    argv = [sys.executable, "-c", CHILD, shared_etcd.endpoint]
    with trio.fail_after(40):
        async with client_of(shared_etcd.endpoint) as etcd, trio.open_nursery() as nursery:
            run = partial(
                trio.run_process, argv, stdout=-1, check=False, env={"PYTHONPATH": str(SOURCE)}
            )
            child = await nursery.start(run)
            assert (await child.stdout.receive_some()).strip() == b"ready"
            assert len(await keys_of(etcd, layout)) == 1
            child.send_signal(signal.SIGKILL)
            killed = trio.current_time()
            while await keys_of(etcd, layout):  # noqa: ASYNC110 (a real server tells no Event)
                await trio.sleep(0.05)
            took = trio.current_time() - killed
            assert 2.0 < took < 5 + 1.5, took


async def test_names_that_begin_alike_are_apart(one_etcd: EtcdServer) -> None:
    layout = Layout(namespace="/alike")
    with trio.fail_after(30):
        async with (
            client_of(one_etcd.endpoint) as etcd,
            register(etcd, "web", Host(name="a"), layout=layout) as one,
            register(etcd, "web2", Host(name="b"), layout=layout) as two,
        ):
            await one.wait_ready()
            await two.wait_ready()
            listing = await etcd.kv.list(layout.service("web"))
            assert [kv.key for kv in listing.kvs] == [layout.instance_key("web", one.uuid)]
