"""What a store makes of what is there before it: files, links, and what can be no target."""

import os
import stat
from pathlib import Path

import pytest

from lochkit.errors import ConfigError
from lochkit.io import durable
from lochkit.io.faults import InstallError
from lochkit.io.generations import GenerationStore

from .site import Site


def test_plain_files_are_adopted_before_they_are_replaced(site: Site) -> None:
    site.targets["a.conf"].write_bytes(b"old a")
    site.targets["b.conf"].write_bytes(b"old b")
    assert site.install(b"new a", b"new b").number == 1
    assert site.sets() == [0, 1]
    adopted = site.store.generations[0]
    assert adopted.adopted
    assert site.store.last_good is adopted, "it is what the server has been running on"
    site.store.restore(adopted)
    assert site.read() == (b"old a", b"old b")


def test_a_target_that_was_not_there_is_not_there_again(site: Site) -> None:
    site.targets["a.conf"].write_bytes(b"old a")
    site.install(b"new a", b"new b")
    site.store.restore(site.store.generations[0])
    assert site.read() == (b"old a", None)
    assert site.store.disturbed() == frozenset()
    site.install(b"newer a", b"newer b")
    assert site.read() == (b"newer a", b"newer b")


def test_a_file_made_where_a_set_has_none_is_seen(site: Site) -> None:
    site.targets["a.conf"].write_bytes(b"old a")
    site.install(b"new a", b"new b")
    site.store.restore(site.store.generations[0])
    site.targets["b.conf"].write_bytes(b"through the link")
    assert site.store.disturbed() == {"b.conf"}


def test_mode_and_owner_are_kept(site: Site) -> None:
    target = site.targets["a.conf"]
    target.write_bytes(b"old")
    target.chmod(0o640)
    owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(target, *owner)
    umask = os.umask(0o077)
    try:
        site.install(b"new", b"new")
        site.install(b"newer", b"newer")
    finally:
        os.umask(umask)
    found = target.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, *owner)
    assert stat.S_IMODE(site.targets["b.conf"].stat().st_mode) == 0o644
    assert stat.S_IMODE((site.root / "current").stat().st_mode) == 0o755


def test_an_owner_that_can_not_be_kept_matters_when_not_all_may_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, uid: int, gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    access = durable.Access(0o640, os.geteuid() + 1, -1)
    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(InstallError, match="can not keep owner"):
        durable.write_new(site.path / "x", [b"secret"], access)
    assert not (site.path / "x").exists()
    durable.write_new(site.path / "x", [b"secret"], access._replace(mode=0o644))


def test_a_mode_changed_by_the_operator_stays(site: Site) -> None:
    site.install(b"one", b"two")
    site.targets["a.conf"].chmod(0o600)
    assert site.store.disturbed() == frozenset()
    site.install(b"three", None)
    assert stat.S_IMODE(site.targets["a.conf"].stat().st_mode) == 0o600


def test_an_operators_link_is_followed(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "srv"
    elsewhere.mkdir()
    (elsewhere / "real.conf").write_bytes(b"old")
    (tmp_path / "hop").symlink_to("srv/real.conf")
    site.targets["a.conf"].symlink_to(tmp_path / "hop")
    site.install(b"new", b"new")
    assert os.readlink(site.targets["a.conf"]) == str(tmp_path / "hop")
    assert os.readlink(elsewhere / "real.conf") == str(site.root / "current" / "a.conf")
    assert site.read() == (b"new", b"new")
    assert site.store.disturbed() == frozenset()


def test_a_target_elsewhere_has_an_absolute_link(tmp_path: Path) -> None:
    for name in ("etc", "var", "real"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("real")
    store = GenerationStore(tmp_path / "link" / "store", {"a": tmp_path / "etc" / "a"})
    with store:
        store.commit(store.stage({"a": [b"x"]}, {}))
    expected = str(tmp_path / "real" / "store" / "current" / "a")
    assert os.readlink(tmp_path / "etc" / "a") == expected


def test_a_link_into_another_store_is_replaced(site: Site) -> None:
    site.install(b"one", b"two")
    site.store.close()
    with GenerationStore(site.path / "other", site.targets) as other:
        other.commit(other.stage({"a.conf": [b"three"], "b.conf": [b"four"]}, {}))
        assert site.read() == (b"three", b"four")
        assert other.last_good is not None
        other.restore(other.last_good)
    assert site.read() == (b"one", b"two")
    assert os.readlink(site.targets["a.conf"]) == "other/current/a.conf"
    assert not (site.root / "current" / "a.conf").is_symlink()


def test_what_is_no_target_any_more_stays_as_it_is(site: Site) -> None:
    site.install(b"one", b"two")
    site.store.close()
    fewer = GenerationStore(site.root, {"a.conf": site.targets["a.conf"]})
    with fewer:
        fewer.commit(fewer.stage({"a.conf": [b"three"]}, {}))
        fewer.commit(fewer.stage({"a.conf": [b"five"]}, {}))
        assert fewer.disturbed() == frozenset()
    assert site.read() == (b"five", b"two")


def test_a_directory_can_not_be_a_target(site: Site) -> None:
    site.store.close()
    site.targets["a.conf"].mkdir()
    with pytest.raises(ConfigError, match=r"a\.conf: what is there is a directory"):
        site.store.open()


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_something_else_can_not_be_a_target(site: Site, kind: str) -> None:
    site.store.close()
    if kind == "fifo":
        os.mkfifo(site.targets["a.conf"])
    else:
        site.targets["a.conf"].symlink_to("/dev/null")
    with pytest.raises(ConfigError, match="what is there is no file"):
        site.store.open()


def test_links_in_a_circle_can_not_be_a_target(site: Site) -> None:
    site.store.close()
    site.targets["a.conf"].symlink_to("other")
    (site.path / "other").symlink_to("a.conf")
    with pytest.raises(ConfigError, match="circle"):
        site.store.open()


def test_two_names_can_not_have_one_target(site: Site) -> None:
    site.store.close()
    site.targets["a.conf"].symlink_to("b.conf")
    with pytest.raises(ConfigError, match="can not both be"):
        site.store.open()


def test_the_directory_of_a_target_may_come_later(tmp_path: Path) -> None:
    store = GenerationStore(tmp_path / "store", {"a": tmp_path / "later" / "a"})
    with pytest.raises(InstallError, match="create the directory") as caught:
        store.open()
    assert caught.value.path == tmp_path / "later" / "a"
    (tmp_path / "later").mkdir()
    with store:
        store.commit(store.stage({"a": [b"x"]}, {}))


def test_the_directory_of_the_store_may_come_later(tmp_path: Path) -> None:
    store = GenerationStore(tmp_path / "later" / "store", {"a": tmp_path / "a"})
    with pytest.raises(InstallError, match="create the directory"):
        store.open()


def test_a_file_can_not_be_the_store(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises((ConfigError, InstallError), match="store"):
        GenerationStore(tmp_path / "store", {}).open()


def test_a_file_that_is_new_to_the_set_is_part_of_what_to_go_back_to(site: Site) -> None:
    site.store.close()
    paths = dict(site.targets)
    site.targets = {"a.conf": paths["a.conf"]}
    with site.another() as store:
        store.mark_good(store.commit(store.stage({"a.conf": [b"ours"]}, {})))
    paths["b.conf"].write_bytes(b"the operator's")
    site.targets = paths
    site.store = site.another()
    site.store.open()
    site.install(b"later", b"ours too")
    good = site.store.last_good
    assert good is not None
    site.store.restore(good)
    assert site.read() == (b"ours", b"the operator's")
