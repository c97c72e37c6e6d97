"""``lochkit services watch``, as a process beside a real etcd that is cut and killed."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.discovery.host import State
from lochkit.etcd.prefix import KeyRange
from tests.commands.servicing import RegistryBench, registry_bench
from tests.etcd.real import until
from tests.servers.binaries import Binaries
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_server import EtcdServer, ServerOptions

pytestmark = pytest.mark.real_etcd
LIMIT = 60

# Appends a line for each run: what it read, and what it was told.
RECORDER = """
import json, os, sys
view = json.load(sys.stdin)
told = {name: value for name, value in os.environ.items() if name.startswith("LOCHKIT_")}
with open(sys.argv[1], "a") as book:
    book.write(json.dumps({"view": view, "told": told}) + "\\n")
sys.exit(int(os.path.exists(sys.argv[1] + ".fail")))
"""


class Watching:
    """A running watch, what it printed or its command wrote down, and what it logged."""

    def __init__(self, process: trio.Process, directory: Path) -> None:
        self.process = process
        self._directory = directory

    @property
    def lines(self) -> list[str]:
        return (self._directory / "out").read_text().splitlines()

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]

    @property
    def runs(self) -> list[Any]:
        book = self._directory / "book"
        written = book.read_text() if book.exists() else ""
        return [json.loads(line) for line in written.split("\n")[:-1]]  # the last is being written

    @property
    def errors(self) -> str:
        return (self._directory / "errors").read_text()

    async def has_lines(self, number: int) -> None:
        await until(LIMIT, lambda: len(self.lines) >= number)
        assert len(self.lines) == number, (self.lines, self.errors)

    async def ran(self, number: int) -> Any:
        """Wait for so many runs; the last one."""
        await until(LIMIT, lambda: len(self.runs) >= number)
        assert len(self.runs) == number, (self.runs, self.errors)
        return self.runs[-1]

    async def ends(self, seconds: float = 10.0) -> int:
        with trio.fail_after(seconds):
            return await self.process.wait()


@asynccontextmanager
async def watching(
    registry: RegistryBench, directory: Path, *words: str, recorder: bool = False
) -> AsyncIterator[Watching]:
    argv = registry.argv("watch", *words)
    if recorder:
        argv += ["--", sys.executable, "-c", RECORDER, str(directory / "book")]
    with (directory / "out").open("wb") as out, (directory / "errors").open("wb") as errors:
        process = await trio.lowlevel.open_process(
            argv, env=registry.environ, stdin=-3, stdout=out, stderr=errors, start_new_session=True
        )
    try:
        yield Watching(process, directory)
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def gone(registry: RegistryBench, service: str, known: str) -> None:
    key = registry.layout.instance_key(service, known)
    await registry.etcd.kv.delete(KeyRange.exact(key))


async def test_lines(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        known = await registry.host("web", "app1", password="s3cr3t", user="u")
        async with watching(registry, tmp_path, "web", "--present") as it:
            await it.has_lines(1)
            await registry.host("web2", "app9")  # another's
            lease = await registry.lease()
            other = await registry.host("web", "app2", lease=lease)
            await registry.host("web", "app1", state=State.CRITICAL, user="u", password="new")
            await registry.etcd.leases.revoke(lease)
            await gone(registry, "web", known)
            await it.has_lines(5)
            await registry.infos("web", public=True, hostname="web.example.com")
            await it.has_lines(6)
            found = [line.split() for line in it.lines]
            assert [words[:3] for words in found] == [
                ["new", "web", known],
                ["new", "web", other],
                ["changed", "web", known],
                ["down", "web", other],
                ["down", "web", known],
                ["infos", "web", "-"],
            ]
            assert found[2][-4:] == ["passing", "->", "critical", "credentials"]
            assert (found[3][3], found[4][3]) == ("expired", "removed")
            assert "s3cr3t" not in "".join(it.lines)
            it.process.send_signal(signal.SIGTERM)
            assert await it.ends() == 0


async def test_lines_of_json_of_some_kinds(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.host("web", "app0")
        words = ("--json", "--kind", "new", "--kind", "infos", "--shard", "eu", "--present")
        async with watching(registry, tmp_path, *words) as it:
            await registry.infos("web")
            await it.has_lines(1)
            known = await registry.host("db", "app1", shard="eu", user="u", password="s3cr3t")
            await gone(registry, "db", known)
            await registry.host("db", "app2", shard="us")
            await it.has_lines(2)
            await registry.infos("db")
            await it.has_lines(3)
            assert [(one["kind"], one["service"]) for one in it.events] == [
                ("infos", "web"),
                ("new", "db"),
                ("infos", "db"),
            ]
            assert (it.events[1]["uuid"], it.events[1]["host"]["password"]) == (known, "***")
            it.process.send_signal(signal.SIGINT)
            assert await it.ends() == 130


async def test_one_line(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.host("web", "app1")
        async with watching(registry, tmp_path, "--present", "--once") as it:
            assert await it.ends() == 0
            await it.has_lines(1)


async def test_nobody_reads_any_more(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        await registry.host("web", "app1")
        ours, theirs = os.pipe()
        os.close(ours)
        try:
            process = await trio.lowlevel.open_process(
                registry.argv("watch", "--present"), env=registry.environ, stdin=-3, stdout=theirs
            )
        finally:
            os.close(theirs)
        with trio.fail_after(LIMIT):
            assert await process.wait() == 141


async def test_a_command_sees_the_whole_view(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        lease = await registry.lease()
        known = await registry.host("web", "app1", lease=lease, user="u", password="s3cr3t")
        async with watching(registry, tmp_path, "web", "db", recorder=True) as it:
            run = await it.ran(1)
            assert (run["told"]["LOCHKIT_EVENT"], run["view"]["event"]) == ("start", "start")
            assert run["view"]["services"]["db"]["instances"] == []
            [one] = run["view"]["services"]["web"]["instances"]
            assert (one["uuid"], one["state"], one["password"]) == (known, "passing", "***")
            await registry.host("web2", "app1")  # another's
            await registry.etcd.leases.revoke(lease)
            run = await it.ran(2)
            told = run["told"]
            assert [told[f"LOCHKIT_{name}"] for name in ("EVENT", "SERVICE", "UUID", "CAUSE")] == [
                "down",
                "web",
                known,
                "expired",
            ]
            assert int(told["LOCHKIT_REVISION"]) == run["view"]["revision"]
            assert run["view"]["services"]["web"]["instances"] == []
            assert [event["kind"] for event in run["view"]["events"]] == ["down"]
            assert run["view"]["stale"] is False
            assert list(run["view"]["services"]) == ["db", "web"]


async def test_a_failed_run_is_told_again(one_etcd: EtcdServer, tmp_path: Path) -> None:
    async with registry_bench(one_etcd.endpoint) as registry:
        fail = tmp_path / "book.fail"
        words = ("--no-start", "--retry-max-wait", "0.2")
        async with watching(registry, tmp_path, *words, recorder=True) as it:
            await trio.sleep(1.0)
            assert it.runs == []
            fail.touch()
            known = await registry.host("web", "app1")
            await until(LIMIT, lambda: len(it.runs) >= 3)
            fail.unlink()
            await gone(registry, "web", known)
            await until(LIMIT, lambda: it.runs[-1]["view"]["services"] == {})
            await trio.sleep(0.5)
            number = len(it.runs)
            seen = [event["kind"] for event in it.runs[-1]["view"]["events"]]
            assert seen[-1] == "down"
            await trio.sleep(1.0)
            assert len(it.runs) == number
            assert "command ended" in it.errors


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -9 $$"), 137),
        (("sleep", "60"), 124),
        (("/nowhere/at-all",), 127),
        (("/etc/passwd",), 126),
    ],
)
async def test_codes_of_one_run(
    debian_etcd: Binaries, tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    async with EtcdServer.run(debian_etcd) as server, registry_bench(server.endpoint) as registry:
        words = ("--once", "--timeout", "2", "web", "--", *command)
        async with watching(registry, tmp_path, *words) as it:
            assert await it.ends() == code


async def test_etcd_away_is_stale_and_nobody_is_down(debian_etcd: Binaries, tmp_path: Path) -> None:
    async with (
        EtcdServer.run(debian_etcd) as server,
        CutProxy.run(server.options.host, server.port) as proxy,
        registry_bench(proxy.url) as registry,
        registry_bench(server.endpoint) as direct,
    ):
        direct.layout = registry.layout
        first = await direct.host("web", "app1")
        async with watching(registry, tmp_path, recorder=True) as it:
            await it.ran(1)
            proxy.refuse()
            run = await it.ran(2)
            assert (run["told"]["LOCHKIT_EVENT"], run["told"]["LOCHKIT_STALE"]) == ("stale", "1")
            assert run["view"]["stale"] is True
            assert len(run["view"]["services"]["web"]["instances"]) == 1
            second = await direct.host("web", "app2")
            await gone(direct, "web", first)
            proxy.heal()
            await until(LIMIT, lambda: not it.runs[-1]["view"]["stale"])
            run = it.runs[-1]
            [one] = run["view"]["services"]["web"]["instances"]
            assert one["uuid"] == second
            kinds = [event["kind"] for run in it.runs[2:] for event in run["view"]["events"]]
            assert sorted(kinds) == ["down", "fresh", "new"]
            assert kinds[-1] == "fresh"


async def test_no_permission_is_an_end(debian_etcd: Binaries, tmp_path: Path) -> None:
    options = ServerOptions(auth=True)
    async with EtcdServer.run(debian_etcd, options) as server:
        await server.add_user("app", "pw", "/elsewhere")
        async with registry_bench(server.endpoint) as registry:
            for command in ((), ("--", "true")):
                words = ("watch", "--user", "app", "web", *command)
                ran = await registry.ran(*words, code=1, environ={"ETCDCTL_PASSWORD": "pw"})
                assert "read permission is needed" in ran.errors
                assert "not followed" not in ran.errors
