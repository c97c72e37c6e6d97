"""How a registration stands, and telling others."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, Self
from weakref import WeakSet

import trio

from .host import Credentials

__all__ = ["Phase", "Status", "StatusBoard", "Statuses"]

_MOST_UNREAD: Final = 32


class Phase(Enum):
    """Where a registration stands."""

    STARTING = "starting"
    """It has not been in the registry yet."""
    READY = "ready"
    """It is in the registry."""
    LOST = "lost"
    """It was, and its lease is gone: it is being registered again, under the same id."""
    STOPPING = "stopping"
    """It is leaving."""
    STOPPED = "stopped"
    """It has left, or has ended with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One moment of a registration.

    Attributes:
        phase: where it stands.
        since: when that began, in seconds since the epoch.
        last_error: why something last went wrong in this phase; empty if nothing did.
        lease_id: the lease, 0 without one.
        credentials: user and password in force; never shown.
    """

    phase: Phase
    since: float
    last_error: str = ""
    lease_id: int = 0
    credentials: Credentials = field(default=Credentials(), repr=False)


class Statuses:
    """An async iterator of a registration's statuses, for one task; it ends after STOPPED.

    The present one comes first. Of those that are not taken the newest are kept.
    """

    def __init__(self, present: Status) -> None:
        self._unread = deque([present], maxlen=_MOST_UNREAD)
        self._news = trio.Event()
        self._over = False

    def tell(self, status: Status) -> None:
        """There is a new one."""
        self._unread.append(status)
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Status:
        """The next one."""
        await trio.lowlevel.checkpoint()
        if self._over:
            raise StopAsyncIteration
        while not self._unread:
            self._news = trio.Event()
            await self._news.wait()
        status = self._unread.popleft()
        self._over = status.phase is Phase.STOPPED
        return status


class StatusBoard:
    """The present status, and who wants to know when it is another.

    Args:
        clock: seconds since the epoch.
        on_change: told of each change of phase, lease or credentials; must neither block nor raise.
        credentials: in force at first.

    Attributes:
        status: now.
        failure: the error that the registration ended with.
    """

    __slots__ = ("_changed", "_clock", "_on_change", "_readers", "failure", "status")

    def __init__(
        self,
        clock: Callable[[], float],
        on_change: Callable[[Status], None] | None,
        credentials: Credentials,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._changed: trio.Event | None = None  # made for those who wait
        self._readers: WeakSet[Statuses] | None = None
        self.failure: Exception | None = None
        self.status = Status(phase=Phase.STARTING, since=clock(), credentials=credentials)

    def enter(self, phase: Phase, *, lease_id: int = 0, error: str = "") -> None:
        """It is in that phase now."""
        before = self.status
        if phase is before.phase and lease_id == before.lease_id and error == before.last_error:
            return
        since = before.since if phase is before.phase else self._clock()
        self.status = replace(before, phase=phase, since=since, last_error=error, lease_id=lease_id)
        if phase is not before.phase or lease_id != before.lease_id:  # another error is no news
            self._tell()

    def hold(self, credentials: Credentials) -> None:
        """These are in force now."""
        if credentials != self.status.credentials:
            self.status = replace(self.status, credentials=credentials)
            self._tell()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
        for reader in self._readers or ():
            reader.tell(self.status)
        if self._on_change is not None:
            self._on_change(self.status)

    def failed(self, error: Exception) -> None:
        """Something went wrong; the phase stays what it is."""
        self.enter(self.status.phase, lease_id=self.status.lease_id, error=str(error))

    def recovered(self) -> None:
        """What went wrong goes well again."""
        self.enter(self.status.phase, lease_id=self.status.lease_id)

    def reader(self) -> Statuses:
        """A new iterator."""
        reader = Statuses(self.status)
        if self._readers is None:
            self._readers = WeakSet()
        self._readers.add(reader)
        return reader

    async def until(self, *phases: Phase) -> Phase:
        """Wait until it is in one of `phases`, and say in which."""
        await trio.lowlevel.checkpoint()
        while self.status.phase not in phases:
            if self._changed is None:
                self._changed = trio.Event()
            await self._changed.wait()
        return self.status.phase
