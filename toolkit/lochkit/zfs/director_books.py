"""What a director writes into etcd while it leads: orders, results, cursors, ticks, its status.

Every write is a transaction that only a leader can do (`Reign.write`). An order is written before
it is given; its result, the cursors it has moved and the end of its key are one transaction. So
whoever leads next finds every order that may be under way, gives it again under the same uuid,
which its agent carries out once, and nothing is done twice or forgotten.
"""

import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from ..errors import LochkitError, TransientError
from ..etcd.errors import EtcdError, LeaseNotFound
from ..etcd.kv import Listing
from ..etcd.messages import RangeRequest, RequestOp
from ..etcd.operations import delete, put
from ..etcd.prefix import KeyRange
from ..etcd.showing import Ahead
from ..etcd.store import LeaseCalls
from ..runtime.backoff import Backoff
from .cursor_record import CursorRecord, encode_cursor
from .directing_notes import Tick
from .directing_record import (
    DirectorKeys,
    GivenOrder,
    encode_given,
    encode_result,
    encode_tick,
    read_given,
    read_tick,
)
from .election import Reign
from .election_store import Keys
from .layout import CursorKey
from .orders import OrderResult

__all__ = ["Books", "BooksStore", "Opened"]

log = logging.getLogger(__name__)

_AGAIN: Final = Backoff(base=0.2, maximum=5.0)
_RESULTS_LIVE: Final = 30 * 86400  # seconds
_MOST_RESULTS: Final = 10_000
_CURSORS_AT_ONCE: Final = 90
"""In one transaction, whose limit is 128 operations unless etcd was told otherwise."""
_SILENCE: Final = 20.0  # seconds
_MOST_JUNK: Final = 1000
"""Keys that are told of which can not be read: each is logged, and remembered."""


class BooksStore(Protocol):
    """What is asked of etcd; `lochkit.etcd.client.Client` is one."""

    @property
    def kv(self) -> Keys:
        """Keys."""
        ...

    @property
    def leases(self) -> LeaseCalls:
        """Leases."""
        ...

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        """All keys of a range."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What directors before us have left.

    Attributes:
        orders: that were given, and whose results nobody has written.
        ticks: by job and dataset.
        junk: keys that can not be read, with the reasons.
    """

    orders: tuple[GivenOrder, ...] = ()
    ticks: Mapping[tuple[str, str], Tick] = field(default_factory=dict)
    junk: Mapping[bytes, str] = field(default_factory=dict)


class Books:
    """Writes for one reign.

    Args:
        etcd: where; borrowed.
        reign: under whose guard.
        keys: where what is.
        jitter: numbers in [0, 1).
    """

    def __init__(
        self,
        etcd: BooksStore,
        reign: Reign,
        keys: DirectorKeys,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._etcd = etcd
        self._reign = reign
        self._keys = keys
        self._jitter = jitter
        self._lease = 0
        self._lease_until = 0.0
        self._granting = trio.Lock()
        self._results: deque[bytes] = deque()

    async def open(self) -> Opened:
        """Read what there is.

        Raises:
            EtcdError: etcd is away, or refuses.
        """
        layout = self._keys.layout
        orders: list[GivenOrder] = []
        ticks: dict[tuple[str, str], Tick] = {}
        junk: dict[bytes, str] = {}
        for kv in (await self._etcd.list_range(layout.orders())).kvs:
            key = layout.order_of(kv.key)
            try:
                if key is None:
                    raise LochkitError("not the key of an order")
                given = read_given(kv.value, key.host)
                if given.wanted.order.uuid != key.uuid:
                    raise LochkitError("the order has another uuid than its key")
                orders.append(given)
            except LochkitError as exc:
                if len(junk) < _MOST_JUNK:
                    junk[kv.key] = str(exc)[:300]
        for kv in (await self._etcd.list_range(self._keys.ticks)).kvs:
            place = self._keys.tick_of(kv.key)
            try:
                if place is None:
                    raise LochkitError("not the key of a tick")
                ticks[place] = read_tick(kv.value)
            except LochkitError as exc:
                if len(junk) < _MOST_JUNK:
                    junk[kv.key] = str(exc)[:300]
        self._results = deque(await self._old_results())
        return Opened(orders=tuple(orders), ticks=ticks, junk=junk)

    async def give(self, given: GivenOrder) -> None:
        """An order is about to be given. Tried until it is written.

        Raises:
            Deposed: we do not lead any more.
            EtcdError: etcd refuses.
        """
        wanted = given.wanted
        key = self._keys.layout.order(wanted.host, wanted.order.uuid)
        await self._insist(lambda: self._reign.write((put(key, encode_given(given)),)))

    async def end(
        self,
        given: GivenOrder,
        result: OrderResult,
        *,
        ended: float,
        cursors: Mapping[CursorKey, CursorRecord],
        tick: Tick | None,
    ) -> None:
        """An order has ended: all of that is written, at once. Tried until it is.

        Args:
            given: the order.
            result: what became of it.
            ended: when, in seconds since 1970.
            cursors: that have moved. Those that do not fit one transaction go before; who finds the
                order unfinished moves them again.
            tick: that is done.

        Raises:
            Deposed: we do not lead any more.
            EtcdError: etcd refuses.
        """
        layout, wanted = self._keys.layout, given.wanted
        moved = [put(layout.cursor(key), encode_cursor(one)) for key, one in cursors.items()]
        while len(moved) > _CURSORS_AT_ONCE:
            part, moved = moved[:_CURSORS_AT_ONCE], moved[_CURSORS_AT_ONCE:]
            await self._insist(lambda part=part: self._reign.write(part))  # type: ignore[misc]
        if tick is not None:
            key = self._keys.tick(wanted.pursuit.job, wanted.pursuit.dataset)
            moved.append(put(key, encode_tick(tick)))
        moved.append(delete(KeyRange.exact(layout.order(wanted.host, wanted.order.uuid))))
        value = encode_result(given, result, ended)
        await self._insist(lambda: self._end(layout.result(wanted.order.uuid), value, moved))

    async def tell(self, status: bytes) -> None:
        """This is how the director is doing.

        Raises:
            Deposed: we do not lead any more.
            EtcdError: it could not be written.
        """
        await self._reign.write((put(self._keys.status, status, lease=self._reign.lease),))

    async def forget_ticks(self, places: Sequence[tuple[str, str]]) -> None:
        """Those ticks are of jobs that are no more.

        Raises:
            Deposed: we do not lead any more.
            EtcdError: it could not be written.
        """
        keys = [self._keys.tick(*place) for place in places]
        for start in range(0, len(keys), _CURSORS_AT_ONCE):
            part = keys[start : start + _CURSORS_AT_ONCE]
            await self._reign.write([delete(KeyRange.exact(key)) for key in part])

    async def _end(self, key: bytes, value: bytes, others: Sequence[RequestOp]) -> None:
        lease = await self._result_lease()
        old: list[bytes] = []
        while len(self._results) >= _MOST_RESULTS and len(old) < 10:
            old.append(self._results.popleft())
        try:
            await self._reign.write(
                (
                    put(key, value, lease=lease),
                    *others,
                    *(delete(KeyRange.exact(one)) for one in old if one != key),
                )
            )
        except LeaseNotFound:
            self._lease_until = 0.0
            raise
        self._results.append(key)

    async def _result_lease(self) -> int:
        """The lease of today's results: one for all, since a lease costs etcd more than a key."""
        async with self._granting:
            if trio.current_time() >= self._lease_until:
                granted = await self._etcd.leases.grant(_RESULTS_LIVE, timeout=_SILENCE)
                self._lease, self._lease_until = granted.ID, trio.current_time() + 86400
            return self._lease

    async def _old_results(self) -> list[bytes]:
        """The keys of the results there are, oldest first."""
        wanted = self._keys.layout.results()
        answer = await self._etcd.kv.range(
            RangeRequest(
                key=wanted.key, range_end=wanted.range_end, keys_only=True, limit=2 * _MOST_RESULTS
            )
        )
        return [kv.key for kv in sorted(answer.kvs, key=lambda kv: kv.mod_revision)]

    async def _insist(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write until it is done; the end of the reign ends it."""
        failures = 0
        while True:
            try:
                await write()
            except (TransientError, LeaseNotFound) as exc:
                if not isinstance(exc, EtcdError):
                    raise  # deposed
                failures += 1
                log.debug("etcd does not take it, trying again: %s", exc)
            else:
                return
            await trio.sleep(_AGAIN.jittered(failures, self._jitter()))
