"""One range of the registry: following it, and telling whether what is known of it is true now."""

import logging
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import trio

from ..etcd.errors import EtcdError, PermissionDenied
from ..etcd.follow import Follower
from ..etcd.messages import RangeRequest, RangeResponse, SortOrder, SortTarget
from ..etcd.model import Origin, Step
from ..etcd.prefix import KeyRange
from ..etcd.store import Store
from ..runtime.backoff import Backoff
from .permissions import WITHOUT_INFOS
from .roster import Record

__all__ = ["Feed", "Owner", "Ranges", "Registry"]

log = logging.getLogger(__name__)

_CATCHING_UP: Final = 0.25
"""Seconds before a range is measured: etcd looks after the watches that lag ten times a second."""
_ASK_AGAIN: Final = Backoff(base=0.5, factor=2.0, maximum=15.0)


class Ranges(Protocol):
    """Reads ranges; `KeyValues` does."""

    async def range(
        self, request: RangeRequest, *, timeout: float | None = None, persist: bool = True
    ) -> RangeResponse:
        """One range request."""
        ...


class Registry(Store, Protocol):
    """What a directory asks of etcd; `Client` is one."""

    @property
    def kv(self) -> Ranges:
        """Single reads."""
        ...


class Owner(Protocol):
    """Whom a feed belongs to."""

    async def read(self, step: Step) -> list[Record | None]:
        """Read what a step brings."""
        ...

    def apply(self, step: Step, records: list[Record | None]) -> None:
        """Go on to the state after a step."""
        ...

    def freshness_changed(self) -> None:
        """Look at `known` and `fresh` again."""
        ...


class _Mark(NamedTuple):
    """What a range was at one revision, in short.

    Attributes:
        revision: that revision.
        keys: how many keys it had.
        newest: when the last of these was written.
    """

    revision: int
    keys: int
    newest: int


class Feed(trio.abc.SendChannel[Step]):
    """Follows one range, and knows whether what is known of it is true now.

    When a watch stands again after an outage, the changes of the meantime may still be on their
    way, and nothing in the watch tells when the last has come. So the range is measured: it has
    caught up when it is past that revision; or when it has as many keys, and none was written
    since: then nothing has happened in between but that keys came and went again.

    Args:
        etcd: where to read and watch; borrowed.
        wanted: the range.
        owner: takes the steps.
        optional: whether one can do without it where it may not be read: it is empty then.
        backoff: see `Follower`.
        jitter: see `Follower`.

    Attributes:
        follower: the follower; this is its sink.
        known: whether the range has been read.
        fresh: whether what is known is true, as far as anybody can tell.
    """

    def __init__(
        self,
        etcd: Registry,
        wanted: KeyRange,
        owner: Owner,
        *,
        optional: bool,
        backoff: Backoff | None,
        jitter: Callable[[], float],
    ) -> None:
        # Each revision by itself: who says that it leaves and then goes would else just be gone.
        self.follower = Follower(
            etcd,
            (wanted,),
            self,
            per_revision=True,
            backoff=backoff,
            jitter=jitter,
            on_outage=self._lost,
            on_return=self._returned,
        )
        self.known = self.fresh = False
        self._etcd = etcd
        self._wanted = wanted
        self._owner = owner
        self._optional = optional
        self._jitter = jitter
        self._revision = self._keys = 0
        self._outages = 0
        self._stands = False
        self._mark: _Mark | None = None
        self._wake = trio.Event()

    async def follow(self) -> None:
        """Follow until cancelled, beside `attend`; or until it is known that this is not allowed.

        Raises:
            EtcdError: what `Follower.run` raises.
        """
        try:
            await self.follower.run()
        except PermissionDenied:
            if not self._optional:
                raise
            log.warning(WITHOUT_INFOS, extra={"keys": str(self._wanted)})
            self.known = True
            self._now(fresh=True)

    async def send(self, value: Step) -> None:
        """Take a step; when this is cancelled, nothing of it was taken."""
        records = await self._owner.read(value)
        self._owner.apply(value, records)
        self._revision = value.revision
        for change in value.changes.values():
            self._keys += (change.new is not None) - (change.old is not None)
        if value.origin is Origin.LISTED:
            self.known = True
            self._now(fresh=True)
        else:
            self._look()

    async def aclose(self) -> None:
        """Nothing is to be closed."""
        await trio.lowlevel.checkpoint()

    async def attend(self) -> None:
        """After each outage find out when all that happened in it is known."""
        failures = 0
        while True:
            if self.fresh or not self._stands:
                failures = 0
                self._wake = trio.Event()
                await self._wake.wait()
                continue
            outages = self._outages
            if not failures:
                await trio.sleep(_CATCHING_UP)
            try:
                mark = await self._measure()
            except EtcdError as error:
                log.debug("what is missing can not be told yet", extra={"reason": str(error)})
            else:
                if outages == self._outages:
                    self._mark = mark
                    self._look()
            if not self.fresh:
                failures += 1
                with trio.move_on_after(_ASK_AGAIN.jittered(failures, self._jitter())):
                    self._wake = trio.Event()
                    await self._wake.wait()

    async def _measure(self) -> _Mark:
        wanted = self._wanted
        request = RangeRequest(
            key=wanted.key,
            range_end=wanted.range_end,
            limit=1,
            sort_order=SortOrder.DESCEND,
            sort_target=SortTarget.MOD,
            keys_only=True,
        )
        answer = await self._etcd.kv.range(request, persist=False)
        newest = answer.kvs[0].mod_revision if answer.kvs else 0
        return _Mark(answer.header.revision, answer.count, newest)

    def _look(self) -> None:
        mark = self._mark
        if mark is None:
            return
        is_same = self._keys == mark.keys and self._revision >= mark.newest
        if is_same or self._revision >= mark.revision:
            self._now(fresh=True)

    def _lost(self, error: EtcdError) -> None:
        self._outages += 1
        self._stands = False
        self._now(fresh=False)

    def _returned(self) -> None:
        self._stands = True
        self._revision = self.follower.revision  # all up to there has been taken
        self._wake.set()

    def _now(self, *, fresh: bool) -> None:
        self._mark = None
        self.fresh = fresh
        self._wake.set()
        self._owner.freshness_changed()
