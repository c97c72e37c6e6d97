"""Directors at work, on a clock that jumps: what is ordered, and that nothing is done twice."""

from dataclasses import replace

import trio
from trio.testing import MockClock as Clock

from lochkit.zfs.directing_record import DirectorKeys
from lochkit.zfs.director_status import DirectorStatus, decode_status
from lochkit.zfs.errors import Failure
from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.layout import CursorKey
from lochkit.zfs.orders import Action
from lochkit.zfs.policy_types import Job

from .agent_scene import job, to_vault
from .director_scene import LAYOUT, Feed, World, a_world, directing, director_of, hosted

OLD = "hot_2027-01-15T11:00:00Z", "hot_2027-01-15T11:01:00Z"


def sending(**more: object) -> Job:
    """A job that takes snapshots and sends them as soon as possible."""
    return hosted(job(to=(to_vault(),), **more))  # type: ignore[arg-type]


def two_hosts(world: World) -> None:
    """A source with two snapshots, and a destination without any."""
    world.make("web1", "ssd/pg", *OLD)
    world.make("vault", "bulk")
    world.live("web1")
    world.live("vault")


def status_of(world: World) -> DirectorStatus:
    return decode_status(world.store.values()[DirectorKeys(LAYOUT).status])


async def test_snapshots_are_taken_and_sent(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        async with directing(world, Feed(sending())):
            await trio.sleep(120)
        kinds = [one.action for one in world.orders()]
        assert kinds[0] is Action.TAKE
        assert set(kinds[1:]) == {Action.SEND}
        newest = "hot_2027-01-15T12:00:00Z"
        assert world.names("web1", "ssd/pg") == [*OLD, newest]
        assert world.names("vault", "bulk/pg") == [*OLD, newest]
        store = world.store.values()
        assert not [key for key in store if key.startswith(LAYOUT.orders().key)]
        assert len([key for key in store if LAYOUT.result_of(key)]) == len(kinds)
        assert LAYOUT.cursor(CursorKey("pg", "web1", "vault", "ssd/pg")) in store


async def test_all_datasets_of_a_job_are_one_order(autojump_clock: Clock) -> None:
    async with a_world() as world:
        for name in ("ssd/pg", "ssd/pg/a", "ssd/pg/b"):
            world.make("web1", name, *OLD)
        world.make("vault", "bulk")
        world.live("web1")
        world.live("vault")
        async with directing(world, Feed(sending())):
            await trio.sleep(30)
        take, *sends = world.orders()
        assert (take.dataset, take.recursive) == ("ssd/pg", True)
        assert all(one.source_dataset == "ssd/pg" and one.recursive for one in sends)
        assert world.names("vault", "bulk/pg/b") == world.names("web1", "ssd/pg/b")


async def test_what_was_done_is_not_done_again(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        async with directing(world, Feed(sending(cron="*/2 * * * *"))):
            await trio.sleep(30)
            done = len(world.effects)
            await trio.sleep(80)
            assert len(world.effects) == done
            await trio.sleep(30)  # another tick
            assert len(world.effects) == done + 2


async def test_retention_keeps_the_newest_common_snapshot(autojump_clock: Clock) -> None:
    keep = parse_keep(["last 1"])
    names = [f"hot_2027-01-15T11:0{minute}:00Z" for minute in range(6)]
    async with a_world() as world:
        world.make("web1", "ssd/pg", *names)
        world.make("vault", "bulk")
        world.live("web1")
        world.live("vault")
        wanted = hosted(job(cron=None, keep=["last 1"], to=(to_vault(keep=keep),)))
        async with directing(world, Feed(wanted)):
            await trio.sleep(300)
        assert world.names("web1", "ssd/pg") == names[-1:]
        assert world.names("vault", "bulk/pg") == names[-1:]


async def test_nothing_is_destroyed_while_the_destination_is_silent(autojump_clock: Clock) -> None:
    names = [f"hot_2027-01-15T11:0{minute}:00Z" for minute in range(6)]
    async with a_world() as world:
        world.make("web1", "ssd/pg", *names)
        world.live("web1")
        wanted = hosted(job(cron=None, keep=["last 1"], to=(to_vault(),)))
        async with directing(world, Feed(wanted)):
            await trio.sleep(300)
            assert world.orders() == []
            notices = " ".join(status_of(world).notices)
            assert "vault" in notices
            assert "nothing is destroyed of web1:ssd/pg" in notices


async def test_a_silent_agent_gets_its_orders_when_it_is_back(autojump_clock: Clock) -> None:
    async with a_world() as world:
        world.make("web1", "ssd/pg", *OLD)
        async with directing(world, Feed(hosted(job()))):
            await trio.sleep(60)
            assert world.given == []
            assert "silent" in status_of(world).notices[0]
            world.live("web1")
            await trio.sleep(60)
        assert [one.action for one in world.orders()] == [Action.TAKE]


async def test_an_order_under_way_survives_its_director(autojump_clock: Clock) -> None:
    async with a_world() as world:
        world.make("web1", "ssd/pg", *OLD)
        world.live("web1")
        world.speechless.add("web1")
        feed = Feed(hosted(job()))
        async with directing(world, feed):
            await trio.sleep(10)
            assert len(world.effects) == 1
        assert [key for key in world.store.values() if LAYOUT.order_of(key)]
        world.speechless.clear()
        async with directing(world, feed, "d2"):
            await trio.sleep(30)
        assert len(world.effects) == 1
        assert len({order.uuid for _, order in world.given}) == 1
        store = world.store.values()
        assert not [key for key in store if LAYOUT.order_of(key)]
        assert len([key for key in store if LAYOUT.result_of(key)]) == 1
        assert world.names("web1", "ssd/pg") == [*OLD, "hot_2027-01-15T12:00:00Z"]


async def test_two_run_and_one_directs(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        feed = Feed(sending())
        async with trio.open_nursery() as nursery:
            first = trio.CancelScope()

            async def run_first() -> None:
                with first:
                    await director_of(world, feed, "d1").run()

            nursery.start_soon(run_first)
            await trio.sleep(1)
            nursery.start_soon(director_of(world, feed, "d2").run)
            await trio.sleep(30)
            assert b'"d1"' in world.store.values()[LAYOUT.leader()]
            assert len(world.orders(Action.TAKE)) == 1
            first.cancel()
            await trio.sleep(1)
            assert b'"d2"' in world.store.values()[LAYOUT.leader()]
            await trio.sleep(30)
            assert len(world.orders(Action.TAKE)) == 1
            nursery.cancel_scope.cancel()


async def test_leadership_that_is_lost_stops_everything(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        async with directing(world, Feed(sending(cron="*/2 * * * *"))):
            await trio.sleep(30)
            given = len(world.given)
            world.store.go_down()
            await trio.sleep(100)  # over a tick
            assert len(world.given) == given
            world.store.come_back()
            await trio.sleep(60)
            assert len(world.orders(Action.TAKE)) == 2


async def test_who_was_deposed_writes_nothing(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        gate = trio.Event()
        world.before = lambda order: gate
        async with directing(world, Feed(hosted(job()))):
            await trio.sleep(5)
            (key,) = [one for one in world.store.values() if LAYOUT.order_of(one)]
            world.store.delete_by_hand(LAYOUT.leader())
            world.store.put_by_hand(LAYOUT.leader(), b'{"Host": "other"}')
            gate.set()
            await trio.sleep(30)
            assert key in world.store.values()
            assert not [one for one in world.store.values() if LAYOUT.result_of(one)]


async def test_failures_are_tried_again_later_and_later(autojump_clock: Clock) -> None:
    async with a_world() as world:
        world.make("web1", "ssd/pg", *OLD)
        world.live("web1")
        world.fails = [(Action.TAKE, Failure.BUSY)] * 3
        async with directing(world, Feed(hosted(job()))):
            await trio.sleep(5)
            assert status_of(world).troubles[0].error == "it did not go well"
            await trio.sleep(60)
        assert len(world.orders()) == 4
        assert world.names("web1", "ssd/pg")[-1] == "hot_2027-01-15T12:00:00Z"


async def test_a_conflict_waits_for_a_change(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        world.fails = [(Action.SEND, Failure.MODIFIED)]
        wanted = replace(sending(), snapshot=None)
        async with directing(world, Feed(wanted)):
            await trio.sleep(200)
            assert len(world.orders()) == 1
            world.make("web1", "ssd/pg", "manual", age=0)
            world.tell("web1")
            await trio.sleep(30)
        assert len(world.orders()) == 2
        assert world.names("vault", "bulk/pg") == [*OLD, "manual"]


async def test_a_conflict_in_the_plan_is_told_and_nothing_ordered(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        world.make("vault", "bulk/pg", "other")
        world.tell("vault")
        async with directing(world, Feed(replace(sending(), snapshot=None))):
            await trio.sleep(60)
            (conflict,) = status_of(world).conflicts
            assert (conflict.dataset, conflict.reason) == ("ssd/pg", "no-common")
        assert world.given == []


async def test_junk_is_left_aside(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        root = LAYOUT.leader().removesuffix(b"director/leader")
        junk = [
            root + b"agent/x/y/z",
            root + b"agent/%GG",
            LAYOUT.agent("other"),
            LAYOUT.inventory("web1", "ssd/odd"),
            LAYOUT.inventory("web1", "../up"),
            LAYOUT.order("web1", "not-json"),
            LAYOUT.cursor(CursorKey("pg", "web1", "vault", "ssd/odd")),
        ]
        for key in junk:
            world.store.put_by_hand(key, b'[{"Stamp": [1]}, 12' if key[-1:] == b"n" else b"[[]]")
        async with directing(world, Feed(sending())):
            await trio.sleep(60)
            told = {one.key.encode() for one in status_of(world).junk}
            assert told == set(junk)
        assert world.names("vault", "bulk/pg") == world.names("web1", "ssd/pg")
        assert set(junk) <= set(world.store.values())


async def test_once_does_what_is_due_and_ends(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        with trio.fail_after(120):
            assert await director_of(world, Feed(sending())).once()
        assert world.names("vault", "bulk/pg") == world.names("web1", "ssd/pg")
        assert LAYOUT.leader() not in world.store.values()


async def test_once_says_when_something_failed(autojump_clock: Clock) -> None:
    async with a_world() as world:
        two_hosts(world)
        world.fails = [(Action.TAKE, Failure.DENIED)]
        with trio.fail_after(120):
            assert not await director_of(world, Feed(hosted(job()))).once()
