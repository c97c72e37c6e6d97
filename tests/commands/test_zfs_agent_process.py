"""``lochkit zfs-agent`` as processes on real pools: a policy, TLS, HUP, TERM in a stream.

Not in the machines with OpenZFS, which are emulated: what is tried here are processes.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from lochkit.errors import LochkitError
from lochkit.zfs.agent_status import AgentStatus, ChoreStatus, read_status
from tests.io.peering import Hosts
from tests.servers.zfs_pools import Pool, guids, noise

pytestmark = pytest.mark.xdist_group("zfs")

TOOLKIT = Path(__file__).parents[2] / "toolkit"
LIMIT = 60

VAULT = """
[clients.web1]
write = ["{target}"]
orders = ["destroy_snapshot"]
"""
HOST = """
[hosts.vault]
address = "127.0.0.1"
orders = {orders}
streams = {streams}
"""
JOB = """
[[job]]
name = "{name}"
datasets = ["{source}"]
recursive = true
snapshot = {{ cron = "0 4 * * *", prefix = "hot", zone = "UTC" }}
keep = ["last 1"]
[[job.replicate]]
to = "vault"
target = "{target}/{name}"
keep = ["last 1"]
{more}
"""


@dataclass(eq=False, kw_only=True)
class Running:
    """An agent's process."""

    process: trio.Process
    directory: Path

    @property
    def errors(self) -> str:
        return (self.directory / "errors").read_text()

    @property
    def status(self) -> AgentStatus:
        try:
            return read_status((self.directory / "state" / "agent.json").read_bytes())
        except (OSError, LochkitError):
            return AgentStatus(host="none")

    async def until(self, holds: Callable[[AgentStatus], bool]) -> AgentStatus:
        with trio.move_on_after(LIMIT):
            while self.process.poll() is None:
                status = self.status
                if status.pid == self.process.pid and holds(status):
                    return status
                await trio.sleep(0.05)
        raise AssertionError(f"{self.status}\n{self.errors}")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        with trio.fail_after(LIMIT):
            return await self.process.wait()


@asynccontextmanager
async def agent(directory: Path, hosts: Hosts, host: str, *words: str) -> AsyncIterator[Running]:
    """The process, for as long as the block; killed afterwards if it is still there."""
    mine = hosts.credentials(host)
    argv = [sys.executable, "-m", "lochkit", "zfs-agent", "--host", host, "--state", "state"]
    argv += ["--policy", "zfs.toml", "--listen", "127.0.0.1"]
    argv += ["--orders-port", "0", "--streams-port", "0"]
    argv += ["--tls-cert", mine.cert, "--tls-key", mine.key, "--tls-ca", mine.ca, *words]
    with (directory / "errors").open("a") as errors:
        process = await trio.lowlevel.open_process(
            argv,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOOLKIT)},
            cwd=directory,
            stdin=-3,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield Running(process=process, directory=directory)
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def busy_with(dataset: str) -> list[str]:
    """The command lines of processes that name a dataset."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        line = b" ".join(words).decode()
        if dataset in line and "pytest" not in line:
            found.append(line)
    return found


def chore(status: AgentStatus, job: str, work: str, to: str = "") -> ChoreStatus:
    wanted = (job, work, to)
    none = ChoreStatus(job=job, work=work)
    return next((one for one in status.chores if (one.job, one.work, one.to) == wanted), none)


def is_done(status: AgentStatus, job: str) -> bool:
    works = [chore(status, job, "send", "vault"), chore(status, job, "destroy")]
    works.append(chore(status, job, "destroy", "vault"))
    taken = chore(status, job, "take").last_tick is not None
    return taken and all(one.last_success is not None for one in works)


def in_step(source: str, target: str) -> bool:
    here, there = list(guids(source).values()), list(guids(target).values())
    return bool(here) and here[-1:] == there[-1:]


@pytest.mark.slow
async def test_agents_follow_their_policies_and_end_when_told(
    shared_pools: tuple[Pool, Pool], tmp_path: Path
) -> None:
    hosts = Hosts(tmp_path / "pki")
    here, there = shared_pools
    source, target = here.create("agents/data"), there.create("agents/copies")
    child = here.create("agents/data/child")
    here.write(child, noise(0.2))
    other = here.create("agents/other")
    here.write(other, noise(6, seed=1))
    for name in ("vault", "web1"):
        (tmp_path / name).mkdir()
    (tmp_path / "vault" / "zfs.toml").write_text(VAULT.format(target=target))
    policy = tmp_path / "web1" / "zfs.toml"
    async with agent(tmp_path / "vault", hosts, "vault") as vault:
        listening = (await vault.until(lambda status: len(status.listening) == 2)).listening
        ports = {name: shown.rpartition(":")[2] for name, shown in listening.items()}
        first = HOST.format(**ports) + JOB.format(
            name="data", source=source, target=target, more=""
        )
        policy.write_text(first)
        async with agent(tmp_path / "web1", hosts, "web1") as web1:
            await web1.until(lambda status: is_done(status, "data"))
            assert in_step(source, f"{target}/data")
            assert in_step(child, f"{target}/data/child")
            slow = JOB.format(name="other", source=other, target=target, more="rate = 500000")
            policy.write_text(first + slow)
            web1.process.send_signal(signal.SIGHUP)
            status = await web1.until(
                lambda status: any(one.done > 100_000 for one in status.transfers)
            )
            assert status.transfers[0].dataset == other
            assert chore(status, "data", "take").last_success is not None  # left undisturbed
            began = trio.current_time()
            assert await web1.stop() == 0
            assert trio.current_time() - began < 5
            assert web1.status.state == "stopped"
            assert not web1.status.transfers
            assert busy_with(here.name) == []
        assert busy_with(f"{target}/other") == []
        policy.write_text(first + slow.replace("rate = 500000", ""))
        async with agent(tmp_path / "web1", hosts, "web1") as web1:
            await web1.until(lambda status: is_done(status, "other"))
            assert in_step(other, f"{target}/other")
            assert len(guids(other)) == 1  # the one from before it was told to end
            assert await web1.stop(signal.SIGINT) == 130
        newest = list(guids(other))[-1]
        assert there.contents(f"{target}/other@{newest}") == here.contents(f"{other}@{newest}")
        assert await vault.stop() == 0
    assert "Traceback" not in web1.errors + vault.errors


@pytest.mark.slow
async def test_once_does_it_and_ends(shared_pools: tuple[Pool, Pool], tmp_path: Path) -> None:
    hosts = Hosts(tmp_path / "pki")
    here, there = shared_pools
    source, target = here.create("once/data"), there.create("once/copies")
    job = JOB.format(name="data", source=source, target=target, more="")
    (tmp_path / "zfs.toml").write_text(job.replace('"vault"', '"local"'))
    for expected in (1, 1):
        async with agent(tmp_path, hosts, "web1", "--once") as once:
            with trio.fail_after(LIMIT):
                assert await once.process.wait() == 0, once.errors
        assert len(guids(source)) == expected
        assert in_step(source, f"{target}/data")
    (tmp_path / "zfs.toml").write_text(job.replace(source, f"{source}/none"))
    async with agent(tmp_path, hosts, "web1", "--once") as once:
        with trio.fail_after(LIMIT):
            assert await once.process.wait() == 1
        assert f"there is no {source}/none" in once.errors
