"""``lochkit services rotate-credentials``, on a real etcd."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.commands.services_rotate_credentials import rotate
from lochkit.errors import LochkitError
from tests.commands.servicing import RegistryBench, registry_bench
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
SECRET = "n3w-s3cr3t"
PUBLIC = {"hostname": "web.example.com", "user": "app", "password": "old", "public": True}


async def written(registry: RegistryBench, **facts: object) -> None:
    """A public service, with a field of somebody else's."""
    await registry.infos("web", **{**PUBLIC, "extra": {"owner": "blue"}, **facts})


async def test_a_rotation_waits_for_all_and_keeps_the_rest(
    one_etcd: EtcdServer, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    async with registry_bench(one_etcd.endpoint) as registry:
        await written(registry)
        copies = await registry.host("web", "app1", public=True, user="app", password="old")
        tells = await registry.host("web", "app2", public=True)
        await registry.host("web", "app3", user="own", password="own")

        async def adopt() -> None:
            """As registrars do: one by the password, one by the revision."""
            while True:
                infos = (await registry.keys())["/services_infos/web"]
                if SECRET.encode() in infos.value:
                    break
                await trio.sleep(0.02)
            await registry.host("web", "app1", public=True, user="app", password=SECRET)
            await trio.sleep(0.5)
            await registry.host("web", "app2", public=True, credentials_revision=infos.mod_revision)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(adopt)
            words = ("rotate-credentials", "web", "--service-password-file", str(secret))
            found = (await registry.ran(*words, "--json")).object
        assert set(found["adopted"]) == {copies, tells}
        assert (found["late"], found["user"], found["password"]) == ([], "app", "***")
        record = json.loads((await registry.keys())["/services_infos/web"].value)
        assert record == {
            "name": "web",
            "critical": False,
            "hostname": "web.example.com",
            "user": "app",
            "password": SECRET,
            "public": True,
            "owner": "blue",
        }


async def test_who_has_not_adopted_them_is_named(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await written(registry)
        late = await registry.host("web", "app1", public=True, user="app", password="old")
        words = ("rotate-credentials", "web", "--generate", "--service-user", "next")
        out = (await registry.ran(*words, "--wait", "0.5", code=1)).out
        assert late in out
        record = json.loads((await registry.keys())["/services_infos/web"].value)
        assert record["user"] == "next"
        assert len(record["password"]) >= 32
        assert record["password"] not in out
        found = (await registry.ran(*words, "--wait", "0", "--with-credentials", "--json")).object
        record = json.loads((await registry.keys())["/services_infos/web"].value)
        assert found["password"] == record["password"]


async def test_an_instance_that_goes_is_not_waited_for(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await written(registry)
        known = await registry.host("web", "app1", public=True)

        async def go() -> None:
            await trio.sleep(1.0)
            await registry.ran("deregister", "web", known)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go)
            await registry.ran("rotate-credentials", "web", "--generate", "--wait", "30")


async def test_a_password_through_a_descriptor(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await written(registry)
        words = ("rotate-credentials", "web", "--service-password-fd", "0")
        await registry.ran(*words, stdin=f"{SECRET}\r\n".encode())
        record = json.loads((await registry.keys())["/services_infos/web"].value)
        assert record["password"] == SECRET
        before = await registry.keys()
        for bad in (b"", b"\n", b"\xff", b"a\nb"):
            errors = (await registry.ran(*words, stdin=bad, code=78)).errors
            assert SECRET not in errors
        await registry.ran(*words, "--generate", code=2)
        await registry.ran("rotate-credentials", "web", code=2)
        assert await registry.keys() == before


async def test_no_common_credentials(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        words = ("rotate-credentials", "web", "--generate")
        assert "no common record" in (await registry.ran(*words, code=1)).errors
        await registry.infos("web")
        assert "is private" in (await registry.ran(*words, code=1)).errors
        await registry.etcd.kv.put(registry.layout.infos_key("web"), b"{")
        before = await registry.keys()
        assert "not JSON" in (await registry.ran(*words, code=1)).errors
        assert await registry.keys() == before


class Meddled:
    """A client whose keys somebody else writes to, between its reading and its writing."""

    def __init__(self, registry: RegistryBench, times: int) -> None:
        self.kv = self
        self.written = 0
        self._registry, self._times = registry, times

    async def list(self, wanted: Any) -> Any:
        found = await self._registry.etcd.kv.list(wanted)
        if self.written < self._times:
            self.written += 1
            await written(self._registry, hostname=f"web{self.written}.example.com")
        return found

    async def txn(self, *parts: Any) -> Any:
        return await self._registry.etcd.kv.txn(*parts)


async def test_what_others_write_meanwhile_is_kept(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await written(registry)
        etcd: Any = Meddled(registry, 3)
        done = await rotate(etcd, registry.layout, "web", None, SECRET)
        kv = (await registry.keys())["/services_infos/web"]
        record = json.loads(kv.value)
        assert (record["hostname"], record["password"]) == ("web3.example.com", SECRET)
        assert (done.credentials.password, done.revision) == (SECRET, kv.mod_revision)
        endless: Any = Meddled(registry, 1000)
        with pytest.raises(LochkitError, match="nothing was written"):
            await rotate(endless, registry.layout, "web", None, "never")
        assert json.loads((await registry.keys())["/services_infos/web"].value)["password"] == "old"


async def test_a_password_that_never_comes_does_not_hold_up_our_end(
    one_etcd: EtcdServer,
) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await written(registry)
        before = await registry.keys()
        theirs, ours = os.pipe()
        argv = registry.argv("rotate-credentials", "web", "--service-password-fd", "0")
        process = await trio.lowlevel.open_process(argv, env=registry.environ, stdin=theirs)
        try:
            with trio.fail_after(30):
                while not _catches(process.pid, signal.SIGTERM):
                    await trio.sleep(0.05)
            await trio.sleep(0.5)  # until it waits for the password
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(5):
                assert await process.wait() == 143
        finally:
            os.close(theirs)
            os.close(ours)
        assert await registry.keys() == before


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has something of its own to do at a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(int(caught, 16) >> (number - 1) & 1)
