"""Looking services up once, for those who do not follow them.

Who may read the instances and not what they have in common, where passwords are, finds services all
the same: as if there were no such records.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

import trio

from ..etcd.errors import (
    Compacted,
    DeadlineExceeded,
    MessageTooLarge,
    PermissionDenied,
    Unavailable,
)
from ..etcd.kv import Listing
from ..etcd.messages import (
    Compare,
    KeyValue,
    RangeRequest,
    RangeResponse,
    RequestOp,
    TxnResponse,
)
from ..etcd.prefix import KeyRange
from ..runtime.backoff import Backoff
from .errors import InvalidName
from .layout import DEFAULT_LAYOUT, Layout
from .lookup import Service, service_of
from .permissions import WITHOUT_INFOS, needing

__all__ = ["Readable", "Reads", "catalog", "get"]

log = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")

_ATTEMPTS: Final = 4
_AGAIN: Final = Backoff(base=0.05, factor=2.0, maximum=1.0)


class Reads(Protocol):
    """Transactions and lists; `KeyValues` has them."""

    async def txn(
        self,
        compare: "tuple[Compare, ...]",
        success: "tuple[RequestOp, ...]",
        failure: "tuple[RequestOp, ...]" = (),
    ) -> TxnResponse:
        """A transaction."""
        ...

    async def list(self, wanted: KeyRange, *, revision: int = 0) -> Listing:
        """All keys of a range at one revision."""
        ...


class Readable(Protocol):
    """What is asked of etcd; `Client` is one."""

    @property
    def kv(self) -> Reads:
        """Keys and values."""
        ...


async def get(
    etcd: Readable, service: str, *, layout: Layout = DEFAULT_LAYOUT, serializable: bool = False
) -> Service:
    """What is known of a service: one request, one revision; more requests if it is very large.

    Args:
        etcd: where to read; it owns the time limits.
        service: the service. That nothing is known of it is told by the methods of the answer.
        layout: where the keys are.
        serializable: let the member asked answer from its own, perhaps older state, even when it is
            cut off from the others.

    Raises:
        InvalidName: no service can have this name.
        PermissionDenied: the instances may not be read; their range is named.
        EtcdError: etcd can not be reached, or refuses.
    """
    if not service or "/" in service:
        raise InvalidName(f"{service[:200]!r} is no name of a service")
    ranges = (KeyRange.exact(layout.infos_key(service)), layout.service(service))
    reads = tuple(
        RequestOp(
            request_range=RangeRequest(
                key=wanted.key, range_end=wanted.range_end, serializable=serializable
            )
        )
        for wanted in ranges
    )
    infos: Sequence[KeyValue]
    hosts: Sequence[KeyValue]
    try:
        # A transaction is not repeated by the client, which does not look whether it only reads.
        answer = await _persistently(lambda: etcd.kv.txn((), reads))
    except (MessageTooLarge, PermissionDenied):
        # Whoever can write below the service can make it so large; lists come in pages.
        listed = await _lists(etcd, *reversed(ranges))
        hosts, infos, revision = listed.instances, listed.infos, listed.revision
    else:
        infos, hosts = (_found(part.response_range) for part in answer.responses)
        revision = answer.header.revision
    known = infos[0] if infos else None
    return service_of(service, known, hosts, revision, layout, random.random)


async def catalog(etcd: Readable, layout: Layout = DEFAULT_LAYOUT) -> dict[str, Service]:
    """All services that have a record of any kind, by name, in order; at one revision.

    Args:
        etcd: where to read; it owns the time limits.
        layout: where the keys are.

    Raises:
        PermissionDenied: the instances may not be read; their range is named.
        EtcdError: etcd can not be reached, or refuses.
    """
    listed = await _lists(etcd, layout.instances, layout.infos)
    known = {layout.parse_infos(kv.key): kv for kv in listed.infos}
    hosts: dict[str, list[KeyValue]] = {name: [] for name in known if name is not None}
    for kv in listed.instances:
        place = layout.parse_instance(kv.key)
        if place is not None:
            hosts.setdefault(place.service, []).append(kv)
    found = {}
    for name in sorted(hosts):
        found[name] = service_of(
            name, known.get(name), hosts[name], listed.revision, layout, random.random
        )
        await trio.lowlevel.checkpoint()  # each may be large
    return found


class _Listed(NamedTuple):
    """Instances, and what they have in common, at one revision."""

    revision: int
    instances: Sequence[KeyValue]
    infos: Sequence[KeyValue]


async def _lists(etcd: Readable, instances: KeyRange, infos: KeyRange) -> _Listed:
    """Two ranges; of infos that may not be read, none."""

    async def read() -> _Listed:
        with needing("read", instances):
            hosts = await etcd.kv.list(instances)
        try:
            shared = await etcd.kv.list(infos, revision=hosts.revision)
        except PermissionDenied:
            log.warning(WITHOUT_INFOS, extra={"keys": str(infos)})
            return _Listed(hosts.revision, hosts.kvs, ())
        return _Listed(hosts.revision, hosts.kvs, shared.kvs)

    return await _persistently(read)


async def _persistently(read: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
    """Read again what a lost connection, or a compaction, has interrupted."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return await read()
        except DeadlineExceeded:
            raise  # all the time that was allowed has gone
        except (Unavailable, Compacted):
            await trio.sleep(_AGAIN.jittered(attempt, random.random()))
    return await read()


def _found(answer: RangeResponse | None) -> tuple[KeyValue, ...]:
    return answer.kvs if answer is not None else ()
