"""Orders over TLS: who may give which, once each, and what becomes of those who go away."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.io.peer_connect import connect_peer
from lochkit.io.peer_serve import open_listener, serve_peers
from lochkit.io.peer_socket import Peer
from lochkit.io.peer_tls import ServerSecurity
from lochkit.zfs.agent_push import Push
from lochkit.zfs.errors import Failure, Refused, StreamLost
from lochkit.zfs.ledger import Ledger
from lochkit.zfs.order_client import Destination, OrderClient
from lochkit.zfs.order_desk import OrderDesk
from lochkit.zfs.order_json import order_message
from lochkit.zfs.order_server import OrderServer
from lochkit.zfs.order_work import OrderWork
from lochkit.zfs.orders import Action, Order, OrderProgress, OrderStatus, SnapshotRef
from lochkit.zfs.permits import Permit, Permits
from lochkit.zfs.policy_types import HostAddress
from tests.io.peering import Hosts

from .agent_scene import Scene

DATASET = "ssd/pg"
ALL = frozenset(action.value for action in Action)
PERMITS = Permits(
    clients={
        "director": Permit(client="director", orders=ALL, orders_on=("ssd",)),
        "web2": Permit(
            client="web2", orders=frozenset({"destroy_snapshot"}), orders_on=("hdd/from-web2",)
        ),
    }
)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    return Hosts(tmp_path_factory.mktemp("hosts") / "pki")


@dataclass(eq=False, kw_only=True)
class Served:
    """A host that takes orders."""

    scene: Scene
    hosts: Hosts
    port: int
    desk: OrderDesk

    def client(self, name: str | None = "director") -> OrderClient:
        credentials = None if name is None else self.hosts.credentials(name)
        return OrderClient(credentials, jitter=lambda: 0.0)

    def where(self, host: str = "web1") -> Destination:
        return Destination(host=host, where=HostAddress(address="127.0.0.1", orders=self.port))

    async def peer(self, name: str = "director") -> Peer:
        return await connect_peer(
            "127.0.0.1",
            self.port,
            service="orders",
            security=self.hosts.client(name, expect="web1"),
            timeout=5.0,
        )


@asynccontextmanager
async def serving(
    hosts: Hosts,
    directory: Path,
    *,
    scene: Scene | None = None,
    port: int = 0,
    most: int = 10,
    permits: Permits = PERMITS,
    security: ServerSecurity | None = None,
) -> AsyncIterator[Served]:
    if scene is None:
        scene = Scene()
        scene.host.state.make(DATASET)
        scene.host.state.snaps(DATASET, "hot_1", "hot_2")
    ledger = Ledger(directory / "orders")
    desk = OrderDesk(OrderWork(scene.site), ledger, scene.board, most=most)
    listener = await open_listener("127.0.0.1", port)
    server = OrderServer(desk, lambda: permits)
    async with trio.open_nursery() as nursery:
        await nursery.start(desk.run)
        security = security or hosts.server("web1")
        serve = partial(serve_peers, server.serve, listener, service="orders", security=security)
        await nursery.start(serve)
        with trio.fail_after(20):  # noqa: ASYNC100 (the test's)
            yield Served(scene=scene, hosts=hosts, port=listener.port, desk=desk)
        nursery.cancel_scope.cancel()


def take(uuid: str = "t1", **more: Any) -> Order:
    return Order(
        uuid=uuid, action=Action.TAKE, **{"dataset": DATASET, "snapshot_name": "hot_3"} | more
    )


def send(uuid: str = "s1") -> Order:
    return Order(
        uuid=uuid,
        action=Action.SEND,
        source_dataset=DATASET,
        destination="vault",
        dataset="bulk/pg",
    )


async def test_an_order_is_carried_out_and_answered(hosts: Hosts, tmp_path: Path) -> None:
    told: list[OrderProgress] = []
    async with serving(hosts, tmp_path) as served:
        result = await served.client().give(
            take(), served.where(), timeout=10, on_progress=told.append
        )
        status = served.scene.board.status
        assert result.status is OrderStatus.DONE
        assert served.scene.host.state.names(DATASET)[-1] == "hot_3"
        assert (status.orders_running, status.orders_done, status.orders_failed) == (0, 1, 0)
    assert {one.uuid for one in told} <= {"t1"}


async def test_an_order_that_is_given_again_has_one_effect(hosts: Hosts, tmp_path: Path) -> None:
    async with serving(hosts, tmp_path) as served:
        client, state = served.client(), served.scene.host.state
        first = await client.give(take(), served.where(), timeout=10)
        state.remove(f"{DATASET}@hot_3")
        assert await client.give(take(), served.where(), timeout=10) == first
        assert state.names(DATASET) == ["hot_1", "hot_2"]
    async with serving(hosts, tmp_path, scene=served.scene) as again:  # another process
        assert await again.client().give(take(), again.where(), timeout=10) == first
    assert state.names(DATASET) == ["hot_1", "hot_2"]


async def test_a_uuid_of_another_order_is_refused(hosts: Hosts, tmp_path: Path) -> None:
    async with serving(hosts, tmp_path) as served:
        client = served.client()
        await client.give(take(), served.where(), timeout=10)
        result = await client.give(take(snapshot_name="hot_4"), served.where(), timeout=10)
        assert (result.is_success, result.failure) == (False, Failure.BAD_REQUEST)
        assert "another order" in result.error
        assert served.scene.host.state.names(DATASET)[-1] == "hot_3"


async def test_a_resync_is_done_every_time(hosts: Hosts, tmp_path: Path) -> None:
    order = Order(uuid="zRESYNC", action=Action.RESYNC)
    async with serving(hosts, tmp_path) as served:
        for expected in (2, 3):
            result = await served.client().give(order, served.where(), timeout=10)
            assert result.details["Snapshots"] == expected
            served.scene.host.state.snap(f"{DATASET}@more_{expected}")
        assert list((tmp_path / "orders").iterdir()) == []


async def test_an_order_goes_on_when_its_giver_goes_away(hosts: Hosts, tmp_path: Path) -> None:
    begun, go_on = trio.Event(), trio.Event()

    async def slow(push: Push) -> None:
        begun.set()
        await go_on.wait()

    async with serving(hosts, tmp_path) as served:
        served.scene.pusher.sending = slow
        with trio.move_on_after(10) as giver:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(served.client().give, send(), served.where(), timeout=9))
                await begun.wait()
                giver.cancel()
        assert served.scene.board.status.orders_running == 1
        async with trio.open_nursery() as nursery:
            results: list[OrderStatus] = []

            async def attach() -> None:
                result = await served.client().give(send(), served.where(), timeout=10)
                results.append(result.status)

            nursery.start_soon(attach)
            nursery.start_soon(attach)
            await trio.sleep(0.1)
            go_on.set()
        assert results == [OrderStatus.WAS_WRITTEN] * 2
        assert len(served.scene.pusher.pushes) == 1


async def test_an_order_that_was_interrupted_is_judged_anew(hosts: Hosts, tmp_path: Path) -> None:
    async def endless(push: Push) -> None:
        await trio.sleep_forever()

    async with serving(hosts, tmp_path) as served:
        served.scene.pusher.sending = endless
        async with await served.peer() as peer:
            await peer.send(order_message(send()))
            assert (await peer.receive(timeout=5))["Type"] == "progress"
            while served.scene.pusher.pushes == []:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
    served.scene.pusher.sending = None
    async with serving(hosts, tmp_path, scene=served.scene) as again:
        result = await again.client().give(send(), again.where(), timeout=10)
    assert result.status is OrderStatus.WAS_WRITTEN
    assert len(served.scene.pusher.pushes) == 2


async def test_a_client_waits_for_an_agent_that_starts_anew(hosts: Hosts, tmp_path: Path) -> None:
    async with serving(hosts, tmp_path) as served:
        pass
    async with trio.open_nursery() as nursery:
        results = []

        async def give() -> None:
            results.append(await served.client().give(take(), served.where(), timeout=15))

        nursery.start_soon(give)
        await trio.sleep(0.3)
        async with serving(hosts, tmp_path, scene=served.scene, port=served.port):
            while not results:  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.01)
    assert results[0].is_success


async def test_a_client_does_not_wait_for_ever(hosts: Hosts, tmp_path: Path) -> None:
    async with serving(hosts, tmp_path) as served:
        pass
    with pytest.raises(StreamLost, match=r"web1 has not answered order t1 within 0\.5 s"):
        await served.client().give(take(), served.where(), timeout=0.5)


@pytest.mark.parametrize(
    ("name", "order", "word"),
    [
        ("stranger", take(), "stranger may not order take_snapshot here"),
        ("web2", take(dataset="hdd/from-web2"), "web2 may not order take_snapshot here"),
        ("director", take(dataset="hdd/x"), "of hdd/x here"),
        ("director", take(dataset="ssdx"), "of ssdx here"),
        (
            "web2",
            Order(
                uuid="d",
                action=Action.DESTROY,
                snapshots=(
                    SnapshotRef(guid=1, dataset="hdd/from-web2/a", name="x"),
                    SnapshotRef(guid=2, dataset="hdd/from-web1", name="x"),
                ),
            ),
            "of hdd/from-web1 here",
        ),
        ("director", Order(uuid="s", action=Action.SEND, source_dataset="hdd/x",
                           destination="v", dataset="ssd/y"), "of hdd/x here"),
    ],
)  # fmt: skip
async def test_what_a_client_may_not_order_is_refused(
    hosts: Hosts, tmp_path: Path, name: str, order: Order, word: str
) -> None:
    async with serving(hosts, tmp_path) as served:
        result = await served.client(name).give(order, served.where(), timeout=10)
        assert (result.is_success, result.failure) == (False, Failure.DENIED)
        assert word in result.error
        assert {call.what for call in served.scene.host.calls} == set()
        assert list((tmp_path / "orders").iterdir()) == []


async def test_a_server_by_another_name_gets_no_order(hosts: Hosts, tmp_path: Path) -> None:
    async with serving(hosts, tmp_path) as served:
        with pytest.raises(Refused, match="vault"):
            await served.client().give(take(), served.where("vault"), timeout=10)
        with pytest.raises((Refused, StreamLost)):
            await served.client(None).give(take(), served.where(), timeout=0.5)  # plain text
        assert served.scene.host.calls == []


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"OrderUUID": 7},
        {"OrderUUID": "x" * 5000, "Action": "take_snapshot"},
        {"OrderUUID": "x", "Action": "rm"},
        {"OrderUUID": "x", "Action": "take_snapshot", "DestDataset": "ssd/../x"},
        order_message(take()) | {"Exclude": [["deep"]]},
    ],
)
async def test_what_is_no_order_is_answered_and_the_next_is_served(
    hosts: Hosts, tmp_path: Path, message: Mapping[str, object]
) -> None:
    async with serving(hosts, tmp_path) as served, await served.peer() as peer:
        await peer.send(message)
        answer = await peer.receive(timeout=5)
        assert (answer["Type"], answer["Failure"]) == ("result", "bad-request")
        await peer.send(order_message(take()))
        while (answer := await peer.receive(timeout=5))["Type"] != "result":
            pass
        assert answer["IsSuccess"] is True


async def test_there_are_so_many_orders_at_once(hosts: Hosts, tmp_path: Path) -> None:
    async def endless(push: Push) -> None:
        await trio.sleep_forever()

    async with serving(hosts, tmp_path, most=2) as served:
        served.scene.pusher.sending = endless
        for uuid in "ab":
            async with await served.peer() as peer:
                await peer.send(order_message(send(uuid)))
                await peer.receive(timeout=5)
        while served.scene.board.status.orders_running < 2:  # noqa: ASYNC110 (nobody tells)
            await trio.sleep(0.01)
        result = await served.client().give(take(), served.where(), timeout=10)
        assert (result.is_success, result.failure) == (False, Failure.LIMIT)
        assert len(list((tmp_path / "orders").iterdir())) == 2


async def test_what_can_not_be_remembered_is_not_begun(hosts: Hosts, tmp_path: Path) -> None:
    async with serving(hosts, tmp_path) as served:
        (tmp_path / "orders").rmdir()
        result = await served.client().give(take(), served.where(), timeout=10)
        assert (result.is_success, result.failure) == (False, Failure.UNAVAILABLE)
        assert served.scene.host.calls == []
        (tmp_path / "orders").mkdir()
        assert (await served.client().give(take(), served.where(), timeout=10)).is_success


async def test_plain_text_is_for_who_is_let_in_without_a_name(hosts: Hosts, tmp_path: Path) -> None:
    anonymous = Permit(client="anonymous", orders=frozenset({"resync"}))
    permits = Permits(clients=PERMITS.clients, anonymous=anonymous)
    plain = ServerSecurity()
    async with serving(hosts, tmp_path, permits=permits, security=plain) as served:
        client = served.client(None)
        resync = Order(uuid="r", action=Action.RESYNC)
        assert (await client.give(resync, served.where(), timeout=10)).is_success
        result = await client.give(take(), served.where(), timeout=10)
        assert "a client without a certificate may not" in result.error
