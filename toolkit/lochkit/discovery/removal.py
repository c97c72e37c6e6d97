"""Taking instances out of the registry by an operator's hand, and with them what they published.

What an instance has put into the store hangs on one lease, so that to end the lease removes all of
it at one revision. Only where a lease keeps other instances alive as well is the key of one deleted
by itself.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..etcd.messages import KeyValue
from .errors import BadRecord
from .host import State
from .layout import Layout
from .records import OWN
from .values import parse_object

__all__ = ["Removal", "marked_leaving", "orphaned_infos", "plan_removals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How one instance, or several that share a lease, are taken out.

    Attributes:
        chosen: the keys of the instances.
        lease: what is revoked; 0 when the keys are deleted one by one.
        along: other keys that go with the lease.
        shared_with: instances that were not chosen, and for whose sake the lease is kept.
    """

    chosen: tuple[KeyValue, ...]
    lease: int = 0
    along: tuple[bytes, ...] = ()
    shared_with: tuple[bytes, ...] = ()


def plan_removals(
    chosen: Iterable[KeyValue], holdings: Mapping[int, Iterable[bytes]], layout: Layout
) -> tuple[Removal, ...]:
    """How instances are taken out.

    Args:
        chosen: their keys.
        holdings: the keys that each of their leases holds; a lease that has ended is not there.
        layout: tells instances from other keys.
    """
    by_lease: dict[int, list[KeyValue]] = {}
    for kv in chosen:
        by_lease.setdefault(kv.lease if kv.lease in holdings else 0, []).append(kv)
    plan = []
    for lease, kvs in sorted(by_lease.items()):
        if not lease:
            plan += [Removal(chosen=(kv,)) for kv in kvs]
            continue
        rest = sorted(set(holdings[lease]) - {kv.key for kv in kvs})
        others = tuple(key for key in rest if layout.parse_instance(key) is not None)
        if others:
            plan += [Removal(chosen=(kv,), shared_with=others) for kv in kvs]
        else:
            plan.append(Removal(chosen=tuple(kvs), lease=lease, along=tuple(rest)))
    return tuple(plan)


def orphaned_infos(
    infos: Iterable[KeyValue], instances: Iterable[KeyValue], layout: Layout
) -> tuple[KeyValue, ...]:
    """The records of services of which no instance is there."""
    found = (layout.parse_instance(kv.key) for kv in instances)
    alive = {name.service for name in found if name is not None}
    return tuple(kv for kv in infos if layout.parse_infos(kv.key) not in {None, *alive})


def marked_leaving(value: bytes) -> bytes | None:
    """A record whose instance says that it leaves, so that nobody takes its end for a crash.

    Everything else in it stays as it was, whatever that is.

    Returns:
        The record; None when there is no marking it, or no need to.
    """
    try:
        record = parse_object(value)
    except BadRecord:
        return None
    own = record.setdefault(OWN, {})
    if not isinstance(own, dict) or own.get("state") == State.LEAVING.value:
        return None
    own["state"] = State.LEAVING.value
    return json.dumps(record, separators=(",", ":")).encode()
