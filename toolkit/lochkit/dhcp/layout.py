"""Where in etcd the objects are that DHCP is about. Pure."""

from enum import Enum
from typing import Final

from ..etcd.prefix import KeyRange
from .model import Group

__all__ = ["Layout", "ObjectKind"]

_END: Final = b"/metadata"
_LENGTH: Final = len(_END)


class ObjectKind(Enum):
    """The kinds of objects, by the name of their folder."""

    HYPERVISORS = "hypervisors"
    GUESTS = "guests"
    SUBNETS = "subnets"


class Layout:
    """The keys of hypervisors, guests and subnets: ``<prefix>/guests/<id>/metadata`` and so on.

    Args:
        prefix: what stands before the folders. With a leading slash or without one, as it is in
            the keys; slashes at its end do not count. Bytes that are no UTF-8 as the surrogates
            that Python makes of them.
    """

    __slots__ = ("_folders", "_root")

    def __init__(self, prefix: str = "/lochness") -> None:
        stem = prefix.rstrip("/")
        root = (stem + "/" if stem or prefix else "").encode("utf-8", "surrogateescape")
        # Guests come first: they are the most.
        kinds = (ObjectKind.GUESTS, ObjectKind.HYPERVISORS, ObjectKind.SUBNETS)
        folders = [(root + kind.value.encode() + b"/", kind) for kind in kinds]
        self._folders = tuple((folder, len(folder), kind) for folder, kind in folders)
        self._root = _text(root)

    def ranges(self) -> tuple[KeyRange, ...]:
        """The three folders, in the order of their keys."""
        return tuple(KeyRange.prefix(folder) for folder, _, _ in self._folders)

    def folder(self, kind: ObjectKind) -> bytes:
        """Return what the keys of one kind of objects begin with."""
        return next(folder for folder, _, found in self._folders if found is kind)

    def wanted(self, key: bytes) -> bool:
        """Whether it is the key of such an object, not of something that belongs to one."""
        return self.split(key) is not None

    def split(self, key: bytes) -> tuple[ObjectKind, str] | None:
        """Return the kind and id of the object that has this key; None when it is of no object.

        The id is any text that has no slash, as `key` wants it.
        """
        if key[-_LENGTH:] == _END:
            for folder, length, kind in self._folders:
                if key[:length] == folder:
                    middle = key[length:-_LENGTH]
                    if middle and b"/" not in middle:
                        return kind, _text(middle)
        return None

    def key(self, kind: ObjectKind | Group, path_id: str) -> str:
        """Return the key of an object, as text."""
        return f"{self._root}{kind.value}/{path_id}/metadata"


def _text(data: bytes) -> str:
    """Return bytes as text that can be printed, different for different bytes."""
    if b"\\" in data:
        data = data.replace(b"\\", b"\\\\")
    return data.decode("utf-8", "backslashreplace")
