"""A lease that is kept alive: what its owner sees, and what the keeper knows of it."""

import math
from collections.abc import Callable
from typing import Final

import trio

from .messages_lease import LeaseKeepAliveRequest
from .wire import encode

__all__ = ["SHORTEST_PERIOD", "KeptLease"]

SHORTEST_PERIOD: Final = 0.2
"""Seconds: no lease is renewed more often."""

_FIRST: Final = 0.05
"""Seconds until a lease's first renewal, which it shares with others that begin at that time."""


class KeptLease:
    """A lease under the care of a `LeaseKeeper`.

    Attributes:
        lease_id: its id.
        ttl: seconds a renewal is good for, as the server last said.
        deadline: the `trio.current_time` until which the lease lives for sure, counted from when
            the last answered renewal was sent.
        lost: set when the server said that the lease is gone, or when `deadline` passed without a
            renewal. Its keys are then deleted, or will be; a new lease is needed.
    """

    __slots__ = (
        *("_on_lost", "deadline", "due", "lease_id", "looked_at", "lost", "request", "sent_at"),
        *("tail", "ttl"),
    )

    def __init__(self, lease_id: int, ttl: float, on_lost: Callable[[], None] | None) -> None:
        now = trio.current_time()
        self.lease_id = lease_id
        self.ttl = ttl
        self.deadline = now + ttl
        self.lost = trio.Event()
        self._on_lost = on_lost
        # The keeper's: what it sends and what it expects, when the next renewal is to be sent, when
        # the unanswered one was sent, and when to see whether the deadline has passed.
        self.request = encode(LeaseKeepAliveRequest(ID=lease_id))
        self.tail = b""
        self.due = now + _FIRST
        self.sent_at = math.inf
        self.looked_at = self.deadline

    @property
    def overdue(self) -> float:
        """When an unanswered renewal has taken so long that another endpoint should be asked."""
        return self.sent_at + max(2 * SHORTEST_PERIOD, self.ttl / 4)

    def sent(self, now: float) -> None:
        """A renewal is on its way."""
        self.sent_at = now
        self.due = now + max(SHORTEST_PERIOD, self.ttl / 3)

    def unsent(self, now: float) -> None:
        """The stream broke: what was on its way may not have arrived."""
        self.sent_at = math.inf
        self.due = now

    def renewed(self) -> None:
        """The renewal is answered: the lease has `ttl` from when it was sent."""
        if self.sent_at != math.inf:
            self.deadline = self.sent_at + self.ttl

    def settle(self) -> bool:
        """No renewal is unanswered any more; whether one was."""
        sent_at, self.sent_at = self.sent_at, math.inf
        return sent_at != math.inf

    def lose(self) -> None:
        """Say that it is gone."""
        if not self.lost.is_set():
            self.lost.set()
            if self._on_lost is not None:
                self._on_lost()
