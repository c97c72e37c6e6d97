"""``lochkit zfs-director`` and two agents as processes on real pools, and a director that is killed
between an order and its result."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from lochkit.etcd.client import Client
from lochkit.zfs.layout import CursorKey, Layout

from ..etcd.real import client_of
from ..servers.etcd_server import EtcdServer
from ..servers.ports import free_port
from ..servers.zfs_pools import Pool, guids, noise

TOOLKIT = Path(__file__).parents[2] / "toolkit"
LIMIT = 60
NAMESPACE = "/directed"

CLIENTS = """
[clients.anonymous]
write = ["{pool}"]
orders = ["all"]
orders_on = ["{pool}"]
"""
POLICY = """
[[job]]
name = "data"
host = "web1"
datasets = ["{source}"]
snapshot = {{ cron = "0 4 * * *", prefix = "hot", zone = "UTC" }}
keep = ["last 1"]
[[job.replicate]]
to = "vault"
target = "{target}"
rate = 600000
keep = ["last 1"]
"""


@asynccontextmanager
async def process_of(directory: Path, *words: str) -> AsyncIterator[trio.Process]:
    """A lochkit for as long as the block; killed afterwards if it is still there."""
    with (directory / "errors").open("a") as errors:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "lochkit", *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOOLKIT)},
            cwd=directory,
            stdin=-3,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@asynccontextmanager
async def agent_of(root: Path, host: str, pool: str, etcd: str) -> AsyncIterator[trio.Process]:
    """An agent that lets everybody on the loopback do everything with a pool."""
    directory = root / host
    directory.mkdir()
    (directory / "clients.toml").write_text(CLIENTS.format(pool=pool))
    ports = [f"--{kind}-port={free_port('127.0.0.1')}" for kind in ("orders", "streams")]
    words = ["--host", host, "--clients", "clients.toml", "--state", "state"]
    words += ["--listen", "127.0.0.1", *ports, "--insecure-plaintext", "--advertise", "127.0.0.1"]
    words += ["--publish", "yes", "--namespace", NAMESPACE, "--ttl", "5", "--etcd", etcd]
    async with process_of(directory, "zfs-agent", *words) as process:
        yield process


def director_of(root: Path, etcd: str, name: str) -> tuple[Path, tuple[str, ...]]:
    """Where a director runs, and its words."""
    directory = root / name
    directory.mkdir()
    words = ["--policy", str(root / "policy.toml"), "--namespace", NAMESPACE, "--name", name]
    words += ["--ttl", "2", "--settle", "1", "--insecure-plaintext", "--etcd", etcd]
    return directory, ("zfs-director", *words)


async def until(root: Path, holds: Callable[[], Awaitable[object]]) -> None:
    """Wait; or tell what the processes had to say."""
    with trio.move_on_after(LIMIT):
        while not await holds():  # noqa: ASYNC110 (processes tell no trio.Event)
            await trio.sleep(0.05)
        return
    raise AssertionError(said_in(root))


def said_in(root: Path) -> str:
    """What all processes had to say."""
    return "\n".join(f"== {one}\n{one.read_text()}" for one in sorted(root.glob("*/errors")))


async def orders_of(etcd: Client, layout: Layout) -> dict[str, str]:
    """The actions of the orders that are under way, by uuid."""
    listing = await etcd.kv.list(layout.orders())
    found = {}
    for kv in listing.kvs:
        order = json.loads(kv.value)["Order"]
        found[order["OrderUUID"]] = order["Action"]
    return found


@pytest.mark.slow
@pytest.mark.xdist_group("zfs")  # one process has the pools of zfs-fuse
async def test_a_director_is_killed_between_order_and_result(
    shared_pools: tuple[Pool, Pool], one_etcd: EtcdServer, tmp_path: Path
) -> None:
    here, there = shared_pools
    source, target = here.create("directed"), f"{there.name}/directed"
    here.write(source, noise(2))
    (tmp_path / "policy.toml").write_text(POLICY.format(source=source, target=target))
    layout, endpoint = Layout(NAMESPACE), one_etcd.endpoint
    async with (
        client_of(endpoint) as etcd,
        agent_of(tmp_path, "web1", here.name, endpoint),
        agent_of(tmp_path, "vault", there.name, endpoint),
    ):
        sends: list[str] = []

        async def is_sending() -> bool:
            orders = await orders_of(etcd, layout)
            sends[:] = [one for one, action in orders.items() if action == "send_snapshot"]
            return bool(sends)

        async def has_begun() -> bool:
            await trio.sleep(0.5)  # so that it is within the stream
            return await is_sending()

        async def has_ended() -> bool:
            return await etcd.kv.get(layout.result(sends[0])) is not None

        directory, words = director_of(tmp_path, endpoint, "first")
        async with process_of(directory, *words) as first:
            await until(tmp_path, is_sending)
            await until(tmp_path, has_begun)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        assert not await has_ended()
        directory, words = director_of(tmp_path, endpoint, "second")
        async with process_of(directory, *words) as second:
            await until(tmp_path, has_ended)
            result = await etcd.kv.get(layout.result(sends[0]))
            assert result is not None
            assert json.loads(result.value)["IsSuccess"]
            assert await orders_of(etcd, layout) == {}
            cursor = await etcd.kv.get(layout.cursor(CursorKey("data", "web1", "vault", source)))
            assert cursor is not None
            # One snapshot was taken, and came over once.
            assert len(guids(source)) == 1
            assert guids(target) == guids(source)
            assert json.loads(cursor.value)["Guid"] == str(next(iter(guids(source).values())))
            took = [json.loads(one.value) for one in (await etcd.kv.list(layout.results())).kvs]
            assert sorted(one["Work"] for one in took) == ["send", "take"]
            status = ("zfs-director", "status", "--namespace", NAMESPACE, "--etcd", endpoint)
            (tmp_path / "status").mkdir()
            async with process_of(tmp_path / "status", *status) as shown:
                with trio.fail_after(LIMIT):
                    assert await shown.wait() == 0, (tmp_path / "status" / "errors").read_text()
            assert "second directs" in (tmp_path / "status" / "errors").read_text()
            second.terminate()
            with trio.fail_after(LIMIT):
                assert await second.wait() == 0
        assert await etcd.kv.get(layout.leader()) is None
    assert "Traceback" not in said_in(tmp_path)
