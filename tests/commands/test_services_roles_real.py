"""``lochkit services`` by users of etcd that may not do everything: what is missing is said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from lochkit.etcd.client import open_client
from lochkit.etcd.config import Credentials
from tests.commands.servicing import Ran, RegistryBench
from tests.etcd.real import config_of
from tests.servers.binaries import Binaries
from tests.servers.etcd_server import ROOT_PASSWORD, EtcdServer

pytestmark = pytest.mark.real_etcd
LIMIT = 90
PASSWORD = "pw"
PUBLIC = {"hostname": "web.example.com", "ports": {"http": "80"}, "user": "app", "public": True}


class Guarded:
    """A registry that asks who one is, with one public service ``web`` that is in DNS, too.

    Attributes:
        registry: what is done there as root.
        instance: the id of the only instance.
    """

    def __init__(self, server: EtcdServer, registry: RegistryBench, instance: str) -> None:
        self._server = server
        self.registry = registry
        self.instance = instance

    @classmethod
    @asynccontextmanager
    async def run(cls, binaries: Binaries) -> AsyncIterator["Guarded"]:
        async with EtcdServer.run(binaries) as server:
            await server.enable_auth()
            root = Credentials(user="root", password=ROOT_PASSWORD)
            async with open_client(config_of(server.endpoint, credentials=root)) as etcd:
                registry = RegistryBench(server.endpoint, etcd)
                await registry.infos("web", password="old", **PUBLIC)
                lease = await registry.lease()
                instance = await registry.host("web", "app1", lease=lease, public=True)
                dns = f"{registry.namespace}/skydns/x"
                await etcd.kv.put(dns.encode(), b"{}", lease=lease)
                yield cls(server, registry, instance)

    async def user(self, name: str, **permissions: str) -> None:
        """A user who may do something below some of the parts of the registry."""
        await self._server.add_user(name, PASSWORD)
        for part, kind in permissions.items():
            prefix = f"{self.registry.namespace}/{part}/"
            words = ("role", "grant-permission", "--prefix=true", name, kind, prefix)
            await self._server.ctl(*words)

    async def ran(self, user: str, *words: str, code: int = 0) -> Ran:
        mode, *rest = words
        environ = {"ETCDCTL_PASSWORD": PASSWORD}
        return await self.registry.ran(mode, "--user", user, *rest, code=code, environ=environ)


@pytest.mark.slow
async def test_what_is_missing_to_look_is_named(debian_etcd: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with Guarded.run(debian_etcd) as guarded:
            await guarded.user("nobody")
            looks: tuple[tuple[str, ...], ...] = (
                *(("list",), ("show", "web"), ("url", "web"), ("watch", "web"), ("watch",)),
                *(("doctor",), ("deregister", "web", "--all"), ("deregister", "--orphans")),
            )
            for words in looks:
                said = (await guarded.ran("nobody", *words, code=1)).errors
                assert "read permission is needed for keys that begin with '/test-" in said, words
            words = ("rotate-credentials", "web", "--generate")
            said = (await guarded.ran("nobody", *words, code=1)).errors
            assert "read permission is needed for key '/test-" in said


async def test_who_sees_no_common_record_finds_services_all_the_same(
    debian_etcd: Binaries,
) -> None:
    with trio.fail_after(LIMIT):
        async with Guarded.run(debian_etcd) as guarded:
            await guarded.user("discoverer", services="read")
            services = (await guarded.ran("discoverer", "list", "--json")).object["services"]
            assert [one["uuid"] for one in services["web"]["instances"]] == [guarded.instance]
            ran = await guarded.ran("discoverer", "show", "web", "--json")
            assert ran.object["infos"] is None
            assert "may not be read" in ran.errors
            assert (await guarded.ran("discoverer", "url", "web")).out == "http://app1:80\n"
            said = (await guarded.ran("discoverer", "show", "db", code=1)).errors
            assert "service db not found" in said


async def test_an_instance_that_could_not_be_taken_out_does_not_look_as_if_it_left(
    debian_etcd: Binaries,
) -> None:
    with trio.fail_after(LIMIT):
        async with Guarded.run(debian_etcd) as guarded:
            await guarded.user("reader", services="read", services_infos="read")
            await guarded.user("owner", services="readwrite", services_infos="read")
            words = ("deregister", "web", guarded.instance)
            before = await guarded.registry.record("web", guarded.instance)
            said = (await guarded.ran("reader", *words, code=1)).errors
            assert "readwrite permission is needed for key" in said
            said = (await guarded.ran("owner", *words, code=1)).errors  # not for what is in DNS
            assert "write permission is needed for" in said
            assert "/skydns/x" in said
            assert await guarded.registry.record("web", guarded.instance) == before


async def test_credentials_that_are_written_are_said_to_be(debian_etcd: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with Guarded.run(debian_etcd) as guarded:
            await guarded.user("reader", services_infos="read")
            await guarded.user("writer", services_infos="readwrite")
            words = ("rotate-credentials", "web", "--generate")
            said = (await guarded.ran("reader", *words, code=1)).errors
            assert "readwrite permission is needed for key" in said
            assert b'"old"' in (await guarded.registry.keys())["/services_infos/web"].value
            said = (await guarded.ran("writer", *words, code=1)).errors
            assert "the credentials are written, at revision" in said
            assert "read permission is needed for keys that begin with" in said
            assert b'"old"' not in (await guarded.registry.keys())["/services_infos/web"].value
