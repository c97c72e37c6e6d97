"""``lochkit services`` beside living registrars, on a real etcd."""

import signal
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from lochkit.discovery.host import Credentials, Host
from lochkit.discovery.register_options import RegisterOptions
from lochkit.discovery.registrar import register
from tests.commands.servicing import registry_bench
from tests.commands.test_services_watch_real import watching
from tests.etcd.real import until
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
HOST = Host(name="app1", ports={"http": "80"})
PUBLIC = Host(
    name="web.example.com",
    ports={"http": "80"},
    public=True,
    user="app",
    password="old",
)


async def test_a_living_registrar_comes_back(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        async with register(registry.etcd, "web", HOST, layout=registry.layout) as registration:
            await registration.wait_ready()
            async with watching(registry, tmp_path, "web", "--present", "--kind", "new") as it:
                await it.has_lines(1)
                ran = await registry.ran("deregister", "web", registration.uuid[:8])
                assert "registers its instance anew" in ran.errors
                await it.has_lines(2)
                [first, second] = [line.split()[2] for line in it.lines]
                assert first == second == registration.uuid
                await until(10, lambda: registration.ready)
                found = (await registry.ran("show", "web", "--json")).object["instances"]
                assert [one["state"] for one in found] == ["passing"]
                it.process.send_signal(signal.SIGTERM)
                await it.ends()
        assert "/services/web/" not in str(await registry.keys())


async def test_living_registrars_adopt_new_credentials(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry, AsyncExitStack() as stack:
        registrations = []
        for number, keeps in enumerate((True, False, True)):
            host = replace(PUBLIC, private_hostname=f"app{number}")
            options = RegisterOptions(instance_passwords=keeps)
            registrations.append(
                await stack.enter_async_context(
                    register(registry.etcd, "web", host, layout=registry.layout, options=options)
                )
            )
            await registrations[number].wait_ready()
        words = ("rotate-credentials", "web", "--generate", "--with-credentials", "--json")
        began = trio.current_time()
        found = (await registry.ran(*words, "--wait", "60")).object
        assert trio.current_time() - began < 15  # far from the end of the wait
        assert set(found["adopted"]) == {one.uuid for one in registrations}
        wanted = Credentials("app", found["password"])
        assert [one.credentials for one in registrations] == [wanted] * 3
        counts = (await registry.ran("doctor", "--json")).object["counts"]
        assert set(counts) <= {"note"}
