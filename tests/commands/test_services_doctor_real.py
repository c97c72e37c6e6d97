"""``lochkit services doctor``, on a real etcd."""

import pytest

from lochkit.commands.services_doctor import ask_leases, still_there
from lochkit.discovery.host import State
from tests.commands.servicing import RegistryBench, registry_bench
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd


async def kinds(registry: RegistryBench, *words: str, code: int) -> set[tuple[str, str]]:
    """The kinds and severities of what is found."""
    found = (await registry.ran("doctor", "--json", *words, code=code)).object
    assert sum(found["counts"].values()) == len(found["findings"])
    return {(one["kind"], one["severity"]) for one in found["findings"]}


async def test_nothing_is_wrong(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        assert (await registry.ran("doctor")).out == "nothing found\n"
        await registry.infos("web")
        for name in ("app1", "app2"):
            await registry.host("web", name, lease=await registry.lease())
        assert await kinds(registry, code=0) == set()


async def test_what_is_wrong(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.infos("web", public=True, hostname="web", user="u", password="s3cr3t")
        await registry.infos("old")
        lease = await registry.lease()
        known = await registry.host("web", "app1", public=True, user="u", password="0ther")
        key = registry.layout.instance_key("web", "junk")
        await registry.etcd.kv.put(key, b"{", lease=lease)
        found = await kinds(registry, code=1)
        assert {("unreadable", "error"), ("no-lease", "warning")} <= found
        assert {"orphan", "credentials"} <= {kind for kind, _ in found}
        ran = await registry.ran("doctor", code=1)
        assert f"{registry.namespace}/services/web/{known}" in ran.out
        assert "What to do:" in ran.out
        assert "1 error" in ran.out.splitlines()[-1]
        assert not {"s3cr3t", "0ther"} & set(ran.out.replace("'", " ").split())
        assert "s3cr3t" not in ran.out + ran.errors


async def test_notes_alone_are_no_fault(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.infos("web")
        await registry.host("web", "app1", lease=await registry.lease(), state=State.LEAVING)
        assert await kinds(registry, code=0) == {("leaving", "note")}


async def test_what_is_published_for_others(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        root = registry.namespace.strip("/")
        await registry.etcd.kv.put(f"/{root}/com/example/x".encode(), b'{"port":"80"}')
        server = f"{root}/http/services/web/loadbalancer/servers/1/url"
        await registry.etcd.kv.put(server.encode(), b"http://app1:80")
        assert await kinds(registry, code=0) == set()
        assert ("published-unreadable", "error") in await kinds(
            registry, "--dns-path", root, code=1
        )
        found = await kinds(registry, "--traefik-root", root, code=1)
        assert found == {("no-lease", "note"), ("published-unreadable", "warning")}


async def test_an_instance_that_goes_meanwhile_is_no_finding(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        lease = await registry.lease()
        await registry.host("web", "app1", lease=lease)
        await registry.host("web", "app2", lease=await registry.lease())
        entries = list((await registry.keys()).values())
        await registry.etcd.leases.revoke(lease)
        leases = await ask_leases(registry.etcd, {kv.lease for kv in entries})
        assert leases[lease].TTL == -1
        kept = await still_there(registry.etcd, entries, leases)
        assert [kv.key for kv in kept] == [kv.key for kv in (await registry.keys()).values()]
