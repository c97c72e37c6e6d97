"""Sets of files that change as one: what is installed and found again."""

import os
import stat
from pathlib import Path

import pytest

from lochkit.io import durable
from lochkit.io.generations import GenerationStore

from .site import NAMES, Site


def test_nothing_is_installed_at_first_and_no_target_is_touched(site: Site) -> None:
    assert site.store.current is None
    assert site.store.last_good is None
    assert site.store.disturbed() == set(NAMES)
    assert sorted(path.name for path in site.path.iterdir()) == [".lochkit"]
    assert stat.S_IMODE(site.root.stat().st_mode) == 0o755


def test_a_set_is_found_under_its_targets(site: Site) -> None:
    generation = site.install(b"one", b"two", {"hosts": 7})
    assert site.read() == (b"one", b"two")
    assert (generation.number, generation.manifest) == (1, {"hosts": 7})
    assert site.store.current is generation
    assert site.store.disturbed() == frozenset()
    assert [os.readlink(path) for path in site.targets.values()] == [
        f".lochkit/current/{name}" for name in NAMES
    ]


def test_what_is_installed_is_known_to_the_next_process(site: Site) -> None:
    site.store.mark_good(site.install(b"one", b"two", {"n": 1}))
    site.install(b"three", None, {"n": 2})
    site.reopen()
    assert site.store.current is not None
    assert site.store.current.manifest == {"n": 2}
    assert site.store.last_good is not None
    assert site.store.last_good.manifest == {"n": 1}
    assert site.store.disturbed() == frozenset()
    assert site.install(b"five", b"six").number == 3


def test_a_staged_set_is_complete_and_not_in_force(site: Site) -> None:
    site.install(b"one", b"two")
    staged = site.store.stage({"a.conf": [b"th", b"", b"ree"], "b.conf": None}, {})
    assert {name: path.read_bytes() for name, path in staged.files.items()} == {
        "a.conf": b"three",
        "b.conf": b"two",
    }
    assert site.read() == (b"one", b"two")
    site.store.discard(staged)
    site.store.discard(staged)
    assert not staged.path.exists()
    assert site.sets() == [1]


def test_an_unchanged_file_is_the_same_file(site: Site) -> None:
    site.install(b"one", b"two")
    before = site.targets["b.conf"].stat()
    site.install(b"three", None)
    assert os.path.samestat(before, site.targets["b.conf"].stat())


def test_a_set_must_have_all_its_names_and_no_others(site: Site) -> None:
    with pytest.raises(ValueError, match="the set is"):
        site.store.stage({"a.conf": [b"x"]}, {})
    with pytest.raises(ValueError, match="the set is"):
        site.store.stage({"a.conf": [b"x"], "b.conf": [b"x"], "c.conf": [b"x"]}, {})
    with pytest.raises(ValueError, match="take over"):
        site.store.stage({"a.conf": [b"x"], "b.conf": None}, {})
    with pytest.raises(TypeError, match="JSON"):
        site.store.stage({"a.conf": [b"x"], "b.conf": [b"x"]}, {"no": object()})
    assert sorted(path.name for path in site.root.iterdir()) == ["lock"]


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "/etc/passwd"])
def test_a_name_must_be_that_of_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="can not be the name"):
        GenerationStore(tmp_path / "store", {name: tmp_path / "x"})


def test_at_least_one_generation_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        GenerationStore(tmp_path / "store", {}, keep=0)


def test_a_store_that_is_not_open_installs_nothing(site: Site) -> None:
    site.install(b"one", b"two")
    site.store.close()
    with pytest.raises(RuntimeError, match="not open"):
        site.install(b"three", b"four")
    assert site.store.same("a.conf", [b"one"])


def test_same_compares_what_is_under_the_target(site: Site) -> None:
    target = site.targets["a.conf"]
    assert not site.store.same("a.conf", [])
    target.write_bytes(b"by hand")
    assert site.store.same("a.conf", [b"by", b"", b" hand"])
    assert not site.store.same("a.conf", [b"by", b" hands"])
    assert not site.store.same("a.conf", [b"by", b" hund"])
    site.install(b"installed", b"too")
    assert site.store.same("a.conf", [b"installed"])


def test_marks_are_counted_under_the_target(site: Site) -> None:
    assert site.store.count("a.conf", b"host ") == 0
    site.install(b"host 1\nhost 2\nhos t", b"x")
    assert site.store.count("a.conf", b"host ") == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1000])
def test_a_mark_across_two_chunks_counts_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(durable, "_CHUNK", size)
    site.install(b"ab" * 50 + b"a" + b"ab" * 50, b"x")
    assert site.store.count("a.conf", b"ab") == 100
    assert site.store.count("a.conf", b"aab") == 1
    assert site.store.count("a.conf", b"a") == 101
