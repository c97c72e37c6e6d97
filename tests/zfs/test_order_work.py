"""Orders carried out, each judged by what is there when its turn comes."""

import pytest
import trio
from trio.testing import MockClock as Clock

from lochkit.zfs.agent_push import Push
from lochkit.zfs.errors import Failure
from lochkit.zfs.order_work import OrderWork
from lochkit.zfs.orders import Action, Order, OrderProgress, OrderResult, OrderStatus, SnapshotRef
from lochkit.zfs.policy_types import Replication
from lochkit.zfs.reports import Outcome
from lochkit.zfs.work_queue import Claim, Work
from tests.fakes.zfs_host import ZFS_FUSE

from .agent_scene import Scene, broken

DATASET = "ssd/pg"


def scene_with(*names: str) -> Scene:
    scene = Scene()
    scene.host.state.make(DATASET)
    scene.host.state.snaps(DATASET, *names)
    return scene


def ref(scene: Scene, name: str, called: str | None = None) -> SnapshotRef:
    guid = scene.host.state.snapshot_of(f"{DATASET}@{name}")[2].guid
    return SnapshotRef(guid=guid, dataset=DATASET, name=called or name)


async def carry_out(scene: Scene, order: Order) -> OrderResult:
    told: list[OrderProgress] = []
    result = await OrderWork(scene.site).carry_out(order, told.append)
    assert {one.uuid for one in told} == {order.uuid} == {result.uuid}
    return result


def take(**more: object) -> Order:
    return Order(
        uuid="t",
        action=Action.TAKE,
        dataset=DATASET,
        snapshot_name="hot_3",
        **more,  # type: ignore[arg-type]
    )


def destroy(*refs: SnapshotRef, **more: object) -> Order:
    return Order(uuid="d", action=Action.DESTROY, snapshots=refs, **more)  # type: ignore[arg-type]


def send(**more: object) -> Order:
    order = {"source_dataset": DATASET, "destination": "vault", "dataset": "bulk/pg"} | more
    return Order(uuid="s", action=Action.SEND, **order)  # type: ignore[arg-type]


# -- take


async def test_a_snapshot_is_taken(autojump_clock: Clock) -> None:
    scene = scene_with("hot_1")
    result = await carry_out(scene, take())
    assert (result.is_success, result.status) == (True, OrderStatus.DONE)
    assert result.details["Taken"] == ["ssd/pg@hot_3"]
    assert scene.host.state.names(DATASET) == ["hot_1", "hot_3"]
    assert scene.told.changes == 1


async def test_a_snapshot_that_is_there_is_the_one_that_was_wanted(autojump_clock: Clock) -> None:
    scene = scene_with("hot_1")
    await carry_out(scene, take())
    result = await carry_out(scene, take(skip_if_not_written=True))
    assert (result.is_success, result.status) == (True, OrderStatus.NOTHING_TO_DO)
    assert result.details["There"] == ["ssd/pg@hot_3"]
    assert len(scene.host.asked("take")) == 1


async def test_a_take_that_was_interrupted_is_finished(autojump_clock: Clock) -> None:
    scene = scene_with()
    scene.host.state.make("ssd/pg/a")
    scene.host.state.make("ssd/pg/b")
    scene.host.state.snap("ssd/pg/a@hot_3")
    result = await carry_out(scene, take(recursive=True, exclude=("ssd/pg/c*",)))
    assert result.details["Taken"] == ["ssd/pg@hot_3", "ssd/pg/b@hot_3"]
    assert result.details["There"] == ["ssd/pg/a@hot_3"]


@pytest.mark.parametrize(("written", "taken"), [(0, False), (1, True)])
async def test_what_nothing_was_written_to_is_skipped_if_asked(
    autojump_clock: Clock, written: int, taken: bool
) -> None:
    scene = scene_with("cold_1", "hot_2")
    scene.host.state.write(DATASET, written)
    result = await carry_out(scene, take(skip_if_not_written=True))
    assert bool(result.details["Taken"]) is taken
    assert result.details["Unwritten"] == ([] if taken else [DATASET])
    assert result.status is (OrderStatus.DONE if taken else OrderStatus.NOTHING_TO_DO)


async def test_written_is_what_was_written_since_the_same_prefix(autojump_clock: Clock) -> None:
    scene = scene_with("hot_1", "cold_2")
    result = await carry_out(scene, take(skip_if_not_written=True))
    assert result.details["Taken"]  # the cold one has what the hot one has not
    again = take(skip_if_not_written=True, written_since="cold")
    scene.host.state.remove(f"{DATASET}@hot_3")
    scene.host.state.find(DATASET).written = 0
    assert (await carry_out(scene, again)).details["Unwritten"] == [DATASET]


async def test_where_zfs_does_not_tell_it_is_taken(autojump_clock: Clock) -> None:
    scene = scene_with("hot_1")
    scene.host.capabilities = ZFS_FUSE
    assert (await carry_out(scene, take(skip_if_not_written=True))).details["Taken"]


async def test_a_dataset_that_is_not_there_is_told(autojump_clock: Clock) -> None:
    result = await carry_out(Scene(), take())
    assert (result.is_success, result.status) == (False, OrderStatus.FAILED)
    assert (result.failure, result.error) == (Failure.MISSING, "there is no ssd/pg")


async def test_a_failure_of_zfs_is_the_result(autojump_clock: Clock) -> None:
    scene = scene_with()
    scene.host.fail_next("take", Failure.NO_SPACE)
    result = await carry_out(scene, take())
    assert result.failure is Failure.NO_SPACE


# -- destroy


async def test_snapshots_are_destroyed(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b", "c")
    result = await carry_out(scene, destroy(ref(scene, "a"), ref(scene, "b"), ref(scene, "a")))
    assert (result.is_success, result.status) == (True, OrderStatus.DONE)
    assert result.details["Skipped"] == []
    assert scene.host.state.names(DATASET) == ["c"]
    assert len(scene.host.asked("destroy")) == 1


async def test_what_is_gone_is_done(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b")
    order = destroy(ref(scene, "a"))
    await carry_out(scene, order)
    result = await carry_out(scene, order)
    assert (result.is_success, result.status) == (True, OrderStatus.NOTHING_TO_DO)
    assert result.details["Gone"] == [str(order.snapshots[0])]


async def test_an_old_name_that_was_given_again_is_another_snapshot(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b")
    order = destroy(ref(scene, "a"))
    scene.host.state.remove(f"{DATASET}@a")
    scene.host.state.snap(f"{DATASET}@a")
    result = await carry_out(scene, order)
    assert result.status is OrderStatus.NOTHING_TO_DO
    assert scene.host.state.names(DATASET) == ["b", "a"]


async def test_a_renamed_snapshot_is_left_alone_if_asked(autojump_clock: Clock) -> None:
    scene = scene_with("precious", "b")
    result = await carry_out(scene, destroy(ref(scene, "precious", "a"), skip_if_renamed=True))
    assert (result.is_success, result.status) == (True, OrderStatus.WAS_RENAMED)
    assert scene.host.state.names(DATASET) == ["precious", "b"]


async def test_a_renamed_snapshot_is_destroyed_by_its_guid_otherwise(
    autojump_clock: Clock,
) -> None:
    scene = scene_with("new", "b")
    assert (await carry_out(scene, destroy(ref(scene, "new", "a")))).status is OrderStatus.DONE
    assert scene.host.state.names(DATASET) == ["b"]


async def test_a_copy_in_another_dataset_is_not_it(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b")
    found = scene.host.state.snapshot_of(f"{DATASET}@a")[2]
    scene.host.state.make("hdd/copy").snapshots.append(found)
    scene.host.state.remove(f"{DATASET}@a")
    order = destroy(SnapshotRef(guid=found.guid, dataset=DATASET, name="a"))
    assert (await carry_out(scene, order)).status is OrderStatus.NOTHING_TO_DO
    assert scene.host.state.names("hdd/copy") == ["a"]


@pytest.mark.parametrize("skip", [True, False])
async def test_clones_are_never_destroyed(autojump_clock: Clock, skip: bool) -> None:
    scene = scene_with("a", "b")
    scene.host.state.clone(f"{DATASET}@a", "ssd/clone")
    order = destroy(ref(scene, "a"), ref(scene, "b"), skip_if_cloned=skip)
    result = await carry_out(scene, order)
    assert scene.host.state.names(DATASET) == ["a"]
    assert "ssd/clone" in scene.host.state.datasets
    assert result.is_success is skip
    assert result.failure is (None if skip else Failure.HAS_CLONES)


async def test_what_is_held_is_left_alone_and_told(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b")
    await scene.host.hold("mine", [f"{DATASET}@a"])
    result = await carry_out(scene, destroy(ref(scene, "a"), ref(scene, "b")))
    assert (result.is_success, result.failure) == (False, Failure.HELD)
    assert "ssd/pg@a is held" in result.error
    assert scene.host.state.names(DATASET) == ["a"]


async def test_the_newest_that_a_destination_has_is_left_alone(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b", "c")
    for name in ("a", "b"):
        guid = ref(scene, name).guid
        scene.host.state.mark(f"{DATASET}@{name}", f"lochkit_pg_{guid:016x}")
    result = await carry_out(scene, destroy(ref(scene, "a"), ref(scene, "b")))
    assert scene.host.state.names(DATASET) == ["b", "c"]
    assert not result.is_success
    assert "in common" in result.error


async def test_what_zfs_refuses_is_told_with_what_went(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b")
    scene.host.fail_next("destroy", Failure.BUSY)
    result = await carry_out(scene, destroy(ref(scene, "a"), ref(scene, "b")))
    assert (result.is_success, result.failure) == (False, Failure.BUSY)
    assert len(result.details["Skipped"]) == 2  # type: ignore[arg-type]
    assert result.details["Destroyed"] == []


async def test_a_destroy_waits_for_a_send_of_the_same_dataset(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b")
    told: list[OrderProgress] = []
    sending = scene.site.turns.turn(Work.SEND, [Claim(dataset="ssd", below=True)])
    async with trio.open_nursery() as nursery, sending:
        order = destroy(ref(scene, "a"))
        nursery.start_soon(OrderWork(scene.site).carry_out, order, told.append)
        await trio.sleep(100)
        assert scene.host.state.names(DATASET) == ["a", "b"]
        assert [one.phase for one in told] == ["queued"]
    assert scene.host.state.names(DATASET) == ["b"]


# -- send


async def test_a_dataset_is_sent(autojump_clock: Clock) -> None:
    scene = scene_with("a")
    result = await carry_out(scene, send(snapshots=(ref(scene, "a"),), rollback_if_needed=True))
    assert (result.is_success, result.status) == (True, OrderStatus.WAS_WRITTEN)
    assert result.details["Bytes"] == 100
    (push,) = scene.pusher.pushes
    assert push == Push(
        replication=Replication(name="order", to="vault", target="bulk/pg", rollback=True),
        selection=push.selection,
        order="s",
    )
    assert push.selection.roots == (DATASET,)
    assert (await carry_out(scene, send())).status is OrderStatus.NOTHING_TO_DO


async def test_a_replication_says_it_all(autojump_clock: Clock) -> None:
    scene = scene_with("a")
    how = Replication(name="pg_vault", to="vault", target="bulk/x", rate=4096)
    order = send(replication=how, destination="", dataset="", recursive=True)
    assert (await carry_out(scene, order)).is_success
    assert scene.pusher.pushes[0].replication == how
    assert scene.pusher.pushes[0].selection.recursive


async def test_a_snapshot_that_is_not_there_can_not_be_sent(autojump_clock: Clock) -> None:
    scene = scene_with("a")
    order = send(snapshots=(SnapshotRef(guid=77, dataset=DATASET, name="gone"),))
    result = await carry_out(scene, order)
    assert (result.is_success, result.failure) == (False, Failure.MISSING)
    assert "77:ssd/pg@gone" in result.error
    assert scene.pusher.pushes == []


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CONFLICT])
async def test_what_is_not_sent_is_told(autojump_clock: Clock, outcome: Outcome) -> None:
    scene = scene_with("a")
    scene.pusher.fails = [outcome]
    result = await carry_out(scene, send())
    assert (result.is_success, result.status) == (False, OrderStatus.FAILED)
    assert result.error == "ssd/pg: it did not go well"
    told = result.details["Datasets"][0]  # type: ignore[index]
    assert (told["Dataset"], told["Outcome"]) == (DATASET, outcome.value)


async def test_a_destination_that_is_away_is_told(autojump_clock: Clock) -> None:
    scene = scene_with("a")
    scene.pusher.fails = [broken()]
    result = await carry_out(scene, send())
    assert (result.failure, result.error) == (Failure.OTHER, "the vault is on fire")


async def test_an_order_that_names_two_sources_is_refused(autojump_clock: Clock) -> None:
    scene = scene_with("a")
    order = send(snapshots=(SnapshotRef(guid=1, dataset="ssd/other", name="x"),))
    assert (await carry_out(scene, order)).failure is Failure.BAD_REQUEST


# -- resync


async def test_a_resync_tells_what_there_is(autojump_clock: Clock) -> None:
    scene = scene_with("a", "b")
    scene.host.state.mark(f"{DATASET}@a", "m")
    order = Order(uuid="zRESYNC", action=Action.RESYNC, dataset=DATASET)
    result = await carry_out(scene, order)
    assert result.details == {"Datasets": 1, "Snapshots": 2, "Bookmarks": 1, "Published": True}
    everything = await carry_out(scene, Order(uuid="r", action=Action.RESYNC))
    assert everything.details["Datasets"] == 3


async def test_a_bug_is_no_result(autojump_clock: Clock) -> None:
    scene = scene_with("a")
    scene.pusher.fails = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        await carry_out(scene, send())
