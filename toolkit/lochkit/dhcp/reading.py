"""Reading the objects once, for those who do not follow them."""

from ..etcd.messages import KeyValue
from ..etcd.model import Appeared, Origin, Step
from ..etcd.showing import Ahead
from ..etcd.store import Store
from .layout import Layout

__all__ = ["read_step"]


async def read_step(store: Store, layout: Layout, ahead: Ahead | None = None) -> Step:
    """All objects as they are now, at one revision: the first step of a follower.

    Args:
        store: etcd; it owns the time limits.
        layout: where the objects are.
        ahead: shown the keys as they arrive, those of other things too.

    Raises:
        EtcdError: etcd can not be reached, or refuses.
    """
    found: dict[bytes, KeyValue] = {}
    revision = 0
    for wanted in layout.ranges():
        listing = await store.list_range(wanted, revision=revision, ahead=ahead)
        revision = revision or listing.revision
        found |= {kv.key: kv for kv in listing.kvs if layout.wanted(kv.key)}
    return Step(revision=revision, changes=Appeared(found), origin=Origin.LISTED)
