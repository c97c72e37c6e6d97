"""Taking instances out of etcd: asking what their leases hold, and ending those."""

from collections.abc import Iterable
from contextlib import suppress

import trio

from ..discovery.layout import Layout
from ..discovery.permissions import needing
from ..discovery.removal import Removal, marked_leaving
from ..etcd.client import Client
from ..etcd.errors import LeaseNotFound, PermissionDenied
from ..etcd.messages import Compare, CompareTarget, KeyValue
from ..etcd.operations import created_at, delete, modified_at, put
from ..etcd.prefix import KeyRange
from .services_reading import LEASES_AT_ONCE

__all__ = ["holdings_of", "remove", "remove_infos"]


async def holdings_of(etcd: Client, kvs: Iterable[KeyValue]) -> dict[int, tuple[bytes, ...]]:
    """The keys that the leases of these keys hold; a lease that has ended is left out."""
    found: dict[int, tuple[bytes, ...]] = {}
    places = trio.CapacityLimiter(LEASES_AT_ONCE)

    async def ask(lease: int) -> None:
        async with places:
            with needing("read", f"all keys on lease {lease:x}"):
                answer = await etcd.leases.time_to_live(lease, keys=True)
        if answer.TTL >= 0:
            found[lease] = answer.keys

    async with trio.open_nursery() as nursery:
        for lease in {kv.lease for kv in kvs if kv.lease}:
            nursery.start_soon(ask, lease)
    return found


async def remove(etcd: Client, removal: Removal) -> None:
    """Take instances out: they are marked as leaving first, so that this is not taken for a crash.

    An instance that is gone already, or came anew since it was looked at, is left alone; but for
    those that come back on the same lease.

    Raises:
        PermissionDenied: for something that it takes; it is named, and the marks are undone.
    """
    marks: list[tuple[KeyValue, int]] = []
    for kv in removal.chosen:
        revision = await _mark(etcd, kv)
        if revision:
            marks.append((kv, revision))
    refusal: PermissionDenied | None = None
    try:
        await _end(etcd, removal)
    except PermissionDenied as exc:
        refusal = exc
    if refusal is not None:
        for kv, revision in marks:  # who stays must not look as if it left
            await etcd.kv.txn(
                [modified_at(kv.key, revision)], [put(kv.key, kv.value, lease=kv.lease)]
            )
        raise refusal


async def _end(etcd: Client, removal: Removal) -> None:
    if not removal.lease:
        for kv in removal.chosen:
            same = created_at(kv.key, kv.create_revision)
            with needing("readwrite", KeyRange.exact(kv.key)):
                await etcd.kv.txn([same], [delete(KeyRange.exact(kv.key))])
        return
    held = (*(kv.key for kv in removal.chosen), *removal.along)
    # It has ended by itself, where it is not found.
    with suppress(LeaseNotFound), needing("write", *map(KeyRange.exact, held)):
        await etcd.leases.revoke(removal.lease)


async def _mark(etcd: Client, kv: KeyValue) -> int:
    """Mark an instance as leaving; the revision, 0 when it was not, since there was no need to or
    it was written meanwhile."""
    marked = marked_leaving(kv.value)
    if marked is None:
        return 0
    with needing("readwrite", KeyRange.exact(kv.key)):
        answer = await etcd.kv.txn(
            [modified_at(kv.key, kv.mod_revision)], [put(kv.key, marked, lease=kv.lease)]
        )
    return answer.header.revision if answer.succeeded else 0


async def remove_infos(etcd: Client, layout: Layout, kv: KeyValue) -> bool:
    """Remove the common record of a service, unless it was written meanwhile or an instance came.

    Returns:
        Whether it is gone.
    """
    instances = layout.service(layout.parse_infos(kv.key) or "")
    nobody = Compare(
        target=CompareTarget.CREATE,
        key=instances.key,
        range_end=instances.range_end,
        create_revision=0,
    )
    same = modified_at(kv.key, kv.mod_revision)
    with needing("readwrite", KeyRange.exact(kv.key), f"and read for {instances}"):
        answer = await etcd.kv.txn([nobody, same], [delete(KeyRange.exact(kv.key))])
    return answer.succeeded
