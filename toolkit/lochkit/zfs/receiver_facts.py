"""What a receiver knows of its datasets, because it has just looked.

A command for each look costs more than a small stream. So what an inventory told a moment ago is
good enough to accept what can destroy nothing; a refusal, and whatever may destroy something, wants
a look of its own. And looks that are wanted while another is under way are made together.
"""

from collections.abc import Callable, Sequence
from typing import Final

import trio

from .errors import ZfsError
from .host_types import ZfsHost
from .model import Dataset, Inventory
from .names import is_within

__all__ = ["Facts"]

_FRESH_SECONDS: Final = 30.0
_INVENTORIES: Final = 2  # that are remembered at once
_SNAPSHOTS: Final = 50_000  # of an inventory that is remembered
_CHANGES: Final = 10_000  # that are remembered before the old ones are forgotten
_TOGETHER: Final = 50  # datasets in one look


class _Want:
    """A look that somebody waits for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done = False
        self.found: Dataset | None = None
        self.error: ZfsError | None = None


class Facts:
    """What is known, and how to know more.

    Args:
        host: whose datasets.
        clock: seconds, by any clock.
    """

    def __init__(self, host: ZfsHost, clock: Callable[[], float] = trio.current_time) -> None:
        self._host, self._clock = host, clock
        self._inventories: list[tuple[float, tuple[str, ...], Inventory]] = []
        self._changed: dict[str, float] = {}
        self._queue: list[_Want] = []
        self._looking = trio.Lock()

    async def inventory(self, roots: Sequence[str], properties: Sequence[str]) -> Inventory:
        """Look at datasets and all below them, and remember it for a moment.

        Raises:
            ZfsError: they could not be looked at.
        """
        began = self._clock()
        found = await self._host.inventory(roots, properties=properties)
        if sum(len(one.snapshots) for one in found.datasets.values()) <= _SNAPSHOTS:
            self._inventories.append((began, tuple(roots), found))
            del self._inventories[:-_INVENTORIES]
        return found

    def changed(self, name: str) -> None:
        """What is known of a dataset is not true any more."""
        now = self._clock()
        if len(self._changed) >= _CHANGES:  # clients name what they like, in sessions of days
            fresh = now - _FRESH_SECONDS
            self._changed = {one: at for one, at in self._changed.items() if at >= fresh}
        self._changed[name] = now

    @property
    def remembered(self) -> int:
        """Of how many datasets it is known that they have changed."""
        return len(self._changed)

    def forget(self) -> None:
        """Nobody is interested any more."""
        self._inventories.clear()
        self._changed.clear()

    def known(self, name: str) -> tuple[Dataset | None] | None:
        """What was seen of a dataset a moment ago: the dataset, or within the tuple None if it was
        not there; None: nothing is known."""
        newest = self._clock() - _FRESH_SECONDS
        for began, roots, inventory in reversed(self._inventories):
            true = began > self._changed.get(name, newest) and began >= newest
            if true and any(is_within(name, root) for root in roots):
                return (inventory.get(name),)
        return None

    async def look(self, name: str) -> Dataset | None:
        """Look at a dataset, together with those that others want to look at.

        Raises:
            ZfsError: it could not be looked at.
        """
        want = _Want(name)
        self._queue.append(want)
        try:
            while not want.done:
                # Whoever comes first looks for all who have come by then.
                async with self._looking:
                    if not want.done:
                        await self._look_for(self._next())
        finally:
            if want in self._queue:
                self._queue.remove(want)
        if want.error is not None:
            raise want.error
        return want.found

    def _next(self) -> list[_Want]:
        """Those that are looked at together: none is below another, as the command shows both."""
        found: list[_Want] = []
        for want in self._queue:
            names = {one.name for one in found} - {want.name}
            related = any(is_within(want.name, one) or is_within(one, want.name) for one in names)
            if not related and len(found) < _TOGETHER:
                found.append(want)
        return found

    async def _look_for(self, wants: list[_Want]) -> None:
        names = tuple(dict.fromkeys(want.name for want in wants))
        error: ZfsError | None = None
        found = Inventory(datasets={})
        try:
            found = await self._host.dataset(*names)
        except ZfsError as exc:
            error = exc
        for want in wants:  # not if cancelled: then another looks for them
            want.done, want.error, want.found = True, error, found.get(want.name)
            if want in self._queue:
                self._queue.remove(want)
