"""Streams between real pools, by the host's send and receive: what arrives, and what goes wrong."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host import ProgramHost, open_host
from lochkit.zfs.host_program import ZfsProgram
from lochkit.zfs.host_types import ReceiveSpec, SendSpec
from lochkit.zfs.model import Bookmark, Snapshot

from ..servers.zfs_commands import openzfs_version, zfs
from ..servers.zfs_pools import Pool, guids, noise, properties

# The words of errors differ, and commands are slow in a machine that is emulated.
both = pytest.mark.both_openzfs


@pytest.fixture
async def host(probed: Capabilities) -> AsyncIterator[ProgramHost]:
    before = sorted(os.listdir("/proc/self/fd"))
    limits = {"timeout": 60.0, "inventory_timeout": 60.0, "stream_end_timeout": 20.0}
    yield ProgramHost(ZfsProgram("zfs", **limits), probed)
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.fixture(scope="module")
def probed(real_zfs: str) -> Capabilities:
    return trio.run(open_host).capabilities


@pytest.fixture(scope="module")
def shared_source(shared_pools: tuple[Pool, Pool]) -> str:
    """A dataset with the snapshots a, b and c, which no test changes."""
    return source_in(shared_pools[0], "shared-source")


def source_in(pool: Pool, name: str) -> str:
    source = pool.create(name)
    for snapshot in "abc":
        pool.write(source, noise(0.4, ord(snapshot)), snapshot)
        zfs("snapshot", f"{source}@{snapshot}")
    return source


class Pair:
    """A dataset in one pool with the snapshots a, b and c, and a name for its copy in another."""

    def __init__(self, host: ProgramHost, source: str, target: str) -> None:
        self.host = host
        self.source = source
        self.target = target

    async def find(self, name: str) -> Snapshot | Bookmark:
        seen = (await self.host.dataset(self.source)).datasets[self.source]
        every: list[Snapshot | Bookmark] = [*seen.snapshots, *seen.bookmarks]
        return next(one for one in every if one.name == name)

    async def send(self, to: str, base: str | None = None, **more: Any) -> SendSpec:
        newest = await self.find(to)
        assert isinstance(newest, Snapshot)
        begin = await self.find(base) if base else None
        return SendSpec(dataset=self.source, to=newest, base=begin, **more)

    def receive(self, **more: Any) -> ReceiveSpec:
        return ReceiveSpec(dataset=self.target, **more)

    async def copy(self, sent: SendSpec, received: ReceiveSpec, most: int | None = None) -> None:
        with trio.fail_after(30):
            async with self.host.send(sent) as sending, self.host.receive(received) as receiving:
                await trio.to_thread.run_sync(relay, sending.fileno, receiving.fileno, most)
                await receiving.finish()
                if most is None:
                    await sending.finish()

    def same(self) -> bool:
        return guids(self.source) == guids(self.target)


def relay(source: int, target: int, most: int | None = None) -> int:
    """Copy from one pipe to another to the end, or so many bytes; return how many."""
    moved = 0
    while chunk := os.read(source, 65536 if most is None else min(65536, most - moved)):
        moved += len(chunk)
        try:
            while chunk:
                chunk = chunk[os.write(target, chunk) :]
        except BrokenPipeError:
            break
    return moved


@pytest.fixture
def target(shared_pools: tuple[Pool, Pool], request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    name = "".join(one if one.isalnum() else "-" for one in request.node.name)
    return f"{shared_pools[1].name}/{name}"


@pytest.fixture
def pair(host: ProgramHost, shared_source: str, target: str) -> Pair:
    return Pair(host, shared_source, target)


@pytest.fixture
def own_pair(host: ProgramHost, shared_pools: tuple[Pool, Pool], target: str) -> Pair:
    """A pair whose source may be changed."""
    source = source_in(shared_pools[0], target.partition("/")[2])
    return Pair(host, source, target)


def failing(failure: Failure, error: ZfsError, pair: Pair) -> None:
    assert error.failure is failure, error
    assert error.dataset in (pair.source, pair.target)
    assert "(zfs " in str(error)


async def test_full_and_incremental_with_what_is_between(
    pair: Pair, shared_pools: tuple[Pool, Pool]
) -> None:
    here, there = shared_pools
    await pair.copy(await pair.send("a"), pair.receive())
    await pair.copy(await pair.send("c", "a", intermediates=True), pair.receive())
    assert pair.same()
    assert there.contents(f"{pair.target}@c") == here.contents(f"{pair.source}@c")
    again = await pair.send("c", "b")  # which it has already
    if openzfs_version() is None:
        with pytest.raises(ZfsError) as caught:
            await pair.copy(again, pair.receive(rollback=True))
        failing(Failure.DIVERGED, caught.value, pair)
    else:
        await pair.copy(again, pair.receive())
    assert pair.same()


async def test_one_step_leaves_out_what_is_between(pair: Pair) -> None:
    await pair.copy(await pair.send("a"), pair.receive())
    await pair.copy(await pair.send("c", "a"), pair.receive())
    assert list(guids(pair.target)) == ["a", "c"]


async def test_properties_travel_when_asked(own_pair: Pair) -> None:
    pair = own_pair
    await pair.host.take([f"{pair.source}@d"], properties={"lochkit:x": "y"})
    await pair.copy(await pair.send("c"), pair.receive())
    await pair.copy(await pair.send("d", "c", properties=True), pair.receive())
    assert properties(f"{pair.target}@d", "lochkit:x") == {"lochkit:x": "y"}


@both
async def test_a_target_that_is_there_is_refused(pair: Pair) -> None:
    zfs("create", pair.target)
    for rollback in (False, True):
        with pytest.raises(ZfsError) as caught:
            await pair.copy(await pair.send("a"), pair.receive(rollback=rollback))
        failing(Failure.EXISTS, caught.value, pair)
        if not rollback:
            zfs("snapshot", f"{pair.target}@own")


@both
async def test_no_parent_and_no_target(pair: Pair) -> None:
    pair.target += "/not/there"
    with pytest.raises(ZfsError) as caught:
        await pair.copy(await pair.send("b"), pair.receive())
    failing(Failure.MISSING, caught.value, pair)
    with pytest.raises(ZfsError) as caught:
        await pair.copy(await pair.send("b", "a"), pair.receive())
    if openzfs_version() is None and caught.value.failure is Failure.DIVERGED:
        return  # zfs-fuse takes any dataset that has the base for the target: another test's
    failing(Failure.MISSING, caught.value, pair)


@both
async def test_a_target_that_was_written_to(pair: Pair, shared_pools: tuple[Pool, Pool]) -> None:
    await pair.copy(await pair.send("a"), pair.receive())
    shared_pools[1].write(pair.target, b"own" * 100_000, "own")
    zfs("snapshot", f"{shared_pools[1].name}@{pair.target.partition('/')[2]}")  # it is on the disk
    with pytest.raises(ZfsError) as caught:
        await pair.copy(await pair.send("b", "a"), pair.receive())
    failing(Failure.MODIFIED, caught.value, pair)
    await pair.copy(await pair.send("b", "a"), pair.receive(rollback=True))
    assert list(guids(pair.target)) == ["a", "b"]


@both
async def test_a_target_without_the_base(pair: Pair) -> None:
    zfs("create", pair.target)
    zfs("snapshot", f"{pair.target}@own")
    with pytest.raises(ZfsError) as caught:
        await pair.copy(await pair.send("b", "a"), pair.receive())
    failing(Failure.DIVERGED, caught.value, pair)


@both
async def test_a_cut_stream_leaves_nothing_and_can_be_sent_again(pair: Pair) -> None:
    for to, base in (("a", None), ("b", "a")):
        sent = await pair.send(to, base)
        for cut in (100, 300_000):
            with pytest.raises(ZfsError) as caught:
                await pair.copy(sent, pair.receive(), cut)
            failing(Failure.CUT, caught.value, pair)
        await pair.copy(sent, pair.receive())
    assert list(guids(pair.target)) == ["a", "b"]


@both
async def test_what_is_no_stream(pair: Pair) -> None:
    for rubbish in (noise(0.1), b"x" * 1000):
        async with pair.host.receive(pair.receive()) as receiving:
            await trio.to_thread.run_sync(put, receiving.fileno, rubbish)
            with pytest.raises(ZfsError) as caught:
                await receiving.finish()
            assert receiving.fileno == -1
        assert caught.value.failure in (Failure.BAD_STREAM, Failure.CUT)


def put(fileno: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fileno, data) :]
    except BrokenPipeError:
        pass


async def test_a_damaged_stream(pair: Pair) -> None:
    async with pair.host.send(await pair.send("b")) as sending:
        stream = bytearray(await trio.to_thread.run_sync(everything, sending.fileno))
        await sending.finish()
    stream[len(stream) // 2] ^= 1
    async with pair.host.receive(pair.receive()) as receiving:
        await trio.to_thread.run_sync(put, receiving.fileno, bytes(stream))
        with pytest.raises(ZfsError) as caught:
            await receiving.finish()
    failing(Failure.BAD_STREAM, caught.value, pair)
    assert not (await pair.host.dataset(pair.target)).datasets


def everything(fileno: int) -> bytes:
    return b"".join(iter(lambda: os.read(fileno, 65536), b""))


@both
async def test_a_reader_that_goes_away(pair: Pair) -> None:
    async with pair.host.send(await pair.send("c")) as sending:
        await trio.to_thread.run_sync(os.read, sending.fileno, 1000)
        sending.close()
        with pytest.raises(ZfsError) as caught:
            await sending.finish()
    failing(Failure.CUT, caught.value, pair)


async def test_what_is_not_there_is_not_sent(own_pair: Pair) -> None:
    pair = own_pair
    gone = await pair.send("b", "a")
    await pair.host.destroy(pair.source, ["b"])
    async with pair.host.send(gone) as sending:
        assert not await trio.to_thread.run_sync(everything, sending.fileno)
        with pytest.raises(ZfsError) as caught:
            await sending.finish()
    failing(Failure.MISSING, caught.value, pair)


async def test_a_cancelled_transfer_leaves_no_process(pair: Pair) -> None:
    with trio.move_on_after(0.3):
        async with (
            pair.host.send(await pair.send("c")) as sending,
            pair.host.receive(pair.receive()) as receiving,
        ):
            head = await trio.to_thread.run_sync(os.read, sending.fileno, 100_000)
            await trio.to_thread.run_sync(put, receiving.fileno, head)
            await trio.sleep_forever()
    assert not mine("zfs")
    assert not (await pair.host.dataset(pair.target)).datasets


async def test_an_aborted_and_a_killed_receive(pair: Pair) -> None:
    async with pair.host.receive(pair.receive()) as receiving:
        receiving.abort()
        with pytest.raises(ZfsError) as caught:
            await receiving.finish()
    failing(Failure.STOPPED, caught.value, pair)
    async with pair.host.receive(pair.receive()) as receiving:
        with trio.fail_after(5):
            while not (found := mine("zfs")):  # noqa: ASYNC110 (it is being started)
                await trio.sleep(0.01)
        for process in found:
            os.kill(process, signal.SIGKILL)
        with pytest.raises(ZfsError) as caught:
            await receiving.finish()
    failing(Failure.STOPPED, caught.value, pair)
    assert caught.value.failure.retryable


def mine(name: str) -> list[int]:
    """Our own children of that name."""
    children: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        children += map(int, (task / "children").read_text().split())
    comms = {child: Path(f"/proc/{child}/comm").read_text().strip() for child in children}
    return [child for child, comm in comms.items() if comm == name]


async def test_a_full_pool(pair: Pair) -> None:
    zfs("create", "-o", "quota=512K", pair.target)
    pair.target += "/copy"
    with pytest.raises(ZfsError) as caught:
        await pair.copy(await pair.send("c"), pair.receive())
    failing(Failure.NO_SPACE, caught.value, pair)


async def test_what_this_zfs_can_not_do_is_refused(pair: Pair) -> None:
    if openzfs_version() is None:
        for flag in ("raw", "compressed", "large_blocks"):
            with pytest.raises(ZfsError) as caught:
                pair.host.send(await pair.send("a", **dict[str, Any]({flag: True})))
            assert caught.value.failure is Failure.UNSUPPORTED
        with pytest.raises(ZfsError) as caught:
            pair.host.receive(pair.receive(resumable=True))
        assert caught.value.failure is Failure.UNSUPPORTED
        assert await pair.host.estimate(await pair.send("a")) is None
    else:
        sent_size = await pair.host.estimate(await pair.send("a"))
        assert sent_size is not None
        assert sent_size > 400_000
        assert await pair.host.estimate(await pair.send("c", "a", intermediates=True))


@pytest.mark.needs_openzfs
async def test_a_bookmark_is_a_base(own_pair: Pair) -> None:
    pair = own_pair
    await pair.copy(await pair.send("a"), pair.receive())
    await pair.host.bookmark(f"{pair.source}@a", "cursor")
    await pair.host.destroy(pair.source, ["a"])
    sent = await pair.send("b", "cursor")
    assert isinstance(sent.base, Bookmark)
    await pair.copy(sent, pair.receive())
    assert list(guids(pair.target)) == ["a", "b"]


@both
@pytest.mark.needs_openzfs
async def test_a_cut_stream_is_resumed(pair: Pair) -> None:
    flags: dict[str, Any] = {"compressed": True, "large_blocks": True, "embedded": True}
    await pair.copy(await pair.send("a", **flags), pair.receive(resumable=True))
    sent = await pair.send("c", "a", **flags)
    with pytest.raises(ZfsError) as caught:
        await pair.copy(sent, pair.receive(resumable=True), 500_000)
    failing(Failure.RESUMABLE, caught.value, pair)
    seen = (await pair.host.dataset(pair.target)).datasets[pair.target]
    assert seen.resume_token is not None
    assert seen.resume_token not in str(caught.value)
    told = await pair.host.read_token(seen.resume_token)
    mine_guids = guids(pair.source)
    assert (told.to_guid, told.from_guid) == (mine_guids["c"], mine_guids["a"])
    assert told.to_name == f"{pair.source}@c"
    # There is no large block in it.
    flags_told = (told.compressed, told.embedded, told.large_blocks, told.raw)
    assert flags_told == (True, True, False, False)
    assert 0 < (told.received or 0) <= 500_000
    resumed = SendSpec(dataset=pair.source, token=seen.resume_token)
    left = await pair.host.estimate(resumed)
    assert left is not None
    assert 100_000 < left < 800_000
    # Another stream has to wait for this one.
    with pytest.raises(ZfsError) as caught:
        await pair.copy(await pair.send("c", "a"), pair.receive())
    failing(Failure.RESUMABLE, caught.value, pair)
    await pair.copy(resumed, pair.receive(resumable=True))
    assert list(guids(pair.target)) == ["a", "c"]
    with pytest.raises(ZfsError) as caught:
        await pair.copy(resumed, pair.receive(resumable=True))
    failing(Failure.STALE_TOKEN, caught.value, pair)


@both
@pytest.mark.needs_openzfs
async def test_tokens_that_lead_nowhere(own_pair: Pair) -> None:
    pair = own_pair
    with pytest.raises(ZfsError):
        await pair.copy(await pair.send("c"), pair.receive(resumable=True), 500_000)
    seen = (await pair.host.dataset(pair.target)).datasets[pair.target]
    assert seen.resume_token is not None
    await pair.host.rename(f"{pair.source}@c", "renamed")
    assert (await pair.host.read_token(seen.resume_token)).to_name == f"{pair.source}@c"
    await pair.host.destroy(pair.source, ["renamed"])
    for asked in (
        pair.host.read_token(seen.resume_token),
        pair.copy(SendSpec(dataset=pair.source, token=seen.resume_token), pair.receive()),
    ):
        with pytest.raises(ZfsError) as caught:
            await asked
        assert caught.value.failure in (Failure.STALE_TOKEN, Failure.CUT)
    for rubbish in ("1-abc-def-123", "--help", "garbage", seen.resume_token[:-20]):
        with pytest.raises(ZfsError) as caught:
            await pair.host.read_token(rubbish)
        assert caught.value.failure is Failure.BAD_REQUEST, rubbish
    await pair.host.abort_receive(pair.target)
    await pair.host.abort_receive(pair.target)
    assert not (await pair.host.dataset(pair.target)).datasets


@pytest.mark.needs_openzfs
async def test_encrypted_raw(
    host: ProgramHost, shared_pools: tuple[Pool, Pool], target: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    words = ("-o", "encryption=on", "-o", "keyformat=raw", "-o", f"keylocation=file://{key}")
    pair = Pair(host, shared_pools[0].create("secret", *words), target)
    zfs("snapshot", f"{pair.source}@a")
    zfs("snapshot", f"{pair.source}@b")
    await pair.copy(await pair.send("a", raw=True), pair.receive())
    await pair.copy(await pair.send("b", "a", raw=True), pair.receive())
    assert pair.same()
    seen = (await host.dataset(pair.target)).datasets[pair.target]
    assert (seen.encryption_root, seen.key_loaded) == (pair.target, False)
    zfs("unload-key", pair.source)
    async with host.send(await pair.send("a")) as sending:
        assert not await trio.to_thread.run_sync(everything, sending.fileno)
        with pytest.raises(ZfsError) as caught:
            await sending.finish()
    failing(Failure.KEY_NOT_LOADED, caught.value, pair)


@pytest.mark.needs_openzfs
async def test_properties_of_what_is_received(pair: Pair) -> None:
    spec = ReceiveSpec(
        dataset=pair.target,
        set_properties={"readonly": "on", "lochkit:source": "12"},
        exclude_properties=("compression",),
    )
    await pair.copy(await pair.send("a"), spec)
    told = properties(pair.target, "readonly", "lochkit:source")
    assert told == {"readonly": "on", "lochkit:source": "12"}
