"""Which sets are kept, which can be put back, and what a loss of power can leave."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.io.faults import InstallError
from lochkit.io.generation import NOTE, too_old

from .site import NAMES, Site


def test_old_generations_are_removed(site: Site) -> None:
    for number in range(1, 8):
        site.install(b"%d" % number, b"same")
    assert site.sets() == [5, 6, 7]
    assert len([path for path in site.root.iterdir() if path.name.startswith("gen-")]) == 3


def test_what_is_in_force_and_what_was_good_are_kept(site: Site) -> None:
    for number in range(1, 8):
        generation = site.install(b"%d" % number, b"same")
        if number == 2:
            site.store.mark_good(generation)
    assert site.sets() == [2, 5, 6, 7]
    site.store.restore(site.store.generations[0])
    assert site.read() == (b"2", b"same")
    assert site.install(b"8", b"same").number == 8
    assert site.sets() == [2, 6, 7, 8]


def test_what_is_not_kept_can_not_be_restored(site: Site) -> None:
    first = site.install(b"0", b"same")
    for number in range(1, 5):
        site.install(b"%d" % number, b"same")
    with pytest.raises(ValueError, match="not kept"):
        site.store.restore(first)


def test_a_generation_that_is_not_whole_is_not_restored(site: Site) -> None:
    first = site.install(b"one", b"two")
    site.install(b"three", b"four")
    (first.path / "b.conf").unlink()
    with pytest.raises(InstallError, match="not all there"):
        site.store.restore(first)
    assert site.read() == (b"three", b"four")


@given(
    st.lists(st.integers(0, 40)), st.integers(1, 10), st.sets(st.integers(0, 40)), st.integers(0, 3)
)
def test_what_is_too_old(numbers: list[int], keep: int, needed: set[int], more: int) -> None:
    old = too_old(numbers, keep, needed)
    rest = set(numbers) - set(old)
    assert old == sorted(set(old))
    assert set(old) <= set(numbers)
    assert not set(old) & needed
    assert set(sorted(set(numbers))[-keep:]) <= rest, "the newest stay"
    assert len(rest - needed) <= keep
    assert too_old(rest, keep, needed) == [], "once is enough"
    assert set(too_old(numbers, keep + more, needed)) <= set(old), "to keep more removes no other"


@pytest.mark.parametrize("damage", ["truncated", "missing", "no note", "no json", "no generation"])
def test_a_damaged_set_is_replaced_by_the_last_good_one(site: Site, damage: str) -> None:
    site.store.mark_good(site.install(b"one", b"two"))
    site.install(b"bad", b"bad")
    path = site.install(b"three", b"four").path
    match damage:
        case "truncated":
            before = (path / "a.conf").stat()
            os.truncate(path / "a.conf", 0)
            os.utime(path / "a.conf", ns=(before.st_atime_ns, before.st_mtime_ns))
        case "missing":
            (path / "b.conf").unlink()
        case "no note":
            (path / NOTE).unlink()
        case "no json":
            (path / NOTE).write_bytes(b"")
        case _:
            path.rename(site.root / "elsewhere")
    site.reopen()
    assert site.read() == (b"one", b"two")
    assert site.store.current is not None
    assert site.store.current.number == 1
    assert site.install(b"five", b"six").number >= 3


def test_without_a_good_one_the_newest_whole_set_is_put_in_force(site: Site) -> None:
    site.install(b"one", b"two")
    site.install(b"three", b"four")
    (site.install(b"five", b"six").path / "a.conf").unlink()
    site.reopen()
    assert site.read() == (b"three", b"four")


def test_when_nothing_is_whole_it_begins_anew(site: Site) -> None:
    (site.install(b"one", b"two").path / NOTE).unlink()
    site.reopen()
    assert site.store.current is None
    assert site.read() == (b"one", b"two"), "the server can still read it"
    assert site.install(b"three", b"four").number == 2
    assert site.read() == (b"three", b"four")


def test_an_edited_set_is_not_taken_for_a_damaged_one(site: Site) -> None:
    site.store.mark_good(site.install(b"one", b"two"))
    site.install(b"three", b"four")
    site.edit("a.conf", b"by hand, in an emergency")
    site.reopen()
    assert site.read() == (b"by hand, in an emergency", b"four")
    assert site.store.disturbed() == {"a.conf"}


@pytest.mark.parametrize(
    "note",
    [
        b"[]",
        b"null",
        b"{}",
        b'{"files": [], "manifest": {}, "adopted": false}',
        b'{"files": {"a.conf": [1, 2]}, "manifest": {}, "adopted": false}',
        b'{"files": {"a.conf": [1, 2, "3"]}, "manifest": {}, "adopted": false}',
        b'{"files": {}, "manifest": 3, "adopted": false}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_note_that_is_none_is_no_generation(site: Site, note: bytes) -> None:
    first = site.install(b"one", b"two")
    (site.install(b"three", b"four").path / NOTE).write_bytes(note)
    site.reopen()
    assert site.store.current == first


def test_what_a_killed_process_has_left_is_removed(site: Site) -> None:
    site.install(b"one", b"two")
    site.store.stage({"a.conf": [b"x"], "b.conf": None}, {})
    (site.root / ".current.lochkit-0123").symlink_to("gen-000007-00")
    (site.path / ".a.conf.lochkit-0123").symlink_to(".lochkit/current/a.conf")
    (site.path / ".b.conf.swp").write_bytes(b"somebody's")
    site.reopen()
    assert sorted(path.name for path in site.path.iterdir()) == [
        *(".b.conf.swp", ".lochkit"),
        *NAMES,
    ]
    left = [path.name[:4] for path in site.root.iterdir()]
    assert sorted(left) == ["curr", "gen-", "lock"]


def test_the_note_is_for_people_too(site: Site) -> None:
    path = site.install(b"one", b"two", {"revision": 12}).path
    noted = json.loads((path / NOTE).read_bytes())
    assert noted["manifest"] == {"revision": 12}
    assert noted["files"]["a.conf"][0] == 3


def test_everything_is_on_the_disk_before_it_is_in_force(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of system calls is all that a loss of power respects."""
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def note_sync(fd: int) -> None:
        steps.append(f"sync {Path(os.readlink(f'/proc/self/fd/{fd}')).name[:4]}")
        fsync(fd)

    def note_rename(source: Path, to: Path) -> None:
        steps.append(f"rename {Path(to).name[:4]}")
        rename(source, to)

    site.install(b"one", b"two")
    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", note_rename)
    monkeypatch.setattr(os, "replace", note_rename)
    site.install(b"three", b"four")
    assert steps == [
        *("sync a.co", "sync b.co", "sync .loc", "sync stag"),
        *("rename gen-", "sync .loc", "rename curr", "sync .loc"),
    ]
