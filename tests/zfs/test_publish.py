"""What etcd says of a host: all of it, no more than it must, and for as long as the agent lives."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints
from lochkit.etcd.messages import KeyValue
from lochkit.zfs.agent_board import Board
from lochkit.zfs.agent_publishing import lookup_of
from lochkit.zfs.agent_settings import AgentSettings, Etcd
from lochkit.zfs.agent_status import AgentStatus
from lochkit.zfs.errors import Failure
from lochkit.zfs.inventory_json import encode_page, read_dataset
from lochkit.zfs.layout import Layout
from lochkit.zfs.model import Dataset, Inventory, Snapshot
from lochkit.zfs.publish_plan import Changes, batches, changes, digest, keys_of
from lochkit.zfs.publish_record import AgentRecord, BadRecord, read_record, record_document
from lochkit.zfs.publisher import Publisher
from tests.fakes.zfs_host import OPENZFS, FakeHost
from tests.servers.etcd_server import EtcdServer

RECORD = AgentRecord(
    host="web1",
    address="10.0.0.1",
    certificate="web1.example",
    zfs=OPENZFS,
    instance="one",
    started=12.5,
)


# -- what is to be written


def inventory(*counts: int) -> Inventory:
    datasets = [
        Dataset(
            name=f"ssd/{number}",
            guid=number,
            snapshots=tuple(Snapshot(f"s{one}", one, one, one) for one in range(count)),
            used=count,
        )
        for number, count in enumerate(counts)
    ]
    return Inventory(datasets={one.name: one for one in datasets})


def test_only_what_has_changed_is_written() -> None:
    layout = Layout("/x")
    before = keys_of(inventory(1, 2, 3), layout, "web1")
    after = keys_of(inventory(1, 3), layout, "web1")
    found = changes({key: digest(value) for key, value in before.items()}, after)
    assert set(found.put) == {layout.inventory("web1", "ssd/1")}
    assert found.delete == (layout.inventory("web1", "ssd/2"),)
    assert not changes({key: digest(value) for key, value in after.items()}, after)


def test_what_changes_all_the_time_is_no_change() -> None:
    layout = Layout("/x")
    there = inventory(2)
    busy = Inventory(datasets={"ssd/0": replace(there.datasets["ssd/0"], used=99, written=7)})
    assert keys_of(there, layout, "h") == keys_of(busy, layout, "h")


def test_a_large_dataset_has_several_keys() -> None:
    layout = Layout("/x")
    keys = keys_of(inventory(9001), layout, "web1")
    assert list(keys) == [layout.inventory("web1", "ssd/0", page) for page in range(3)]
    pages = [json.loads(value) for value in keys.values()]
    assert len(read_dataset(pages).snapshots) == 9001


def test_what_is_written_at_once_is_limited() -> None:
    puts = {b"k%d" % number: b"v" * 100 for number in range(25)}
    deletes = tuple(b"d%d" % number for number in range(12))
    parts = list(batches(Changes(put=puts, delete=deletes), most_keys=10, most_bytes=800))
    assert all(len(part.put) <= 7 for part in parts)
    assert {key for part in parts for key in part.put} == set(puts)
    assert [one for part in parts for one in part.delete] == list(deletes)
    large = list(batches(Changes(put={b"a": b"v" * 5000, b"b": b""}), most_bytes=800))
    assert [list(part.put) for part in large] == [[b"a"], [b"b"]]


# -- the record


def test_a_record_is_read_back() -> None:
    document = json.loads(json.dumps(record_document(RECORD)))
    assert read_record(document) == RECORD
    assert read_record(document | {"Later": 1}).where == RECORD.where


@pytest.mark.parametrize(
    "changes_",
    [{"Host": ""}, {"Address": None}, {"OrdersPort": 70000}, {"Zfs": {"raw": 1}}, {"Host": 7}],
)
def test_what_is_no_record_is_refused(changes_: dict[str, object]) -> None:
    with pytest.raises(BadRecord):
        read_record(record_document(RECORD) | changes_)


# -- in a real etcd


class Told:
    """A host, its publisher, and what etcd says."""

    def __init__(self, etcd: Client, namespace: str, host: FakeHost) -> None:
        self.etcd, self.host = etcd, host
        self.layout = Layout(namespace)
        self.board = Board(AgentStatus(host="web1"))
        self.publisher = Publisher(
            etcd,
            RECORD,
            host.inventory,
            layout=self.layout,
            board=self.board,
            ttl=5,
            every=3600.0,
            jitter=lambda: 0.0,
        )

    async def keys(self) -> dict[bytes, KeyValue]:
        found = await self.etcd.kv.list(self.layout.inventories())
        kvs = {kv.key: kv for kv in found.kvs}
        agent = await self.etcd.kv.get(self.layout.agent("web1"))
        return kvs | ({agent.key: agent} if agent is not None else {})

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        with trio.fail_after(15):
            while not await holds():  # noqa: ASYNC110 (real servers tell no trio.Event)
                await trio.sleep(0.02)


@asynccontextmanager
async def telling(one_etcd: EtcdServer, name: str) -> AsyncIterator[Told]:
    host = FakeHost("web1", pools=("ssd",))
    host.state.make("ssd/pg")
    host.state.snaps("ssd/pg", "a", "b")
    config = EtcdConfig(endpoints=parse_endpoints((one_etcd.endpoint,)))
    async with open_client(config) as etcd:
        told = Told(etcd, f"/publish/{name}", host)
        async with trio.open_nursery() as nursery:
            await nursery.start(told.publisher.run)
            yield told
            nursery.cancel_scope.cancel()


async def test_a_host_is_told_of_and_no_more_than_it_must(one_etcd: EtcdServer) -> None:
    async with telling(one_etcd, "first") as told:
        assert await told.publisher.publish(timeout=10) == await told.host.inventory()
        before = await told.keys()
        assert read_record(json.loads(before[told.layout.agent("web1")].value)) == RECORD
        page = before[told.layout.inventory("web1", "ssd/pg")]
        assert read_dataset([json.loads(page.value)]).snapshots == (
            told.host.state.look("ssd/pg").snapshots
        )
        assert len({kv.lease for kv in before.values()}) == 1
        told.host.state.snap("ssd/pg@c")
        await told.publisher.publish(timeout=10)
        after = await told.keys()
        assert [key for key in after if after[key] != before[key]] == [page.key]
        told.host.state.remove("ssd/pg")
        told.publisher.changed()

        async def is_gone() -> bool:
            return page.key not in await told.keys()

        await told.until(is_gone)
        assert told.board.status.etcd == "connected"
        keys = told.keys
    config = EtcdConfig(endpoints=parse_endpoints((one_etcd.endpoint,)))
    async with open_client(config) as told.etcd:  # the agent has ended
        assert await keys() == {}


async def test_a_lease_that_is_lost_is_made_up_for(
    one_etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with telling(one_etcd, "lost") as told:
        await told.publisher.publish(timeout=10)
        before = await told.keys()
        await told.etcd.leases.revoke(before[told.layout.agent("web1")].lease)
        assert await told.keys() == {}

        async def is_back() -> bool:
            return (await told.keys()).keys() == before.keys()

        await told.until(is_back)
        after = await told.keys()
        assert {kv.value for kv in after.values()} == {kv.value for kv in before.values()}
    assert "can not be told of this host" in caplog.text


async def test_a_pool_that_can_not_be_read_is_told_of_later(one_etcd: EtcdServer) -> None:
    async with telling(one_etcd, "unread") as told:
        told.host.fail_next("inventory", Failure.BUSY)
        assert await told.publisher.publish(timeout=10) is not None
        assert told.layout.inventory("web1", "ssd/pg") in await told.keys()


async def test_another_agent_of_the_same_name_is_warned_of(
    one_etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with telling(one_etcd, "twice") as told:
        await told.publisher.publish(timeout=10)
        other = Publisher(
            told.etcd,
            replace(RECORD, instance="two"),
            told.host.inventory,
            layout=told.layout,
            board=told.board,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(other.run)
            await other.publish(timeout=10)
            nursery.cancel_scope.cancel()
    assert "another agent at 10.0.0.1 tells of host web1" in caplog.text


async def test_an_agent_is_found_by_what_it_tells(one_etcd: EtcdServer) -> None:
    async with telling(one_etcd, "found") as told:
        await told.publisher.publish(timeout=10)
        settings = AgentSettings(
            host="web2",
            state=Path("/x"),
            etcd=Etcd(namespace="/publish/found", address="x"),
        )
        lookup = lookup_of(settings, told.etcd)
        assert lookup is not None
        assert await lookup("web1") == RECORD.where
        assert await lookup("web3") is None


async def test_an_etcd_that_is_away_is_waited_for() -> None:
    host = FakeHost("web1", pools=("ssd",))
    config = EtcdConfig(endpoints=parse_endpoints(("http://127.0.0.1:1",)), dial_timeout=0.2)
    async with open_client(config) as etcd, trio.open_nursery() as nursery:
        told = Told(etcd, "/away", host)
        told.publisher = Publisher(
            etcd, RECORD, host.inventory, layout=told.layout, board=told.board, patience=0.3
        )
        await nursery.start(told.publisher.run)
        with trio.fail_after(10):
            while not told.board.status.etcd.startswith("away"):
                await told.board.changed(told.board.version)
        with pytest.raises(Exception, match="away"):
            await told.publisher.publish(timeout=0.2)
        nursery.cancel_scope.cancel()


def test_a_page_of_etcd_is_the_page() -> None:
    assert json.loads(encode_page({"a": "é", "b": [1]})) == {"a": "é", "b": [1]}
