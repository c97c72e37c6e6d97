"""Who leads: one at a time, whatever is lost and whoever dies; in memory and on a real etcd."""

import time
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock as Clock

from lochkit.etcd.operations import put
from lochkit.zfs.election import Deposed, Election, Reign
from lochkit.zfs.election_record import BadLeader, Candidate, leader_value, read_leader
from tests.etcd.real import client_of, until
from tests.fakes.lease_store import Fault
from tests.servers.etcd_server import EtcdServer

from .director_scene import RangeStore

KEY = b"/z/director/leader"


def election(store: object, name: str, *, ttl: int = 5) -> Election:
    candidate = Candidate(name=name, instance=name, pid=1)
    return Election(
        store,  # type: ignore[arg-type]
        KEY,
        candidate,
        ttl=ttl,
        clock=time.time,
        jitter=lambda: 0.5,
    )


class Court:
    """Who has led, and who does; two only while the first hears that it is over."""

    def __init__(self) -> None:
        self.led: list[str] = []
        self.leads: set[str] = set()
        self.reigns: list[Reign] = []
        self.may_overlap = False

    def reign(self, name: str) -> Callable[[Reign], Awaitable[None]]:
        async def lead(mine: Reign) -> None:
            assert self.may_overlap or not self.leads
            self.leads.add(name)
            self.led.append(name)
            self.reigns.append(mine)
            try:
                await trio.sleep_forever()
            finally:
                self.leads.discard(name)

        return lead


async def test_one_leads_and_the_next_takes_over(autojump_clock: Clock) -> None:
    court = Court()
    async with RangeStore.run() as store, trio.open_nursery() as nursery:
        scopes = {}
        for name in ("one", "two", "three"):
            scopes[name] = trio.CancelScope()

            async def stand(name: str) -> None:
                with scopes[name]:
                    await election(store, name).run(court.reign(name))

            nursery.start_soon(stand, name)
            await trio.sleep(1)
        await trio.sleep(30)
        assert court.led == ["one"]
        assert read_leader(store.state[KEY].value).name == "one"
        scopes["one"].cancel()
        await trio.sleep(1)  # at once, and not when its lease has ended
        assert len(court.led) == 2
        nursery.cancel_scope.cancel()


async def test_an_answer_that_was_lost_leaves_nobody_out(autojump_clock: Clock) -> None:
    court = Court()
    async with RangeStore.run() as store, trio.open_nursery() as nursery:
        store.faults.append(("txn", Fault.ANSWER_LOST))
        nursery.start_soon(election(store, "one").run, court.reign("one"))
        await trio.sleep(10)
        assert court.leads == {"one"}
        nursery.cancel_scope.cancel()


async def test_who_can_not_renew_stops_before_another_begins(autojump_clock: Clock) -> None:
    court = Court()
    async with RangeStore.run() as store, trio.open_nursery() as nursery:
        nursery.start_soon(election(store, "one").run, court.reign("one"))
        await trio.sleep(1)
        store.go_down()
        await trio.sleep(20)
        assert court.leads == set()
        store.come_back()
        nursery.start_soon(election(store, "two").run, court.reign("two"))
        await trio.sleep(20)
        assert len(court.leads) == 1
        nursery.cancel_scope.cancel()


async def test_a_reign_that_is_over_writes_nothing(autojump_clock: Clock) -> None:
    court = Court()
    async with RangeStore.run() as store, trio.open_nursery() as nursery:
        nursery.start_soon(election(store, "one").run, court.reign("one"))
        await trio.sleep(1)
        (reign,) = court.reigns
        assert await reign.write((put(b"/z/a", b"1"),))
        store.delete_by_hand(KEY)
        store.put_by_hand(KEY, b"{}")
        with pytest.raises(Deposed):
            await reign.write((put(b"/z/a", b"2"),))
        assert store.values()[b"/z/a"] == b"1"
        nursery.cancel_scope.cancel()


async def test_who_does_not_wait_is_told_who_leads(autojump_clock: Clock) -> None:
    court = Court()
    async with RangeStore.run() as store:
        store.put_by_hand(KEY, leader_value(Candidate(name="other", instance="x"), 1.0))
        with pytest.raises(Deposed, match="other directs already"):
            await election(store, "one").run(court.reign("one"), wait=False)
    assert court.led == []


@pytest.mark.parametrize("value", [b"", b"[]", b'{"Host": 1}', b'{"Since": "x"}', b"{" * 9000])
def test_a_leader_that_can_not_be_read(value: bytes) -> None:
    with pytest.raises(BadLeader):
        read_leader(value)


@pytest.mark.real_etcd
async def test_on_a_real_etcd_one_takes_over_from_another(one_etcd: EtcdServer) -> None:
    court = Court()
    court.may_overlap = True
    with trio.fail_after(30):
        async with (
            client_of(one_etcd.endpoint) as first,
            client_of(one_etcd.endpoint) as second,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(election(first, "one", ttl=2).run, court.reign("one"))
            await until(5, lambda: court.leads == {"one"})
            nursery.start_soon(election(second, "two", ttl=2).run, court.reign("two"))
            await trio.sleep(0.3)
            (reign,) = court.reigns
            await first.leases.revoke(reign.lease)
            await until(8, lambda: court.led[1:2] == ["two"])
            assert court.led[:2] == ["one", "two"]
            await until(2, lambda: court.leads == {"two"})
            assert court.leads == {"two"}
            with pytest.raises(Deposed):
                await reign.write((put(b"/z/late", b"1"),))
            assert await first.kv.get(b"/z/late") is None
            nursery.cancel_scope.cancel()
        assert await one_etcd.dump("/z/director") == {}
