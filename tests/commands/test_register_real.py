"""``lochkit register`` without a command, on a real etcd: there for exactly as long as it runs."""

import json
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.commands.registering import LIMIT, registering, service_manager
from tests.commands.servicing import RegistryBench, registry_bench
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
WEB = ("web", "--port", "http=8080")


@pytest.fixture
async def bench(one_etcd: EtcdServer) -> AsyncIterator[RegistryBench]:
    async with registry_bench(one_etcd.endpoint) as opened:
        yield opened


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_there_while_it_runs(
    bench: RegistryBench, tmp_path: Path, number: signal.Signals
) -> None:
    async with registering(bench, tmp_path, *WEB) as web:
        [record] = await web.until_there()
        assert record["name"] == record["private_hostname"] == "here"
        assert record["ports"] == record["private_ports"] == {"http": "8080"}
        assert record["uuid"].endswith("-here")
        assert set(record) == {
            *("name", "service_name", "ports", "private_hostname", "private_ports", "uuid")
        }
        began = trio.current_time()
        assert await web.stop(number) == (0 if number is signal.SIGTERM else 130)
        assert trio.current_time() - began < 3
        assert await web.records() == []
        keys = await bench.keys()
        assert json.loads(keys["/services_infos/web"].value) == {"name": "web", "critical": False}


async def test_everything_that_can_be_said_of_an_instance(
    bench: RegistryBench, tmp_path: Path
) -> None:
    words = "--hostname web.example.com --private-hostname 10.0.0.7 --private-port http=80 --public"
    words += " --critical --shard a --weight 3 --tag blue --tag new --meta rack=4 --zone north"
    words += " --service-version 1.2 --port https=8443"
    async with registering(bench, tmp_path, *WEB, *words.split()) as web:
        [record] = await web.until_there()
        assert record["ports"] == {"http": "8080", "https": "8443"}
        assert record["private_ports"] == {"http": "80"}
        assert (record["public"], record["critical"], record["shard"]) == (True, True, "a")
        assert record["uuid"].endswith("-10.0.0.7")
        own = {"tags": ["blue", "new"], "meta": {"rack": "4"}, "version": "1.2", "zone": "north"}
        assert record["lochkit"] == {**own, "weight": 3}
        infos = json.loads((await bench.keys())["/services_infos/web"].value)
        assert infos["hostname"] == "web.example.com"
        assert infos["public"] is True


async def test_killed_it_is_gone_when_its_time_has_run_out(
    bench: RegistryBench, tmp_path: Path
) -> None:
    async with registering(bench, tmp_path, *WEB, "--ttl", "2") as web:
        await web.until_there()
        web.process.kill()
        began = trio.current_time()
        await web.until_there(0)
        assert trio.current_time() - began < 2 + 1.5


async def test_the_service_manager_is_told(bench: RegistryBench, tmp_path: Path) -> None:
    with service_manager(tmp_path) as (path, words):
        environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        async with registering(bench, tmp_path, *WEB, **environ) as web:
            with trio.fail_after(LIMIT):
                while "READY=1" not in words():  # noqa: ASYNC110 (real servers tell no trio.Event)
                    await trio.sleep(0.02)
            assert len(await web.records()) == 1
            await trio.sleep(1)
            assert words().count("WATCHDOG=1") >= 5
            assert await web.stop() == 0
            assert words().count("READY=1") == 1
            assert words()[-2:] == ["STOPPING=1", "STATUS=leaving the registry"]


async def test_a_check_takes_it_out_of_rotation_and_brings_it_back(
    bench: RegistryBench, tmp_path: Path
) -> None:
    name = f"t{bench.namespace[6:13]}.example.com"  # of digits only it would be no name for Traefik
    path = f"/skydns/com/example/{name[:8]}"
    words = ("--dns", name, "--dns-address", "192.0.2.7", "--no-dns-ptr", "--traefik", name[:8])
    check = "exec interval=100ms failures=2 warn=none -- test -e well"
    (tmp_path / "well").touch()
    async with registering(bench, tmp_path, *WEB, *words, "--check", check) as web:
        await web.until_state("passing")
        [key] = await web.published(path)
        value = await bench.etcd.kv.get(key.encode())
        assert value is not None
        assert json.loads(value.value) == {"host": "192.0.2.7", "port": 8080, "ttl": 30}
        [server] = await web.published(f"traefik/http/services/{name[:8]}/")
        value = await bench.etcd.kv.get(server.encode())
        assert value is not None
        assert value.value == b"http://here:8080"
        (tmp_path / "well").unlink()
        uuid = (await web.until_state("critical"))["uuid"]
        assert await web.published(path) == []
        assert await web.published(f"traefik/http/services/{name[:8]}/") == []
        (tmp_path / "well").touch()
        assert (await web.until_state("passing"))["uuid"] == uuid
        assert await web.published(path) == [key]
        await web.stop()
        assert await web.published(path) == []
        assert await web.published("traefik/http/services/" + name[:8]) == []


async def test_maintenance_is_a_file(bench: RegistryBench, tmp_path: Path) -> None:
    check = f"absent:{tmp_path}/maintenance interval=100ms"
    async with registering(bench, tmp_path, *WEB, "--check", check) as web:
        await web.until_state("passing")
        (tmp_path / "maintenance").touch()
        await web.until_state("maintenance")
        (tmp_path / "maintenance").unlink()
        await web.until_state("passing")


async def test_credentials_are_synced(bench: RegistryBench, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    given = ("--service-user", "u", "--service-password-file", "password")
    file = ("--credentials-file", "credentials")
    async with registering(bench, tmp_path, *WEB, "--public", *given, *file) as web:
        [record] = await web.until_there()
        assert (record["user"], record["password"]) == ("u", "s3cret")
        assert json.loads(await web.until_file("credentials")) == {
            "user": "u",
            "password": "s3cret",
        }
        assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o600
        began = trio.current_time()
        await bench.infos("web", hostname="here", user="u", password="n3w", public=True)
        await web.until("web", lambda records: records[0].get("password") == "n3w")
        assert trio.current_time() - began < 1
        with trio.fail_after(LIMIT):
            while "n3w" not in (tmp_path / "credentials").read_text():  # noqa: ASYNC110 (real servers tell no trio.Event)
                await trio.sleep(0.02)
        assert "s3cret" not in web.errors
        assert "n3w" not in web.errors


async def test_passwords_kept_out_of_instances(bench: RegistryBench, tmp_path: Path) -> None:
    words = ("--public", "--generate-credentials", "--no-instance-passwords")
    async with registering(bench, tmp_path, *WEB, *words) as web:
        [record] = await web.until(
            "web", lambda records: bool(records and "credentials" in records[0].get("lochkit", {}))
        )
        assert "password" not in record
        infos = (await bench.keys())["/services_infos/web"]
        told = json.loads(infos.value)
        assert told["user"] == "web"
        assert len(told["password"]) >= 32
        assert record["lochkit"]["credentials"] == infos.mod_revision
        # One more makes up nothing: there are some.
        (tmp_path / "other").mkdir()
        async with registering(bench, tmp_path / "other", *WEB, *words):
            await web.until_there(2)
            assert json.loads((await bench.keys())["/services_infos/web"].value) == told


async def test_what_can_not_be_registered_is_told_at_once(
    bench: RegistryBench, tmp_path: Path
) -> None:
    async with registering(bench, tmp_path, *WEB, "--check", "http:grpc/") as web:
        assert await web.ends() == 78
        assert "grpc" in web.errors
    async with registering(bench, tmp_path, *WEB, "--dns", "a..b") as web:
        assert await web.ends() == 2
    async with registering(bench, tmp_path, *WEB, "--service-password-file", "nowhere") as web:
        assert await web.ends() == 78
        assert "nowhere" in web.errors


async def test_a_service_that_is_public_no_more_is_taken_over(
    bench: RegistryBench, tmp_path: Path
) -> None:
    await bench.infos("web", hostname="web.example.com", user="u", password="p", public=True)
    async with registering(bench, tmp_path, *WEB, "--takeover") as web:
        await web.until_there()
        infos = (await bench.keys())["/services_infos/web"].value
        assert json.loads(infos) == {"name": "web", "critical": False}
