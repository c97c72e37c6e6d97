"""Looking services up once, for those who do not follow them."""

import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import trio

from ..etcd.errors import Compacted, DeadlineExceeded, Unavailable
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

__all__ = ["Readable", "Reads", "catalog", "get"]

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
    """What is known of a service: one request, one revision.

    Args:
        etcd: where to read; it owns the time limits.
        service: the service. That nothing is known of it is told by the methods of the answer.
        layout: where the keys are.
        serializable: let the member asked answer from its own, perhaps older state, even when it is
            cut off from the others.

    Raises:
        InvalidName: no service can have this name.
        EtcdError: etcd can not be reached, or refuses.
    """
    if not service or "/" in service:
        raise InvalidName(f"{service[:200]!r} is no name of a service")
    reads = tuple(
        RequestOp(
            request_range=RangeRequest(
                key=wanted.key, range_end=wanted.range_end, serializable=serializable
            )
        )
        for wanted in (KeyRange.exact(layout.infos_key(service)), layout.service(service))
    )
    # A transaction is not repeated by the client, which does not look whether it only reads.
    answer = await _persistently(lambda: etcd.kv.txn((), reads))
    infos, hosts = (_found(part.response_range) for part in answer.responses)
    known = infos[0] if infos else None
    return service_of(service, known, hosts, answer.header.revision, layout, random.random)


async def catalog(etcd: Readable, layout: Layout = DEFAULT_LAYOUT) -> dict[str, Service]:
    """All services that have a record of any kind, by name, in order; at one revision.

    Args:
        etcd: where to read; it owns the time limits.
        layout: where the keys are.

    Raises:
        EtcdError: etcd can not be reached, or refuses.
    """
    instances, infos = await _persistently(lambda: _lists(etcd, layout))
    known = {layout.parse_infos(kv.key): kv for kv in infos.kvs}
    hosts: dict[str, list[KeyValue]] = {name: [] for name in known if name is not None}
    for kv in instances.kvs:
        place = layout.parse_instance(kv.key)
        if place is not None:
            hosts.setdefault(place.service, []).append(kv)
    found = {}
    for name in sorted(hosts):
        found[name] = service_of(
            name, known.get(name), hosts[name], instances.revision, layout, random.random
        )
        await trio.lowlevel.checkpoint()  # each may be large
    return found


async def _lists(etcd: Readable, layout: Layout) -> tuple[Listing, Listing]:
    instances = await etcd.kv.list(layout.instances)
    return instances, await etcd.kv.list(layout.infos, revision=instances.revision)


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
