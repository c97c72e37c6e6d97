"""What an agent is doing, as its parts tell it, and the file that says so."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import trio

from ..errors import LochkitError
from ..io.durable import Access, replace_file
from .agent_status import AgentStatus, ChoreStatus, TransferStatus, encode_status

__all__ = ["Board", "StatusFile"]

log = logging.getLogger(__name__)

_ACCESS: Final = Access(0o644)
_SHORTEST: Final = 1.0  # seconds between two writes of the file

ChoreKey = tuple[str, str, str]


class Board:
    """How everything stands; whoever does something says so here.

    Args:
        first: how it stands at the start.
        clock: seconds since 1970.

    Attributes:
        version: another number after each change.
    """

    def __init__(self, first: AgentStatus, *, clock: Callable[[], float] = time.time) -> None:
        self._status = first
        self._clock = clock
        self._chores: dict[ChoreKey, ChoreStatus] = {}
        self._transfers: dict[object, TransferStatus] = {}
        self._changed = trio.Event()
        self.version = 0

    @property
    def status(self) -> AgentStatus:
        """How it stands now."""
        return replace(
            self._status,
            at=self._clock(),
            chores=tuple(self._chores.values()),
            transfers=tuple(self._transfers.values()),
        )

    def say(self, **facts: Any) -> None:
        """Something of the agent as a whole has changed: attributes of `AgentStatus`."""
        changed = replace(self._status, **facts)
        if changed != self._status:
            self._status = changed
            self._tell()

    def chore(self, chore: ChoreStatus) -> None:
        """How a chore stands."""
        key = (chore.job, chore.work, chore.replication)
        if self._chores.get(key) != chore:
            self._chores[key] = chore
            self._tell()

    def forget_job(self, job: str) -> None:
        """There is no such job any more."""
        for key in [key for key in self._chores if key[0] == job]:
            del self._chores[key]
            self._tell()

    def transfer(self, key: object, transfer: TransferStatus | None) -> None:
        """How a transfer stands; None: it has ended."""
        if transfer is None:
            self._transfers.pop(key, None)
        else:
            self._transfers[key] = transfer
        self._tell()

    async def changed(self, since: int) -> None:
        """Wait until something has changed since `version` was this."""
        while self.version == since:
            await self._changed.wait()

    def _tell(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = trio.Event()


class StatusFile:
    """The actor that keeps the file up to date: at each change, at most once a second.

    Args:
        path: of the file, which we alone write.
        board: what it says.
    """

    def __init__(self, path: Path, board: Board) -> None:
        self._path = path
        self._board = board
        self._failed = False

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "status"

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled."""
        task_status.started()
        while True:
            written = self._board.version
            await self.write()
            await trio.sleep(_SHORTEST)
            await self._board.changed(written)

    async def write(self) -> None:
        """Write the file now; that it can not be written is logged, and keeps nobody from work."""
        content = encode_status(self._board.status)
        try:
            await trio.to_thread.run_sync(replace_file, self._path, (content,), _ACCESS)
        except LochkitError as exc:
            (log.debug if self._failed else log.error)("the status can not be written: %s", exc)
            self._failed = True
        else:
            self._failed = False
