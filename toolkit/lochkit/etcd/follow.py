"""The watcher: follows ranges of the keyspace and sends every change, whatever happens."""

import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf
from typing import Final

import trio

from ..errors import TransientError
from ..runtime.backoff import Backoff
from .errors import (
    AuthFailed,
    Compacted,
    EtcdError,
    FutureRevision,
    MessageTooLarge,
    PermissionDenied,
    ProtocolError,
    RpcError,
    StatusCode,
    WatchCanceled,
)
from .kv import Listing
from .messages import KeyValue, ResponseHeader, WatchCreateRequest
from .model import Step
from .prefix import KeyRange
from .resume import Phase, Resume
from .showing import Ahead
from .store import OpenWatch, Store

__all__ = ["Follower", "OpenWatch", "Store"]

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 500
"""Responses taken in without a pause: some milliseconds of work."""
# What a member in trouble answers; the same question may be answered a little later, or elsewhere.
_TROUBLES: Final = frozenset(
    (
        StatusCode.CANCELLED,
        StatusCode.UNKNOWN,
        StatusCode.RESOURCE_EXHAUSTED,
        StatusCode.FAILED_PRECONDITION,  # "not capable", when it has just started
        StatusCode.ABORTED,
        StatusCode.INTERNAL,
        StatusCode.DATA_LOSS,
    )
)


class _Replaced(EtcdError):
    """The store is not the one it was: restored from a backup, or another cluster altogether."""


class Follower:
    """The actor that keeps its ranges in step with the store.

    It sends a first step that holds everything (however little), and then every change. What
    `Resume` promises holds for what is sent: no step is lost, doubled or split, over restarts of
    this actor too. Reconnecting is routine and done in here, for ever. Raised is only what an
    operator must heal: a login or a range that is refused before a watch has ever stood, an answer
    that will never be another one.

    Args:
        store: where to read and watch.
        ranges: what to follow.
        sink: where steps go; borrowed. A slow receiver slows down the store, not us.
        per_revision: one step for each revision (see `Resume`).
        select: which keys of the ranges are of interest (see `Resume`).
        resync_interval: seconds after which everything is listed anew and compared, 0 for never.
        backoff: between attempts. A watch that stood for its `reset_after` seconds makes up for the
            failures before it; one that ends sooner is one failure more.
        jitter: numbers in [0, 1).
        ahead: shown the keys of a list as they arrive. The list may yet fail and be begun anew.
        on_outage: called with each failure to reach the store, before the wait; may raise to give
            up.
        on_return: called when a watch stands again; what happened meanwhile may be on its way yet.

    Attributes:
        connected: whether a watch stands.
        last_error: why it last did not, None if it always did.
    """

    def __init__(
        self,
        store: Store,
        ranges: Sequence[KeyRange],
        sink: trio.abc.SendChannel[Step],
        *,
        per_revision: bool = False,
        select: Callable[[bytes], bool] | None = None,
        resync_interval: float = 0.0,
        backoff: Backoff | None = None,
        jitter: Callable[[], float] = random.random,
        ahead: Ahead | None = None,
        on_outage: Callable[[EtcdError], None] | None = None,
        on_return: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._ranges = tuple(dict.fromkeys(ranges))
        self._sink = sink
        self._resync_interval = resync_interval
        self._resync_at = inf  # counts from the last list, however many watches there were since
        self._backoff = backoff or Backoff(base=0.1, maximum=15.0, reset_after=15.0)
        self._jitter = jitter
        self._ahead = ahead
        self._on_outage = on_outage
        self._on_return = on_return
        self._per_revision = per_revision
        self._resume = Resume(ranges, per_revision=per_revision, select=select)
        self._watching = trio.CancelScope()
        self._unsent: deque[Step] = deque()
        self._away_since: float | None = None
        self._stood_since: float | None = None
        self._has_stood = False
        self._failures = 0
        self.connected = False
        self.last_error: EtcdError | None = None

    def resync(self) -> None:
        """List everything anew and compare, soon."""
        self._resync_at = -inf
        self._watching.cancel()

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "follower"

    @property
    def revision(self) -> int:
        """The revision of the last state known, 0 before the first."""
        return self._resume.revision

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow until cancelled. Started at once: an absent etcd is waited for.

        Raises:
            PermissionDenied: a range may not be read or watched; it is named.
            AuthFailed: the login was refused, and no watch had stood before.
            MessageTooLarge: a single key is over the client's limit.
            RpcError: etcd does not understand what it is asked.
        """
        task_status.started()
        while True:
            try:
                await self._send_unsent()
                await self._once()
            except EtcdError as error:
                self._judge(error)
                await trio.sleep(self._next_wait())
            finally:
                self.connected = False

    def _judge(self, error: EtcdError) -> None:
        """Say what to do next, after `error`: list anew, go on, or give up by raising it."""
        if isinstance(error, Compacted):
            log.info("history was compacted, listing anew", extra={"reason": str(error)})
            self._resume.compacted()
        elif isinstance(error, _Replaced):
            log.warning("the store is not the one it was, listing anew")
            self._resume.resync()
        elif isinstance(error, MessageTooLarge) and self._resume.phase is not Phase.LIST:
            log.info("too much at once, listing anew", extra={"reason": str(error)})
            self._resume.resync()  # a list is read in pages, a watch is not
        elif _heals(error) or (self._has_stood and isinstance(error, RpcError)):
            # What has worked may work again, whoever answers now: a balancer's error page, too, is
            # a status (404 is UNIMPLEMENTED).
            self._resume.cut()
            self._lost(error)
        elif isinstance(error, PermissionDenied):
            raise self._with_ranges(error) from error
        else:
            raise error

    async def _once(self) -> None:
        """Do what the phase asks for, until the watch ends or something fails."""
        resume = self._resume
        if resume.phase is Phase.LIST:
            await self._list()
        request = WatchCreateRequest(
            key=resume.watched.key,
            range_end=resume.watched.range_end,
            start_revision=resume.start,
            progress_notify=True,
            fragment=True,
        )
        async with self._store.watch(request) as watch:
            resume.opened(watch.header)
            if resume.phase is Phase.VERIFY:
                resume.verified(await self._store.verify())
            if resume.phase is not Phase.OPEN:
                raise _Replaced
            self._reached()
            with trio.CancelScope(deadline=self._resync_at) as self._watching:
                await self._receive(watch)
                raise _Replaced
        resume.resync()

    async def _receive(self, watch: OpenWatch) -> None:
        """Take what the watch says, until it speaks of another store."""
        while self._resume.phase is Phase.OPEN:
            self._unsent += self._resume.received(await watch.receive())
            if not self._per_revision:
                self._take_what_is_here(watch)
            await self._send_unsent()

    def _take_what_is_here(self, watch: OpenWatch) -> None:
        """Merge what has come in already into one step: a handover costs more than an event."""
        unsent, resume = self._unsent, self._resume
        for _ in range(_MOST_AT_ONCE):
            if resume.phase is not Phase.OPEN or (response := watch.receive_nowait()) is None:
                break
            unsent += resume.received(response)
        if len(unsent) > 1:
            merged = reduce(Step.merge, unsent)
            unsent.clear()
            if merged.changes:
                unsent.append(merged)

    async def _list(self) -> None:
        """Read all ranges at the revision of the first."""
        kvs: list[KeyValue] = []
        newest: Listing | None = None
        revision = 0
        for wanted in self._ranges:
            listing = await self._store.list_range(wanted, revision=revision, ahead=self._ahead)
            if newest is not None and _is_older(listing.header, newest.header):
                raise _Replaced  # between two of the lists
            newest, revision = listing, listing.revision
            kvs += listing.kvs
        assert newest is not None  # there is at least one range
        every = self._resync_interval
        self._resync_at = trio.current_time() + every if every else inf
        step = self._resume.listed(newest.header, revision, kvs)
        if step is not None:
            self._unsent.append(step)
            await self._send_unsent()

    async def _send_unsent(self) -> None:
        """Send what is in hand; a step stays there until it is taken, so that none is lost."""
        while self._unsent:
            await self._sink.send(self._unsent[0])
            self._unsent.popleft()

    def _reached(self) -> None:
        self.connected = self._has_stood = True
        self._stood_since = trio.current_time()
        if self._away_since is not None:
            seconds = trio.current_time() - self._away_since
            self._away_since = None
            log.info("etcd is back", extra={"after": f"{seconds:.1f} s", "revision": self.revision})
            if self._on_return is not None:
                self._on_return()

    def _lost(self, error: EtcdError) -> None:
        """The store is away; said once for each outage."""
        self.last_error = error
        if self._away_since is None:
            self._away_since = trio.current_time()
            log.warning(
                "lost etcd, trying again until it is back",
                extra={"reason": str(error), "revision": self.revision},
            )
        else:
            log.debug("etcd is still away", extra={"reason": str(error)})
        if self._on_outage is not None:
            self._on_outage(error)

    def _next_wait(self) -> float:
        """Seconds until the next attempt."""
        since, self._stood_since = self._stood_since, None
        if since is not None and trio.current_time() - since >= self._backoff.reset_after:
            self._failures = 0
        self._failures += 1
        return self._backoff.jittered(self._failures, self._jitter())

    def _with_ranges(self, error: PermissionDenied) -> PermissionDenied:
        needed = f"{', '.join(map(str, self._ranges))} (the watch needs {self._resume.watched})"
        text = f"{error.message}; read permission is needed for {needed}"
        return PermissionDenied(error.code, text)


def _heals(error: EtcdError) -> bool:
    """Whether time, or another member, may answer otherwise."""
    if isinstance(error, AuthFailed):  # whatever its status
        return False
    if isinstance(error, RpcError) and error.code in _TROUBLES:
        return True
    # The revision of a list lies in the future of a store that was restored meanwhile.
    return isinstance(error, TransientError | ProtocolError | WatchCanceled | FutureRevision)


def _is_older(later: ResponseHeader, earlier: ResponseHeader) -> bool:
    """Whether of two linearizable reads the later one saw another, or an earlier, store."""
    return later.cluster_id != earlier.cluster_id or later.raft_term < earlier.raft_term
