"""The service that takes streams: what it refuses, what it limits, what it leaves behind."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio

from lochkit.io.bulk_meter import Meter
from lochkit.io.peer_connect import connect_peer
from lochkit.io.peer_serve import open_listener
from lochkit.io.peer_socket import Peer
from lochkit.io.peer_tls import ClientSecurity
from lochkit.wire.trailer import Trailer
from lochkit.zfs.errors import Failure, Refused
from lochkit.zfs.offers import InventoryRequest, Offer, SnapshotId
from lochkit.zfs.offers_requests import request_message
from lochkit.zfs.permits import Permit
from lochkit.zfs.receiver import Receiver
from lochkit.zfs.stream_watch import ZfsWatch

from ..fakes.zfs_host import FakeHost
from .transfer_scenes import (
    LIMITS,
    PERMIT,
    receiver_of,
    remote,
    run,
    serve,
    source_host,
    target_host,
)


@asynccontextmanager
async def client_of(receiver: Receiver, permit: Permit = PERMIT) -> AsyncIterator[Peer]:
    """A client that speaks for itself."""
    listener = await open_listener("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, receiver, permit, listener)
        peer = await connect_peer(
            "127.0.0.1", listener.port, service="streams", security=ClientSecurity(), timeout=5
        )
        async with peer:
            assert (await peer.receive(timeout=5))["Type"] == "capabilities"
            yield peer
        nursery.cancel_scope.cancel()


def offer(dataset: str, **more: Any) -> dict[str, object]:
    wish = Offer(replication="job", dataset=dataset, to=SnapshotId(guid=7, name="one"), **more)
    return request_message(wish)


async def ask(peer: Peer, message: Mapping[str, object]) -> dict[str, object]:
    await peer.send(message)
    with trio.fail_after(10):
        return await peer.receive(timeout=5)


@pytest.mark.parametrize(
    "name",
    ["bulk/../ssd", "bulk/a@b", "bulk/a%b", "-F", "", "bulk/" + "a" * 300, "bulk//a", "bulk/.."],
)
async def test_names_that_are_none_reach_no_zfs(name: str) -> None:
    there = target_host()
    async with client_of(receiver_of(there)) as peer:
        answer = await ask(peer, offer("bulk/a") | {"DestDataset": name})
    assert answer["Type"] == "refuse"
    assert answer["Failure"] == "bad-request"
    assert there.calls == []


@pytest.mark.parametrize(
    "message",
    [
        offer("ssd/foreign"),
        offer("bulkier/a"),
        {"Type": "inventory", "Datasets": ["ssd"]},
        {"Type": "inventory", "Datasets": ["bulk/web1", "ssd"], "Recursive": False},
        {"Type": "releasable", "Datasets": ["ssd"], "Replication": "job"},
        {"Type": "abort-receive", "DestDataset": "ssd/a", "Token": "1"},
    ],
    ids=lambda one: str(one["Type"]),
)
async def test_a_foreign_dataset_is_neither_told_of_nor_touched(message: dict[str, object]) -> None:
    there = FakeHost("vault", pools=("bulk", "bulkier", "ssd"))
    there.state.make("ssd/a")
    async with client_of(receiver_of(there), Permit(client="w", write=("bulk/web1",))) as peer:
        answer = await ask(peer, message)
    assert answer["Type"] == "refuse"
    assert answer["Failure"] == "denied"
    assert there.calls == []


async def test_nobody_without_a_permit_is_told_anything() -> None:
    there = target_host()
    listener = await open_listener("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, receiver_of(there), None, listener)
        peer = await connect_peer(
            "127.0.0.1", listener.port, service="streams", security=ClientSecurity(), timeout=5
        )
        async with peer:
            answer = await peer.receive(timeout=5)
        nursery.cancel_scope.cancel()
    assert answer["Type"] == "refuse"
    assert there.calls == []


async def test_garbage_is_refused_and_the_next_client_is_served() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one")
    receiver = receiver_of(there)
    for message in ({"Type": "explode"}, {}, {"Type": ["offer"]}, {"Type": "offer"}):
        async with client_of(receiver) as peer:
            assert (await ask(peer, message))["Type"] == "refuse"
    async with remote(there, receiver=receiver) as target:
        assert (await run(here, target)).ok


async def test_a_stream_that_was_not_agreed_upon_leaves_nothing() -> None:
    there = target_host()
    there.state.make("bulk/victim")
    there.state.snaps("bulk/victim", "one")
    before = there.state.guids("bulk/victim")
    receiver = receiver_of(there, watch=ZfsWatch)
    async with client_of(receiver) as peer:
        assert (await ask(peer, offer("bulk/new")))["Type"] == "accept"
        async with _pipe_with(b"no stream of ZFS" * 100_000) as fileno:
            end = await peer.send_stream(fileno, meter=Meter(), idle=5)
        await peer.send_trailer(Trailer(ok=True, bytes=end.bytes))
        answer = end.said or await peer.receive(timeout=5)
        assert answer["Failure"] == "bad-stream"
    assert "bulk/new" not in there.state.datasets
    assert there.state.guids("bulk/victim") == before


@asynccontextmanager
async def _pipe_with(data: bytes) -> AsyncIterator[int]:
    ours, theirs = os.pipe()

    async def write() -> None:
        async with trio.lowlevel.FdStream(theirs) as stream:
            try:
                await stream.send_all(data)
            except trio.BrokenResourceError:
                return

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            yield ours
            nursery.cancel_scope.cancel()
    finally:
        os.close(ours)


async def test_two_streams_never_go_into_one_dataset(autojump_clock: object) -> None:
    there = target_host()
    receiver = receiver_of(there)
    wish = Offer(replication="job", dataset="bulk/a", to=SnapshotId(guid=7, name="one"))
    async with receiver.session(PERMIT) as one, receiver.session(PERMIT) as two:
        async with one.admit(wish):
            with pytest.raises(Refused) as refused:
                async with two.admit(wish):
                    pass
            assert refused.value.failure is Failure.BUSY
        async with two.admit(wish):
            pass


async def test_a_client_has_as_many_streams_as_it_may() -> None:
    receiver = receiver_of(target_host())
    permit = replace(PERMIT, streams=1)
    wish = Offer(replication="job", dataset="bulk/a", to=SnapshotId(guid=7, name="one"))
    other = replace(PERMIT, client="web2")
    async with (
        receiver.session(permit) as one,
        receiver.session(permit) as two,
        receiver.session(other) as three,
        one.admit(wish),
    ):
        with pytest.raises(Refused) as refused:
            async with two.admit(replace(wish, dataset="bulk/b")):
                pass
        assert refused.value.failure is Failure.LIMIT
        async with three.admit(replace(wish, dataset="bulk/b")):
            pass


async def test_all_clients_have_as_many_as_the_host_takes(autojump_clock: object) -> None:
    receiver = receiver_of(target_host(), streams=1)
    wish = Offer(replication="job", dataset="bulk/a", to=SnapshotId(guid=7, name="one"))
    async with receiver.session(PERMIT) as one, receiver.session(PERMIT) as two:
        async with one.admit(wish):
            before = trio.current_time()
            with pytest.raises(Refused) as refused:
                async with two.admit(replace(wish, dataset="bulk/b")):
                    pass
            assert refused.value.failure is Failure.LIMIT
            assert trio.current_time() - before == pytest.approx(LIMITS.queue)
        async with two.admit(replace(wish, dataset="bulk/b")):
            pass


async def test_others_are_kept_away_while_a_stream_comes(autojump_clock: object) -> None:
    turns = {"bulk/a": trio.Semaphore(1), "bulk/b": trio.Semaphore(1)}
    receiver = receiver_of(target_host(), guard=lambda dataset: turns[dataset])
    wish = Offer(replication="job", dataset="bulk/a", to=SnapshotId(guid=7, name="one"))
    async with receiver.session(PERMIT) as session:
        async with session.admit(wish):
            assert turns["bulk/a"].value == 0
        assert turns["bulk/a"].value == 1
        async with turns["bulk/b"]:
            with pytest.raises(Refused) as refused:
                async with session.admit(replace(wish, dataset="bulk/b")):
                    pass
        assert refused.value.failure is Failure.BUSY
        assert turns["bulk/b"].value == 1


async def test_an_abort_is_for_the_receive_that_was_meant() -> None:
    here, there = source_host(), target_host()
    here.state.snaps("ssd/data", "one", size=500_000)
    here.fail_next("send", Failure.OTHER, after=300_000)
    async with remote(there) as target:
        assert not (await run(here, target)).ok
    token = there.state.look("bulk/data").resume_token
    assert token
    async with client_of(receiver_of(there)) as peer:
        wrong = {"Type": "abort-receive", "DestDataset": "bulk/data", "Token": token + "0"}
        assert (await ask(peer, wrong))["Failure"] == "stale-token"
        assert there.state.look("bulk/data").resume_token == token
        assert (await ask(peer, wrong | {"Token": token}))["Type"] == "done"
    assert "bulk/data" not in there.state.datasets


async def test_an_inventory_tells_of_what_was_asked_and_hides_clones() -> None:
    there = target_host()
    there.state.make("bulk/web1/a")
    there.state.snaps("bulk/web1/a", *(f"s{n}" for n in range(5000)))
    there.state.clone("bulk/web1/a@s1", "bulk/secret")
    permit = Permit(client="w", write=("bulk/web1",))
    async with remote(there, permit=permit) as target, target.session() as session:
        found = await session.inventory(InventoryRequest(datasets=("bulk/web1",)))
        assert list(found.datasets) == ["bulk/web1", "bulk/web1/a"]
        assert len(found.datasets["bulk/web1/a"].snapshots) == 5000
        assert not any(one.clones for one in found.datasets["bulk/web1/a"].snapshots)
        alone = InventoryRequest(datasets=("bulk/web1", "bulk/web1/none"), recursive=False)
        assert list((await session.inventory(alone)).datasets) == ["bulk/web1"]
        with pytest.raises(Refused, match="may not see bulk"):
            await session.inventory(InventoryRequest(datasets=("bulk",)))
        # The conversation goes on after a refusal.
        assert list((await session.inventory(alone)).datasets) == ["bulk/web1"]
