"""Carries out at the source what is due when the target has confirmed a snapshot.

Cursors are moved for each dataset as it is done. Holds are released for many at once: a command for
each would cost more than a small stream. What is not done, because this ends before, is seen by the
next run, and done then. Nothing here makes a replication fail: it has gone well by then.
"""

from typing import Final

from .errors import ZfsError
from .host_types import ZfsHost
from .replication_holds import Settlement

__all__ = ["Tidy"]

_AT_ONCE: Final = 200  # names in one command
_SOON: Final = 400  # owed releases after which they are not left to the end


class Tidy:
    """Does what is due.

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
        self.warnings: list[str] = []

    async def settle(self, settlement: Settlement) -> None:
        """Move the cursor of a dataset; its holds follow, sooner or later."""
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
            await self.flush()

    async def flush(self) -> None:
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
