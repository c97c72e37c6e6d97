"""The follower beside a scripted store: outages, backoff, restarts, refusals, cancellation."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lochkit.errors import TransientError
from lochkit.etcd.errors import (
    AuthFailed,
    Compacted,
    ConnectionLost,
    EtcdError,
    FutureRevision,
    MessageTooLarge,
    PermissionDenied,
    ProtocolError,
    RpcError,
    StatusCode,
    Unauthenticated,
    Unavailable,
    WatchCanceled,
)
from lochkit.etcd.follow import Follower
from lochkit.etcd.kv import Listing
from lochkit.etcd.messages import KeyValue, ResponseHeader, WatchCreateRequest
from lochkit.etcd.model import Keyspace, Origin, Step
from lochkit.etcd.prefix import KeyRange
from lochkit.runtime.backoff import Backoff
from tests.fakes.scripted_store import ScriptedStore

ALL = KeyRange.prefix(b"/")
DENIED = PermissionDenied(7, "etcdserver: permission denied")


class StopAtStep(trio.abc.Instrument):
    """Cancels a scope when a task inside has come to its n-th await.

    Attributes:
        steps: how many it has come to.
    """

    def __init__(self, nth: int | None) -> None:
        self.steps = 0
        self._nth = nth
        self._task: trio.lowlevel.Task | None = None
        self._scope = trio.CancelScope()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """See `trio.abc.Instrument`."""
        if task is self._task:
            self.steps += 1
            if self.steps == self._nth:
                self._scope.cancel()

    async def run(self, follower: Follower) -> None:
        """Run it until that await, or until cancelled from outside."""
        self._task = trio.lowlevel.current_task()
        trio.lowlevel.add_instrument(self)
        try:
            with self._scope:
                await follower.run()
        finally:
            trio.lowlevel.remove_instrument(self)


class Rig:
    """A follower at work on a scripted store."""

    def __init__(
        self, nursery: trio.Nursery, ranges: tuple[KeyRange, ...] = (ALL,), **options: Any
    ) -> None:
        self.nursery = nursery
        self.store = ScriptedStore()
        self.sink, self.steps = trio.open_memory_channel[Step](0)
        self.follower = Follower(
            self.store,
            ranges,
            self.sink,
            backoff=Backoff(base=1, factor=2, maximum=8, reset_after=100),
            jitter=lambda: 1.0,
            **options,
        )
        self.scope = trio.CancelScope()

    async def start(self) -> None:
        """Run the follower in a scope of its own, as a supervisor that may restart it does."""
        self.scope = trio.CancelScope()
        self.nursery.start_soon(self._run)
        await trio.lowlevel.checkpoint()

    async def ignore_steps(self) -> None:
        """Take all steps and forget them."""

        async def ignore() -> None:
            async for _ in self.steps:
                pass

        self.nursery.start_soon(ignore)
        await trio.lowlevel.checkpoint()

    async def _run(self) -> None:
        with self.scope:
            await self.follower.run()

    async def value(self, seconds: float = 60) -> bytes | None:
        """The value in the next step."""
        with trio.fail_after(seconds):
            step = await self.steps.receive()
        if not step.changes:
            return None
        new = step.changes[b"/k"].new
        return None if new is None else new.value


async def test_everything_first_and_then_every_change(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    await rig.start()
    assert await rig.value() is None  # an empty store is a state, too
    for value in (b"1", b"2", b"3"):
        rig.store.put(value)
        assert await rig.value() == value
    assert rig.follower.connected
    assert rig.follower.revision == 4
    assert rig.store.asked == [
        WatchCreateRequest(
            key=ALL.key,
            range_end=ALL.range_end,
            start_revision=2,
            progress_notify=True,  # so that a quiet range is not overtaken by compactions
            fragment=True,
        )
    ]


@pytest.mark.parametrize(
    ("per_revision", "expected"), [(False, [b"3"]), (True, [b"1", b"2", b"3"])]
)
async def test_what_came_in_together_is_one_step_unless_each_is_wanted(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    per_revision: bool,
    expected: list[bytes],
) -> None:
    rig = Rig(nursery, per_revision=per_revision)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    for value in (b"1", b"2", b"3"):
        rig.store.put(value)
    assert [await rig.value() for _ in expected] == expected


async def test_an_outage_is_waited_out_with_growing_waits_and_said_once(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "lochkit")
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    rig.store.away = Unavailable("nobody home")
    rig.store.attempts.clear()
    began = trio.current_time()
    rig.store.cut()
    await trio.sleep(33)
    assert not rig.follower.connected
    assert isinstance(rig.follower.last_error, Unavailable)
    waited = [round(attempt - began, 3) for attempt in rig.store.attempts]
    assert waited == [1, 3, 7, 15, 23, 31]
    rig.store.put(b"meanwhile")
    rig.store.away = None
    assert await rig.value() == b"meanwhile"
    assert rig.store.lists == 1  # the watch went on where it was
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "etcd is back" in caplog.text
    await trio.sleep(200)
    rig.store.cut()
    await trio.sleep(200)
    rig.store.cut()
    await trio.sleep(200)
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "INFO"] * 3  # each outage is one of its own


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable("x"),
        ConnectionLost("x"),
        ProtocolError("x"),
        Compacted("x"),
        WatchCanceled("x"),
        FutureRevision(StatusCode.OUT_OF_RANGE, "x"),
        RpcError(StatusCode.UNKNOWN, "x"),
        RpcError(StatusCode.RESOURCE_EXHAUSTED, "x"),
        RpcError(StatusCode.FAILED_PRECONDITION, "etcdserver: not capable"),
    ],
)
@pytest.mark.parametrize("where", ["list_faults", "watch_faults"])
async def test_every_fault_that_time_heals_is_tried_again(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, fault: EtcdError, where: str
) -> None:
    rig = Rig(nursery)
    getattr(rig.store, where).extend([fault, fault])
    rig.store.put(b"1")
    await rig.start()
    assert await rig.value() == b"1"
    rig.store.put(b"2")
    assert await rig.value() == b"2"


@pytest.mark.parametrize("where", ["list_faults", "watch_faults"])
async def test_a_refusal_ends_the_start_and_names_the_ranges(
    autojump_clock: trio.testing.MockClock, where: str
) -> None:
    """Of the watch as well: whoever may read both ranges need not be allowed what lies between."""
    async with trio.open_nursery() as nursery:
        rig = Rig(nursery, (KeyRange.prefix(b"/a/"), KeyRange.exact(b"/z")))
        getattr(rig.store, where).append(DENIED)
        await rig.ignore_steps()
        with pytest.raises(PermissionDenied) as caught:
            await rig.follower.run()
        for part in (
            "begin with '/a/'",
            "key '/z'",
            "from '/a/' to '/z\\x00'",
            "permission denied",
        ):
            assert part in str(caught.value)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "fault",
    [
        AuthFailed(StatusCode.INVALID_ARGUMENT, "x"),
        AuthFailed(StatusCode.FAILED_PRECONDITION, "authentication is not enabled"),
        Unauthenticated(StatusCode.UNAUTHENTICATED, "x"),
        RpcError(StatusCode.UNIMPLEMENTED, "x"),
        MessageTooLarge("x"),
    ],
)
async def test_what_an_operator_must_heal_ends_the_start(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, fault: EtcdError
) -> None:
    rig = Rig(nursery)
    rig.store.list_faults.append(fault)
    with trio.fail_after(60), pytest.raises(type(fault)) as caught:
        await rig.follower.run()
    assert caught.value is fault


@pytest.mark.parametrize(
    "fault",
    [
        DENIED,
        RpcError(StatusCode.UNIMPLEMENTED, "a balancer's page that nothing is found"),
        RpcError(StatusCode.INVALID_ARGUMENT, "x"),
    ],
)
async def test_no_answer_ends_what_has_once_worked(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, fault: EtcdError
) -> None:
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    rig.store.watch_faults.extend([fault] * 5)
    rig.store.cut()
    rig.store.put(b"1")
    assert await rig.value() == b"1"


async def test_keys_are_shown_before_their_list_is_whole(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    shown: list[KeyValue] = []
    rig = Rig(nursery, ranges=(KeyRange.prefix(b"/a"), KeyRange.prefix(b"/k")), ahead=shown.extend)
    rig.store.put(b"1")
    # The second of the two ranges is of another cluster: the list is begun anew.
    rig.store.list_headers.extend([rig.store.header(), ResponseHeader(cluster_id=9, raft_term=2)])
    await rig.start()
    step = await rig.steps.receive()
    assert len(shown) == 4
    assert step.changes[b"/k"].new is shown[-1]


async def test_a_bug_is_not_hidden(nursery: trio.Nursery) -> None:
    rig = Rig(nursery)

    async def broken(wanted: KeyRange, **_: object) -> Listing:
        raise TypeError("a bug")

    rig.store.list_range = broken  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        await rig.follower.run()


async def test_a_watch_that_falls_again_and_again_is_opened_ever_less_often(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    began = trio.current_time()
    opened = []
    for stood in (0, 0, 0, 0, 0, 99, 101, 0):
        await trio.testing.wait_all_tasks_blocked()
        assert rig.follower.connected
        opened.append(trio.current_time() - began)
        await trio.sleep(stood)
        rig.store.cut()
        began = trio.current_time()
        while not rig.store.watches:  # noqa: ASYNC110
            await trio.sleep(0.5)
    assert opened == pytest.approx([0, 1, 2, 4, 8, 8, 8, 1], abs=0.5)


async def test_an_outage_after_a_compaction_is_said_and_a_compaction_is_none(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "lochkit")
    given_up: list[EtcdError] = []
    rig = Rig(nursery, on_outage=given_up.append)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    rig.store.cut(Compacted("gone"))
    await trio.sleep(1.5)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert not given_up
    rig.store.cut(Compacted("gone"))
    rig.store.away = Unavailable("nobody home")
    await trio.sleep(10)
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO", "WARNING"]
    assert set(given_up) == {rig.store.away}


async def test_two_clusters_behind_one_name_are_not_asked_in_a_tight_loop(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    foreign = ResponseHeader(cluster_id=7, revision=1, raft_term=2)
    rig.store.list_headers.extend([foreign] * 5)
    began = trio.current_time()
    await rig.start()
    await rig.value()
    while not rig.follower.connected:  # noqa: ASYNC110
        await trio.sleep(0.5)
    lists = [attempt - began for attempt in rig.store.attempts[::2]]
    assert lists == [0, 1, 3, 7, 15, 23]


async def test_a_restore_between_two_lists_is_not_mixed(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    for first, second in ((3, 2), (2, 3)):
        rig = Rig(nursery, (KeyRange.prefix(b"/a"), KeyRange.prefix(b"/k")))
        rig.store.put(b"1")
        for cluster_id, raft_term in ((first, 2), (second, 2), (2, 5), (2, 4), (2, 2), (2, 5)):
            rig.store.list_headers.append(
                ResponseHeader(cluster_id=cluster_id, revision=2, raft_term=raft_term)
            )
        rig.store.cluster = 2
        await rig.start()
        assert await rig.value() == b"1"
        assert rig.store.lists == 6
        # The term of the later list is remembered, and the store that has it no more is read anew.
        await trio.sleep(60)
        assert (rig.store.verified, rig.store.lists) == (1, 8)
        rig.scope.cancel()


async def test_a_single_answer_too_large_is_read_in_pages_instead(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    rig.store.cut(MessageTooLarge("x"))
    rig.store.put(b"1")
    step = await rig.steps.receive()
    assert step.origin is Origin.RESYNCED


async def test_giving_up_is_the_callers_decision(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    class Enough(Exception):
        pass

    def give_up(error: EtcdError) -> None:
        raise Enough

    rig = Rig(nursery, on_outage=give_up)
    rig.store.away = Unavailable("nobody home")
    with pytest.raises(Enough):
        await rig.follower.run()


async def test_a_compaction_becomes_a_list_and_a_difference(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    await rig.start()
    await rig.value()
    await trio.testing.wait_all_tasks_blocked()
    rig.store.watch_faults.append(Compacted("gone", 9))
    rig.store.cut()
    rig.store.put(b"1")
    step = await rig.steps.receive()
    assert step.origin is Origin.RESYNCED
    assert rig.store.lists == 2
    await trio.testing.wait_all_tasks_blocked()
    assert rig.store.asked[-1].start_revision == rig.store.revision + 1


async def test_a_member_that_lags_is_no_restore(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    rig.store.put(b"1")
    await rig.start()
    await rig.value()
    rig.store.lag = 1
    rig.store.cut()
    await trio.sleep(5)
    assert (rig.store.verified, rig.store.lists) == (1, 1)
    rig.store.put(b"2")
    assert await rig.value() == b"2"


async def test_another_cluster_is_read_anew(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    rig.store.put(b"1")
    await rig.start()
    await rig.value()
    rig.store.cluster = 2
    rig.store.values = [(2, b"restored")]
    rig.store.cut()
    assert await rig.value() == b"restored"
    assert rig.store.lists == 2


async def test_a_resync_finds_what_no_watch_has_told(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery, resync_interval=100)
    rig.store.put(b"1")
    await rig.start()
    await rig.value()
    rig.store.values[-1] = (2, b"changed behind our back")
    assert await rig.value(150) == b"changed behind our back"
    await trio.sleep(450)
    assert rig.store.lists == 6  # and nothing is sent while nothing differs


async def test_a_resync_that_is_asked_for(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery)
    rig.follower.resync()  # before anything is known: the first list is one
    rig.store.put(b"1")
    await rig.start()
    await rig.value()
    assert rig.store.lists == 1
    rig.store.values[-1] = (2, b"changed behind our back")
    rig.follower.resync()
    assert await rig.value() == b"changed behind our back"
    await trio.sleep(450)
    assert rig.store.lists == 2


async def test_cuts_do_not_put_off_a_resync(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    rig = Rig(nursery, resync_interval=100)
    await rig.start()
    await rig.value()
    for _ in range(11):
        await trio.sleep(30)
        rig.store.cut()
    assert rig.store.lists == 1 + 3


async def test_a_step_in_hand_survives_a_restart(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Cancelled while nobody takes the step, at any time: the next run sends it, and it alone."""
    rig = Rig(nursery)
    await rig.start()
    assert await rig.value() is None
    for number in range(30):
        rig.store.put(b"%d" % number)
        for _ in range(number % 7):
            await trio.lowlevel.checkpoint()
        rig.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        await rig.start()
        assert await rig.value() == b"%d" % number
    assert rig.store.lists == 1


async def lives_through(
    stop: StopAtStep, *, per_revision: bool
) -> tuple[list[Step], ScriptedStore]:
    """A short life with everything in it; its follower is restarted as soon as it is stopped."""
    seen: list[Step] = []

    async def consume() -> None:
        async for step in rig.steps:
            await trio.sleep(0.25)  # so that steps wait, too
            seen.append(step)

    async def supervise() -> None:
        await stop.run(rig.follower)
        await rig.follower.run()

    def lag() -> None:
        rig.store.lag = 1
        rig.store.cut()

    def compact() -> None:
        rig.store.watch_faults.append(Compacted("gone"))
        rig.store.cut()

    def restore() -> None:
        rig.store.lag = 0
        rig.store.cluster += 1
        rig.store.cut()

    async with trio.open_nursery() as nursery:
        rig = Rig(nursery, per_revision=per_revision, resync_interval=7)
        nursery.start_soon(consume)
        nursery.start_soon(supervise)
        await trio.sleep(1)
        for fault in (rig.store.cut, lag, compact, restore):
            for value in (b"1", b"2", b"3"):
                rig.store.put(value)
            await trio.sleep(0.1)
            fault()
            rig.store.put(b"after")
            await trio.sleep(5)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    return seen, rig.store


@pytest.mark.parametrize("per_revision", [False, True])
async def test_restarted_at_any_await_it_sends_the_same(
    autojump_clock: trio.testing.MockClock, per_revision: bool
) -> None:
    """Cancelled at each of its awaits in turn: nothing is lost, doubled, or begun anew."""
    whole = StopAtStep(None)
    await lives_through(whole, per_revision=per_revision)
    assert whole.steps > 25
    for moment in range(1, whole.steps + 1):
        seen, store = await lives_through(StopAtStep(moment), per_revision=per_revision)
        try:
            fits(seen, store)
        except AssertionError as error:
            error.add_note(f"stopped at await {moment}")
            raise


def fits(seen: list[Step], store: ScriptedStore) -> None:
    """Each step goes on where the one before it ended, and the last one ends at the truth."""
    keyspace = Keyspace()
    for step in seen:
        for key, change in step.changes.items():
            assert keyspace.entries.get(key) == change.old
            assert change.old != change.new
        keyspace.apply(step)
    assert keyspace.entries[b"/k"].value == b"after"
    assert keyspace.revision == store.revision
    assert [step.origin for step in seen].count(Origin.LISTED) == 1
    assert seen[0].origin is Origin.LISTED
    assert all(step.changes for step in seen[1:])
    revisions = [step.revision for step in seen]
    assert revisions == sorted(set(revisions))


def test_what_is_transient_is_known_to_the_supervisor() -> None:
    kinds: list[Callable[[str], EtcdError]] = [Unavailable, ConnectionLost]
    assert all(isinstance(kind("x"), TransientError) for kind in kinds)
