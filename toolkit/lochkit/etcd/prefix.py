"""Ranges of keys, as etcd understands them.

etcd's keys are bytes in one flat, sorted space. A request names one key (empty ``range_end``), the
half-open range ``[key, range_end)``, or everything from ``key`` on (``range_end`` a single zero
byte).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["KeyRange", "covers", "envelope", "path_ranges"]

_NO_END: Final = b"\0"
"""The ``range_end`` that means: to the end of the keyspace."""


@dataclass(frozen=True, slots=True, order=True)
class KeyRange:
    """Some part of the keyspace.

    Attributes:
        key: the first key. etcd refuses an empty one; the whole keyspace begins at a zero byte.
        range_end: empty for `key` alone, a zero byte for no end, else the first key after the
            range.
    """

    key: bytes
    range_end: bytes = b""

    @classmethod
    def exact(cls, key: bytes) -> Self:
        """One key."""
        return cls(key)

    @classmethod
    def prefix(cls, prefix: bytes) -> Self:
        """All keys that begin with `prefix`; with an empty one, all keys."""
        if not prefix:
            return cls(b"\0", _NO_END)
        # The end is the prefix with its last byte one higher; a byte of 0xff has no higher one and
        # is dropped, and a prefix of nothing but those has no end.
        stem = prefix.rstrip(b"\xff")
        if not stem:
            return cls(prefix, _NO_END)
        return cls(prefix, stem[:-1] + bytes((stem[-1] + 1,)))

    @classmethod
    def from_key(cls, key: bytes) -> Self:
        """`key` and everything after it."""
        return cls(key or b"\0", _NO_END)

    @property
    def is_single(self) -> bool:
        """Whether it is one key."""
        return not self.range_end

    @property
    def unbounded(self) -> bool:
        """Whether it goes to the end of the keyspace."""
        return self.range_end == _NO_END

    def contains(self, key: bytes) -> bool:
        """Whether `key` lies in the range."""
        if not self.range_end:
            return key == self.key
        return key >= self.key and (self.range_end == _NO_END or key < self.range_end)

    def __str__(self) -> str:
        first = self.key.decode("utf-8", "backslashreplace")
        if self.is_single:
            return f"key {first!r}"
        if self == KeyRange.prefix(b""):
            return "all keys"
        if self == KeyRange.prefix(self.key):
            return f"keys that begin with {first!r}"
        if self.unbounded:
            return f"keys from {first!r} on"
        return f"keys from {first!r} to {self.range_end.decode('utf-8', 'backslashreplace')!r}"


def path_ranges(path: str) -> tuple[KeyRange, ...]:
    """The ranges of a path in a tree: the key itself, and all keys below it.

    ``/p``, ``/p/`` and ``p`` are the same path; ``/pq`` is not below it. ``/`` is every key that
    begins with a slash. A path from the command line may hold bytes that are not UTF-8, as the
    surrogates that Python makes of them; the keys have the bytes.
    """
    clean = "/" + path.strip("/")
    if clean == "/":
        return (KeyRange.prefix(b"/"),)
    key = clean.encode("utf-8", "surrogateescape")
    return (KeyRange.exact(key), KeyRange.prefix(key + b"/"))


def envelope(ranges: Sequence[KeyRange]) -> KeyRange:
    """The smallest single range that covers all of `ranges`.

    Raises:
        ValueError: there are none.
    """
    if not ranges:
        raise ValueError("there is nothing to cover")
    if len(set(ranges)) == 1:
        return ranges[0]
    first = min(wanted.key for wanted in ranges)
    if any(wanted.unbounded for wanted in ranges):
        return KeyRange.from_key(first)
    return KeyRange(first, max(_end(wanted) for wanted in ranges))


def _end(wanted: KeyRange) -> bytes:
    """The first key after a bounded range."""
    return wanted.range_end or wanted.key + b"\0"


def covers(ranges: Iterable[KeyRange], key: bytes) -> bool:
    """Whether one of `ranges` contains `key`."""
    return any(wanted.contains(key) for wanted in ranges)
