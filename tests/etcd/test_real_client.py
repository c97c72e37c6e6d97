"""The client against real servers of two releases: keys, transactions, leases, watches,
addresses."""

from collections.abc import AsyncIterator

import pytest
import trio

from lochkit.etcd import operations as op
from lochkit.etcd.client import Client, open_client
from lochkit.etcd.errors import Compacted, LeaseNotFound
from lochkit.etcd.messages import (
    Event,
    EventType,
    FilterType,
    KeyValue,
    RangeRequest,
    SortOrder,
    SortTarget,
    WatchCreateRequest,
)
from lochkit.etcd.prefix import KeyRange
from tests.etcd.real import client_of, config_of
from tests.servers.binaries import VARIANTS, binaries
from tests.servers.etcd_server import EtcdServer, ServerOptions

pytestmark = pytest.mark.real_etcd
LIMIT = 60


@pytest.fixture(params=VARIANTS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[EtcdServer]:
    options = ServerOptions(
        extra=(
            "--max-request-bytes=10000000",
            "--max-txn-ops=2000",
            "--quota-backend-bytes=2000000000",
        )
    )
    async with EtcdServer.run(binaries(request.param), options) as running:
        yield running


@pytest.fixture
async def etcd(server: EtcdServer) -> AsyncIterator[Client]:
    with trio.fail_after(LIMIT):
        async with client_of(server.endpoint) as client:
            yield client


async def test_what_is_put_is_what_etcdctl_gets(etcd: Client, server: EtcdServer) -> None:
    values = {b"/a": b"1", b"/b/c": bytes(range(256)), b"/\xff\x00": b"", "/é".encode(): b"x" * 99}
    for key, value in values.items():
        await etcd.kv.put(key, value)
    assert await server.dump("/") == values
    listing = await etcd.kv.list(KeyRange.prefix(b"/"))
    assert {kv.key: kv.value for kv in listing.kvs} == values
    answer = await etcd.kv.put(b"/a", b"2", prev_kv=True)
    assert answer.prev_kv is not None
    assert answer.prev_kv.value == b"1"


async def test_ranges_of_every_kind(etcd: Client) -> None:
    for number in range(10):
        await etcd.kv.put(b"/%d" % number, b"v%d" % (9 - number))
    assert await etcd.kv.count(KeyRange.prefix(b"/")) == 10
    assert await etcd.kv.count(KeyRange.from_key(b"/5")) == 5
    assert await etcd.kv.count(KeyRange(b"/2", b"/4")) == 2
    answer = await etcd.kv.range(
        RangeRequest(
            key=b"/",
            range_end=b"0",
            limit=3,
            keys_only=True,
            serializable=True,
            sort_order=SortOrder.DESCEND,
            sort_target=SortTarget.KEY,
        )
    )
    assert [kv.key for kv in answer.kvs] == [b"/9", b"/8", b"/7"]
    assert {kv.value for kv in answer.kvs} == {b""}
    assert (answer.more, answer.count) == (True, 10)
    assert await etcd.kv.get(b"/none") is None
    old = await etcd.kv.get(b"/0", revision=2)
    assert old is not None
    assert old.value == b"v9"
    deleted = await etcd.kv.delete(KeyRange.prefix(b"/"), prev_kv=True)
    assert deleted.deleted == len(deleted.prev_kvs) == 10


async def test_pages_are_of_one_revision_whatever_is_written_meanwhile(etcd: Client) -> None:
    operations = [op.put(b"/p/%05d" % number, b"old") for number in range(1500)]
    for _ in range(2):
        await etcd.kv.txn([], operations)
    for start in range(1500, 6000, 1500):
        await etcd.kv.txn([], [op.put(b"/p/%05d" % (start + n), b"old") for n in range(1500)])
    pages = etcd.kv.pages(KeyRange.prefix(b"/p/"))
    found = list(await anext(pages))
    assert 0 < len(found) < 6000
    await etcd.kv.put(b"/p/05999", b"new")
    await etcd.kv.put(b"/p/99999", b"new")
    await etcd.kv.delete(KeyRange.exact(b"/p/05998"))
    async for page in pages:
        found += page
    assert [kv.key for kv in found] == [b"/p/%05d" % number for number in range(6000)]
    assert {kv.value for kv in found} == {b"old"}


async def test_compaction_between_pages_is_told(etcd: Client) -> None:
    for start in range(0, 6000, 1500):
        await etcd.kv.txn([], [op.put(b"/p/%05d" % (start + n), b"v") for n in range(1500)])
    pages = etcd.kv.pages(KeyRange.prefix(b"/p/"))
    await anext(pages)
    newest = (await etcd.kv.put(b"/q", b"")).header.revision
    await etcd.kv.compact(newest)
    with pytest.raises(Compacted):
        await anext(pages)


async def test_an_answer_of_100_megabytes(etcd: Client) -> None:
    value = bytes(range(256)) * 4096  # 1 MiB
    for number in range(100):
        await etcd.kv.put(b"/big/%03d" % number, value)
    answer = await etcd.kv.range(RangeRequest(key=b"/big/", range_end=b"/big0"))
    assert len(answer.kvs) == 100
    assert all(kv.value == value for kv in answer.kvs)
    shown: list[KeyValue] = []
    listing = await etcd.kv.list(KeyRange.prefix(b"/big/"), ahead=shown.extend)  # pages of 4 MB
    assert len(shown) == 100
    assert all(seen is kv for seen, kv in zip(shown, listing.kvs, strict=True))
    assert [kv.mod_revision for kv in listing.kvs] == [kv.mod_revision for kv in answer.kvs]


async def test_transactions_compare_and_swap(etcd: Client) -> None:
    mine = await etcd.kv.txn([op.absent(b"/lock")], [op.put(b"/lock", b"me")])
    assert mine.succeeded
    theirs = await etcd.kv.txn(
        [op.absent(b"/lock")],
        [op.put(b"/lock", b"them")],
        [op.get(KeyRange.exact(b"/lock")), op.delete(KeyRange.exact(b"/none"))],
    )
    assert not theirs.succeeded
    found = theirs.responses[0].response_range
    assert found is not None
    assert found.kvs[0].value == b"me"
    kv = found.kvs[0]
    for condition in (
        op.modified_at(b"/lock", kv.mod_revision),
        op.created_at(b"/lock", kv.create_revision),
        op.value_is(b"/lock", b"me"),
        op.has_lease(b"/lock", 0),
    ):
        assert (await etcd.kv.txn([condition], [])).succeeded
    assert not (await etcd.kv.txn([op.value_is(b"/lock", b"you")], [])).succeeded


async def test_a_lease_is_kept_and_then_expires_with_its_keys(etcd: Client) -> None:
    lease = await etcd.leases.grant(2)
    await etcd.kv.put(b"/l", b"", lease=lease.ID)
    async with etcd.leases.keep_alive(lease.ID, lease.TTL) as kept:
        await trio.sleep(4)
        assert not kept.lost.is_set()
        assert (await etcd.leases.time_to_live(lease.ID, keys=True)).keys == (b"/l",)
        assert lease.ID in await etcd.leases.list()
    async with etcd.watch(WatchCreateRequest(key=b"/l")) as watch:
        if await etcd.kv.get(b"/l") is not None:
            assert (await watch.receive()).events[0].type is EventType.DELETE
    assert (await etcd.leases.time_to_live(lease.ID)).TTL == -1
    with pytest.raises(LeaseNotFound):
        await etcd.kv.put(b"/l", b"", lease=lease.ID)


async def test_a_revoked_lease_is_known_to_be_lost(etcd: Client) -> None:
    lease = await etcd.leases.grant(3)
    async with etcd.leases.keep_alive(lease.ID, lease.TTL) as kept:
        await etcd.leases.revoke(lease.ID)
        with trio.fail_after(3):
            await kept.lost.wait()
    with pytest.raises(LeaseNotFound):
        await etcd.leases.revoke(lease.ID)


async def test_watches_share_a_stream_and_tell_old_values(etcd: Client) -> None:
    await etcd.kv.put(b"/a", b"0")
    one = WatchCreateRequest(key=b"/a", prev_kv=True)
    two = WatchCreateRequest(key=b"/", range_end=b"0", filters=(FilterType.NOPUT,))
    async with etcd.watch(one) as first, etcd.watch(two) as second:
        await etcd.kv.put(b"/a", b"1")
        await etcd.kv.delete(KeyRange.exact(b"/a"))
        put = (await first.receive()).events[0]
        assert (put.kv.value, put.prev_kv and put.prev_kv.value) == (b"1", b"0")
        gone = (await second.receive()).events[0]
        assert (gone.type, gone.kv.key) == (EventType.DELETE, b"/a")


async def test_progress_is_told_when_asked_for(etcd: Client) -> None:
    async with etcd.watch(WatchCreateRequest(key=b"/a")) as watch:
        await etcd.kv.put(b"/a", b"1")
        assert (await watch.receive()).events
        newest = (await etcd.kv.put(b"/elsewhere", b"")).header.revision
        watch.request_progress()
        notice = await watch.receive()
        assert (notice.events, notice.header.revision) == ((), newest)


async def test_a_watch_from_the_past_and_one_from_before_the_compaction(etcd: Client) -> None:
    revision = 0
    for number in range(50):
        revision = (await etcd.kv.put(b"/h", b"%d" % number)).header.revision
    past = WatchCreateRequest(key=b"/h", start_revision=revision - 19)
    events: list[Event] = []
    async with etcd.watch(past) as watch:
        while len(events) < 20:
            events += (await watch.receive()).events
    assert [event.kv.value for event in events] == [b"%d" % n for n in range(30, 50)]
    await etcd.kv.compact(revision)
    with pytest.raises(Compacted) as caught:
        async with etcd.watch(past) as watch:
            await watch.receive()
    assert caught.value.compact_revision == revision


async def test_a_revision_of_many_megabytes_comes_in_fragments_and_as_one(etcd: Client) -> None:
    request = WatchCreateRequest(key=b"/", range_end=b"0", fragment=True)
    async with etcd.watch(request) as watch:
        await etcd.kv.txn([], [op.put(b"/%d" % n, bytes(90_000)) for n in range(100)])
        response = await watch.receive()
    assert len(response.events) == 100
    assert len({event.kv.mod_revision for event in response.events}) == 1


async def test_a_caller_that_is_cancelled_leaves_the_client_working(etcd: Client) -> None:
    await etcd.kv.put(b"/x", bytes(1_000_000))
    for step in range(60):
        with trio.move_on_after(step / 4000):
            await etcd.kv.list(KeyRange.prefix(b"/"))
        with trio.move_on_after(step / 4000):
            async with etcd.watch(WatchCreateRequest(key=b"/x")) as watch:
                await watch.receive()
    assert await etcd.kv.get(b"/x") is not None
    async with etcd.watch(WatchCreateRequest(key=b"/y")) as watch:
        await etcd.kv.put(b"/y", b"")
        assert (await watch.receive()).events


async def test_status_and_members(etcd: Client, server: EtcdServer) -> None:
    status = await etcd.cluster.status()
    assert status.version.startswith("3.")
    assert status.leader == status.header.member_id
    [member] = await etcd.cluster.members()
    assert (member.ID, member.clientURLs) == (status.leader, (server.endpoint,))
    assert (await etcd.verify()).revision == await server.revision()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("host", ["::1", "unix"])
async def test_other_kinds_of_address(variant: str, host: str) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(binaries(variant), ServerOptions(host=host)) as server,
            open_client(config_of(server.endpoint)) as etcd,
        ):
            await etcd.kv.put(b"/a", b"1")
            assert await etcd.kv.get(b"/a") is not None
