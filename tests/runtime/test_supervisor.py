"""Supervision: what is restarted, when, and what is not."""

import logging
from collections.abc import Iterable

import pytest
import trio
import trio.testing

from lochkit.errors import ConfigError, TransientError
from lochkit.runtime.backoff import Backoff
from lochkit.runtime.supervisor import is_transient, start, supervise

BACKOFF = Backoff(base=1, factor=2, maximum=8, reset_after=60)


class FlakyActor:
    """Starts, works for a while, and ends as its script says: an error, or None for a good end."""

    name = "flaky"

    def __init__(self, script: Iterable[BaseException | None], *, works_for: float = 0) -> None:
        self._script = iter(script)
        self._works_for = works_for
        self.began: list[float] = []

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self.began.append(trio.current_time())
        task_status.started()
        await trio.sleep(self._works_for)
        if (outcome := next(self._script)) is not None:
            raise outcome


class NeverReady:
    """Fails before it has started, for a reason that time could heal."""

    name = "never ready"

    async def run(  # noqa: ASYNC128 - it fails before it could
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        del task_status
        await trio.lowlevel.checkpoint()
        raise OSError("port taken")


def no_jitter() -> float:
    return 1.0  # the whole delay


@pytest.mark.parametrize(
    "error",
    [
        TransientError(),
        OSError(),
        ConnectionResetError(),
        trio.TooSlowError(),
        trio.BrokenResourceError(),
        ExceptionGroup("", [OSError(), ExceptionGroup("", [TransientError()])]),
    ],
)
async def test_what_time_can_heal_is_restarted(
    autojump_clock: trio.testing.MockClock, error: Exception
) -> None:
    actor = FlakyActor([error, None])
    await supervise(actor, BACKOFF, jitter=no_jitter)
    assert actor.began == [0, 1]


@pytest.mark.parametrize(
    "error",
    [
        TypeError(),
        AssertionError(),
        ConfigError(),
        trio.ClosedResourceError(),
        ExceptionGroup("", [OSError(), TypeError()]),
    ],
)
async def test_a_bug_is_raised_at_once(error: Exception) -> None:
    actor = FlakyActor([error, None])
    with pytest.raises(type(error)) as caught:
        await supervise(actor, BACKOFF)
    assert caught.value is error
    assert len(actor.began) == 1


async def test_the_waits_grow_and_are_jittered(autojump_clock: trio.testing.MockClock) -> None:
    actor = FlakyActor([OSError(), OSError(), OSError(), None])
    await supervise(actor, BACKOFF, jitter=lambda: 0.0)
    assert actor.began == [0, 0.5, 1.5, 3.5]


async def test_good_service_makes_it_forget(autojump_clock: trio.testing.MockClock) -> None:
    actor = FlakyActor([OSError(), OSError(), OSError(), None], works_for=60)
    await supervise(actor, BACKOFF, jitter=no_jitter)
    assert actor.began == [0, 61, 122, 183]


async def test_failing_before_it_has_started_is_fatal() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(OSError, match="port taken"):
            await start(nursery, NeverReady())


async def test_start_returns_when_it_has_started_for_the_first_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    actor = FlakyActor([OSError(), OSError(), None], works_for=10)
    async with trio.open_nursery() as nursery:
        await start(nursery, actor, backoff=BACKOFF)
        assert actor.began == [0]
    assert len(actor.began) == 3


async def test_channels_close_when_it_is_finished_and_not_before(
    autojump_clock: trio.testing.MockClock,
) -> None:
    send, receive = trio.open_memory_channel[int](0)

    class Sender(FlakyActor):
        async def run(
            self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
        ) -> None:
            task_status.started()
            await send.send(len(self.began))
            await super().run()

    async with trio.open_nursery() as nursery:
        await start(nursery, Sender([OSError(), OSError(), None]), send, backoff=BACKOFF)
        assert [number async for number in receive] == [0, 1, 2]


async def test_channels_close_when_a_bug_ends_it() -> None:
    send, receive = trio.open_memory_channel[int](0)
    with pytest.raises(TypeError):
        await supervise(FlakyActor([TypeError()]), closes=(send,))
    with pytest.raises(trio.EndOfChannel):
        receive.receive_nowait()


async def test_cancelling_is_not_a_failure(autojump_clock: trio.testing.MockClock) -> None:
    actor = FlakyActor([None], works_for=100)
    with trio.move_on_after(5) as scope:
        await supervise(actor, BACKOFF)
    assert scope.cancelled_caught
    assert actor.began == [0]


async def test_a_wait_between_restarts_can_be_cancelled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.move_on_after(0.1) as scope:
        await supervise(FlakyActor([OSError(), None]), BACKOFF, jitter=no_jitter)
    assert scope.cancelled_caught


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
async def test_a_restart_is_logged_with_its_reason(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level)
    await supervise(FlakyActor([OSError("no route"), None]), BACKOFF, jitter=no_jitter)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "flaky failed and is restarted"
    assert vars(record)["error"] == "no route"
    assert vars(record)["restart_in_seconds"] == 1
    assert bool(record.exc_info) is (level == logging.DEBUG)


def test_an_empty_message_still_names_the_error() -> None:
    assert is_transient(TimeoutError())
    assert not is_transient(Exception())
