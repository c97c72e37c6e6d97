"""Disks that are full or read-only: it is told, nothing is lost, and all is well once they are."""

import errno
import os
from pathlib import Path

import pytest

from lochkit.io.faults import InstallError
from lochkit.io.generations import GenerationStore

from .hostile_disk import LIMIT, own_disk, read_only, small_disk
from .site import Site

FULL = {errno.ENOSPC, errno.EFBIG}


def names(site: Site) -> list[str]:
    return sorted(path.name for path in (*site.path.iterdir(), *site.root.iterdir()))


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        site = Site(disk)
        with site.store:
            generation = site.install(b"one", b"two")
            before = names(site)
            for _ in range(3):
                with pytest.raises(InstallError, match=r"a\.conf: .*; (make room|raise)") as caught:
                    site.install(b"x" * (LIMIT + 1), b"four")
                assert caught.value.errno in FULL
                assert names(site) == before
            assert site.read() == (b"one", b"two")
            assert site.store.current is generation
            assert site.store.disturbed() == frozenset()
            site.install(b"three", b"four")
            assert site.read() == (b"three", b"four")


def test_a_disk_that_fills_up_while_the_second_file_is_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        site = Site(disk)
        with site.store:
            site.install(b"one", b"two")
            before = names(site)
            with pytest.raises(InstallError, match=r"b\.conf"):
                site.install(b"three", b"x" * (LIMIT + 1))
            assert names(site) == before
            assert site.read() == (b"one", b"two")


def test_pieces_that_only_partly_fit_are_not_taken_for_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        site = Site(disk)
        with site.store, pytest.raises(InstallError):
            site.store.stage({"a.conf": [b"x" * 1000] * (LIMIT // 500), "b.conf": [b""]}, {})


def test_a_file_that_there_is_no_room_to_adopt_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.conf"
    target.write_bytes(b"x" * (LIMIT + 1))
    with small_disk(tmp_path / "disk") as disk:
        store = GenerationStore(disk / "store", {"a.conf": target})
        with store:
            with pytest.raises(InstallError):
                store.commit(store.stage({"a.conf": [b"new"]}, {}))
            assert store.current is None
    assert not target.is_symlink()
    assert target.stat().st_size == LIMIT + 1


def test_old_sets_make_room_for_a_new_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    writev, room = os.writev, 3500

    def used() -> int:
        found = {path.stat().st_ino: path.stat().st_size for path in site.root.rglob("*.conf")}
        return sum(found.values())

    def on_a_disk(fd: int, pieces: list[bytes]) -> int:
        if used() + sum(map(len, pieces)) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return writev(fd, pieces)

    monkeypatch.setattr(os, "writev", on_a_disk)
    for number in range(1, 4):
        site.install(b"%d" % number * 1000, b"")
    site.store.mark_good(site.store.generations[1])
    site.install(b"4" * 1000, b"")
    assert site.sets() == [2, 3, 4]
    with pytest.raises(InstallError, match="make room"):
        site.install(b"5" * 2000, b"")
    assert site.sets() == [2, 4], "nothing that is needed was given up for it"
    assert site.read() == (b"4" * 1000, b"")


def test_a_read_only_directory_changes_nothing(tmp_path: Path) -> None:
    with own_disk(tmp_path / "disk") as disk:
        site = Site(disk)
        with site.store:
            generation = site.install(b"one", b"two")
            with read_only(disk):
                with pytest.raises(
                    InstallError, match=r"; (mount it writable|give user)"
                ) as caught:
                    site.install(b"three", b"four")
                assert caught.value.errno in (errno.EROFS, errno.EACCES)
                assert site.store.current is generation
                assert site.read() == (b"one", b"two")
                assert site.store.disturbed() == frozenset()
            site.install(b"three", b"four")
            assert site.read() == (b"three", b"four")


def test_a_directory_that_becomes_read_only_after_staging(tmp_path: Path) -> None:
    with own_disk(tmp_path / "disk") as disk:
        site = Site(disk)
        with site.store:
            site.install(b"one", b"two")
            staged = site.store.stage({"a.conf": [b"three"], "b.conf": None}, {})
            with read_only(disk):
                with pytest.raises(InstallError):
                    site.store.commit(staged)
                site.store.discard(staged)
                assert site.read() == (b"one", b"two")
            assert site.store.commit(staged).number == 2
            assert site.read() == (b"three", b"two")


def test_a_store_can_not_be_opened_while_it_is_read_only(tmp_path: Path) -> None:
    with own_disk(tmp_path / "disk") as disk:
        site = Site(disk)
        with read_only(disk), pytest.raises(InstallError):
            site.store.open()
        with site.store:
            site.install(b"one", b"two")


@pytest.mark.parametrize("when", ["adopting", "linking"])
def test_a_target_that_can_not_be_replaced(tmp_path: Path, when: str) -> None:
    """The store is writable, and the directory of the targets is not."""
    with own_disk(tmp_path / "disk") as disk:
        targets = {"a.conf": disk / "a.conf", "b.conf": disk / "b.conf"}
        if when == "adopting":
            for path in targets.values():
                path.write_bytes(b"old")
        store = GenerationStore(tmp_path / "store", targets)
        with store:
            with read_only(disk), pytest.raises(InstallError, match=r"a\.conf"):
                store.commit(store.stage({"a.conf": [b"x"], "b.conf": [b"y"]}, {}))
            found = [path.read_bytes() for path in targets.values() if path.exists()]
            assert found == ([b"old"] * 2 if when == "adopting" else [])
            store.commit(store.stage({"a.conf": [b"x"], "b.conf": [b"y"]}, {}))
            assert [path.read_bytes() for path in targets.values()] == [b"x", b"y"]
