"""Throw-away pools on files, the same on zfs-fuse and on OpenZFS.

source, target = pools.create(), pools.create()
data = source.create("data")
source.write(data, noise(2))
zfs("snapshot", f"{data}@one")
assert source.contents(f"{data}@one") == {"file": digest(noise(2))}
"""

import hashlib
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .zfs_commands import ZfsFailed, patiently, zfs, zpool
from .zfs_fuse import POOL_PREFIX

__all__ = ["Pool", "Pools", "bookmarks", "digest", "guids", "noise", "properties"]

POOL_MB = 256
MB = 1 << 20


def noise(megabytes: float, seed: int = 0) -> bytes:
    """Return bytes that do not compress, the same at every call with the same seed."""
    return random.Random(seed).randbytes(int(megabytes * MB))


def digest(data: bytes) -> str:
    """Return what `Pool.contents` says of a file with these bytes."""
    return hashlib.sha256(data).hexdigest()


def guids(dataset: str) -> dict[str, int]:
    """Return the guids of a dataset's own snapshots by their short names, oldest first."""
    return _guids(dataset, "@")


def bookmarks(dataset: str) -> dict[str, int]:
    """Return the guids of a dataset's bookmarks by their short names (OpenZFS only)."""
    return _guids(dataset, "#")


def _guids(dataset: str, mark: str) -> dict[str, int]:
    # zfs-fuse knows neither `get -t` nor `list -p`; OpenZFS lists bookmarks only when asked.
    kind = ["-t", "bookmark"] if mark == "#" else []
    words = ["get", "-rHp", "-d", "1", *kind, "-o", "name,property,value", "guid,createtxg"]
    found: dict[str, dict[str, int]] = {}
    for line in zfs(*words, dataset).splitlines():
        name, key, value = line.split("\t")
        if name.startswith(dataset + mark):
            found.setdefault(name.removeprefix(dataset + mark), {})[key] = int(value)
    by_age = sorted(found.items(), key=lambda item: item[1]["createtxg"])
    return {name: values["guid"] for name, values in by_age}


def properties(dataset: str, *names: str) -> dict[str, str]:
    """Return the values of a dataset's or snapshot's properties; "-" for none."""
    lines = zfs("get", "-Hp", "-o", "property,value", ",".join(names), dataset).splitlines()
    return dict(line.split("\t") for line in lines)


class Pool:
    """One pool on a file of its own; made by `Pools.create`.

    Attributes:
        name: the pool's name, and that of its topmost dataset, which is not mounted.
        directory: holds its file, and the datasets' mount points.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self._mounted: dict[str, Path] = {}

    def create(self, name: str, *words: str) -> str:
        """Make a dataset, with its parents; return its full name.

        Args:
            name: its name below the pool.
            words: more for ``zfs create``, such as ``-o`` and a property.
        """
        dataset = f"{self.name}/{name}"
        zfs("create", "-p", *words, dataset)
        return dataset

    def write(self, dataset: str, data: bytes, name: str = "file") -> None:
        """Write a file into a dataset of this pool, which is mounted for it and stays so."""
        (self._mount(dataset) / name).write_bytes(data)

    def delete(self, dataset: str, name: str = "file") -> None:
        """Delete a file from a dataset of this pool."""
        (self._mount(dataset) / name).unlink()

    def snapshot(self, dataset: str, name: str, data: bytes | None = None) -> int:
        """Take a snapshot and return its guid; with data, write a file of the same name before."""
        if data is not None:
            self.write(dataset, data, name)
        zfs("snapshot", f"{dataset}@{name}")
        return int(properties(f"{dataset}@{name}", "guid")["guid"])

    def contents(self, snapshot: str) -> dict[str, str]:
        """Return the SHA-256 of every file of a snapshot of this pool, by path within it.

        It looks at a clone, so that the dataset is neither mounted nor touched.
        """
        with self._clone(snapshot) as place:
            paths = sorted(path for path in place.rglob("*") if path.is_file())
            return {str(path.relative_to(place)): digest(path.read_bytes()) for path in paths}

    @contextmanager
    def _clone(self, snapshot: str) -> Iterator[Path]:
        name = f"look-{secrets.token_hex(4)}"
        place = self.directory / name
        clone = f"{self.name}/{name}"
        zfs("clone", "-o", f"mountpoint={place}", "-o", "readonly=on", snapshot, clone)
        try:
            yield place
        finally:
            patiently("zfs", "destroy", clone)

    def _mount(self, dataset: str) -> Path:
        place = self._mounted.get(dataset)
        if place is None or not place.is_mount():
            place = self.directory / dataset
            zfs("set", f"mountpoint={place}", dataset)
            if not place.is_mount():  # a dataset that had been unmounted by hand
                zfs("mount", dataset)
            self._mounted[dataset] = place
        return place


class Pools:
    """Makes pools, and destroys all of them in the end.

    Args:
        directory: for their files, on a file system with room; the caller removes it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: list[Pool] = []

    def create(self, *, size_mb: int = POOL_MB) -> Pool:
        """Make a pool with a name that no other has, which no reboot finds again.

        Args:
            size_mb: of its file, at least 64; it takes only the room that is written to.
        """
        pool = Pool(f"{POOL_PREFIX}{secrets.token_hex(4)}", self._directory)
        image = self._directory / f"{pool.name}.img"
        with image.open("xb") as file:
            file.truncate(size_mb * MB)
        options = ["-o", "cachefile=none", "-O", "atime=off", "-m", "none"]
        self._made.append(pool)
        zpool("create", *options, pool.name, str(image))
        return pool

    def destroy(self, pool: Pool) -> None:
        """Destroy a pool and its file.

        Raises:
            ZfsFailed: a process still has a file of it open, or a command on it is running.
        """
        # The test may have exported or destroyed it.
        if pool.name in zpool("list", "-H", "-o", "name").split():
            # Never by force: with a file open in it, that wedges zfs-fuse for good.
            patiently("zpool", "destroy", pool.name)
        (self._directory / f"{pool.name}.img").unlink(missing_ok=True)
        self._made.remove(pool)

    def destroy_all(self) -> None:
        """Destroy all pools that are left.

        Raises:
            ExceptionGroup: some would not go; the others are gone all the same.
        """
        failures: list[Exception] = []
        for pool in list(self._made):
            try:
                self.destroy(pool)
            except ZfsFailed as failure:
                failures.append(failure)
        if failures:
            raise ExceptionGroup("pools are left behind", failures)
