"""Which keys are watched, and which of them are shown. Pure."""

from dataclasses import dataclass

from ..etcd.prefix import KeyRange, path_ranges

__all__ = ["Selection", "normalised_path"]


def normalised_path(text: str) -> str:
    """Return ``text`` with one slash in front and none at the end.

    ``a``, ``/a`` and ``/a/`` are all ``/a``; the empty word and ``/`` are ``/``. Doubled slashes
    inside stay: to etcd ``/a//b`` is another key than ``/a/b``.
    """
    return "/" + text.strip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the operator asked to see.

    Attributes:
        paths: each a key and everything below it, as in a file system; in any spelling that
            :func:`normalised_path` accepts.
        prefixes: each all keys that begin with these bytes, whatever they mean.
        recursive: False shows only the key of a path itself and the keys directly below it; of a
            prefix only the keys without another slash.
    """

    paths: tuple[str, ...] = ()
    prefixes: tuple[bytes, ...] = ()
    recursive: bool = True

    def ranges(self) -> tuple[KeyRange, ...]:
        """Return the ranges of etcd's keys that hold everything selected; they may overlap."""
        found = [kr for path in self.paths for kr in path_ranges(normalised_path(path))]
        found += [KeyRange.prefix(prefix) for prefix in self.prefixes]
        return tuple(found)

    def stems(self) -> tuple[bytes, ...]:
        """Return what the keys shown begin with, without what names the key itself."""
        below = (normalised_path(path).rstrip("/") + "/" for path in self.paths)
        return (*(text.encode("utf-8", "surrogateescape") for text in below), *self.prefixes)

    def shows(self, key: bytes) -> bool:
        """Return whether a key out of :meth:`ranges` is shown: all are, if ``recursive``."""
        if self.recursive:
            return True
        return any(
            (key.startswith(stem) and b"/" not in key[len(stem) :]) or key + b"/" == stem
            for stem in self.stems()
        )
