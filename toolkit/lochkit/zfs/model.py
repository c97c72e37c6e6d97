"""What there is on a host: datasets, their snapshots and their bookmarks.

A snapshot is known by its guid, which it keeps when it is renamed and when it is replicated; within
one dataset, snapshots and bookmarks are ordered by createtxg, which every pool counts for itself
(zfsprops(7)). Names say where something is now, and nothing more.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Bookmark", "Dataset", "Inventory", "Kind", "Snapshot"]


class Kind(enum.Enum):
    """What a dataset is."""

    FILESYSTEM = "filesystem"
    VOLUME = "volume"


class Snapshot(NamedTuple):
    """A snapshot, as one host sees it.

    A NamedTuple, since hosts have hundreds of thousands of them.

    Attributes:
        name: what follows the ``@``.
        guid: the same on every host that has it.
        createtxg: its place in the order of its own pool.
        creation: seconds since 1970; the same on every host that has it.
        holds: how many holds keep it from being destroyed (``userrefs``).
        clones: datasets made from it; where ZFS can not tell (zfs-fuse), those whose origin it is.
        written: bytes written between the snapshot before it and this one; None: not known.
        deferred: it is marked to vanish with its last hold or clone.
    """

    name: str
    guid: int
    createtxg: int
    creation: int
    holds: int = 0
    clones: tuple[str, ...] = ()
    written: int | None = None
    deferred: bool = False


class Bookmark(NamedTuple):
    """A bookmark: the memory of a snapshot, good as the source of an incremental stream.

    Attributes:
        name: what follows the ``#``.
        guid: of the snapshot it remembers.
        createtxg: of the snapshot it remembers.
        creation: of the snapshot it remembers, seconds since 1970.
    """

    name: str
    guid: int
    createtxg: int
    creation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A filesystem or a volume, as one host sees it.

    Attributes:
        name: ``pool/path``.
        guid: of the dataset itself, which is new when it is made anew, or received; 0: not known.
        kind: filesystem or volume.
        snapshots: oldest first.
        bookmarks: oldest first.
        origin: ``dataset@snapshot`` it is a clone of.
        written: bytes written since its newest snapshot; None: not known.
        used: bytes it takes, with what is below it; None: not known.
        resume_token: of a receive that was interrupted (``receive_resume_token``).
        encryption_root: of an encrypted dataset, the dataset whose key it uses.
        key_loaded: whether the key of an encrypted dataset is there; True if not encrypted.
        placeholder: made by lochkit to be the parent of others, and never received into.
        properties: what else was asked for, by name.
    """

    name: str
    guid: int = 0
    kind: Kind = Kind.FILESYSTEM
    snapshots: tuple[Snapshot, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()
    origin: str | None = None
    written: int | None = None
    used: int | None = None
    resume_token: str | None = None
    encryption_root: str | None = None
    key_loaded: bool = True
    placeholder: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot."""
        return self.snapshots[-1] if self.snapshots else None

    @property
    def encrypted(self) -> bool:
        """Whether it is encrypted."""
        return self.encryption_root is not None

    def snapshot(self, guid: int) -> Snapshot | None:
        """The snapshot with that guid."""
        return next((one for one in self.snapshots if one.guid == guid), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The datasets of a host, or of a part of it, by name and parents first.

    Attributes:
        datasets: by name.
        at: seconds since 1970 when it was asked for.
    """

    datasets: Mapping[str, Dataset]
    at: float = 0.0

    def get(self, name: str) -> Dataset | None:
        """The dataset of that name."""
        return self.datasets.get(name)

    def below(self, root: str) -> Iterator[Dataset]:
        """The dataset ``root`` and all below it, parents first."""
        within = root + "/"
        for name, dataset in self.datasets.items():
            if name == root or name.startswith(within):
                yield dataset
