"""Which keys of etcd must be written so that they say what a host has. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .inventory_json import dataset_pages, encode_page
from .layout import Layout
from .model import Inventory

__all__ = ["Changes", "batches", "changes", "digest", "keys_of"]

MOST_KEYS: Final = 100
"""In one transaction; etcd's own limit is 128 unless it was told otherwise."""
MOST_BYTES: Final = 1_000_000
"""In one transaction; etcd's own limit is 1.5 MiB unless it was told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be done.

    Attributes:
        put: keys with their values.
        delete: keys.
    """

    put: Mapping[bytes, bytes]
    delete: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.delete)


def keys_of(inventory: Inventory, layout: Layout, host: str) -> dict[bytes, bytes]:
    """All keys that say what there is, with their values. What changes all the time is not said."""
    return {
        layout.inventory(host, dataset.name, number): encode_page(page)
        for dataset in inventory.datasets.values()
        for number, page in enumerate(dataset_pages(dataset, volatile=False))
    }


def digest(value: bytes) -> bytes:
    """What is remembered of a value: a host may have a hundred megabytes of them."""
    return hashlib.blake2b(value, digest_size=16).digest()


def changes(there: Mapping[bytes, bytes], wanted: Mapping[bytes, bytes]) -> Changes:
    """What makes the keys that are there those that are wanted.

    Args:
        there: the digests of values by key.
        wanted: values by key.
    """
    return Changes(
        put={key: value for key, value in wanted.items() if there.get(key) != digest(value)},
        delete=tuple(key for key in there if key not in wanted),
    )


def batches(
    found: Changes, *, most_keys: int = MOST_KEYS, most_bytes: int = MOST_BYTES
) -> Iterator[Changes]:
    """The same in parts, each of which fits a transaction."""
    put: dict[bytes, bytes] = {}
    size = 0
    for key, value in found.put.items():
        length = len(key) + len(value)
        if put and (len(put) >= most_keys or size + length > most_bytes):
            yield Changes(put=put)
            put, size = {}, 0
        put[key] = value
        size += length
    if put:
        yield Changes(put=put)
    yield from (Changes(put={}, delete=part) for part in _parts(found.delete, most_keys))


def _parts(keys: Iterable[bytes], most: int) -> Iterator[tuple[bytes, ...]]:
    rest = tuple(keys)
    for start in range(0, len(rest), most):
        yield rest[start : start + most]
