"""Carries out at the source what is due when the target has confirmed a snapshot.

Cursors are moved for each dataset as it is done. Holds are released for many at once: a command for
each would cost more than a small stream. What is not done, because this ends before, is seen by the
next run, and done then. Nothing here makes a replication fail: it has gone well by then.
"""

import math
from typing import Final

import trio

from .errors import ZfsError
from .host_types import ZfsHost
from .replication_holds import Settlement

__all__ = ["Tidy"]

_AT_ONCE: Final = 200  # names in one command
_SOON: Final = 400  # owed releases after which they are not left to the end
_WORKERS: Final = 4


class Tidy:
    """Does what is due, while others go on.

    Args:
        host: of the source.
        tag: of our holds.

    Attributes:
        warnings: what went wrong, for people.
    """

    def __init__(self, host: ZfsHost, tag: str) -> None:
        self._host, self._tag = host, tag
        self._holds: list[str] = []
        self._releases: list[str] = []
        self._give, self._take = trio.open_memory_channel[Settlement](math.inf)
        self.warnings: list[str] = []

    def settle(self, settlement: Settlement) -> None:
        """Have the cursor of a dataset moved, and its holds seen to, sooner or later."""
        self._give.send_nowait(settlement)

    async def run(self) -> None:
        """Do it, until all that was asked for before `close` is done."""
        async with trio.open_nursery() as nursery:
            # Each waits for the pool to write something: they may as well wait together.
            for _ in range(_WORKERS):
                nursery.start_soon(self._work)
        await self._flush()

    def close(self) -> None:
        """Nothing more will be asked for."""
        self._give.close()

    async def _work(self) -> None:
        async for settlement in self._take:
            await self._settle(settlement)

    async def _settle(self, settlement: Settlement) -> None:
        self._holds += settlement.hold
        try:
            if settlement.bookmark is not None:
                await self._host.bookmark(*settlement.bookmark)
            for bookmark in settlement.forget:
                await self._host.destroy_bookmark(bookmark)
        except ZfsError as exc:
            # Its place is kept by the hold, which therefore stays.
            self.warnings.append(str(exc))
            return
        self._releases += settlement.release
        if len(self._releases) >= _SOON:
            await self._flush()

    async def _flush(self) -> None:
        """Put and release all that is owed."""
        holds, self._holds = self._holds, []
        releases, self._releases = self._releases, []
        try:
            for names in _portions(holds):
                await self._host.hold(self._tag, names)
            for names in _portions(releases):
                await self._host.release(self._tag, names)
        except ZfsError as exc:
            self.warnings.append(str(exc))


def _portions(names: list[str]) -> list[list[str]]:
    return [names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE)]
