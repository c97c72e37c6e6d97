"""``lochkit services deregister``, on a real etcd."""

import pytest
import trio

from lochkit.discovery.host import State
from lochkit.discovery.records import decode_host
from lochkit.etcd.messages import EventType, WatchCreateRequest
from tests.commands.servicing import registry_bench
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd


async def test_an_instance_goes_with_all_that_its_lease_holds(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.infos("web")
        lease, other = await registry.lease(), await registry.lease()
        known = await registry.host("web", "app1", lease=lease)
        kept = await registry.host("web", "app2", lease=other)
        dns = f"{registry.namespace}/skydns/x"
        await registry.etcd.kv.put(dns.encode(), b"{}", lease=lease)
        before = await registry.keys()
        words = ("deregister", "web", known[:8])
        out = (await registry.ran(*words, "--dry-run")).out
        assert f"would be removed: {registry.namespace}/services/web/{known}" in out
        assert f"would be removed with it: {dns}" in out
        assert await registry.keys() == before
        ran = await registry.ran(*words)
        assert f"(lease {lease:x} revoked)" in ran.out
        assert "a registrar that is alive registers its instance anew" in ran.errors
        assert set(await registry.keys()) == {f"/services/web/{kept}", "/services_infos/web"}
        assert lease not in await registry.etcd.leases.list()
        assert other in await registry.etcd.leases.list()


async def test_it_is_not_taken_for_a_crash(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        wanted = registry.layout.service("web")
        by_lease = await registry.host("web", "app1", lease=await registry.lease())
        by_key = await registry.host("web", "app2")
        request = WatchCreateRequest(key=wanted.key, range_end=wanted.range_end, prev_kv=True)
        async with registry.etcd.watch(request) as watch:
            await registry.ran("deregister", "web", by_lease, by_key)
            last: dict[bytes, State] = {}
            with trio.fail_after(10):
                while len(last) < 2:
                    for event in (await watch.receive()).events:
                        if event.type == EventType.DELETE:
                            assert event.prev_kv is not None
                            last[event.kv.key] = decode_host(event.prev_kv.value)[0].state
        assert set(last.values()) == {State.LEAVING}


async def test_a_lease_of_others_stays(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        lease = await registry.lease()
        known = await registry.host("web", "app1", lease=lease)
        other = await registry.host("web", "app2", lease=lease)
        errors = (await registry.ran("deregister", "web", known)).errors
        assert "keeps other instances alive" in errors
        assert set(await registry.keys()) == {f"/services/web/{other}"}
        assert lease in await registry.etcd.leases.list()


async def test_all_of_one_service(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.infos("web")
        for name in ("app1", "app2"):
            await registry.host("web", name, lease=await registry.lease())
        await registry.etcd.kv.put(registry.layout.instance_key("web", "junk"), b"{")
        other = await registry.host("web2", "app1")
        found = (await registry.ran("deregister", "web", "--all", "--json")).object
        assert len(found["instances"]) == 3
        assert set(await registry.keys()) == {f"/services/web2/{other}", "/services_infos/web"}
        assert "nothing to remove" in (await registry.ran("deregister", "web", "--all")).out
        found = (await registry.ran("deregister", "web", "--all", "--orphans", "--json")).object
        assert found["infos"] == [f"{registry.namespace}/services_infos/web"]
        await registry.ran("deregister", "web", "--all", code=1)


async def test_orphans_of_all_services(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        for service in ("web", "db", "old"):
            await registry.infos(service)
        known = await registry.host("web", "app1")
        await registry.etcd.kv.put(registry.layout.instance_key("db", "junk"), b"{")
        out = (await registry.ran("deregister", "--orphans", "--dry-run")).out
        assert out == f"would be removed: {registry.namespace}/services_infos/old\n"
        assert "/services_infos/old" in await registry.keys()
        ran = await registry.ran("deregister", "--orphans")
        assert ran.errors == ""
        left = {f"/services/web/{known}", "/services/db/junk"}
        assert set(await registry.keys()) == left | {"/services_infos/web", "/services_infos/db"}
        assert "nothing to remove" in (await registry.ran("deregister", "web", "--orphans")).out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("web",), 2),
        (("--all",), 2),
        (("web", "0a1b2c3d", "--all"), 2),
        (("web", "0a1b2c3d"), 2),
        (("web", "app"), 2),
        (("nobody", "--all"), 1),
    ],
)
async def test_nothing_is_guessed(one_etcd: EtcdServer, words: tuple[str, ...], code: int) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.host("web", "app1")
        before = await registry.keys()
        # What is meant for what is shown does not empty a service.
        environ = {"LOCHKIT_SERVICES_ALL": "1", "LOCHKIT_SERVICES_PASSING": "0"}
        await registry.ran("deregister", *words, code=code, environ=environ)
        assert await registry.keys() == before
