"""Many leases on one stream: what is sent together, what answers say, and who hears of a loss."""

import math
from itertools import pairwise

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.grpc_frames import MessageReader
from lochkit.etcd.keepalive import LeaseKeeper
from lochkit.etcd.keepalive_agenda import Agenda
from lochkit.etcd.keepalive_answer import expected_tail, tail
from lochkit.etcd.messages import LeaseKeepAliveRequest, LeaseKeepAliveResponse, ResponseHeader
from lochkit.etcd.wire import decode, encode
from tests.etcd.grpc_server import Call
from tests.etcd.scripted_etcd import HEADER, Members

NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)


class Renewals:
    """A member that renews at once, each lease for its own time, and notes what came together."""

    def __init__(self, ttl: int = 6) -> None:
        self.ttl = ttl
        self.ttls: dict[int, int] = {}
        self.header = HEADER
        self.batches: list[tuple[float, list[int]]] = []
        self.script = {"LeaseKeepAlive": self.serve}

    async def serve(self, call: Call) -> None:
        await call.begin()
        reader, seen = MessageReader(1 << 20), 0
        while True:
            await trio.sleep(0.01)
            fresh, seen = bytes(call.body[seen:]), len(call.body)
            ids = [decode(LeaseKeepAliveRequest, body).ID for body in reader.feed(fresh)]
            if ids:
                self.batches.append((trio.current_time(), ids))
            for lease_id in ids:
                ttl = self.ttls.get(lease_id, self.ttl)
                answer = LeaseKeepAliveResponse(header=self.header, ID=lease_id, TTL=ttl)
                await call.send(encode(answer))

    def times(self, lease_id: int) -> list[float]:
        return [time for time, ids in self.batches if lease_id in ids]


def keeper(nursery: trio.Nursery, members: Members) -> LeaseKeeper:
    made = LeaseKeeper(members.caller(), limit=1 << 20, jitter=lambda: 0.0)
    nursery.start_soon(made.run)
    return made


async def hold(keeper: LeaseKeeper, lease_id: int, begin: float) -> None:
    await trio.sleep(begin)
    async with keeper.keep(lease_id, 6):
        await trio.sleep_forever()


async def test_leases_that_began_apart_come_to_be_renewed_together(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = Renewals()
    made = keeper(nursery, Members(nursery, a=server.script))
    for number in range(1, 301):
        nursery.start_soon(hold, made, number, number * 0.01)  # over three seconds
    await trio.sleep(60)
    last: list[int] = []
    batches = 0
    while len(last) < 300:
        last += server.batches[-1 - batches][1]
        batches += 1
    assert sorted(last) == list(range(1, 301))  # each once
    assert batches <= 10  # 2 s in pieces of 0.2 s
    for number in (1, 150, 300):
        times = server.times(number)
        gaps = [after - before for before, after in pairwise(times)]
        assert max(gaps) < 2.05  # a third of their time, never later
        assert min(gaps) > 1.75


async def test_each_lease_keeps_its_own_time(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = Renewals()
    server.ttls = {1: 6, 2: 15, 3: 60}
    made = keeper(nursery, Members(nursery, a=server.script))
    async with made.keep(1, 6) as one, made.keep(2, 15) as two, made.keep(3, 60) as three:
        await trio.sleep(59)
        assert [len(server.times(number)) for number in (1, 2, 3)] == [30, 12, 3]
        for lease in (one, two, three):
            assert lease.deadline - trio.current_time() > lease.ttl / 2
            assert not lease.lost.is_set()


@pytest.mark.parametrize("ttl", [2, 30])
async def test_another_time_in_an_answer_is_the_time_from_then_on(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, ttl: int
) -> None:
    server = Renewals()
    members = Members(nursery, a=server.script)
    async with keeper(nursery, members).keep(1, 6) as lease:
        await trio.sleep(7)
        server.ttl = ttl
        await trio.sleep(2)
        assert lease.ttl == ttl
        before = len(server.times(1))
        await trio.sleep(60)
        assert abs(len(server.times(1)) - before - 180 / ttl) <= 2
        members.scripts["a"] = None
        await members.servers["a"].stream.aclose()
        deadline = lease.deadline
        await lease.lost.wait()
        assert trio.current_time() == pytest.approx(deadline)


async def test_an_answer_in_another_layout_is_an_answer(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = Renewals()
    server.header = ResponseHeader()  # which is not sent
    async with keeper(nursery, Members(nursery, a=server.script)).keep(1, 6) as lease:
        await trio.sleep(30)
        assert not lease.lost.is_set()


async def test_a_loss_is_told_once_and_only_while_the_lease_is_kept(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = Renewals()
    server.ttls = {2: 0}
    told: list[tuple[int, float]] = []

    def note(lease_id: int) -> None:
        told.append((lease_id, round(trio.current_time() - began, 1)))

    members = Members(nursery, a=server.script)
    made = keeper(nursery, members)
    began = trio.current_time()
    async with made.keep(1, 6, on_lost=lambda: note(1)):
        async with made.keep(2, 6, on_lost=lambda: note(2)):
            await trio.sleep(3)
            assert told == [(2, 0.0)]  # the server said so
        async with made.keep(3, 6, on_lost=lambda: note(3)):
            members.scripts["a"] = None
            await members.servers["a"].stream.aclose()
        await trio.sleep(30)
    assert told == [(2, 0.0), (1, 8.0)]  # six seconds from its last renewal, at 2.0


async def test_a_lease_lost_is_not_renewed_and_its_owner_may_take_another(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = Renewals()
    server.ttls = {1: 0}
    made = keeper(nursery, Members(nursery, a=server.script))
    async with made.keep(1, 6) as one:
        await one.lost.wait()
        async with made.keep(2, 6) as two:
            await trio.sleep(30)
            assert not two.lost.is_set()
    assert len(server.times(1)) == 1
    server.ttls = {}
    async with made.keep(1, 6) as again:
        await trio.sleep(30)
        assert not again.lost.is_set()


async def test_leases_given_up_are_forgotten(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    made = keeper(nursery, Members(nursery, a=Renewals().script))
    async with made.keep(1, 6):
        for number in range(5_000):
            async with made.keep(10 + number, 86_400):
                pass
        assert len(made._deadlines) < 1_100
        assert len(made._due) < 1_100
        await trio.sleep(1)
        assert len(made._by_tail) == 1
    assert not made._by_tail


async def test_a_short_lease_among_long_ones_wakes_the_keeper_in_time(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    members = Members(nursery, a=None)
    made = keeper(nursery, members)
    async with made.keep(1, 60) as long:
        await trio.sleep(1)
        began = trio.current_time()
        async with made.keep(2, 3) as short:
            await short.lost.wait()
        assert trio.current_time() - began == pytest.approx(3, abs=0.01)
        await long.lost.wait()


@given(lease_id=NUMBERS, ttl=st.integers(1, 1 << 40), header=st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_an_answer_is_known_by_its_tail(
    lease_id: int, ttl: int, header: tuple[int, int, int]
) -> None:
    cluster, member, revision = header
    known = ResponseHeader(cluster_id=cluster, member_id=member, revision=revision, raft_term=1)
    answer = encode(LeaseKeepAliveResponse(header=known, ID=lease_id, TTL=ttl))
    assert tail(answer) == expected_tail(lease_id, ttl)


@given(st.binary(max_size=300), NUMBERS.filter(bool), st.integers(1, 100))
def test_what_has_a_known_tail_means_just_that(header: bytes, lease_id: int, ttl: int) -> None:
    expected = expected_tail(lease_id, ttl)
    body = b"\x0a" + bytes((len(header) & 0xFF,)) + header + expected
    assert (tail(body) == expected) == (len(header) < 0x80)
    assert tail(header) != expected or header[0] == 0x0A


@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 50), max_size=4))))
def test_an_agenda_hands_out_everything_once_and_in_order(
    entries: list[tuple[int, list[int]]],
) -> None:
    agenda: Agenda[int] = Agenda()
    for time, things in entries:
        agenda.add(time, things)
    assert len(agenda) == sum(len(things) for _, things in entries)
    agenda.retain(lambda thing: thing % 7 > 0)
    taken: list[tuple[float, int]] = []
    for until in (3, 3, 9):
        groups = agenda.take(until)
        assert [time for time, _ in groups] == sorted({time for time, _ in groups})
        assert agenda.next > until
        taken += [(time, thing) for time, things in groups for thing in things]
    assert len(agenda) == 0
    assert sorted(taken) == sorted((t, n) for t, things in entries for n in things if n % 7)


async def test_a_server_is_asked_for_no_more_than_it_answers(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    class Slow(Renewals):
        async def serve(self, call: Call) -> None:
            await call.begin()
            reader, seen = MessageReader(1 << 20), 0
            while True:
                await trio.sleep(0.01)
                fresh, seen = bytes(call.body[seen:]), len(call.body)
                asked = reader.feed(fresh)
                self.batches.append((trio.current_time(), [len(asked)]))
                for body in asked:
                    await trio.sleep(0.0015)
                    lease_id = decode(LeaseKeepAliveRequest, body).ID
                    answer = LeaseKeepAliveResponse(header=HEADER, ID=lease_id, TTL=self.ttl)
                    await call.send(encode(answer))

    slow, other = Slow(), Renewals()
    members = Members(nursery, a=slow.script, b=other.script)
    made = keeper(nursery, members)
    for number in range(1, 1201):  # 1.8 s of work: more than a hung server is given
        nursery.start_soon(hold, made, number, 0)
    await trio.sleep(30)
    assert members.dialled == ["a"]
    assert max(count for _, [count] in slow.batches) <= 500
    assert not any(lease.lost.is_set() for lease in made._leases.values())


async def test_a_process_that_was_held_up_itself_reads_before_it_judges(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    server = Renewals()
    members = Members(nursery, a=server.script, b=Renewals().script)
    async with keeper(nursery, members).keep(1, 6) as lease:
        for _ in range(8):
            await trio.sleep(1)
            while lease.sent_at == math.inf:  # noqa: ASYNC110 (real servers tell no trio.Event)
                await trio.sleep(0.001)
            autojump_clock.jump(1.8)  # a hung server is given 1.5 s
        await trio.sleep(1)
    assert members.dialled == ["a"]


async def test_the_only_member_is_waited_for_without_haste(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    async def silent(call: Call) -> None:
        await call.begin()
        await trio.sleep_forever()

    members = Members(nursery, a={"LeaseKeepAlive": silent})
    async with keeper(nursery, members).keep(1, 30) as lease:
        turns = 0
        while not lease.lost.is_set():
            await trio.sleep(1)
            turns += 1
    assert turns < 40  # a keeper that looks without waiting would never let the clock go on
