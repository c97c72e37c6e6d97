"""Orders on their way: agents that come, go and move, and what is written of them."""

import json
from collections.abc import Callable

import trio
from trio.testing import MockClock as Clock

from lochkit.zfs.cursor_record import CursorRecord
from lochkit.zfs.directing_notes import Tick
from lochkit.zfs.directing_record import DirectorKeys, GivenOrder
from lochkit.zfs.directing_work import Pursuit, Wanted
from lochkit.zfs.director_books import Books
from lochkit.zfs.director_desk import Desk
from lochkit.zfs.election import Reign
from lochkit.zfs.errors import Failure, Refused
from lochkit.zfs.layout import CursorKey
from lochkit.zfs.order_client import Destination, OnProgress
from lochkit.zfs.orders import Action, Order, OrderProgress, OrderResult, OrderStatus
from lochkit.zfs.policy_feed import EtcdFeed
from lochkit.zfs.policy_json import job_text
from lochkit.zfs.policy_types import HostAddress
from lochkit.zfs.work_queue import Work
from tests.fakes.lease_store import Fault

from .agent_scene import job
from .director_scene import LAYOUT, RangeStore, a_world, directing, hosted

HERE = Destination(host="web1", where=HostAddress(address="10.0.0.1"))
THERE = Destination(host="web1", where=HostAddress(address="10.0.0.2"))
DONE = OrderResult(uuid="u-1", is_success=True, status=OrderStatus.DONE)


def given_order(at: float = 0.0) -> GivenOrder:
    order = Order(uuid="u-1", action=Action.TAKE, dataset="ssd/pg", snapshot_name="s")
    wanted = Wanted(pursuit=Pursuit("pg", Work.TAKE, "ssd/pg"), host="web1", order=order, tick=7)
    return GivenOrder(wanted=wanted, given=at)


class Agent:
    """Answers as it is told to; None: never."""

    def __init__(self, answer: Callable[[Destination], OrderResult | None]) -> None:
        self.answer = answer
        self.asked: list[Destination] = []

    async def give(
        self,
        order: Order,
        to: Destination,
        *,
        timeout: float,
        on_progress: OnProgress | None = None,
    ) -> OrderResult:
        self.asked.append(to)
        assert on_progress is not None
        on_progress(OrderProgress(uuid=order.uuid, phase="taking"))
        await trio.sleep(1)
        answer = self.answer(to)
        if answer is None:
            await trio.sleep(timeout + 1)
            raise AssertionError("nobody has given it up")
        return answer


class Map:
    """Where the agent is."""

    def __init__(self, place: Destination | None) -> None:
        self.place = place

    def __call__(self, host: str) -> Destination | None:
        assert host == "web1"
        return self.place


async def test_an_agent_that_moves_is_asked_where_it_is(autojump_clock: Clock) -> None:
    agent, where = Agent(lambda to: DONE if to == THERE else None), Map(HERE)
    desk = Desk(agent, where, clock=trio.current_time)
    found: list[OrderResult] = []
    async with trio.open_nursery() as nursery:

        async def work() -> None:
            found.append(await desk.carry_out(given_order()))

        nursery.start_soon(work)
        await trio.sleep(10)
        assert desk.progress["u-1"].phase == "taking"
        where.place = None  # it is gone
        desk.look_again()
        await trio.sleep(10)
        assert agent.asked == [HERE]
        where.place = THERE
        desk.look_again()
    assert found == [DONE]
    assert agent.asked == [HERE, THERE]
    assert not desk.progress


async def test_an_agent_that_is_gone_for_good_is_given_up(autojump_clock: Clock) -> None:
    desk = Desk(Agent(lambda to: None), Map(None), clock=trio.current_time)
    result = await desk.carry_out(given_order())
    assert result.failure is Failure.TIMEOUT
    assert trio.current_time() < 3600


async def test_what_an_agent_refuses_has_failed(autojump_clock: Clock) -> None:
    def refuse(to: Destination) -> OrderResult:
        raise Refused(f"not for {to.host}", failure=Failure.DENIED)

    result = await Desk(Agent(refuse), Map(HERE), clock=trio.current_time).carry_out(given_order())
    assert (result.uuid, result.failure) == ("u-1", Failure.DENIED)


async def test_the_answer_to_another_order_is_none(autojump_clock: Clock) -> None:
    other = OrderResult(uuid="u-2", is_success=True, status=OrderStatus.DONE)
    desk = Desk(Agent(lambda to: other), Map(HERE), clock=trio.current_time)
    result = await desk.carry_out(given_order())
    assert (result.uuid, result.is_success) == ("u-1", False)


async def test_the_end_of_an_order_is_written_at_once(autojump_clock: Clock) -> None:
    async with RangeStore.run() as store:
        store.put_by_hand(LAYOUT.leader(), b"{}")
        revision = store.state[LAYOUT.leader()].create_revision
        reign = Reign(store, LAYOUT.leader(), revision=revision, lease=0, since=0)
        keys = DirectorKeys(LAYOUT)
        books = Books(store, reign, keys, jitter=lambda: 0.5)  # type: ignore[arg-type]
        assert (await books.open()).orders == ()
        store.faults += [("txn", Fault.REQUEST_LOST), ("txn", Fault.ANSWER_LOST)]
        await books.give(given_order())
        (left,) = (await books.open()).orders
        assert left == given_order()
        before = store.revision
        cursor = CursorKey("pg", "web1", "vault", "ssd/pg")
        moved = {cursor: CursorRecord(guid=5)}
        await books.end(left, DONE, ended=1.0, cursors=moved, tick=Tick(tick=7))
        assert store.revision == before + 1
        opened = await books.open()
        assert opened.orders == ()
        assert opened.ticks == {("pg", "ssd/pg"): Tick(tick=7)}
        values = store.values()
        assert json.loads(values[LAYOUT.result("u-1")])["IsSuccess"]
        assert json.loads(values[LAYOUT.cursor(cursor)])["Guid"] == "5"
        assert store.ttls[store.state[LAYOUT.result("u-1")].lease] == 30 * 86400
        await books.forget_ticks([("pg", "ssd/pg")])
        assert not (await books.open()).ticks


async def test_cursors_of_very_many_datasets_are_written_before_the_end(
    autojump_clock: Clock,
) -> None:
    async with RangeStore.run() as store:
        store.put_by_hand(LAYOUT.leader(), b"{}")
        revision = store.state[LAYOUT.leader()].create_revision
        reign = Reign(store, LAYOUT.leader(), revision=revision, lease=0, since=0)
        books = Books(store, reign, DirectorKeys(LAYOUT))  # type: ignore[arg-type]
        await books.give(given_order())
        cursors = {
            CursorKey("pg", "web1", "vault", f"ssd/{one}"): CursorRecord(guid=1 + one)
            for one in range(200)
        }
        before = store.revision
        await books.end(given_order(), DONE, ended=1.0, cursors=cursors, tick=None)
        assert store.revision == before + 3
        assert len(store.within(LAYOUT.cursors())) == 200


async def test_a_policy_in_etcd_is_followed_live(autojump_clock: Clock) -> None:
    async with a_world() as world:
        world.make("web1", "ssd/pg", "hot_2027-01-15T11:00:00Z")
        world.live("web1")
        async with directing(world, EtcdFeed(LAYOUT)):
            await trio.sleep(30)
            assert not world.given
            world.store.put_by_hand(LAYOUT.policy("pg"), job_text(hosted(job())).encode())
            await trio.sleep(5)
            assert len(world.effects) == 1
            world.store.put_by_hand(LAYOUT.policy("pg"), b"{")
            await trio.sleep(5)
        assert world.names("web1", "ssd/pg")[-1] == "hot_2027-01-15T12:00:00Z"


async def test_hanging_up_tries_everything_again(autojump_clock: Clock) -> None:
    async with a_world() as world:
        world.make("web1", "ssd/pg", "hot_2027-01-15T11:00:00Z")
        world.live("web1")
        world.fails = [(Action.TAKE, Failure.HELD)]
        feed = EtcdFeed(LAYOUT)
        world.store.put_by_hand(LAYOUT.policy("pg"), job_text(hosted(job())).encode())
        async with directing(world, feed) as director:
            await trio.sleep(100)
            assert len(world.effects) == 1
            director.hang_up()
            await trio.sleep(5)
        assert len(world.effects) == 2
