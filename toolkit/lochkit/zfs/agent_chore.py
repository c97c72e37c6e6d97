"""A chore: one thing that is done again and again, with its failures, and said on the board."""

import logging
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import trio

from ..errors import LochkitError, leaves
from .agent_board import Board
from .agent_pace import Pace
from .agent_status import ChoreStatus
from .errors import ZfsError
from .locks import Turns
from .work_queue import Claim, Work

__all__ = ["Chore", "ChoreFailed", "all_settled", "expected"]

log = logging.getLogger(__name__)

_LOOK: Final = 30.0
"""Seconds after which the clock of the wall is looked at anew: it may be set, or have slept."""
_LONGEST_ERROR: Final = 2000


class ChoreFailed(ZfsError):
    """A part of what was to be done could not be; the message says which and why."""


def expected(exc: BaseException) -> bool:
    """Whether an error is one that chores have to live with, and not a bug."""
    return all(isinstance(one, LochkitError | OSError) for one in leaves(exc))


class Chore(ABC):
    """The actor for one chore.

    Args:
        status: whose it is; where it stands is put in here.
        pace: when it is due.
        board: where to say how it stands.
        clock: seconds since 1970.
        jitter: numbers in [0, 1).
    """

    def __init__(
        self,
        status: ChoreStatus,
        pace: Pace,
        board: Board,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._status = status
        self._pace = pace
        self._board = board
        self._clock = clock
        self._jitter = jitter
        self._poked = trio.Event()
        self._running = False
        self._ended = trio.Event()
        self._say()

    @property
    def name(self) -> str:
        """See `Actor`."""
        words = (self._status.job, self._status.work, self._status.replication)
        return " ".join(filter(None, words))

    @property
    def is_due(self) -> bool:
        """Whether there is a reason to do it now."""
        now = self._clock()
        return self._pace.next_at(now) <= now

    @abstractmethod
    async def do(self) -> str:
        """Do it, and say in a few words what was done.

        Raises:
            LochkitError: it could not be done, or not all of it.
        """

    def poke(self) -> None:
        """There is a reason to do it."""
        self._pace.poke()
        self._poked.set()

    async def settled(self, *, timeout: float) -> None:
        """Wait until it is neither due nor under way, but not for longer than `timeout` seconds.

        For those whose work begins where this ends, when both have the same tick.
        """
        with trio.move_on_after(timeout):
            while self._running or self.is_due:
                await self._ended.wait()

    @asynccontextmanager
    async def turn(self, turns: Turns, work: Work, claims: Iterable[Claim]) -> AsyncIterator[None]:
        """As `Turns.turn`, and the board says that it waits."""
        self._say(state="queued")
        async with turns.turn(work, claims):
            self._say(state="running")
            yield

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do it whenever it is due, until cancelled."""
        task_status.started()
        while True:
            now = self._clock()
            wait = self._pace.next_at(now) - now
            if wait > 0:
                self._poked = trio.Event()
                with trio.move_on_after(min(wait, _LOOK)):
                    await self._poked.wait()
                continue
            await self.attempt()

    async def attempt(self) -> bool:
        """Do it once, now; whether it went well. What went wrong is on the board, and logged."""
        now = self._clock()
        self._pace.begin(now)
        self._say(state="running", last_start=now)
        try:
            self._running = True
            message = await self.do()
        except Exception as exc:
            if not expected(exc):
                raise
            self._failed(exc)
            return False
        finally:
            self._running = False
            self._ended.set()
            self._ended = trio.Event()
        now = self._clock()
        self._pace.succeeded(now)
        if self._status.failures:
            log.info("%s works again", self.name)
        if message:
            log.info("%s: %s", self.name, message)
        self._say(
            state="idle",
            last_end=now,
            last_success=now,
            last_error="",
            message=message or self._status.message,
        )
        return True

    def _failed(self, exc: Exception) -> None:
        now = self._clock()
        self._pace.failed(now, self._jitter())
        text = "; ".join(dict.fromkeys(str(one) or type(one).__name__ for one in leaves(exc)))
        again = self._status.last_error == text  # the same as before: said once
        (log.debug if again else log.warning)(
            "%s failed: %s", self.name, text, extra={"failures": self._pace.failures}
        )
        self._say(state="failed", last_end=now, last_error=text[:_LONGEST_ERROR])

    def _say(self, **facts: Any) -> None:
        pace = self._pace
        self._status = replace(
            self._status,
            failures=pace.failures,
            retry_at=pace.retry_at,
            last_tick=pace.handled,
            next_tick=pace.next_tick(self._clock()),
            **facts,
        )
        self._board.chore(self._status)


async def all_settled(chores: Iterable[Chore], *, timeout: float) -> None:
    """Wait until none of them is due or under way, but not for longer than `timeout` seconds."""
    with trio.move_on_after(timeout):
        for chore in chores:
            await chore.settled(timeout=timeout)
