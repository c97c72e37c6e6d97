"""Replication under TLS: who may write where is said by the certificate, not by the client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from lochkit.io.peer_serve import open_listener
from lochkit.io.peer_tls import ClientSecurity
from lochkit.zfs.compression import available
from lochkit.zfs.errors import Failure, Refused, ZfsError
from lochkit.zfs.permits import Permit, Permits
from lochkit.zfs.remote_target import RemoteTarget
from lochkit.zfs.reports import Outcome
from lochkit.zfs.stream_limits import Retries
from lochkit.zfs.stream_server import serve_streams

from ..fakes.zfs_host import FakeHost
from ..io.peering import Hosts
from .transfer_scenes import FAST, LIMITS, receiver_of, remote, run, source_host, target_host

ONCE = Retries(most=0, backoff=FAST.backoff)
PERMITS = Permits(
    clients={
        "web1": Permit(client="web1", write=("bulk/web1",)),
        "web2": Permit(client="web2", write=("bulk/web2",)),
    },
    anonymous=Permit(client="anybody", write=("bulk",)),
)


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    """An authority, and its hosts."""
    return Hosts(tmp_path / "pki")


@asynccontextmanager
async def vault(there: FakeHost, hosts: Hosts) -> AsyncIterator[int]:
    """A server with TLS; its port."""
    listener = await open_listener("127.0.0.1", 0)
    port = listener.port
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 (the other)
            await serve_streams(
                receiver_of(there),
                PERMITS.of,
                listener,
                security=hosts.server(),
                task_status=task_status,
            )

        await nursery.start(serve)
        yield port
        nursery.cancel_scope.cancel()


def target(port: int, security: ClientSecurity) -> RemoteTarget:
    """The server, as somebody."""
    return RemoteTarget("127.0.0.1", port, security=security, name="vault", limits=LIMITS)


async def test_a_client_writes_where_its_certificate_may(hosts: Hosts) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=2_000_000)
    async with vault(there, hosts) as port:
        mine = await run(here, target(port, hosts.client("web1")), target="bulk/web1/data")
        assert mine.ok, mine
        # Under the certificate of another, the same is refused before anything is looked at.
        there.calls.clear()
        with pytest.raises(Refused) as refused:
            await run(here, target(port, hosts.client("web2")), target="bulk/web1/data")
        assert refused.value.failure is Failure.DENIED
        assert there.calls == []
    assert there.state.guids("bulk/web1/data") == here.state.guids("ssd/data")


@pytest.mark.parametrize("who", ["nobody", "stranger", "other authority", "other name"])
async def test_who_is_not_known_gets_nothing(who: str, hosts: Hosts, tmp_path: Path) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    security = {
        "nobody": lambda: ClientSecurity(),
        "stranger": lambda: hosts.client("web9"),
        "other authority": lambda: Hosts(tmp_path / "other").client("web1"),
        "other name": lambda: hosts.client("web1", expect="fault"),
    }[who]()
    async with vault(there, hosts) as port:
        with pytest.raises(ZfsError):
            await run(here, target(port, security), target="bulk/web1/data", retries=ONCE)
    assert there.calls == []


async def test_a_placeholder_is_not_made_where_a_client_may_not_write(hosts: Hosts) -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    async with vault(there, hosts) as port:
        to = target(port, hosts.client("web1"))
        assert (await run(here, to, target="bulk/web1/x/data")).ok
    assert there.state.look("bulk/web1").placeholder
    there = target_host()
    permits = Permit(client="anybody", write=("bulk/a/b/c",))
    async with remote(there, permit=permits) as to_deep:
        report = await run(here, to_deep, target="bulk/a/b/c/data")
        assert report.datasets[0].outcome is Outcome.FAILED
        assert report.datasets[0].failure is Failure.DENIED
        assert list(there.state.datasets) == ["bulk"]
        there.state.make("bulk/a/b")
        assert (await run(here, to_deep, target="bulk/a/b/c/data")).ok
    assert there.state.look("bulk/a/b/c").placeholder


@pytest.mark.parametrize("program", ["zstd", "lz4", "gzip"])
async def test_a_stream_is_compressed_on_its_way(program: str) -> None:
    if program not in available():  # a host that has it tests it
        return
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", "two", size=700_000)
    receiver = receiver_of(there, compressions=(program,))
    async with remote(there, receiver=receiver) as to:
        report = await run(here, to, compression=program, compressions=(program,))
        assert report.ok, report
        assert there.state.guids("bulk/data") == here.state.guids("ssd/data")
        assert report.bytes < 200_000  # these fakes compress well
        here.state.snaps("ssd/data", "three", size=700_000)
        here.fail_next("send", Failure.CUT, after=300_000)
        report = await run(here, to, compression=program, compressions=(program,))
    assert report.ok, report
    assert report.datasets[0].failures == 1
    assert there.state.guids("bulk/data") == here.state.guids("ssd/data")


async def test_without_the_program_at_both_ends_nothing_is_compressed() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=100_000)
    async with remote(there) as to:
        report = await run(here, to, compression="zstd", compressions=("zstd",))
    assert report.ok
    assert report.bytes > 100_000
