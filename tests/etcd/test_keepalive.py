"""Leases kept alive on one stream: renewal, loss, hung and absent members."""

import pytest
import trio
import trio.testing

from lochkit.etcd.grpc_frames import MessageReader
from lochkit.etcd.keepalive import LeaseKeeper
from lochkit.etcd.messages import LeaseKeepAliveRequest, LeaseKeepAliveResponse
from lochkit.etcd.wire import decode, encode
from tests.etcd.grpc_server import Call
from tests.etcd.scripted_etcd import HEADER, Members


class LeaseServer:
    """A member that renews leases of 6 s, or says they are gone, or says nothing."""

    def __init__(self, ttl: int = 6) -> None:
        self.ttl = ttl
        self.silent = False
        self.renewed: list[tuple[float, int]] = []
        self.script = {"LeaseKeepAlive": self.serve}

    async def serve(self, call: Call) -> None:
        await call.begin()
        reader = MessageReader(1 << 20)
        seen = 0
        while True:
            await trio.sleep(0.01)
            fresh, seen = bytes(call.body[seen:]), len(call.body)
            for body in reader.feed(fresh):
                lease_id = decode(LeaseKeepAliveRequest, body).ID
                self.renewed.append((round(trio.current_time(), 1), lease_id))
                if not self.silent:
                    answer = LeaseKeepAliveResponse(header=HEADER, ID=lease_id, TTL=self.ttl)
                    await call.send(encode(answer))


def keeper(nursery: trio.Nursery, members: Members) -> LeaseKeeper:
    made = LeaseKeeper(members.caller(), limit=1 << 20, jitter=lambda: 0.0)
    nursery.start_soon(made.run)
    return made


async def test_leases_share_a_stream_and_are_renewed_every_third(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = LeaseServer()
    members = Members(nursery, a=server.script)
    keep = keeper(nursery, members).keep
    async with keep(1, 6) as one, keep(2, 6) as two:
        await trio.sleep(20.5)
        assert not one.lost.is_set()
        assert not two.lost.is_set()
        assert one.deadline > trio.current_time() + 3
    assert members.methods() == [("a", "LeaseKeepAlive")]
    for lease_id in (1, 2):
        times = [time for time, renewed in server.renewed if renewed == lease_id]
        assert len(times) == 11  # at once, then every 2 s
    count = len(server.renewed)
    await trio.sleep(20)
    assert len(server.renewed) == count  # nothing is kept alive that nobody keeps


async def test_a_lease_the_server_no_longer_knows_is_lost(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = LeaseServer()
    members = Members(nursery, a=server.script)
    async with keeper(nursery, members).keep(1, 6) as lease:
        await trio.sleep(5)
        server.ttl = 0
        with trio.fail_after(3):
            await lease.lost.wait()


async def test_without_any_member_it_is_lost_when_its_time_is_up(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    members = Members(nursery, a=None)
    began = trio.current_time()
    async with keeper(nursery, members).keep(1, 6) as lease:
        await lease.lost.wait()
    assert trio.current_time() - began == pytest.approx(6, abs=0.1)


async def test_a_hung_member_never_costs_a_lease_while_another_lives(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    hung, good = LeaseServer(), LeaseServer()
    members = Members(nursery, a=hung.script, b=good.script)
    async with keeper(nursery, members).keep(1, 6) as lease:
        await trio.sleep(3)
        hung.silent = True
        await trio.sleep(60)
        assert not lease.lost.is_set()
    assert members.dialled == ["a", "b"]


async def test_a_member_that_goes_away_is_replaced_in_time(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    first, second = LeaseServer(), LeaseServer()
    members = Members(nursery, a=first.script, b=second.script)
    async with keeper(nursery, members).keep(1, 6) as lease:
        await trio.sleep(3)
        members.scripts["a"] = None
        await members.servers["a"].stream.aclose()
        await trio.sleep(60)
        assert not lease.lost.is_set()
    assert second.renewed


async def test_a_lease_is_kept_once_at_a_time(nursery: trio.Nursery) -> None:
    members = Members(nursery, a=LeaseServer().script)
    made = keeper(nursery, members)
    async with made.keep(1, 6):
        with pytest.raises(ValueError, match="already"):
            async with made.keep(1, 6):
                pass
