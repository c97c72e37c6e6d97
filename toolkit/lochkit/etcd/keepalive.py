"""Keeping leases alive: one stream for all leases of a client, on whichever endpoint answers.

Theory of operation
-------------------
A process may keep thousands of leases, so nothing here looks at all of them, and an answer wakes
nobody. Leases that are due at about the same time are renewed together, in one write, and are from
then on due together. Three agendas say which to look at when: those due, those whose renewal should
have been answered (`overdue`), and those whose time is up. Their entries are never taken back: an
answer only changes the lease, and what an entry finds has moved on is put down anew or dropped.
"""

import logging
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Final, NoReturn

import trio

from ..errors import LochkitError
from ..runtime.backoff import Backoff
from .auth import token_metadata
from .caller import Caller
from .calls import RpcStream
from .errors import EtcdError, Unauthenticated, Unavailable
from .keepalive_agenda import Agenda
from .keepalive_answer import expected_tail, tail
from .keepalive_lease import SHORTEST_PERIOD, KeptLease
from .messages import LeaseKeepAliveResponse
from .wire import decode

__all__ = ["KeptLease", "LeaseKeeper"]

log = logging.getLogger(__name__)

_KEEP_ALIVE: Final = "/etcdserverpb.Lease/LeaseKeepAlive"
_TOGETHER: Final = 0.2
"""Seconds: leases due within so much of one another are renewed together."""

_IN_FLIGHT: Final = 500
"""Renewals unanswered at a time. A server takes them one by one, and one that does not lead asks
the leader each time: thousands at once would look as if it hung."""

_GRACE: Final = 0.05
"""Seconds for the reading of answers that are there already."""

_DEAD_WEIGHT: Final = 1000
"""How many leases given up may stand in agendas, beyond as many as are kept."""

_RETRY: Final = Backoff(base=0.1, factor=2.0, maximum=2.0)


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
        self._by_tail: dict[bytes, KeptLease] = {}
        self._rpc: RpcStream | None = None
        self._due: Agenda[KeptLease] = Agenda()
        self._unanswered: Agenda[KeptLease] = Agenda()
        self._deadlines: Agenda[KeptLease] = Agenda()
        self._backlog: deque[KeptLease] = deque()  # due, and waiting for answers to others
        self._in_flight = 0
        self._wake_renewer = trio.Event()
        self._wake_expirer = trio.Event()

    @asynccontextmanager
    async def keep(
        self, lease_id: int, ttl: float, *, on_lost: Callable[[], None] | None = None
    ) -> AsyncIterator[KeptLease]:
        """See `Leases.keep_alive`."""
        if lease_id in self._leases:
            raise ValueError(f"lease {lease_id:x} is being kept alive already")
        lease = self._leases[lease_id] = KeptLease(lease_id, ttl, on_lost)
        if lease.due < self._due.next:
            self._wake_renewer.set()
        if lease.deadline < self._deadlines.next:
            self._wake_expirer.set()
        self._due.add(lease.due, (lease,))
        self._deadlines.add(lease.looked_at, (lease,))
        try:
            yield lease
        finally:
            del self._leases[lease_id]
            self._by_tail.pop(lease.tail, None)
            self._settle(lease)
            self._tidy()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Renew and expire, until cancelled. Started at once."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            nursery.start_soon(self._expire)
            nursery.start_soon(self._renew)

    def _alive(self, lease: KeptLease) -> bool:
        return self._leases.get(lease.lease_id) is lease and not lease.lost.is_set()

    def _tidy(self) -> None:
        for agenda in (self._due, self._unanswered, self._deadlines):
            if len(agenda) > 2 * len(self._leases) + _DEAD_WEIGHT:
                agenda.retain(self._alive)

    def _settle(self, lease: KeptLease) -> None:
        """A lease has its answer, or awaits it no more."""
        if lease.settle():
            self._in_flight -= 1
            if self._backlog and self._in_flight == _IN_FLIGHT // 2:
                self._wake_renewer.set()

    async def _expire(self) -> None:
        """Call leases lost in time, whatever hangs elsewhere."""
        while True:
            now = trio.current_time()
            for time, leases in self._deadlines.take(now + _TOGETHER):
                for lease in leases:
                    if lease.looked_at != time or not self._alive(lease):
                        continue
                    if lease.deadline <= now:
                        lease.lose()
                    else:
                        lease.looked_at = lease.deadline
                        self._deadlines.add(lease.looked_at, (lease,))
            self._wake_expirer = trio.Event()
            with trio.move_on_at(self._deadlines.next):
                await self._wake_expirer.wait()

    async def _renew(self) -> None:
        failures = 0
        while True:
            while not any(map(self._alive, self._leases.values())):
                self._due.clear()  # so that the next lease is the first, and wakes us
                await self._until(math.inf)
            began = trio.current_time()
            try:
                await self._serve()
            except EtcdError as error:
                failure = error
            failures = 1 if trio.current_time() - began > _RETRY.maximum else failures + 1
            level = logging.WARNING if failures == 1 else logging.DEBUG
            log.log(level, "keepalives interrupted", extra={"reason": str(failure)})
            await trio.sleep(_RETRY.jittered(failures, self._jitter()))

    async def _until(self, time: float) -> None:
        """Wait until `time`, or until there is something new for the renewer."""
        with trio.move_on_at(time):
            await self._wake_renewer.wait()
        self._wake_renewer = trio.Event()

    async def _serve(self) -> NoReturn:
        """Renew over one stream until it breaks.

        Raises:
            EtcdError: why it broke.
        """
        link = self._caller.link
        connection = await link.connection()
        token = await self._caller.login.token(connection)
        rpc = await connection.open_stream(
            _KEEP_ALIVE,
            token_metadata(token),
            on_message=self._on_message,
            on_end=self._on_end,
            patient=True,
        )
        self._rpc = rpc
        self._begin_anew()
        try:
            while True:
                if rpc.error is not None:
                    raise rpc.error
                now = trio.current_time()
                self._send_due(rpc, now)
                if await self._is_hung(now) and link.has_alternative:
                    raise Unavailable(f"{connection.name} does not answer keepalives")
                await self._until(min(self._due.next, self._unanswered.next))
        except Unauthenticated:
            self._caller.login.forget(token)
            raise
        except Unavailable as error:
            link.leave(connection, error)
            raise
        finally:
            self._rpc = None
            rpc.close()

    def _begin_anew(self) -> None:
        """On a new stream everything is due: what the last one carried may not have arrived."""
        now = trio.current_time()
        self._unanswered.clear()
        self._due.clear()
        self._backlog.clear()
        self._in_flight = 0
        for lease in self._leases.values():
            lease.unsent(now)
        self._due.add(now, sorted(self._leases.values(), key=attrgetter("deadline")))

    def _send_due(self, rpc: RpcStream, now: float) -> None:
        """Renew what is due, as far as the server keeps up with it."""
        if self._due.next <= now:
            self._collect(now)
        renewed: dict[float, list[KeptLease]] = {}
        while self._backlog and self._in_flight < _IN_FLIGHT:
            lease = self._backlog.popleft()
            if self._alive(lease):
                self._in_flight += 1
                renewed.setdefault(lease.ttl, []).append(lease)
        for group in renewed.values():
            rpc.send(*[lease.request for lease in group])
            for lease in group:
                lease.sent(now)
            self._due.add(group[0].due, group)
            self._unanswered.add(group[0].overdue, group)

    def _collect(self, now: float) -> None:
        """What is due and what soon will be."""
        for time, leases in self._due.take(now + _TOGETHER):
            for lease in leases:
                if lease.due != time or not self._alive(lease):
                    continue
                if lease.sent_at == math.inf:
                    lease.due = math.inf
                    self._backlog.append(lease)
                else:
                    lease.due = now + SHORTEST_PERIOD
                    self._due.add(lease.due, (lease,))

    async def _is_hung(self, now: float) -> bool:
        """Whether a renewal has been unanswered for too long."""
        doubtful = [lease for _, group in self._unanswered.take(now) for lease in group]
        if not any(self._overdue(lease, now) for lease in doubtful):
            return False
        # Perhaps it was us who were held up: let what has arrived be read.
        await trio.sleep(_GRACE)
        await trio.lowlevel.checkpoint()
        return any(self._overdue(lease, now) for lease in doubtful)

    def _overdue(self, lease: KeptLease, now: float) -> bool:
        return lease.overdue <= now and self._alive(lease)

    def _on_message(self, body: bytes) -> None:
        if self._rpc is not None:
            self._rpc.consumed(len(body))
        if (known := self._by_tail.get(tail(body))) is not None:
            known.renewed()
            self._settle(known)
            return
        try:
            answer = decode(LeaseKeepAliveResponse, body, limit=self._limit)
        except LochkitError as error:
            log.warning("a keepalive answer cannot be read", extra={"reason": str(error)})
            return
        if (lease := self._leases.get(answer.ID)) is not None:
            self._answered(lease, answer.TTL)

    def _answered(self, lease: KeptLease, ttl: int) -> None:
        """An answer that is not the one expected: the first, one with another time, a loss."""
        if ttl <= 0:
            lease.lose()
        elif lease.sent_at != math.inf:
            self._by_tail.pop(lease.tail, None)
            lease.tail = expected_tail(lease.lease_id, ttl)
            self._by_tail[lease.tail] = lease
            if ttl != lease.ttl:
                self._change(lease, ttl)
            lease.renewed()
        self._settle(lease)

    def _change(self, lease: KeptLease, ttl: int) -> None:
        lease.ttl = ttl
        lease.sent(lease.sent_at)
        self._due.add(lease.due, (lease,))
        lease.looked_at = lease.sent_at + ttl
        self._deadlines.add(lease.looked_at, (lease,))
        self._wake_renewer.set()
        self._wake_expirer.set()

    def _on_end(self, error: EtcdError) -> None:
        self._wake_renewer.set()
