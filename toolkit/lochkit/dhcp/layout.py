"""Where in etcd the objects are that DHCP is about. Pure."""

import re
from enum import Enum
from typing import Final

from ..etcd.prefix import KeyRange
from .model import Group

__all__ = ["Layout", "ObjectKind"]


class ObjectKind(Enum):
    """The kinds of objects, by the name of their folder."""

    HYPERVISORS = "hypervisors"
    GUESTS = "guests"
    SUBNETS = "subnets"


_KINDS: Final = {kind.value.encode(): kind for kind in ObjectKind}


class Layout:
    """The keys of hypervisors, guests and subnets: ``<prefix>/guests/<id>/metadata`` and so on.

    Args:
        prefix: what stands before the folders. With a leading slash or without one, as it is in
            the keys; slashes at its end do not count. Bytes that are no UTF-8 as the surrogates
            that Python makes of them.
    """

    __slots__ = ("_folders", "_match", "_root")

    def __init__(self, prefix: str = "/lochness") -> None:
        stem = prefix.rstrip("/")
        root = (stem + "/" if stem or prefix else "").encode("utf-8", "surrogateescape")
        self._folders = {kind: root + name + b"/" for name, kind in _KINDS.items()}
        # A third of the time that it takes to look for one part after another.
        names = b"|".join(_KINDS)
        self._match = re.compile(re.escape(root) + b"(%b)/([^/]+)/metadata" % names).fullmatch
        self._root = _text(root)

    def ranges(self) -> tuple[KeyRange, ...]:
        """The three folders: subnets first, so that guests can be judged as they arrive."""
        order = (ObjectKind.SUBNETS, ObjectKind.HYPERVISORS, ObjectKind.GUESTS)
        return tuple(KeyRange.prefix(self._folders[kind]) for kind in order)

    def folder(self, kind: ObjectKind) -> bytes:
        """Return what the keys of one kind of objects begin with."""
        return self._folders[kind]

    def wanted(self, key: bytes) -> bool:
        """Whether it is the key of such an object, not of something that belongs to one."""
        return self._match(key) is not None

    def split(self, key: bytes) -> tuple[ObjectKind, str] | None:
        """Return the kind and id of the object that has this key; None when it is of no object.

        The id is any text that has no slash, as `key` wants it.
        """
        found = self._match(key)
        if found is None:
            return None
        name, path_id = found.groups()
        return _KINDS[name], _text(path_id)

    def key(self, kind: ObjectKind | Group, path_id: str) -> str:
        """Return the key of an object, as text."""
        return f"{self._root}{kind.value}/{path_id}/metadata"


def _text(data: bytes) -> str:
    """Return bytes as text that can be printed, different for different bytes."""
    if b"\\" in data:
        data = data.replace(b"\\", b"\\\\")
    return data.decode("utf-8", "backslashreplace")
