"""The names under which a server finds its files, as links into a store of generations.

A name that the operator has made a link is followed: the file at its end becomes ours, and the
operator's link stays as it is. A link into another such store is not followed, but replaced.
"""

import os
import stat
from collections.abc import Mapping
from enum import Enum
from glob import escape
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import ConfigError
from .durable import replace_link
from .faults import telling
from .generation import FileState, number_in

__all__ = ["CURRENT", "LOCK", "Found", "Place", "places_of"]

CURRENT: Final = "current"
"""Name of the link to the generation that is in force, in the store."""

LOCK: Final = "lock"
"""Name of the store's lock."""

_MOST_LINKS: Final = 40


class Found(Enum):
    """What is under a name."""

    OURS = "ours"
    """Our link."""
    FILE = "file"
    """Something else that can be read as a file."""
    NOTHING = "nothing"


class Place(NamedTuple):
    """One name, looked at.

    Attributes:
        name: of the file in the set.
        path: where our link is, or belongs: the target's own path, or that of the file that the
            operator's links lead to.
        found: what is there.
        link: what our link says.
    """

    name: str
    path: Path
    found: Found
    link: str

    def put(self) -> None:
        """Make it our link. Its directory is not synced.

        Raises:
            InstallError: it could not be done.
            ConfigError: it can never be.
        """
        replace_link(self.path, self.link)

    def look(self) -> FileState:
        """What tells that the file there is still the same.

        Raises:
            InstallError: it is not there, or can not be looked at.
        """
        with telling("can not look at", self.path):
            return FileState.of(self.path.stat())

    def clear_up(self) -> None:
        """Remove links that a killed process has left beside it.

        Raises:
            InstallError: its directory can not be read.
        """
        with telling("can not clear up", self.path.parent):
            for path in self.path.parent.glob(f".{escape(self.path.name)}.lochkit-*"):
                if path.is_symlink():
                    path.unlink()


def places_of(targets: Mapping[str, Path], store: Path) -> list[Place]:
    """Look at what is under the paths of all targets.

    Args:
        targets: path by name in the set.
        store: of the generations; its real path.

    Raises:
        InstallError: one can not be looked at now; its directory may be mounted later.
        ConfigError: one can never be one of our files, or two are the same.
    """
    places: dict[Path, Place] = {}
    for name, target in targets.items():
        place = _place_of(name, target, store)
        other = places.setdefault(place.path, place)
        if other is not place:
            raise ConfigError(f"{other.name} and {name} can not both be {place.path}")
    return list(places.values())


def _place_of(name: str, target: Path, store: Path) -> Place:
    with telling("can not look at", target):
        path = _located(target)
        for _ in range(_MOST_LINKS):
            to = _link_at(path)
            if to is None or _in_a_store(to):
                return Place(name, path, _found(path, to, name, store), _link(path, name, store))
            path = _located(to)
    raise ConfigError(f"can not install {target}: symbolic links lead in a circle")


def _located(path: Path) -> Path:
    """The same name in the same directory, without links in the directory's path."""
    return Path(os.path.realpath(path.parent, strict=True), path.name)


def _link_at(path: Path) -> Path | None:
    """Where a link leads to, as it says it; None when there is no link."""
    return path.parent / os.readlink(path) if path.is_symlink() else None


def _in_a_store(path: Path) -> bool:
    """Whether this path, not looked at through links, is one in the current set of any store."""
    holder = path.parent
    if holder.name != CURRENT:
        return False
    try:
        return number_in(os.readlink(holder)) is not None
    except FileNotFoundError:
        return (holder.parent / LOCK).exists()  # nothing was ever installed there
    except OSError:
        return False


def _found(path: Path, to: Path | None, name: str, store: Path) -> Found:
    if to is not None and to.name == name and Path(os.path.realpath(to.parent.parent)) == store:
        return Found.OURS
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Found.NOTHING
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "no file"
        raise ConfigError(f"can not install {path}: what is there is {kind}")
    return Found.FILE


def _link(path: Path, name: str, store: Path) -> str:
    """What our link says: relative to a directory that holds the store, so that both can move."""
    into = Path(CURRENT, name)
    if store.is_relative_to(path.parent):
        return str(store.relative_to(path.parent) / into)
    return str(store / into)
