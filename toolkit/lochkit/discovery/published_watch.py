"""Noticing that somebody has deleted what an instance publishes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from math import inf

import trio

from .calls import Etcd
from .key_watch import KeyWatch
from .writing import Losses, Sighting

__all__ = ["PublishedWatch"]


@dataclass(slots=True)
class PublishedWatch:
    """Watches the keys that one instance publishes, for as long as it does.

    Args:
        etcd: where; borrowed.
        losses: told of each sighting; shared with the owner.
        poke: called when a key is gone; must neither block nor raise.
    """

    etcd: Etcd
    losses: Losses
    poke: Callable[[], None]
    _scopes: dict[bytes, trio.CancelScope] = field(default_factory=dict)

    def follow(self, nursery: trio.Nursery, keys: Collection[bytes], since: int) -> None:
        """Watch these keys, which were written at revision `since`, and no others."""
        if self._scopes.keys() == keys:
            return
        for key in self._scopes.keys() - keys:
            self._scopes.pop(key).cancel()
        for key in keys - self._scopes.keys():
            self._scopes[key] = scope = trio.CancelScope()
            nursery.start_soon(self._watch, key, scope, since)

    async def _watch(self, key: bytes, scope: trio.CancelScope, since: int) -> None:
        with scope:
            await KeyWatch(self.etcd, key, partial(self._saw, key), since=since).run()

    def _saw(self, key: bytes, seen: Sighting) -> None:
        self.losses.saw(key, seen.kv, seen.revision, was_read=seen.asked > -inf)
        if self.losses.keys:
            self.poke()
