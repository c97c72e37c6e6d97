"""Being the one director that leads, among several: a key of etcd on a lease that is kept alive.

Who has made the key leads, for as long as it is that very key: every write of a leader is a
transaction that compares the revision that made it (`Reign.write`), so that one who has been
deposed without knowing it yet changes nothing. The others wait until the key is gone, which is at
once when a leader ends, and within the lease's time when it dies.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import trio

from ..errors import TransientError, leaves
from ..etcd.errors import Compacted, EtcdError, WatchCanceled
from ..etcd.messages import Compare, EventType, KeyValue, RequestOp, WatchCreateRequest
from ..etcd.operations import absent, created_at, get, put
from ..etcd.prefix import KeyRange
from ..runtime.backoff import Backoff
from .election_record import BadLeader, Candidate, Leader, leader_value, read_leader
from .election_store import ElectionStore, Keys

__all__ = ["Deposed", "Election", "Reign"]

log = logging.getLogger(__name__)

_AGAIN: Final = Backoff(base=0.2, maximum=5.0)
_FAREWELL: Final = 2.0  # seconds
_LONGEST: Final = 10.0
"""Seconds that one request may take, however long the lease is."""


class Deposed(TransientError):
    """Somebody else leads now, or may: nothing may be written any more."""


class Reign:
    """The time for which one leads. Given to who leads; of no use to anybody after its end.

    Attributes:
        revision: that made the leader's key.
        lease: what lives exactly as long may be attached to it.
        since: seconds since 1970.
    """

    def __init__(self, kv: Keys, key: bytes, *, revision: int, lease: int, since: float) -> None:
        self._kv = kv
        self._key = key
        self.revision = revision
        self.lease = lease
        self.since = since

    @property
    def guard(self) -> Compare:
        """Holds for as long as nobody else has led."""
        return created_at(self._key, self.revision)

    async def write(
        self, operations: Sequence[RequestOp], *, only_if: Sequence[Compare] = ()
    ) -> bool:
        """Do all of that in one transaction.

        Returns:
            Whether `only_if` held, and it was done.

        Raises:
            Deposed: we do not lead any more; nothing was done.
            EtcdError: it may or may not have been done.
        """
        answer = await self._kv.txn(
            (self.guard, *only_if),
            operations,
            (get(KeyRange.exact(self._key)),),
            timeout=_LONGEST,
        )
        if answer.succeeded:
            return True
        found = answer.responses[0].response_range
        if found is None or not found.kvs or found.kvs[0].create_revision != self.revision:
            raise Deposed("another director leads now")
        return False


class Election:
    """Stands for election, again and again.

    Args:
        etcd: where; borrowed.
        key: the leader's.
        candidate: who we are.
        ttl: seconds after which others take over from one that has died.
        clock: seconds since 1970.
        jitter: numbers in [0, 1).
        on_wait: told who leads, while we wait.
    """

    def __init__(
        self,
        etcd: ElectionStore,
        key: bytes,
        candidate: Candidate,
        *,
        clock: Callable[[], float],
        ttl: int = 15,
        jitter: Callable[[], float] = random.random,
        on_wait: Callable[[Leader | None], None] | None = None,
    ) -> None:
        self._etcd = etcd
        self._key = key
        self._candidate = candidate
        self._ttl = ttl
        self._clock = clock
        self._jitter = jitter
        self._on_wait = on_wait or _log_wait
        self._led = False

    async def run(self, reign: Callable[[Reign], Awaitable[None]], *, wait: bool = True) -> None:
        """Lead, whenever it is our turn, until `reign` returns by itself.

        Args:
            reign: what a leader does. It is cancelled in the moment in which leadership is lost.
            wait: whether to wait while somebody else leads, and to try again what failed.

        Raises:
            Deposed: with `wait` False, somebody else leads.
            EtcdError: an operator must heal it: a permission, a login.
            Exception: what `reign` raises, but for what time heals.
        """
        failures = 0
        while True:
            began = trio.current_time()
            try:
                if await self._stand(reign, wait=wait):
                    return
            except Exception as exc:
                if not wait or not self._heals(exc):
                    raise
                tell = log.debug if failures else log.warning
                tell("can not lead now, trying again: %s", _words(exc))
            if trio.current_time() - began > 4 * self._ttl:
                failures = 0
            failures += 1
            await trio.sleep(_AGAIN.jittered(failures, self._jitter()))

    async def _stand(self, reign: Callable[[Reign], Awaitable[None]], *, wait: bool) -> bool:
        """One lease: wait, lead, and lose or end it. Whether `reign` has returned."""
        leases = self._etcd.leases
        granted = await leases.grant(self._ttl, timeout=_LONGEST)
        lost, done, leading = trio.CancelScope(), False, False
        try:
            async with leases.keep_alive(granted.ID, granted.TTL, on_lost=lost.cancel):
                with lost:
                    mine = await self._win(granted.ID, wait=wait)
                    self._led = leading = True
                    log.info("leading")
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._watch_own, mine, lost)
                        await reign(mine)
                        done = True
                        nursery.cancel_scope.cancel()
                if leading and not done:
                    log.warning("leadership was lost: the lease is gone, or the key")
        finally:
            with trio.move_on_after(_FAREWELL, shield=True):
                try:
                    await leases.revoke(granted.ID, timeout=_FAREWELL)
                except EtcdError as exc:
                    log.debug("the lease ends by itself: %s", exc)
        return done

    async def _win(self, lease: int, *, wait: bool) -> Reign:
        """Make the key, as soon as there is none.

        Raises:
            Deposed: somebody else leads, and we are not to wait.
            EtcdError: etcd is away, or refuses.
        """
        kv = self._etcd.kv
        while True:
            since = self._clock()
            answer = await kv.txn(
                (absent(self._key),),
                (put(self._key, leader_value(self._candidate, since), lease=lease),),
                (get(KeyRange.exact(self._key)),),
                timeout=_LONGEST,
            )
            if answer.succeeded:
                return self._reign(answer.header.revision, lease, since)
            found = answer.responses[0].response_range
            there = found.kvs[0] if found is not None and found.kvs else None
            if there is None:
                continue
            if there.lease == lease:  # ours: the answer was lost
                return self._reign(there.create_revision, lease, since)
            leader = _leader_of(there)
            if not wait:
                name = leader.name if leader is not None else "somebody"
                raise Deposed(f"{name} directs already")
            self._on_wait(leader)
            try:
                await self._wait_until_gone(answer.header.revision + 1)
            except (Compacted, WatchCanceled) as exc:
                log.debug("looking who leads anew: %s", exc)

    def _reign(self, revision: int, lease: int, since: float) -> Reign:
        return Reign(self._etcd.kv, self._key, revision=revision, lease=lease, since=since)

    async def _watch_own(self, mine: Reign, lost: trio.CancelScope) -> None:
        """End a reign whose key is gone: the lease would be missed a little later only."""
        failures = 0
        while True:
            try:
                await self._wait_until_gone(mine.revision + 1)
            except EtcdError as exc:
                log.debug("the leader's key is not watched for a while: %s", exc)
                with suppress(EtcdError):
                    there = await self._etcd.kv.get(self._key)
                    if there is None or there.create_revision != mine.revision:
                        break
            else:
                break
            failures += 1
            await trio.sleep(_AGAIN.jittered(failures, self._jitter()))
        lost.cancel()

    async def _wait_until_gone(self, revision: int) -> None:
        request = WatchCreateRequest(key=self._key, start_revision=revision)
        async with self._etcd.watch(request) as watch:
            while True:
                response = await watch.receive()
                if any(event.type is EventType.DELETE for event in response.events):
                    return

    def _heals(self, exc: BaseException) -> bool:
        """Whether everything that went wrong may go right later."""
        found = list(leaves(exc))
        return all(
            isinstance(one, TransientError) or (self._led and isinstance(one, EtcdError))
            for one in found
        )


def _leader_of(there: KeyValue) -> Leader | None:
    try:
        return read_leader(there.value)
    except BadLeader:
        return None


def _log_wait(leader: Leader | None) -> None:
    log.info("%s directs; waiting", leader.name if leader is not None else "somebody")


def _words(exc: BaseException) -> str:
    return "; ".join(str(one) or type(one).__name__ for one in leaves(exc))
