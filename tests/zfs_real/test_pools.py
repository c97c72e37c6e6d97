"""The fixtures of real pools themselves."""

from pathlib import Path

import pytest

from ..servers.etcd_server import EtcdServer
from ..servers.zfs_commands import ZFS_FUSE, ZfsFailed, flavour, openzfs_version, send, zfs, zpool
from ..servers.zfs_pools import Pool, Pools, bookmarks, digest, guids, noise

pytestmark = pytest.mark.both_openzfs


def test_a_pool_is_made_used_and_destroyed(pools: Pools) -> None:
    pool = pools.create(size_mb=96)
    data = pool.create("deep/data")
    first = pool.snapshot(data, "first", noise(0.5))
    second = pool.snapshot(data, "second", b"more")
    assert guids(data) == {"first": first, "second": second}
    assert list(guids(data)) == ["first", "second"]
    assert pool.contents(f"{data}@first") == {"first": digest(noise(0.5))}
    assert pool.contents(f"{data}@second") == {
        "first": digest(noise(0.5)),
        "second": digest(b"more"),
    }
    pools.destroy(pool)
    assert pool.name not in _names()
    assert not list(pool.directory.glob(f"{pool.name}.img"))


def test_a_busy_pool_keeps_no_other_from_being_destroyed(
    pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.servers.zfs_commands.BUSY_SECONDS", 0.0)
    mine = Pools(tmp_path)
    kept, busy, other = pools.create(), mine.create(), mine.create()
    data = busy.create("data")
    busy.write(data, b"x")
    with (tmp_path / data / "file").open("rb"):
        with pytest.RaisesGroup(pytest.RaisesExc(ZfsFailed, match=f"{busy.name}.*busy")):
            mine.destroy_all()
        assert {kept.name, busy.name} <= _names()
        assert other.name not in _names()
    monkeypatch.undo()
    mine.destroy_all()
    assert kept.name in _names()
    assert busy.name not in _names()


def _names() -> set[str]:
    return set(zpool("list", "-H", "-o", "name").split())


def test_a_stream_arrives_with_its_guid(shared_pools: tuple[Pool, Pool]) -> None:
    source, target = shared_pools
    data = source.create("arriving")
    guid = source.snapshot(data, "one", noise(1))
    zfs("receive", "-u", f"{target.name}/arriving", stdin=send(f"{data}@one"))
    assert guids(f"{target.name}/arriving") == {"one": guid}
    assert target.contents(f"{target.name}/arriving@one") == {"one": digest(noise(1))}


def test_a_failure_names_the_command_and_the_complaint(pool: Pool) -> None:
    with pytest.raises(ZfsFailed, match=rf"zfs list {pool.name}/none: exit code 1: .*not exist"):
        zfs("list", f"{pool.name}/none")


def test_the_flavour_is_one_that_we_promise_to_work_with(real_zfs: str) -> None:
    assert real_zfs in (ZFS_FUSE, "openzfs 2.1", "openzfs 2.3")
    assert real_zfs == flavour()
    assert (openzfs_version() is None) == (real_zfs == ZFS_FUSE)


@pytest.mark.needs_openzfs
def test_a_bookmark_outlives_its_snapshot(pool: Pool) -> None:
    data = pool.create("data")
    guid = pool.snapshot(data, "one")
    zfs("bookmark", f"{data}@one", f"{data}#mark")
    zfs("destroy", f"{data}@one")
    assert guids(data) == {}
    assert bookmarks(data) == {"mark": guid}


@pytest.mark.needs_openzfs("2.2")
def test_a_version_can_be_asked_for() -> None:
    assert (openzfs_version() or (0, 0)) >= (2, 2)


async def test_an_etcd_serves_where_the_pools_are(one_etcd: EtcdServer) -> None:
    await one_etcd.ctl("put", "/zfs/pools", "1")
    assert await one_etcd.dump("/zfs/pools") == {b"/zfs/pools": b"1"}
