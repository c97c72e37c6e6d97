"""Replication between real pools: within this host, and over a connection."""

import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.io.bulk_meter import Meter
from lochkit.runtime.backoff import Backoff
from lochkit.wire.trailer import Trailer
from lochkit.zfs.errors import Failure
from lochkit.zfs.host import ProgramHost, open_host
from lochkit.zfs.local_target import LocalTarget
from lochkit.zfs.offers import Failed, Offer, SnapshotId
from lochkit.zfs.permits import Permit
from lochkit.zfs.plan_types import Conflict
from lochkit.zfs.policy_types import Replication, Selection
from lochkit.zfs.receiver import Receiver
from lochkit.zfs.receiver_session import Admission
from lochkit.zfs.replicator import replicate
from lochkit.zfs.reports import Outcome, Report
from lochkit.zfs.stream_limits import Retries, StreamLimits
from lochkit.zfs.targets import Target

from ..servers.zfs_commands import openzfs_version, send, zfs
from ..servers.zfs_pools import Pool, Pools, bookmarks, digest, guids, noise, properties
from ..zfs.scissors import Scissors
from ..zfs.transfer_scenes import FAST, remote

pytestmark = pytest.mark.both_openzfs

LIMIT_SECONDS = 240.0  # the machine may be an emulated one
LIMITS = StreamLimits(stall=60.0)


class Scene:
    """A dataset in one pool, the place of its copy in another, and a way between them."""

    def __init__(self, host: ProgramHost, pools: tuple[Pool, Pool], name: str) -> None:
        self.host = host
        self.here, self.there = pools
        self.source = self.here.create(name)
        self.copy = f"{self.there.name}/{name}"
        self.receiver = Receiver(host, limits=LIMITS)

    def snap(self, *names: str, size: float = 0.3) -> None:
        for name in names:
            self.here.snapshot(self.source, name, noise(size, sum(name.encode())))

    def permit(self, **more: Any) -> Permit:
        return Permit(client="web1", write=(self.there.name,), **more)

    async def run(
        self,
        target: Target,
        *,
        recursive: bool = False,
        retries: Retries = FAST,
        **changes: Any,
    ) -> Report:
        given = {"name": "job", "to": "vault", "target": self.copy} | changes
        wish = Replication(**given)
        what = Selection(roots=(self.source,), recursive=recursive)
        with trio.fail_after(LIMIT_SECONDS):
            return await replicate(self.host, target, wish, what, retries=retries)

    def same(self) -> bool:
        return guids(self.copy) == guids(self.source)

    def contents(self) -> dict[str, str]:
        newest = list(guids(self.copy))[-1]
        return self.there.contents(f"{self.copy}@{newest}")


Way = Callable[[Scene], AbstractAsyncContextManager[Target]]


@asynccontextmanager
async def _local(scene: Scene) -> AsyncIterator[Target]:
    yield LocalTarget(scene.receiver)


@asynccontextmanager
async def _remote(scene: Scene) -> AsyncIterator[Target]:
    permit = scene.permit(rollback=True)
    async with remote(scene.host, permit=permit, receiver=scene.receiver, limits=LIMITS) as target:
        yield target


# In the machines with OpenZFS, where everything takes ten times as long, only over a connection;
# within a host it is tried there by test_cli.
WAYS = {"remote": _remote} if openzfs_version() else {"local": _local, "remote": _remote}
CUTS = 10 if (openzfs_version() or (9,)) < (2, 2) else 50


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
async def host(real_zfs: str) -> AsyncIterator[ProgramHost]:
    host = await open_host(stream_end_timeout=20.0)  # the library keeps one for good
    before = sorted(os.listdir("/proc/self/fd"))
    yield host
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def scene(
    host: ProgramHost, shared_pools: tuple[Pool, Pool], request: pytest.FixtureRequest
) -> Scene:
    name = "".join(char if char.isalnum() else "-" for char in request.node.name)
    return Scene(host, shared_pools, name[-60:])


async def test_from_nothing_to_up_to_date(scene: Scene, way: Way) -> None:
    scene.snap("one", "two")
    async with way(scene) as target:
        assert (await scene.run(target)).ok
        assert scene.same()
        scene.snap("three", "four")
        zfs("rename", f"{scene.source}@three", "drei")
        report = await scene.run(target)
        assert report.ok
        assert len(report.datasets[0].steps) == 1
        assert list(guids(scene.copy).values()) == list(guids(scene.source).values())
        report = await scene.run(target)
        assert report.datasets[0].outcome is Outcome.UP_TO_DATE
    assert scene.contents() == {
        name: digest(noise(0.3, sum(name.encode()))) for name in ("one", "two", "three", "four")
    }
    assert properties(f"{scene.copy}@four", "userrefs") == {"userrefs": "1"}
    assert properties(f"{scene.copy}@two", "userrefs") == {"userrefs": "0"}
    mine = "0" if openzfs_version() else "1"
    assert properties(f"{scene.source}@four", "userrefs") == {"userrefs": mine}
    assert properties(f"{scene.source}@two", "userrefs") == {"userrefs": "0"}


async def test_what_diverged_is_left_alone(scene: Scene, way: Way) -> None:
    scene.snap("one")
    async with way(scene) as target:
        await scene.run(target)
        scene.snap("two")
        zfs("snapshot", f"{scene.copy}@its-own")
        before = guids(scene.copy)
        report = await scene.run(target)
        assert isinstance(report.datasets[0].verdict, Conflict)
        assert guids(scene.copy) == before
        if openzfs_version():  # zfs-fuse can not tell whose holds there are
            assert (await scene.run(target, rollback=True)).ok
            assert scene.same()


async def test_a_tree_with_placeholders(scene: Scene, way: Way) -> None:
    for name in ("a/deep", "b"):
        dataset = f"{scene.source}/{name}"
        zfs("create", "-p", dataset)
        zfs("snapshot", f"{dataset}@one")
    async with way(scene) as target:
        assert (await scene.run(target, recursive=True)).ok
        assert guids(f"{scene.copy}/a/deep") == guids(f"{scene.source}/a/deep")
        assert guids(f"{scene.copy}/b") == guids(f"{scene.source}/b")
        zfs("snapshot", "-r", f"{scene.source}@two")
        report = await scene.run(target, recursive=True)
    assert report.ok, report
    for name in ("", "/a", "/a/deep", "/b"):
        assert guids(scene.copy + name) == guids(scene.source + name)
        assert properties(scene.copy + name, "mounted") == {"mounted": "no"}


async def test_a_full_pool_is_reported(host: ProgramHost, pools: Pools, way: Way) -> None:
    scene = Scene(host, (pools.create(), pools.create(size_mb=64)), "data")
    scene.snap("one", size=36 if openzfs_version() else 70)
    async with way(scene) as target:
        report = await scene.run(target)
    assert report.datasets[0].failure is Failure.NO_SPACE


@pytest.mark.parametrize("word", ["send", "receive"])
async def test_a_killed_process_is_followed_by_another(scene: Scene, way: Way, word: str) -> None:
    scene.snap("one", size=8)
    killed: list[int] = []

    async def kill() -> None:
        while not killed:
            for pid in _children(word):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            await trio.sleep(0.001)

    async with way(scene) as target, trio.open_nursery() as nursery:
        nursery.start_soon(kill)
        report = await scene.run(target)
        nursery.cancel_scope.cancel()
    assert killed
    assert report.ok, report
    one = report.datasets[0]
    assert one.failures or "SIGKILL" in one.warnings[0]  # it may have sent everything by then
    assert scene.same()


async def test_an_incremental_stream_never_goes_to_another_dataset(scene: Scene) -> None:
    """What zfs receive would do with one for a name that is not there."""
    scene.snap("one", "two")
    victim = f"{scene.there.name}/victim-{scene.copy.rpartition('/')[2]}"
    zfs("receive", "-u", victim, stdin=send(f"{scene.source}@one"))
    before = guids(victim)
    two = guids(scene.source)["two"]
    lie = Offer(
        replication="job", dataset=scene.copy, to=SnapshotId(guid=two, name="two"), base=None
    )
    stream = send("-i", "one", f"{scene.source}@two")
    async with (
        scene.receiver.session(scene.permit()) as session,
        session.admit(lie) as admission,
    ):
        assert isinstance(admission, Admission)
        result = await admission.receive(partial(_pour, stream), meter=Meter())
    assert isinstance(result, Failed)
    assert result.failure is Failure.BAD_STREAM
    assert guids(victim) == before
    assert list(guids(victim)) == ["one"]


async def _pour(stream: bytes, fileno: int) -> Trailer:
    with suppress(BrokenPipeError):
        await trio.to_thread.run_sync(os.write, fileno, stream)
    return Trailer(ok=True, bytes=len(stream))


@pytest.mark.needs_openzfs
async def test_a_bookmark_is_base_enough(scene: Scene, way: Way) -> None:
    scene.snap("one")
    async with way(scene) as target:
        await scene.run(target)
        assert len(bookmarks(scene.source)) == 1
        zfs("destroy", f"{scene.source}@one")
        scene.snap("two", "three")
        report = await scene.run(target)
    assert report.ok, report
    assert list(guids(scene.copy)) == ["one", "two", "three"]
    assert list(bookmarks(scene.source).values()) == [guids(scene.source)["three"]]


@pytest.mark.needs_openzfs
@pytest.mark.slow
async def test_it_goes_on_wherever_the_connection_was_cut(scene: Scene) -> None:
    scene.snap("one", size=6)
    size = 6 * 1024 * 1024
    dice = random.Random(2026)
    cuts = sorted(dice.randrange(1500, size) for _ in range(CUTS))
    # Each connection gets on with what is left: the cut is at so many bytes of that.
    scissors = Scissors(iter([max(1500, two - one) for one, two in pairwise([0, *cuts])]))
    permit = scene.permit()
    retries = Retries(most=60, backoff=Backoff(base=0.01, factor=1.0, maximum=0.01))
    async with remote(
        scene.host,
        permit=permit,
        receiver=scene.receiver,
        through=scissors.through,
        limits=LIMITS,
    ) as target:
        report = await scene.run(target, retries=retries)
    assert report.ok, report
    assert scissors.connections == CUTS + 1
    assert report.datasets[0].failures == CUTS
    assert scissors.passed < 3 * size  # it did not begin anew each time
    assert scene.same()
    assert scene.contents() == {"one": digest(noise(6, sum(b"one")))}


@pytest.mark.needs_openzfs
async def test_encrypted_data_goes_as_it_is(scene: Scene, way: Way, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    words = ["-o", "encryption=on", "-o", "keyformat=raw", "-o", f"keylocation=file://{key}"]
    secret = scene.here.create(f"{scene.source.partition('/')[2]}/secret", *words)
    scene.here.snapshot(secret, "one", noise(0.2))
    scene.source, scene.copy = secret, f"{scene.copy}/secret"
    async with way(scene) as target:
        report = await scene.run(target)
        assert report.ok, report
        scene.here.snapshot(secret, "two", noise(0.1))
        report = await scene.run(target)
    assert report.ok, report
    assert scene.same()
    assert properties(scene.copy, "keystatus", "encryption") == {
        "keystatus": "unavailable",
        "encryption": "aes-256-gcm",
    }


@pytest.mark.needs_openzfs
async def test_a_stream_brings_no_property_that_mounts_or_shares_it(scene: Scene) -> None:
    zfs("set", "mountpoint=/etc/lochkit-evil", "setuid=on", "compression=zle", scene.source)
    zfs("set", "sharenfs=off", "lochkit.test:tag=x", "lochkit:placeholder=forged", scene.source)
    zfs("snapshot", f"{scene.source}@one")
    permit = scene.permit(properties=True)
    async with remote(scene.host, permit=permit, receiver=scene.receiver, limits=LIMITS) as target:
        assert (await scene.run(target, send_properties=True)).ok
        zfs("snapshot", f"{scene.source}@two")
        assert (await scene.run(target, send_properties=True)).ok
    assert scene.same()
    names = ("mountpoint", "canmount", "compression", "lochkit.test:tag", "lochkit:placeholder")
    found = properties(scene.copy, *names)
    assert found["mountpoint"] == "none"
    assert found["lochkit:placeholder"] != "forged"
    assert found["canmount"] == "noauto"
    assert found["compression"] == "zle"
    assert found["lochkit.test:tag"] == "x"


@pytest.mark.needs_openzfs
async def test_a_volume_arrives(scene: Scene, way: Way) -> None:
    volume = f"{scene.source}/volume"
    zfs("create", "-s", "-V", "8M", volume)
    zfs("snapshot", f"{volume}@one")
    scene.source, scene.copy = volume, f"{scene.copy}/volume"
    async with way(scene) as target:
        report = await scene.run(target, send_properties=True)
        if not report.ok:  # the permit of the other way does not let properties in
            assert report.datasets[0].failure is Failure.DENIED
            report = await scene.run(target)
    assert report.ok, report
    assert scene.same()


def _children(word: str) -> list[int]:
    """Processes of ours that are such a zfs command."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            parent = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[1:2] == [word.encode()] and int(parent) == os.getpid():
            found.append(int(name))
    return found
