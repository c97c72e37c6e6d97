"""``lochkit services``, list, show and url, on a real etcd."""

import json

import pytest
import trio

from lochkit.discovery.host import State
from tests.commands.servicing import RegistryBench, registry_bench
from tests.servers.etcd_server import EtcdServer

pytestmark = pytest.mark.real_etcd
SECRET = "s3cr3t/@:"
PUBLIC = {
    "hostname": "web.example.com",
    "ports": {"https": "443"},
    "user": "app",
    "password": SECRET,
    "public": True,
}


async def test_list(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        assert (await registry.ran("list")).out.split("\n")[1:] == [""]
        await registry.infos("web", **PUBLIC)
        await registry.host("web", "app1", public=True, user="app", password=SECRET)
        await registry.host("web", "app2", state=State.CRITICAL, shard="eu")
        await registry.infos("gone")
        await registry.host("web2", "app1", state=State.LEAVING)
        rows = [line.split("  ") for line in (await registry.ran("list")).out.splitlines()]
        found = [[cell.strip() for cell in row if cell.strip()] for row in rows]
        assert found == [
            ["SERVICE", "PASSING", "OTHERS", "PUBLIC ADDRESS"],
            ["gone", "0", "-", "-"],
            ["web", "1", "1 critical", "web.example.com https=443"],
            ["web2", "0", "1 leaving", "-"],
        ]
        services = (await registry.ran("list", "--json", "--passing")).object["services"]
        assert list(services) == ["web"]
        assert [one["name"] for one in services["web"]["instances"]] == ["app1"]
        services = (await registry.ran("list", "--json", "--shard", "eu")).object["services"]
        assert [one["name"] for one in services["web"]["instances"]] == ["app2"]


async def test_without_a_mode_it_lists(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.infos("web")
        # Options in the place of a mode, as a mode is left out.
        out = (await registry.ran("--json")).out
        assert list(json.loads(out)["services"]) == ["web"]
        await registry.ran("shwo", code=2)


async def test_show(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.infos("web", **PUBLIC)
        lease = await registry.lease()
        known = await registry.host("web", "app1", lease=lease, public=True, password=SECRET)
        await registry.host("web", "app2", state=State.MAINTENANCE, shard="eu", user="u")
        await registry.etcd.kv.put(registry.layout.instance_key("web", "junk"), b"{")
        out = (await registry.ran("show", "web")).out
        for word in (known, "maintenance", "user app, password ***", "not JSON", "/web/junk"):
            assert word in out
        assert SECRET not in out
        assert SECRET in (await registry.ran("show", "web", "--with-credentials")).out
        found = (await registry.ran("show", "web", "--json")).object
        assert found["infos"]["password"] == "***"
        first, second = found["instances"]
        assert (first["uuid"], first["lease"], first["state"]) == (known, f"{lease:x}", "passing")
        assert (second["shard"], second["state"], second["lease"]) == ("eu", "maintenance", "")
        assert [fault["text"] for fault in found["faults"]] != []
        words = ("show", "web", "--json", "--passing", "--with-credentials")
        [only] = (await registry.ran(*words)).object["instances"]
        assert (only["uuid"], only["password"]) == (known, SECRET)


async def test_show_what_is_not_there(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.host("web2", "app1")
        assert "service web not found" in (await registry.ran("show", "web", code=1)).errors
        await registry.ran("show", code=2)
        await registry.ran("show", "a", "b", code=2)
        await registry.ran("show", "a/b", code=2)


async def test_no_terminal_is_told_what_to_do(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        key = registry.layout.instance_key("web", "\x1b[2J")
        record = {"name": "\x1b[31m\ud800", "ports": {"http": "\x07"}}
        record["lochkit"] = {"meta": {"x": "\x9b31m\u202e"}}
        await registry.etcd.kv.put(key, json.dumps(record).encode())
        for words in (("list",), ("show", "web"), ("show", "web", "--json")):
            out = (await registry.ran(*words)).out
            assert not set(out) & {"\x1b", "\x9b", "\x07", "\u202e"}


async def test_url_of_a_public_service(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.infos("web", **PUBLIC)
        known = await registry.host("web", "app1", user="app", password=SECRET, shard="eu")

        async def url(*words: str) -> str:
            return (await registry.ran("url", "web", *words)).out.rstrip("\n")

        assert await url() == "https://web.example.com:443"
        assert await url("--path", "x y") == "https://web.example.com:443/x%20y"
        assert await url("--with-credentials") == (
            "https://app:s3cr3t%2F%40%3A@web.example.com:443"
        )
        assert await url("--shard", "eu") == "http://app1:80"
        assert await url("--private") == "http://app1:80"
        assert await url("--instance", known[:8], "--scheme", "http") == "http://app1:80"
        found = json.loads(await url("--json"))
        assert found == {"service": "web", "url": "https://web.example.com:443"}
        errors = (await registry.ran("url", "web", "--scheme", "ftp", code=1)).errors
        assert "no port for 'ftp'" in errors
        await registry.ran("url", "web", "--instance", "ffff", code=2)
        await registry.ran("url", "web", "--shard", "us", code=1)


async def test_url_of_a_private_service(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.ran("url", "db", code=1)
        known = await registry.host(
            "db", "db1", ports={"pg": "5432"}, private_ports={"pg": "15432"}, state=State.CRITICAL
        )
        errors = (await registry.ran("url", "db", "--scheme", "pg", code=1)).errors
        assert "no passing host" in errors
        words = ("url", "db", "--scheme", "pg")
        assert (await registry.ran(*words, "--all")).out == "pg://db1:5432\n"
        assert (await registry.ran(*words, "--all", "--private")).out == "pg://db1:15432\n"
        words = ("url", "db", "--scheme", "pg")
        assert (await registry.ran(*words, "--instance", known)).out == "pg://db1:5432\n"


async def test_what_is_shown_is_not_where_traffic_goes(one_etcd: EtcdServer) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.host("db", "db1", state=State.MAINTENANCE)
        everything = {"LOCHKIT_SERVICES_PASSING": "false", "LOCHKIT_SERVICES_ALL": "1"}
        await registry.ran("url", "db", code=1, environ=everything)


async def test_etcd_is_away() -> None:
    async with registry_bench("http://127.0.0.1:1") as registry:
        for words in (("list",), ("show", "web"), ("url", "web")):
            await registry.ran(*words, "--request-timeout", "0.5", code=75)


async def test_without_a_standard_output_it_fails_and_says_so(one_etcd: EtcdServer) -> None:
    registry = RegistryBench(one_etcd.endpoint)
    with trio.fail_after(30):
        done = await trio.run_process(
            ["sh", "-c", 'exec "$@" >&-', "sh", *registry.argv("list")],
            env=registry.environ,
            capture_stderr=True,
            check=False,
        )
    assert done.returncode == 1
    assert b"no standard output" in done.stderr
    assert b"Traceback" not in done.stderr
