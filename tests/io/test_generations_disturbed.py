"""Who else writes where sets are installed: editors, operators, other processes."""

import os

import pytest

from lochkit.io.faults import InstallError
from lochkit.io.generations import Generation
from lochkit.io.lockfile import LockHeld

from .site import NAMES, Site


def test_an_edited_file_is_seen_and_not_taken_over(site: Site) -> None:
    site.install(b"one", b"two")
    site.edit("a.conf", b"one more")
    assert site.store.disturbed() == {"a.conf"}
    with pytest.raises(InstallError, match="changed by somebody else"):
        site.install(None, None)
    site.install(b"three", None)
    assert site.store.disturbed() == frozenset()
    assert site.read() == (b"three", b"two")


def test_an_edit_of_equal_size_is_seen(site: Site) -> None:
    site.install(b"one", b"two")
    site.edit("b.conf", b"owt")
    assert site.store.disturbed() == {"b.conf"}


def test_a_file_that_was_touched_and_is_right_counts_as_installed(site: Site) -> None:
    generation = site.install(b"one", b"two")
    site.store.mark_good(generation)
    site.edit("b.conf", b"two")
    assert site.store.disturbed() == {"b.conf"}
    assert not site.store.same("b.conf", [b"TWO"])
    assert site.store.disturbed() == {"b.conf"}
    assert site.store.same("b.conf", [b"two"])
    assert site.store.disturbed() == frozenset()
    assert site.store.current == site.store.last_good == generation
    site.install(b"three", None)
    assert site.read() == (b"three", b"two")
    site.store.restore(generation)
    assert site.store.disturbed() == frozenset()


def test_a_copy_beside_the_store_does_not_count_as_installed(site: Site) -> None:
    site.install(b"one", b"two")
    site.edit("b.conf", b"edited")
    site.targets["b.conf"].unlink()
    site.targets["b.conf"].write_bytes(b"two")
    assert site.store.same("b.conf", [b"two"])
    assert site.store.disturbed() == {"b.conf"}


def test_a_replaced_file_is_seen_adopted_and_replaced(site: Site) -> None:
    good = site.install(b"one", b"two")
    site.store.mark_good(good)
    edited = site.path / "a.conf~"
    edited.write_bytes(b"by an editor")
    edited.replace(site.targets["a.conf"])
    assert site.store.disturbed() == {"a.conf"}
    site.install(b"three", None)
    assert site.read() == (b"three", b"two")
    assert site.store.last_good is good
    kept = [(found.path / "a.conf").read_bytes() for found in site.store.generations]
    assert kept == [b"one", b"by an editor", b"three"]


def test_a_missing_target_is_seen_and_comes_back(site: Site) -> None:
    site.install(b"one", b"two")
    site.targets["a.conf"].unlink()
    assert site.store.disturbed() == {"a.conf"}
    site.install(None, None)
    assert site.read() == (b"one", b"two")
    assert len(site.store.generations) == 2


def test_a_link_to_another_generation_is_seen(site: Site) -> None:
    first = site.install(b"one", b"two")
    site.install(b"three", b"four")
    (site.root / "current").unlink()
    (site.root / "current").symlink_to(first.path.name)
    assert site.store.disturbed() == set(NAMES)


def test_a_file_that_changes_while_it_is_adopted_is_not_replaced(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = site.targets["a.conf"]
    target.write_bytes(b"old")

    def mark(generation: Generation) -> None:
        target.write_bytes(b"newer, by hand")

    monkeypatch.setattr(site.store, "mark_good", mark)
    with pytest.raises(InstallError, match="is being changed"):
        site.install(b"new", b"new")
    assert site.read() == (b"newer, by hand", None)


def test_only_one_process_may_have_it_open(site: Site) -> None:
    with pytest.raises(LockHeld, match=f"process {os.getpid()}") as caught:
        site.another().open()
    assert caught.value.pid == os.getpid()
    site.store.close()
    with site.another():
        pass
