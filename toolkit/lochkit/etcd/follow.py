"""The watcher: follows ranges of the keyspace and sends every change, whatever happens."""

import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import reduce
from typing import Final, Protocol

import trio

from ..errors import TransientError
from ..runtime.backoff import Backoff
from .errors import (
    AuthFailed,
    Compacted,
    EtcdError,
    PermissionDenied,
    ProtocolError,
    Unauthenticated,
    WatchCanceled,
)
from .kv import Listing
from .messages import KeyValue, ResponseHeader, WatchCreateRequest, WatchResponse
from .model import Step
from .prefix import KeyRange
from .resume import Phase, Resume

__all__ = ["Follower", "OpenWatch", "Store"]

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 500
"""Responses taken in without a pause: some milliseconds of work."""
_REFUSALS: Final = (PermissionDenied, AuthFailed, Unauthenticated)


class OpenWatch(Protocol):
    """A watch that the server has confirmed.

    Attributes:
        header: of the confirmation.
    """

    header: ResponseHeader

    async def receive(self) -> WatchResponse:
        """The next response; cancelling it loses none.

        Raises:
            EtcdError: why there is none.
        """
        ...

    def receive_nowait(self) -> WatchResponse | None:
        """The next response if it is here already."""
        ...


class Store(Protocol):
    """What a follower asks of etcd. Its methods own their time limits; `Client` is one."""

    async def list_range(self, wanted: KeyRange, *, revision: int = 0) -> Listing:
        """All keys of a range at one revision, 0 for the newest."""
        ...

    async def verify(self) -> ResponseHeader:
        """The header of a linearizable read."""
        ...

    def watch(self, request: WatchCreateRequest) -> AbstractAsyncContextManager[OpenWatch]:
        """A watch, entered when the server has confirmed it."""
        ...


class Follower:
    """The actor that keeps its ranges in step with the store.

    It sends a first step that holds everything (however little), and then every change. What
    `Resume` promises holds for what is sent: no step is lost, doubled or split, over restarts of
    this actor too. Reconnecting is routine and done in here, for ever; only what an operator must
    heal at the start is raised: a login or a range that is refused before anything was read.

    Args:
        store: where to read and watch.
        ranges: what to follow.
        sink: where steps go; borrowed. A slow receiver slows down the store, not us.
        per_revision: one step for each revision (see `Resume`).
        resync_interval: seconds after which everything is listed anew and compared, 0 for never.
        backoff: between attempts while the store is away.
        jitter: numbers in [0, 1).
        on_outage: called with each failure to reach the store, before the wait; may raise to give
            up.

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
        resync_interval: float = 0.0,
        backoff: Backoff | None = None,
        jitter: Callable[[], float] = random.random,
        on_outage: Callable[[EtcdError], None] | None = None,
    ) -> None:
        self._store = store
        self._ranges = tuple(ranges)
        self._sink = sink
        self._resync_interval = resync_interval
        self._backoff = backoff or Backoff(base=0.1, factor=2.0, maximum=15.0)
        self._jitter = jitter
        self._on_outage = on_outage
        self._per_revision = per_revision
        self._resume = Resume(ranges, per_revision=per_revision)
        self._unsent: deque[Step] = deque()
        self._away_since: float | None = None
        self._failures = 0
        self.connected = False
        self.last_error: EtcdError | None = None

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
            PermissionDenied: a range may not be read; it is named.
            AuthFailed: the login was refused, and nothing had been read before.
        """
        task_status.started()
        while True:
            try:
                await self._send_unsent()
                await self._once()
            except Compacted as error:
                log.info("history was compacted, listing anew", extra={"reason": str(error)})
                self._resume.compacted()
                await self._pause(error)
            except _REFUSALS as error:
                if not self._resume.knows:
                    raise self._with_ranges(error) from error
                self._resume.cut()
                await self._pause(error)
            except EtcdError as error:
                if not isinstance(error, TransientError | ProtocolError | WatchCanceled):
                    raise
                self._resume.cut()
                await self._pause(error)
            finally:
                self.connected = False

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
                log.warning("the store is not the one it was; listing anew")
                return
            self._reached()
            with trio.move_on_after(self._resync_interval or float("inf")) as session:
                await self._receive(watch)
            if session.cancelled_caught:
                resume.resync()

    async def _receive(self, watch: OpenWatch) -> None:
        resume = self._resume
        while resume.phase is Phase.OPEN:
            steps = resume.received(await watch.receive())
            if not self._per_revision:
                steps = self._with_what_is_here(steps, watch)
            if steps:
                self._unsent.extend(steps)
                await self._send_unsent()

    def _with_what_is_here(self, steps: list[Step], watch: OpenWatch) -> list[Step]:
        """Merge what has come in already into one step: a handover costs more than an event."""
        for _ in range(_MOST_AT_ONCE):
            if self._resume.phase is not Phase.OPEN or (more := watch.receive_nowait()) is None:
                break
            steps += self._resume.received(more)
        if len(steps) < 2:
            return steps
        merged = reduce(Step.merge, steps)
        return [merged] if merged.changes else []

    async def _list(self) -> None:
        """Read all ranges at the revision of the first."""
        kvs: list[KeyValue] = []
        first: Listing | None = None
        for wanted in self._ranges:
            listing = await self._store.list_range(
                wanted, revision=0 if first is None else first.revision
            )
            first = first or listing
            kvs += listing.kvs
        assert first is not None  # there is at least one range
        step = self._resume.listed(first.header, first.revision, kvs)
        if step is not None:
            self._unsent.append(step)
            await self._send_unsent()

    async def _send_unsent(self) -> None:
        """Send what is in hand; a step stays there until it is taken, so that none is lost."""
        while self._unsent:
            await self._sink.send(self._unsent[0])
            self._unsent.popleft()

    def _reached(self) -> None:
        self.connected = True
        self._failures = 0
        if self._away_since is not None:
            seconds = trio.current_time() - self._away_since
            self._away_since = None
            log.info("etcd is back", extra={"after": f"{seconds:.1f} s", "revision": self.revision})

    async def _pause(self, error: EtcdError) -> None:
        """Wait before the next attempt; said once for each outage."""
        self.last_error = error
        self._failures += 1
        if self._away_since is None:
            self._away_since = trio.current_time()
            if not isinstance(error, Compacted):
                log.warning(
                    "lost etcd, trying again until it is back",
                    extra={"reason": str(error), "revision": self.revision},
                )
        else:
            log.debug("etcd is still away", extra={"reason": str(error)})
        if self._on_outage is not None:
            self._on_outage(error)
        await trio.sleep(self._backoff.jittered(self._failures, self._jitter()))

    def _with_ranges(self, error: EtcdError) -> EtcdError:
        if not isinstance(error, PermissionDenied):
            return error
        wanted = ", ".join(str(part) for part in self._ranges)
        needed = f"{wanted} (the watch needs {self._resume.watched})"
        return PermissionDenied(
            error.code, f"{error.message}; read permission is needed for {needed}"
        )
