"""What the parts of an agent share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .agent_board import Board
from .agent_push import Pusher
from .host_types import ZfsHost
from .locks import Turns
from .model import Inventory

__all__ = ["Publishing", "Site", "Unpublished"]


class Publishing(Protocol):
    """Who tells others what this host has."""

    def changed(self) -> None:
        """Something on this host has changed; it is told soon."""
        ...

    async def publish(self) -> Inventory | None:
        """Tell now what there is, and return it; None: there is nobody to be told.

        Raises:
            TransientError: they can not be told, or what there is can not be read.
        """
        ...


class Unpublished:
    """Nobody is told."""

    def changed(self) -> None:
        """See `Publishing`."""

    async def publish(self) -> Inventory | None:
        """See `Publishing`."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """This host, and who works on it.

    Attributes:
        host: its ZFS.
        turns: who may work on which datasets now.
        board: how everything stands.
        pusher: sends.
        publishing: who is told of changes.
        clock: seconds since 1970.
    """

    host: ZfsHost
    turns: Turns
    board: Board
    pusher: Pusher
    publishing: Publishing
    clock: Callable[[], float] = time.time
