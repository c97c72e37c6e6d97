"""The fake host keeps to the rules of ZFS, since others test with it."""

import os
from contextlib import suppress

import pytest
import trio

from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host_types import ReceiveSpec, SendSpec, ZfsHost
from lochkit.zfs.model import Bookmark, Snapshot

from ..fakes.zfs_host import ZFS_FUSE, Call, FakeHost


def hosts() -> tuple[FakeHost, FakeHost]:
    here, there = FakeHost("here", pools=("ssd",)), FakeHost("there", pools=("bulk",))
    here.state.make("ssd/data")
    here.state.snaps("ssd/data", "a", "b", "c", size=100_000)
    return here, there


def at(host: FakeHost, name: str) -> Snapshot:
    dataset, _, snapshot = name.partition("@")
    return next(one for one in host.state.look(dataset).snapshots if one.name == snapshot)


def spec(host: FakeHost, to: str, base: str | None = None, **more: object) -> SendSpec:
    """A request by full names: ``ssd/data@b``, from ``a`` or ``#bookmark``."""
    dataset = to.partition("@")[0]
    found: Snapshot | Bookmark | None = None
    if base is not None and base.startswith("#"):
        marks = host.state.look(dataset).bookmarks
        found = next(one for one in marks if one.name == base[1:])
    elif base is not None:
        found = at(host, f"{dataset}@{base}")
    return SendSpec(dataset=dataset, to=at(host, to), base=found, **more)  # type: ignore[arg-type]


def copy(source: int, target: int, most: int | None = None) -> None:
    moved = 0
    while chunk := os.read(source, 10_000 if most is None else min(10_000, most - moved)):
        try:
            while chunk:
                chunk = chunk[os.write(target, chunk) :]
        except BrokenPipeError:
            return
        moved += 10_000


async def relay(
    here: FakeHost, there: FakeHost, sent: SendSpec, received: ReceiveSpec, most: int | None = None
) -> None:
    with trio.fail_after(10):
        async with here.send(sent) as sending, there.receive(received) as receiving:
            await trio.to_thread.run_sync(copy, sending.fileno, receiving.fileno, most)
            await receiving.finish()
            if most is None:
                await sending.finish()


def to(dataset: str, *, resumable: bool = False, rollback: bool = False) -> ReceiveSpec:
    return ReceiveSpec(dataset=dataset, resumable=resumable, rollback=rollback)


def test_it_is_a_host() -> None:
    host: ZfsHost = FakeHost()
    assert host.capabilities.resume


async def test_full_then_incremental_with_what_is_between() -> None:
    here, there = hosts()
    await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"))
    assert there.state.guids("bulk/copy") == here.state.guids("ssd/data")[:1]
    sent = spec(here, "ssd/data@c", "a", intermediates=True)
    assert await here.estimate(sent) == 200_000
    await relay(here, there, sent, to("bulk/copy"))
    mine, copied = here.state.look("ssd/data"), there.state.look("bulk/copy")
    assert [(one.name, one.guid, one.creation) for one in mine.snapshots] == [
        (one.name, one.guid, one.creation) for one in copied.snapshots
    ]
    assert there.asked("receive") == [
        Call("receive", "bulk/copy", (to("bulk/copy"),)),
        Call("receive", "bulk/copy", (to("bulk/copy"),)),
    ]


async def test_a_bookmark_is_a_base_and_carries_what_was_between() -> None:
    here, there = hosts()
    here.state.mark("ssd/data@a", "cursor")
    await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"))
    here.state.remove("ssd/data@a")
    sent = spec(here, "ssd/data@c", "#cursor")
    assert await here.estimate(sent) == 200_000
    await relay(here, there, sent, to("bulk/copy"))
    assert there.state.names("bulk/copy") == ["a", "c"]


@pytest.mark.parametrize(
    ("arrange", "rollback", "failure"),
    [
        ("full-onto-snapshots", True, Failure.EXISTS),
        ("full-onto-empty", False, Failure.EXISTS),
        ("written", False, Failure.MODIFIED),
        ("newer", False, Failure.MODIFIED),
        ("held", True, Failure.BUSY),
        ("no-base", True, Failure.DIVERGED),
        ("no-parent", False, Failure.MISSING),
        ("no-target", False, Failure.MISSING),
    ],
)
async def test_refusals(arrange: str, rollback: bool, failure: Failure) -> None:
    here, there = hosts()
    sent, target = spec(here, "ssd/data@b", "a"), "bulk/copy"
    if arrange in ("written", "newer", "held"):
        await relay(here, there, spec(here, "ssd/data@a"), to(target))
        there.state.write(target, 10)
        if arrange != "written":
            there.state.snap(f"{target}@own")
        if arrange == "held":
            await there.hold("mine", [f"{target}@own"])
    elif arrange == "full-onto-snapshots":
        there.state.make(target)
        there.state.snap(f"{target}@own")
        sent = spec(here, "ssd/data@a")
    elif arrange == "full-onto-empty":
        there.state.make(target)
        sent = spec(here, "ssd/data@a")
    elif arrange == "no-base":
        there.state.make(target)
        there.state.snap(f"{target}@own")
    elif arrange == "no-parent":
        sent, target = spec(here, "ssd/data@a"), "bulk/not/there"
    before = there.state.look(target) if target in there.state.datasets else None
    with pytest.raises(ZfsError) as caught:
        await relay(here, there, sent, to(target, rollback=rollback))
    assert caught.value.failure is failure
    assert (there.state.look(target) if target in there.state.datasets else None) == before


async def test_a_rollback_destroys_what_is_newer() -> None:
    here, there = hosts()
    await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"))
    there.state.snap("bulk/copy@own")
    there.state.write("bulk/copy", 7)
    await relay(here, there, spec(here, "ssd/data@b", "a"), to("bulk/copy", rollback=True))
    assert there.state.names("bulk/copy") == ["a", "b"]


async def test_an_incremental_stream_for_nobody_goes_to_the_owner_of_its_base() -> None:
    here, there = hosts()
    await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"))
    await relay(here, there, spec(here, "ssd/data@b", "a"), to("bulk/other"))
    assert there.state.names("bulk/copy") == ["a", "b"]
    assert "bulk/other" not in there.state.datasets


async def test_a_cut_stream_leaves_nothing() -> None:
    here, there = hosts()
    with pytest.raises(ZfsError) as caught:
        await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"), most=50_000)
    assert caught.value.failure is Failure.CUT
    assert "bulk/copy" not in there.state.datasets


async def test_a_cut_stream_is_resumed() -> None:
    here, there = hosts()
    await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"))
    sent = spec(here, "ssd/data@c", "a", intermediates=True)
    with pytest.raises(ZfsError) as caught:
        await relay(here, there, sent, to("bulk/copy", resumable=True), most=150_000)
    assert caught.value.failure is Failure.RESUMABLE
    assert there.state.names("bulk/copy") == ["a", "b"]
    token = there.state.look("bulk/copy").resume_token
    assert token is not None
    told = await here.read_token(token)
    guids = here.state.guids("ssd/data")
    assert (told.to_guid, told.from_guid, told.to_name) == (guids[2], guids[1], "ssd/data@c")
    going_on = SendSpec(dataset="ssd/data", token=token)
    assert (await here.estimate(going_on) or 0) < 100_000
    await relay(here, there, going_on, to("bulk/copy", resumable=True))
    assert there.state.guids("bulk/copy") == guids
    assert there.state.look("bulk/copy").resume_token is None


async def test_a_stale_token_is_told() -> None:
    here, there = hosts()
    received = to("bulk/copy", resumable=True)
    with pytest.raises(ZfsError):
        await relay(here, there, spec(here, "ssd/data@a"), received, most=50_000)
    token = there.state.look("bulk/copy").resume_token
    assert token is not None
    here.state.remove("ssd/data@a")
    with pytest.raises(ZfsError) as caught:
        await here.read_token(token)
    assert caught.value.failure is Failure.STALE_TOKEN
    with pytest.raises(ZfsError) as caught:
        await here.read_token("1-abc")
    assert caught.value.failure is Failure.BAD_REQUEST
    await there.abort_receive("bulk/copy")
    assert "bulk/copy" not in there.state.datasets


async def test_a_damaged_stream_is_found_out() -> None:
    here, there = hosts()

    def damage(source: int, target: int) -> None:
        data = bytearray()
        while chunk := os.read(source, 10_000):
            data += chunk
        data[len(data) // 2] ^= 1
        with suppress(BrokenPipeError):
            while data:
                del data[: os.write(target, data[:10_000])]

    received = to("bulk/copy", resumable=True)
    with trio.fail_after(10):
        async with (
            here.send(spec(here, "ssd/data@a")) as sending,
            there.receive(received) as receiving,
        ):
            await trio.to_thread.run_sync(damage, sending.fileno, receiving.fileno)
            with pytest.raises(ZfsError) as caught:
                await receiving.finish()
    assert caught.value.failure is Failure.BAD_STREAM


async def test_faults_on_purpose() -> None:
    here, there = hosts()
    there.fail_next("hold", Failure.MISSING, on="bulk/copy")
    await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"))
    with pytest.raises(ZfsError) as caught:
        await there.hold("tag", ["bulk/copy@a"])
    assert caught.value.failure is Failure.MISSING
    await there.hold("tag", ["bulk/copy@a"])
    there.fail_next("receive", Failure.NO_SPACE, after=30_000)
    received = to("bulk/copy", resumable=True)
    with pytest.raises(ZfsError) as caught:
        await relay(here, there, spec(here, "ssd/data@b", "a"), received)
    assert caught.value.failure is Failure.NO_SPACE
    assert there.state.look("bulk/copy").resume_token is not None
    await there.abort_receive("bulk/copy")
    here.fail_next("send", Failure.OTHER, after=30_000)
    with pytest.raises(ZfsError) as caught:
        await relay(here, there, spec(here, "ssd/data@b", "a"), to("bulk/copy"))
    assert caught.value.failure is Failure.CUT  # the receiver's complaint comes first
    assert there.state.names("bulk/copy") == ["a"]


async def test_a_block_that_is_left_early_leaves_no_pipe_and_no_half_snapshot() -> None:
    here, there = hosts()
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyError):
        async with here.send(spec(here, "ssd/data@a")), there.receive(to("bulk/copy")):
            raise KeyError
    with trio.move_on_after(0.05) as scope:
        async with there.receive(to("bulk/copy")) as receiving:
            os.write(receiving.fileno, b"FAKEZFS 1 ")
            await trio.sleep_forever()
    assert scope.cancelled_caught
    async with there.receive(to("bulk/copy")) as receiving:
        receiving.abort()
        with pytest.raises(ZfsError) as caught:
            await receiving.finish()
        assert caught.value.failure is Failure.STOPPED
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert "bulk/copy" not in there.state.datasets


async def test_a_dataset_is_received_into_once_at_a_time() -> None:
    here, there = hosts()
    await relay(here, there, spec(here, "ssd/data@a"), to("bulk/copy"))
    async with (
        here.send(spec(here, "ssd/data@b", "a")) as sending,
        there.receive(to("bulk/copy")) as receiving,
    ):
        await trio.to_thread.run_sync(copy, sending.fileno, receiving.fileno, 10_000)
        while not there.state.find("bulk/copy").receiving:  # noqa: ASYNC110
            await trio.lowlevel.checkpoint()
        with pytest.raises(ZfsError) as caught:
            await relay(here, there, spec(here, "ssd/data@b", "a"), to("bulk/copy"))
        assert caught.value.failure is Failure.BUSY
        await trio.to_thread.run_sync(copy, sending.fileno, receiving.fileno)
        await receiving.finish()
    assert there.state.names("bulk/copy") == ["a", "b"]


async def test_encrypted_datasets() -> None:
    here, there = hosts()
    here.state.make("ssd/secret", encrypted=True, key_loaded=False)
    here.state.snaps("ssd/secret", "a", "b")
    with pytest.raises(ZfsError) as caught:
        await relay(here, there, spec(here, "ssd/secret@a"), to("bulk/secret"))
    assert caught.value.failure in (Failure.KEY_NOT_LOADED, Failure.CUT)
    await relay(here, there, spec(here, "ssd/secret@a", raw=True), to("bulk/secret"))
    copied = there.state.look("bulk/secret")
    assert (copied.encryption_root, copied.key_loaded) == ("bulk/secret", False)
    await relay(here, there, spec(here, "ssd/secret@b", "a", raw=True), to("bulk/secret"))
    assert there.state.names("bulk/secret") == ["a", "b"]


async def test_holds_clones_and_bookmarks_keep_to_the_rules() -> None:
    here, _ = hosts()
    await here.hold("tag", ["ssd/data@a", "ssd/data@b"])
    await here.hold("tag", ["ssd/data@a"])
    assert await here.holds(["ssd/data@a", "ssd/data@c"]) == {
        "ssd/data@a": ("tag",),
        "ssd/data@c": (),
    }
    with pytest.raises(ZfsError) as caught:
        await here.destroy("ssd/data", ["a"])
    assert caught.value.failure is Failure.HELD
    await here.destroy("ssd/data", ["a"], defer=True)
    assert here.state.names("ssd/data") == ["a", "b", "c"]
    await here.release("tag", ["ssd/data@a", "ssd/data@gone", "ssd/gone@a"])
    assert here.state.names("ssd/data") == ["b", "c"]
    here.state.clone("ssd/data@c", "ssd/clone")
    assert at(here, "ssd/data@c").clones == ("ssd/clone",)
    assert here.state.look("ssd/clone").origin == "ssd/data@c"
    with pytest.raises(ZfsError) as caught:
        await here.destroy("ssd/data", ["c", "gone"])
    assert caught.value.failure is Failure.HAS_CLONES
    await here.bookmark("ssd/data@c", "mark")
    await here.bookmark("ssd/data@c", "mark")
    with pytest.raises(ZfsError) as caught:
        await here.bookmark("ssd/data@b", "mark")
    assert caught.value.failure is Failure.EXISTS
    await here.destroy_bookmark("ssd/data#mark")
    await here.destroy_bookmark("ssd/data#mark")
    assert here.state.look("ssd/data").bookmarks == ()


async def test_the_least_zfs_refuses_what_it_can_not() -> None:
    here = FakeHost("old", pools=("ssd",), capabilities=ZFS_FUSE)
    here.state.make("ssd/data")
    here.state.snap("ssd/data@a")
    assert at(here, "ssd/data@a").written is None
    assert await here.estimate(spec(here, "ssd/data@a")) is None
    for refused in (
        here.bookmark("ssd/data@a", "mark"),
        here.holds(["ssd/data@a"]),
        here.abort_receive("ssd/data"),
        here.read_token("1-x"),
    ):
        with pytest.raises(ZfsError) as caught:
            await refused
        assert caught.value.failure is Failure.UNSUPPORTED
    with pytest.raises(ZfsError) as caught:
        async with here.receive(to("ssd/x", resumable=True)):
            pass
    assert caught.value.failure is Failure.UNSUPPORTED


async def test_placeholders_and_inventories() -> None:
    here, there = hosts()
    await there.create("bulk/web1", {"lochkit:placeholder": "on"})
    await there.create("bulk/web1/deep", {})
    found = await there.inventory(["bulk/web1"])
    assert list(found.datasets) == ["bulk/web1", "bulk/web1/deep"]
    assert found.datasets["bulk/web1"].placeholder
    assert not found.datasets["bulk/web1/deep"].placeholder
    assert list((await there.dataset("bulk/web1")).datasets) == ["bulk/web1"]
    assert not (await there.dataset("bulk/none")).datasets
    sent = spec(here, "ssd/data@a")
    await relay(here, there, sent, to("bulk/web1", rollback=True))
    assert not there.state.look("bulk/web1").placeholder
    assert there.state.names("bulk/web1") == ["a"]


async def test_snapshots_renames_and_rollbacks() -> None:
    here, _ = hosts()
    here.state.make("ssd/more")
    await here.take(["ssd/data@d", "ssd/more@d"], properties={"a:b": "c"})
    assert here.state.names("ssd/more") == ["d"]
    with pytest.raises(ZfsError):
        await here.take(["ssd/more@e", "ssd/data@d"])
    assert here.state.names("ssd/more") == ["d"]
    await here.rename("ssd/data@d", "e")
    with pytest.raises(ZfsError):
        await here.rollback("ssd/data@b")
    await here.rollback("ssd/data@b", destroy_newer=True)
    assert here.state.names("ssd/data") == ["a", "b"]
