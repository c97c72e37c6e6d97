"""Flat keys as a nested tree from etcd's root, kept up to date change by change. Pure.

etcd v3 has no directories: ``/a`` and ``/a/b`` are unrelated keys and may both exist. The tree is a
function of the keys alone, never of the order in which they came:

* A key is split at its slashes and the empty part before a leading slash is dropped.
* A key that is also a directory is shown in that directory under the empty name:
  ``/a=1 /a/b=2`` is ``{"a": {"": "1", "b": "2"}}``.
* The key ``/a/`` has that place too. If both are there, the shorter one is shown.
* ``a`` has the place of ``/a``. If both are there, the one with the slash is shown.
* A directory exists as long as a key is below it.

What a key in a place loses to is reported by :meth:`Tree.document`; the format ``flat`` loses
nothing.
"""

from typing import Any, Final, Generic, TypeAlias, TypeVar

__all__ = ["MAX_DEPTH", "Directory", "Tree", "depth"]

MAX_DEPTH: Final = 128
"""Segments in a key. Deeper trees meet the recursion limits of parsers, ours and the command's."""

L = TypeVar("L")
Directory: TypeAlias = dict[str, Any]
"""Names to leaves (anything but a dict) or to other directories."""


def depth(key: str) -> int:
    """Return the number of segments in ``key``."""
    return key.removeprefix("/").count("/") + 1


class Tree(Generic[L]):
    """The tree of some keys, each with a leaf: anything that is not a dict.

    Inside, a *name* is a key without its leading slash, and a *place* is the name of a directory
    with a trailing slash: ``""`` is the root, ``"a/"`` is ``/a``, ``"/"`` is a directory without a
    name.
    """

    def __init__(self) -> None:
        self._root: Directory = {}
        self._places: dict[str, Directory] = {"": self._root}
        self._own: dict[str, L] = {}  # by place: leaves of keys that are directories as well
        self._bare: dict[str, L] = {}  # by name: leaves of keys without a leading slash
        self._shadowed: set[str] = set()  # those of them whose namesake with a slash is there

    def put(self, key: str, leaf: L) -> None:
        """Set the leaf of ``key``, new or not."""
        if key.startswith("/"):
            name = key[1:]
            if name in self._bare:
                self._shadowed.add(name)
        else:
            name = key
            if name not in self._bare and self._holds(name):
                self._shadowed.add(name)
            self._bare[name] = leaf
            if name in self._shadowed:
                return
        self._place(name, leaf)

    def remove(self, key: str) -> None:
        """Remove ``key``, which must be there, and the directories it leaves empty."""
        name = key.removeprefix("/")
        if key.startswith("/"):
            if name in self._bare:
                self._shadowed.discard(name)
                self._place(name, self._bare[name])
                return
        else:
            del self._bare[name]
            if name in self._shadowed:
                self._shadowed.discard(name)
                return
        self._take(name)

    def document(self) -> tuple[Directory, tuple[str, ...]]:
        """Return the tree as it is to be shown, and the keys left out of it, sorted.

        The tree is this object's own: it must not be changed, and is valid until the next change.
        """
        if not self._own:
            return self._root, tuple(sorted(self._shadowed))
        overlay = Overlay(self._root)
        # The longest first, so that a shorter key, which is laid over it later, wins.
        for place in sorted(self._own, key=lambda place: (-len(place), place)):
            overlay.lay(place, self._own[place])
        return overlay.root, tuple(sorted(self._shadowed | overlay.lost))

    def _holds(self, name: str) -> bool:
        """Return whether there is a leaf for ``name``."""
        if name + "/" in self._places:
            return name + "/" in self._own
        place, last = _split(name)
        return last in self._places.get(place, ())

    def _place(self, name: str, leaf: L) -> None:
        place, last = _split(name)
        directory = self._places.get(place)
        if directory is None:
            directory = self._make(place)
        if type(directory.get(last)) is dict:
            self._own[name + "/"] = leaf
        else:
            directory[last] = leaf

    def _make(self, place: str) -> Directory:
        """Make the directory ``place`` and those above it; leaves in the way become their own."""
        missing = []
        while place not in self._places:
            missing.append(place)
            place = _split(place[:-1])[0]
        directory = self._places[place]
        for place in reversed(missing):
            last = _split(place[:-1])[1]
            if last in directory:
                self._own[place] = directory[last]
            self._places[place] = directory[last] = {}
            directory = self._places[place]
        return directory

    def _take(self, name: str) -> None:
        if name + "/" in self._places:
            del self._own[name + "/"]
            return
        place, last = _split(name)
        directory = self._places[place]
        del directory[last]
        while place and not directory:
            del self._places[place]
            above, last = _split(place[:-1])
            directory = self._places[above]
            if place in self._own:
                directory[last] = self._own.pop(place)
            else:
                del directory[last]
            place = above


class Overlay:
    """A copy of a tree's directories where it differs from the tree; elsewhere the same ones."""

    def __init__(self, root: Directory) -> None:
        self.root = dict(root)
        self.lost: set[str] = set()
        self._copies: dict[str, Directory] = {"": self.root}
        self._laid: dict[
            str, str
        ] = {}  # by place: the key laid there, if it is not the place itself

    def lay(self, place: str, leaf: object) -> None:
        """Show ``leaf`` in the directory ``place`` under the empty name, as deep as that is one."""
        key = "/" + place[:-1]
        directory = self._copy(place)
        while type(directory.get("")) is dict:
            place += "/"
            directory = self._copy(place)
        if "" in directory:
            self.lost.add(self._laid.get(place, "/" + place))
        directory[""] = leaf
        self._laid[place] = key

    def _copy(self, place: str) -> Directory:
        missing = []
        while place not in self._copies:
            missing.append(place)
            place = _split(place[:-1])[0]
        directory = self._copies[place]
        for place in reversed(missing):
            last = _split(place[:-1])[1]
            self._copies[place] = directory[last] = copied = dict(directory[last])
            directory = copied
        return directory


def _split(name: str) -> tuple[str, str]:
    """Return the place that holds ``name``, and the last segment."""
    at = name.rfind("/") + 1
    return name[:at], name[at:]
