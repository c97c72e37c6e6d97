"""What an instance publishes, deleted or overwritten by others; a store in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from lochkit.discovery.host import Host, State
from lochkit.discovery.register_options import RegisterOptions
from lochkit.discovery.registrar import register
from lochkit.discovery.writing import Losses
from lochkit.etcd.messages import KeyValue
from tests.discovery.test_registrar import HOST, Words
from tests.fakes.lease_store import LeaseStore

OPTIONS = RegisterOptions(publications=(Words(),))
SAME = b"/words/same"


@dataclass(frozen=True)
class Same:
    """Publishes a key that every instance publishes, as those of one address do."""

    word: str = "w"

    def keys(self, host: Host) -> Mapping[bytes, bytes]:
        return {SAME: self.word.encode()}

    def shared_keys(self, host: Host) -> Mapping[bytes, bytes]:
        return {}


async def test_what_is_deleted_comes_back(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        own = f"/words/{here.uuid}".encode()
        for _ in range(3):
            etcd.delete_by_hand(own)
            etcd.delete_by_hand(b"/words/shared")
            await trio.sleep(3)
            assert etcd.state[own].lease == here.status.lease_id
            assert b"/words/shared" in etcd.state
        revision = etcd.revision
        await trio.sleep(600)
        assert etcd.revision == revision


@pytest.mark.parametrize("seconds", [0.0, 30.0])
async def test_also_when_nobody_could_see_it(seconds: float, autojump_clock: MockClock) -> None:
    """With the same lease, or another."""
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        own = f"/words/{here.uuid}".encode()
        etcd.go_down()
        etcd.delete_by_hand(own)
        await trio.sleep(seconds)
        etcd.come_back()
        await trio.sleep(15)
        assert etcd.state[own].lease == here.status.lease_id


async def test_what_was_withdrawn_stays_away(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        own = f"/words/{here.uuid}".encode()
        here.set_state(State.CRITICAL)
        await trio.sleep(60)
        assert own not in etcd.state
        here.set_state(State.PASSING)
        await trio.sleep(1)
        etcd.delete_by_hand(own)
        await trio.sleep(3)
        assert own in etcd.state
        here.publish(())
        await trio.sleep(60)
        assert own not in etcd.state


async def test_no_quarrel_about_a_key_of_two(autojump_clock: MockClock) -> None:
    """The last writer has it, and when that one goes, the other."""
    async with LeaseStore.run() as etcd:
        first = RegisterOptions(publications=(Same("first"),))
        second = RegisterOptions(publications=(Same("second"),))
        async with register(etcd, "web", HOST, options=first) as one:
            await one.wait_ready()
            async with register(etcd, "db", HOST, options=second) as other:
                await other.wait_ready()
                await trio.sleep(1)
                revision = etcd.revision
                await trio.sleep(600)
                assert etcd.revision == revision
                assert etcd.values()[SAME] == b"second"
            await trio.sleep(3)
            assert etcd.values()[SAME] == b"first"
            assert etcd.state[SAME].lease == one.status.lease_id


def test_losses() -> None:
    losses = Losses()
    losses.written(7)
    losses.saw(b"a", None, 6, was_read=False)
    losses.saw(b"a", None, 7, was_read=False)
    assert losses.keys == set(), "older than the last writing"
    losses.saw(b"a", None, 8, was_read=False)
    losses.saw(b"b", None, 3, was_read=True)  # of a store that was restored from a backup
    assert losses.keys == {b"a", b"b"}
    losses.saw(b"a", KeyValue(key=b"a"), 9, was_read=False)
    assert losses.keys == {b"b"}
    losses.written(10)
    assert losses.keys == set()
