"""Keeping leases alive: one stream for all leases of a client, on whichever endpoint answers."""

import logging
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import trio

from ..errors import LochkitError
from ..runtime.backoff import Backoff
from .auth import token_metadata
from .caller import Caller
from .calls import RpcStream
from .errors import EtcdError, Unauthenticated, Unavailable
from .messages import LeaseKeepAliveRequest, LeaseKeepAliveResponse
from .wire import decode, encode

__all__ = ["KeptLease", "LeaseKeeper"]

log = logging.getLogger(__name__)

_KEEP_ALIVE: Final = "/etcdserverpb.Lease/LeaseKeepAlive"
_SHORTEST_PERIOD: Final = 0.2
_RETRY: Final = Backoff(base=0.1, factor=2.0, maximum=2.0)


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

    def __init__(self, lease_id: int, ttl: float) -> None:
        now = trio.current_time()
        self.lease_id = lease_id
        self.ttl = ttl
        self.deadline = now + ttl
        self.lost = trio.Event()
        self._due = now
        self._sent_at = math.inf

    @property
    def due(self) -> float:
        """When the next renewal is to be sent; infinite while one is unanswered."""
        return self._due if self._sent_at == math.inf else math.inf

    @property
    def overdue(self) -> float:
        """When an unanswered renewal has taken so long that another endpoint should be asked."""
        return self._sent_at + max(2 * _SHORTEST_PERIOD, self.ttl / 4)

    def sent(self) -> None:
        """A renewal is on its way."""
        self._sent_at = trio.current_time()

    def unsent(self) -> None:
        """The stream broke: what was on its way may not have arrived."""
        self._sent_at = math.inf
        self._due = trio.current_time()

    def answered(self, ttl: int) -> None:
        """The server renewed it for `ttl` seconds, or with 0 said that it is gone."""
        if ttl <= 0:
            self.lost.set()
            return
        sent_at = self._sent_at if self._sent_at != math.inf else trio.current_time()
        self.ttl = ttl
        self.deadline = sent_at + ttl
        self._due = sent_at + max(_SHORTEST_PERIOD, ttl / 3)
        self._sent_at = math.inf


class LeaseKeeper:
    """Renews leases every third of their time. `run` it for as long as the client lives.

    Args:
        caller: for its link and its token.
        limit: the longest message accepted, in bytes.
        jitter: numbers in [0, 1).
    """

    def __init__(
        self, caller: Caller, *, limit: int, jitter: Callable[[], float] = random.random
    ) -> None:
        self._caller = caller
        self._limit = limit
        self._jitter = jitter
        self._leases: dict[int, KeptLease] = {}
        self._rpc: RpcStream | None = None
        self._changed = trio.Event()

    @asynccontextmanager
    async def keep(self, lease_id: int, ttl: float) -> AsyncIterator[KeptLease]:
        """See `Leases.keep_alive`."""
        if lease_id in self._leases:
            raise ValueError(f"lease {lease_id:x} is being kept alive already")
        lease = self._leases[lease_id] = KeptLease(lease_id, ttl)
        self._tell_change()
        try:
            yield lease
        finally:
            del self._leases[lease_id]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Renew and expire, until cancelled. Started at once."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            nursery.start_soon(self._expire)
            nursery.start_soon(self._renew)

    def _tell_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _until(self, time: float) -> None:
        """Wait until `time`, or until there is something new to look at."""
        with trio.move_on_at(time):
            await self._changed.wait()

    def _alive(self) -> list[KeptLease]:
        return [lease for lease in self._leases.values() if not lease.lost.is_set()]

    async def _expire(self) -> None:
        """Call leases lost in time, whatever hangs elsewhere."""
        while True:
            now = trio.current_time()
            alive = self._alive()
            for lease in alive:
                if lease.deadline <= now:
                    lease.lost.set()
            await self._until(min((lease.deadline for lease in self._alive()), default=math.inf))

    async def _renew(self) -> None:
        failures = 0
        while True:
            while not self._alive():
                await self._until(math.inf)
            began = trio.current_time()
            try:
                await self._serve()
            except EtcdError as error:
                failure = error
            for lease in self._leases.values():
                lease.unsent()
            failures = 1 if trio.current_time() - began > _RETRY.maximum else failures + 1
            level = logging.WARNING if failures == 1 else logging.DEBUG
            log.log(level, "keepalives interrupted", extra={"reason": str(failure)})
            await trio.sleep(_RETRY.jittered(failures, self._jitter()))

    async def _serve(self) -> NoReturn:
        """Renew over one stream until it breaks.

        Raises:
            EtcdError: why it broke.
        """
        link = self._caller.link
        connection = await link.connection()
        token = await self._caller.login.token(connection)
        rpc = await connection.open_stream(
            _KEEP_ALIVE, token_metadata(token), on_message=self._on_message, on_end=self._on_end
        )
        self._rpc = rpc
        try:
            while True:
                if rpc.error is not None:
                    raise rpc.error
                now = trio.current_time()
                alive = self._alive()
                for lease in alive:
                    if lease.due <= now:
                        rpc.send(encode(LeaseKeepAliveRequest(ID=lease.lease_id)))
                        lease.sent()
                if any(lease.overdue <= now for lease in alive) and link.has_alternative:
                    raise Unavailable(f"{connection.name} does not answer keepalives")
                await self._until(
                    min((min(lease.due, lease.overdue) for lease in alive), default=math.inf)
                )
        except Unauthenticated:
            self._caller.login.forget(token)
            raise
        except Unavailable as error:
            link.leave(connection, error)
            raise
        finally:
            self._rpc = None
            rpc.close()

    def _on_message(self, body: bytes) -> None:
        if self._rpc is not None:
            self._rpc.consumed(len(body))
        try:
            answer = decode(LeaseKeepAliveResponse, body, limit=self._limit)
        except LochkitError as error:
            log.warning("a keepalive answer cannot be read", extra={"reason": str(error)})
            return
        if (lease := self._leases.get(answer.ID)) is not None:
            lease.answered(answer.TTL)
            self._tell_change()

    def _on_end(self, error: EtcdError) -> None:
        self._tell_change()
