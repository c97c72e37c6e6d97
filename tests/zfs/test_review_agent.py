"""What may break an agent, or have it destroy too much: found by looking for it."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock as Clock

from lochkit.etcd.client import Client
from lochkit.io.peer_errors import PeerClosed
from lochkit.io.peer_socket import Peer
from lochkit.zfs.agent_chores import PruneChore
from lochkit.zfs.agent_publishing import lookup_of
from lochkit.zfs.agent_settings import AgentSettings
from lochkit.zfs.errors import ZfsBusy
from lochkit.zfs.order_desk import OrderDesk
from lochkit.zfs.order_server import OrderServer
from lochkit.zfs.permits import Permit, Permits
from lochkit.zfs.policy_types import Guarantee
from lochkit.zfs.replication_holds import settle

from ..fakes.zfs_host import ZFS_FUSE, FakeHost
from .agent_scene import NOON, Scene, job, to_vault


class PeerThatIsAsked:
    """Closes at once, and remembers how large a message it might have sent."""

    def __init__(self, name: str) -> None:
        self.name, self.address = name, "10.0.0.9:1"
        self.limits: list[int] = []

    async def receive(self, *, timeout: float, limit: int) -> Mapping[str, object]:
        del timeout
        self.limits.append(limit)
        await trio.lowlevel.checkpoint()
        raise PeerClosed("it is gone")


@pytest.mark.parametrize(("name", "least"), [("director", 8 << 20), ("web2", 0), ("nobody", 0)])
async def test_only_who_may_order_anything_may_send_much(name: str, least: int) -> None:
    orders = frozenset({"destroy_snapshot"})
    permits = Permits(
        clients={
            "director": Permit(client="director", orders=orders, orders_on=("ssd",)),
            "web2": Permit(client="web2", write=("bulk/web2",)),
        }
    )
    peer = PeerThatIsAsked(name)
    server = OrderServer(cast(OrderDesk, None), lambda: permits)
    await server.serve(cast(Peer, peer))
    assert peer.limits
    assert least <= peer.limits[0]
    assert least or peer.limits[0] <= 65536


async def test_without_bookmarks_a_hold_protects_what_lost_notes_knew(
    autojump_clock: Clock,
) -> None:
    scene = Scene(NOON, FakeHost("web1", pools=("ssd",), capabilities=ZFS_FUSE))
    state = scene.host.state
    state.make("ssd/pg")
    state.now = NOON - 3600
    state.snaps("ssd/pg", *(f"hot_2027-01-15T10:0{minute}:00Z" for minute in range(5)))
    dataset = (await scene.host.dataset("ssd/pg")).datasets["ssd/pg"]
    kept = settle(
        dataset,
        dataset.snapshots[1],
        replication="pg",
        guarantee=Guarantee.RESUMABLE,
        capabilities=ZFS_FUSE,
        held=(),
    ).hold
    await scene.host.hold("lochkit:pg", kept)
    chore = PruneChore(job(keep=["last 1"], to=[to_vault()]), scene.site, scene.notes)
    assert await chore.attempt()
    assert [name[-6:] for name in state.names("ssd/pg")] == ["01:00Z", "04:00Z"]


class Junk:
    """An etcd whose values are all the same."""

    def __init__(self, value: bytes) -> None:
        self.kv, self.value = self, value

    async def get(self, key: bytes) -> Any:
        del key
        await trio.lowlevel.checkpoint()
        return self


@pytest.mark.parametrize("value", [b"[" * 100_000, b"{}", b"\xff", b"1"])
async def test_junk_where_a_host_is_looked_for_is_told(value: bytes) -> None:
    class Settings:
        class etcd:
            namespace = "/lochkit/zfs"

    lookup = lookup_of(cast(AgentSettings, Settings), cast(Client, Junk(value)))
    assert lookup is not None
    with pytest.raises(ZfsBusy):
        await lookup("vault")
