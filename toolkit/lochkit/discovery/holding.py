"""Holding one instance in the registry: its lease, and what is attached to it."""

import logging
from collections.abc import Callable
from typing import Final

import trio

from ..etcd.errors import EtcdError, LeaseNotFound, PermissionDenied, RpcError, Unavailable
from ..runtime.backoff import Backoff
from .calls import Calls
from .farewell import revoke_strays, say_farewell, stay_leaving
from .key_watch import KeyWatch
from .mending import Mending
from .published_watch import PublishedWatch
from .register_options import RegisterOptions
from .registration_status import Phase, StatusBoard
from .tenure import Tenure
from .verdicts import is_hopeless, is_told_to_go, rights_needed
from .writing import Action, Sighting, found_instead, transaction

__all__ = ["Holding"]

log = logging.getLogger(__name__)

_RETRY: Final = Backoff(base=0.2, maximum=3.0, reset_after=30.0)
_CONFLICT: Final = Backoff(base=0.01, maximum=1.0)
_LONGEST: Final = 5.0
"""Seconds that a request may take, however long the lease is: another endpoint may answer."""
_HEARSAY: Final = 1.0
"""Seconds in which a watch tells of a deletion that came with the end of a lease."""


class Holding:
    """The doing of a registration; what is to be done, `Tenure` knows.

    Args:
        calls: how etcd is asked; borrowed.
        tenure: what is to be done; shared with the owner, who calls `poke` after changing it.
        board: where to say how it stands; shared likewise.
        options: of the registration.
        jitter: numbers in [0, 1).
        new_lease: draws ids for leases.
    """

    __slots__ = (
        *("_asked", "_board", "_calls", "_candidate", "_failures", "_jitter", "_lost"),
        *("_mending", "_new_lease", "_nursery", "_options", "_published", "_tenure", "_ttl"),
        *("_wake", "_watching", "_work"),
    )

    def __init__(
        self,
        calls: Calls,
        tenure: Tenure,
        board: StatusBoard,
        options: RegisterOptions,
        *,
        jitter: Callable[[], float],
        new_lease: Callable[[], int],
    ) -> None:
        self._calls = calls
        self._tenure = tenure
        self._board = board
        self._options = options
        self._jitter = jitter
        self._new_lease = new_lease
        self._nursery: trio.Nursery | None = None
        self._work = trio.CancelScope()
        self._wake = trio.Event()
        self._mending = Mending()
        self._watching = False
        self._published = PublishedWatch(calls.etcd, tenure.losses, self.poke)
        self._ttl = float(options.ttl)
        self._candidate, self._asked = 0, False  # a lease's id, and whether it may be granted
        self._lost = False
        self._failures = 0

    @property
    def leaving(self) -> bool:
        """Whether it was asked to end, or has ended."""
        ending = self._board.status.phase in (Phase.STOPPING, Phase.STOPPED)
        return ending or self._work.cancel_called

    def end(self) -> None:
        """Make `hold` return."""
        self._work.cancel()

    def poke(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def saw_infos(self, seen: Sighting) -> None:
        """The record of the service was seen."""
        self._tenure.saw_infos(seen)
        self.poke()

    def saw_own(self, seen: Sighting) -> None:
        """The instance's own key was seen."""
        honours = self._options.honour_deletion and not (self.leaving or self._lost)
        if honours and is_told_to_go(self._tenure, seen):
            log.info("somebody has deregistered it, which is honoured", extra=self._facts())
            self.end()
        self._tenure.saw_own(seen)
        self.poke()

    async def hold(self) -> None:
        """Be in the registry until `end` is called.

        Raises:
            EtcdError: it was refused before it was ever there; an operator must heal it.
        """
        failure: EtcdError | None = None
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with self._work:
                try:
                    await self._hold()
                except EtcdError as error:  # kept, so that it does not leave in a group
                    failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def drain(self, seconds: float) -> None:
        """Say that it leaves, and stay in the registry for a while."""
        tenure = self._tenure
        if seconds <= 0 or not tenure.standing:
            return
        self._board.enter(Phase.STOPPING, lease_id=tenure.lease)
        async with self._calls.etcd.leases.keep_alive(tenure.lease, self._ttl):
            await stay_leaving(self._calls, tenure, self._limit, seconds)

    async def farewell(self) -> None:
        """Leave the registry, in a bounded time, even if cancelled. Never raises."""
        leases = (self._tenure.lease, self._candidate, *self._tenure.strays)
        await say_farewell(self._calls, self._tenure, leases, self._options.stop_within)

    # -- the lease

    async def _hold(self) -> None:
        """Get a lease, keep it and what hangs on it; get another when it is lost."""
        while True:
            began = trio.current_time()
            try:
                if not self._tenure.lease:
                    await self._grant()
                await self._keep()
            except EtcdError as error:
                self._judge(error)
            if trio.current_time() - began >= _RETRY.reset_after:
                self._failures = 0
            self._failures += 1
            await trio.sleep(_RETRY.jittered(self._failures, self._jitter()))

    async def _grant(self) -> None:
        if not self._candidate:
            self._candidate, self._asked = self._new_lease(), False
        asked, self._asked = self._asked, True
        try:
            ttl = await self._calls.grant(self._candidate, self._options.ttl, self._limit)
        except RpcError as error:
            if not (asked and "lease already exists" in error.message):
                if not asked and not isinstance(error, Unavailable):
                    self._candidate = 0  # refused, or somebody else's: none of ours to give back
                raise
            ttl = 0  # ours: the answer was lost; the first renewal tells how long it lives
        self._ttl = float(ttl or self._options.ttl)
        self._tenure.granted(self._candidate)
        self._candidate = 0

    async def _keep(self) -> None:
        """Keep the lease alive, and the store as it should be, until the lease is lost."""
        tenure = self._tenure
        self._lost = False
        keeping = self._calls.etcd.leases.keep_alive(tenure.lease, self._ttl, on_lost=self._on_lost)
        async with keeping as kept:
            try:
                await self._make_true()
            except LeaseNotFound:
                log.debug("etcd does not know the lease", extra=self._facts())
            told = kept.deadline > trio.current_time()
        tenure.lease_lost()
        if self._board.status.phase is Phase.READY:
            log.warning("lost the registration, registering again", extra=self._facts())
            self._board.enter(Phase.LOST, error="the lease is gone")
        if self._options.honour_deletion and told:
            await trio.sleep(_HEARSAY)  # was it revoked, or has the store lost it?

    def _on_lost(self) -> None:
        self._lost = True
        self.poke()

    # -- what hangs on it

    async def _make_true(self) -> None:
        conflicts = 0
        while not self._lost:
            self._wake = trio.Event()
            self._board.hold(self._tenure.host.credentials)
            if self._tenure.standing:  # a watch, too, may tell that it had been written
                self._standing()
            action = self._tenure.next()
            if action is Action.REST:
                self._mending.unneeded()
                await self._wake.wait()
                continue
            if action is Action.MEND and not await self._is_time_to_mend():
                continue
            try:
                conflicts = 0 if await self._write() else conflicts + 1
            except LeaseNotFound:
                raise
            except EtcdError as error:
                self._judge(error)
                self._failures += 1
                await self._pause(_RETRY.jittered(self._failures, self._jitter()))
                continue
            if conflicts > 1:
                await self._pause(_CONFLICT.jittered(conflicts, self._jitter()))

    async def _pause(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            while not self._lost:
                self._wake = trio.Event()
                await self._wake.wait()

    async def _write(self) -> bool:
        tenure = self._tenure
        writing = tenure.writing()
        tenure.sent(writing)
        request = transaction(writing, tenure.own_key, tenure.infos_key)
        answer = await self._calls.txn(request, self._limit)
        if answer.succeeded:
            tenure.committed(writing, answer.header.revision, trio.current_time())
            self._failures = 0
            self._board.recovered()
        else:
            tenure.refused(found_instead(answer, trio.current_time()))
        return answer.succeeded

    def _standing(self) -> None:
        """The record is in the store: say so, and watch it from now on."""
        tenure = self._tenure
        before = self._board.status.phase
        if before is not Phase.READY:
            log.info("registered" if before is Phase.STARTING else "recovered", extra=self._facts())
            self._failures = 0
            self._board.enter(Phase.READY, lease_id=tenure.lease)
        assert self._nursery is not None  # it runs
        etcd, since = self._calls.etcd, tenure.own_revision
        if not self._watching:
            self._watching = True
            self._nursery.start_soon(KeyWatch(etcd, tenure.own_key, self.saw_own, since=since).run)
        self._published.follow(self._nursery, tenure.published_there, since)
        if tenure.strays and before is not Phase.READY:
            self._nursery.start_soon(revoke_strays, self._calls, tenure, self._limit)

    async def _is_time_to_mend(self) -> bool:
        """Wait until it is, or until there is something else to look at."""
        honours = self._options.honour_deletion and self._tenure.own_gone
        # By then a lease that is gone as well is known to be.
        at_least = 0.75 * self._ttl if honours else 0.0
        due = self._mending.wanted(trio.current_time(), self._jitter(), at_least)
        with trio.move_on_at(due):
            await self._wake.wait()
            return False
        self._mending.done(trio.current_time())
        if honours:
            log.info("somebody has deleted its key, which is honoured", extra=self._facts())
            self.end()
            await trio.lowlevel.checkpoint()
        return True

    # -- words

    @property
    def _limit(self) -> float:
        """Seconds that one request may take."""
        return min(0.3 * self._ttl, _LONGEST)

    def _judge(self, error: EtcdError) -> None:
        """Note an error.

        Raises:
            EtcdError: only an operator can heal it, and it was never otherwise.
        """
        status = self._board.status
        if status.phase is Phase.STARTING and is_hopeless(error):
            if isinstance(error, PermissionDenied):
                log.error("it needs the right to read and write %s", rights_needed(self._tenure))
            raise error
        is_news = not status.last_error or status.phase is Phase.READY
        tell = log.warning if is_news else log.debug
        tell("the registry cannot be written: %s", error, extra=self._facts())
        self._board.failed(error)

    def _facts(self) -> dict[str, str]:
        return {"service": self._tenure.host.service, "instance": self._tenure.host.uuid}
