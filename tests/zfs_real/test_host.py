"""The host on real pools: what it reads, and every command that is no stream."""

import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host import ProgramHost, open_host
from lochkit.zfs.host_program import ZfsProgram
from lochkit.zfs.model import Dataset, Kind, Snapshot

from ..servers.zfs_commands import openzfs_version, zfs
from ..servers.zfs_pools import Pool, bookmarks, guids, properties

# The words of errors differ, and commands are slow in a machine that is emulated.
both = pytest.mark.both_openzfs


@pytest.fixture(scope="module")
def probed(real_zfs: str) -> Capabilities:
    return trio.run(open_host).capabilities


@pytest.fixture
async def host(probed: Capabilities) -> ProgramHost:
    limits = {"timeout": 60.0, "inventory_timeout": 60.0, "stream_end_timeout": 20.0}
    return ProgramHost(ZfsProgram("zfs", **limits), probed)


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """No descriptor and no child process is left by any test here."""
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert "zfs" not in children()


def children() -> list[str]:
    """The names of our child processes."""
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        found += (task / "children").read_text().split()
    return [Path(f"/proc/{child}/comm").read_text().strip() for child in found]


@pytest.fixture
def fresh(shared_pools: tuple[Pool, Pool], request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes datasets in the first of the shared pools that no other test has."""
    pool, _ = shared_pools
    stem = request.node.name.split("[")[0]

    def create(name: str = "data", *words: str) -> str:
        return pool.create(f"{stem}/{name}", *words)

    return create


async def read(host: ProgramHost, name: str, *names: str) -> Dataset:
    """One dataset, as it is now."""
    return (await host.dataset(name, properties=names)).datasets[name]


async def at(host: ProgramHost, name: str) -> Snapshot:
    """One snapshot, by its full name."""
    dataset, _, short = name.partition("@")
    return next(one for one in (await read(host, dataset)).snapshots if one.name == short)


def snap(dataset: str, *names: str) -> list[str]:
    """Take snapshots; return their full names."""
    for name in names:
        zfs("snapshot", f"{dataset}@{name}")
    return [f"{dataset}@{name}" for name in names]


async def fails(*, failure: Failure, doing: object) -> ZfsError:
    with pytest.raises(ZfsError) as caught:
        await doing  # type: ignore[misc]
    assert caught.value.failure is failure, caught.value
    return caught.value


@both
async def test_what_it_can_do(host: ProgramHost) -> None:
    can = host.capabilities
    version = openzfs_version()
    if version is None:
        assert can.version == "zfs-fuse"
        assert not any((can.parsable_list, can.resume, can.raw, can.many_snapshots, can.estimate))
        assert not any((can.destroy_lists, can.list_holds, can.bookmarks, can.encryption))
    else:
        assert can.version.startswith(f"zfs-{version[0]}.{version[1]}.")
        assert all((can.parsable_list, can.resume, can.raw, can.many_snapshots, can.estimate))
        assert all((can.large_blocks, can.compressed, can.embedded, can.receive_properties))
        assert all((can.destroy_lists, can.list_holds, can.bookmarks, can.encryption, can.written))


@both
async def test_it_reads_what_is_there(host: ProgramHost, fresh: Callable[..., str]) -> None:
    data = fresh("odd name.with:all-of_it", "-o", "lochkit:note=of two words")
    names = ["first", "with blank", "x:y.z-1_2"]
    snap(data, *names)
    zfs("hold", "one", f"{data}@first")
    zfs("hold", "two", f"{data}@first")
    clone = data + "-clone"
    zfs("clone", f"{data}@with blank", clone)
    zfs("destroy", "-d", f"{data}@first")
    try:
        root = data.rpartition("/")[0]
        asked = ["lochkit:note", "creation", "type"]
        found = await host.inventory([root, data, f"{root}/none"], properties=asked)
        assert list(found.datasets) == [root, data, clone]
        seen = found.datasets[data]
        assert seen.kind is Kind.FILESYSTEM
        assert seen.properties["lochkit:note"] == "of two words"
        assert seen.properties == properties(data, *asked)
        assert str(seen.guid) == properties(data, "guid")["guid"]
        assert {one.name: one.guid for one in seen.snapshots} == guids(data)
        first, second, third = seen.snapshots
        assert [first.name, second.name, third.name] == names
        assert (first.holds, first.deferred, first.clones) == (2, True, ())
        assert (second.holds, second.deferred, second.clones) == (0, False, (clone,))
        told = properties(f"{data}@with blank", "creation", "createtxg")
        assert (str(second.creation), str(second.createtxg)) == (
            told["creation"],
            told["createtxg"],
        )
        assert found.datasets[clone].origin == f"{data}@with blank"
        assert not found.datasets[clone].snapshots
        assert seen.written == (None if openzfs_version() is None else 0)
        assert await read(host, data, *asked) == seen
    finally:
        zfs("release", "one", f"{data}@first")
        zfs("release", "two", f"{data}@first")


async def test_all_pools_are_read_by_one_command(
    host: ProgramHost, shared_pools: tuple[Pool, Pool]
) -> None:
    found = await host.inventory()
    assert {pool.name for pool in shared_pools} <= set(found.datasets)
    assert abs(found.at - time.time()) < 60


async def test_a_dataset_alone(host: ProgramHost, fresh: Callable[..., str]) -> None:
    data, below = fresh("data"), fresh("data/below")
    snap(data, "a")
    snap(below, "b")
    found = await host.dataset(data)
    assert list(found.datasets) == [data]
    assert [one.name for one in found.datasets[data].snapshots] == ["a"]
    assert not (await host.dataset(data + "/none")).datasets
    assert not (await host.inventory([data + "/none"])).datasets


async def test_snapshots_are_taken_with_their_properties(
    host: ProgramHost, fresh: Callable[..., str]
) -> None:
    one, two = fresh("one"), fresh("two")
    given = {"lochkit:uuid": "a b;c", ":x": "1"}
    await host.take([f"{one}@s", f"{two}@s"], properties=given)
    assert properties(f"{one}@s", *given) == given
    assert properties(f"{two}@s", *given) == given
    if host.capabilities.many_snapshots:
        assert (await at(host, f"{one}@s")).createtxg == (await at(host, f"{two}@s")).createtxg
    error = await fails(failure=Failure.EXISTS, doing=host.take([f"{one}@s"]))
    assert f"{one}@s" in str(error)
    await fails(failure=Failure.MISSING, doing=host.take([f"{one}/none@s"]))


@both
async def test_many_are_destroyed_and_what_can_not_be_is_told(
    host: ProgramHost, fresh: Callable[..., str]
) -> None:
    data = fresh()
    names = [f"s{number:02}" for number in range(5)]
    snap(data, *names)
    zfs("hold", "keep", f"{data}@s01")
    zfs("clone", f"{data}@s03", data + "-clone")
    error = await fails(failure=Failure.HELD, doing=host.destroy(data, [*names[:4], "none", "s00"]))
    assert error.dataset == f"{data}@s01"
    assert list(guids(data)) == ["s01", "s03", "s04"]
    await fails(failure=Failure.HAS_CLONES, doing=host.destroy(data, ["s03"]))
    await host.destroy(data, ["s01", "s03"], defer=True)
    zfs("release", "keep", f"{data}@s01")
    zfs("destroy", data + "-clone")
    assert list(guids(data)) == ["s04"]
    await host.destroy(data, ["gone", "s04"])
    await host.destroy(data, ["gone"])
    await host.destroy(data, [])
    await host.destroy(data + "/none", ["gone"])
    assert list(guids(data)) == []


@both
async def test_holds(host: ProgramHost, fresh: Callable[..., str]) -> None:
    data = fresh()
    one, two = snap(data, "one", "two")
    await host.hold("lochkit:a", [one])
    await host.hold("lochkit:a", [one, two])
    assert [(await at(host, name)).holds for name in (one, two)] == [1, 1]
    await fails(failure=Failure.MISSING, doing=host.hold("lochkit:a", [data + "@none", two]))
    if host.capabilities.list_holds:
        await host.hold("lochkit:b", [two])
        assert await host.holds([one, two, data + "@none"]) == {
            one: ("lochkit:a",),
            two: ("lochkit:a", "lochkit:b"),
            data + "@none": (),
        }
        await host.release("lochkit:b", [two])
    else:
        await fails(failure=Failure.UNSUPPORTED, doing=host.holds([one]))
    await host.release("lochkit:a", [one, data + "@none", two])
    await host.release("lochkit:a", [one, two])
    assert [(await at(host, name)).holds for name in (one, two)] == [0, 0]


@both
async def test_rollback(host: ProgramHost, fresh: Callable[..., str]) -> None:
    data = fresh()
    one, two = snap(data, "one", "two")
    await fails(failure=Failure.EXISTS, doing=host.rollback(one))
    zfs("hold", "keep", two)
    await fails(failure=Failure.HELD, doing=host.rollback(one, destroy_newer=True))
    zfs("release", "keep", two)
    await host.rollback(one, destroy_newer=True)
    assert list(guids(data)) == ["one"]
    await fails(failure=Failure.MISSING, doing=host.rollback(two))


async def test_filesystems_and_names(host: ProgramHost, fresh: Callable[..., str]) -> None:
    parent = fresh("parent")
    data = parent + "/placeholder"
    await host.create(data, {"lochkit:placeholder": "on"})
    await host.create(data + "/below", {})
    assert properties(data, "mounted", "canmount") == {"mounted": "no", "canmount": "noauto"}
    assert (await read(host, data)).placeholder
    assert not (await read(host, data + "/below")).placeholder
    await fails(failure=Failure.EXISTS, doing=host.create(data, {}))
    await fails(failure=Failure.MISSING, doing=host.create(data + "/no/way", {}))
    (one, _) = snap(data, "one", "two")
    assert not (await read(host, data)).placeholder
    await fails(failure=Failure.EXISTS, doing=host.rename(one, "two"))
    await host.rename(one, "uno")
    assert list(guids(data)) == ["uno", "two"]
    await fails(failure=Failure.MISSING, doing=host.rename(one, "eins"))
    await host.rename_dataset(data, parent + "/aside")
    assert list(guids(parent + "/aside")) == ["uno", "two"]
    await fails(failure=Failure.MISSING, doing=host.rename_dataset(data, parent + "/nothing"))


async def test_a_slow_zfs_is_killed(probed: Capabilities, tmp_path: Path) -> None:
    slow = tmp_path / "zfs"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    limits = {"timeout": 0.3, "inventory_timeout": 0.3, "stream_end_timeout": 0.3}
    host = ProgramHost(ZfsProgram(str(slow), **limits), probed)
    with trio.fail_after(30):
        await fails(failure=Failure.TIMEOUT, doing=host.take(["a@b"]))
        await fails(failure=Failure.TIMEOUT, doing=host.inventory())


@pytest.mark.needs_openzfs
async def test_bookmarks(host: ProgramHost, fresh: Callable[..., str]) -> None:
    data = fresh()
    one, two = snap(data, "one", "two")
    await host.bookmark(one, "mark")
    await host.bookmark(one, "mark")
    await fails(failure=Failure.EXISTS, doing=host.bookmark(two, "mark"))
    await fails(failure=Failure.MISSING, doing=host.bookmark(data + "@none", "other"))
    (mark,) = (await read(host, data)).bookmarks
    first = await at(host, one)
    assert mark == ("mark", first.guid, first.createtxg, first.creation)
    assert bookmarks(data) == {"mark": first.guid}
    await host.destroy_bookmark(f"{data}#mark")
    await host.destroy_bookmark(f"{data}#mark")
    await host.destroy_bookmark(f"{data}/none#mark")
    assert bookmarks(data) == {}


@pytest.mark.needs_openzfs
async def test_volumes_and_what_was_written(
    host: ProgramHost, fresh: Callable[..., str], shared_pools: tuple[Pool, Pool]
) -> None:
    pool, _ = shared_pools
    volume = fresh("volume", "-V", "8M")
    snap(volume, "one")
    data = fresh("data")
    pool.snapshot(data, "one", b"x" * 500_000)
    pool.snapshot(data, "two")
    pool.write(data, b"y" * 300_000, "more")
    zfs("snapshot", f"{pool.name}@sync")  # what was written is counted when it is on the disk
    seen = await host.inventory([volume.rpartition("/")[0]])
    assert seen.datasets[volume].kind is Kind.VOLUME
    one, two = seen.datasets[data].snapshots
    assert (one.written or 0) > 0
    assert two.written == 0
    assert (seen.datasets[data].used or 0) > 0
    assert (seen.datasets[data].written or 0) > 0


@pytest.mark.needs_openzfs
async def test_keys(host: ProgramHost, fresh: Callable[..., str], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    words = ("-o", "encryption=on", "-o", "keyformat=raw", "-o", f"keylocation=file://{key}")
    root = fresh("secret", *words)
    below = fresh("secret/below")
    assert not (await read(host, root.partition("/")[0])).encrypted
    seen = await host.inventory([root])
    assert {one.encryption_root for one in seen.datasets.values()} == {root}
    assert all(one.key_loaded for one in seen.datasets.values())
    zfs("unload-key", root)
    assert not (await read(host, below)).key_loaded
