"""Taking instances out of etcd: asking what their leases hold, and ending those."""

from collections.abc import Iterable
from contextlib import suppress

import trio

from ..discovery.layout import Layout
from ..discovery.removal import Removal, marked_leaving
from ..etcd.client import Client
from ..etcd.errors import LeaseNotFound
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
    """
    for kv in removal.chosen:
        marked = marked_leaving(kv.value)
        if marked is not None:
            # If it was written meanwhile it goes unmarked.
            await etcd.kv.txn(
                [modified_at(kv.key, kv.mod_revision)], [put(kv.key, marked, lease=kv.lease)]
            )
    if not removal.lease:
        for kv in removal.chosen:
            same = created_at(kv.key, kv.create_revision)
            await etcd.kv.txn([same], [delete(KeyRange.exact(kv.key))])
        return
    with suppress(LeaseNotFound):  # it has ended by itself
        await etcd.leases.revoke(removal.lease)


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
    answer = await etcd.kv.txn([nobody, same], [delete(KeyRange.exact(kv.key))])
    return answer.succeeded
