"""What is started in a lasting nursery ends with the block, not with the block's cancellation."""

import pytest
import trio

from lochkit.runtime.lasting import lasting_nursery


async def test_it_serves_the_cleanup_of_a_cancelled_block(autojump_clock: trio.abc.Clock) -> None:
    del autojump_clock
    served = 0
    ended = trio.Event()

    async def server(requests: trio.MemoryReceiveChannel[trio.Event]) -> None:
        nonlocal served
        try:
            async for answered in requests:
                await trio.sleep(1)
                served += 1
                answered.set()
        finally:
            ended.set()

    async def ask(channel: trio.MemorySendChannel[trio.Event]) -> None:
        answered = trio.Event()
        await channel.send(answered)
        await answered.wait()

    send, receive = trio.open_memory_channel[trio.Event](0)
    with trio.move_on_after(5) as limit:
        async with lasting_nursery() as nursery:
            nursery.start_soon(server, receive)
            await ask(send)
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await ask(send)
                assert not ended.is_set()
    assert limit.cancelled_caught
    assert served == 2
    assert ended.is_set()
    assert trio.current_time() - limit.deadline == pytest.approx(1)


async def test_the_end_of_the_block_ends_its_tasks(autojump_clock: trio.abc.Clock) -> None:
    del autojump_clock
    async with lasting_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
    assert nursery.cancel_scope.cancel_called


async def test_a_task_that_fails_ends_the_block(autojump_clock: trio.abc.Clock) -> None:
    del autojump_clock

    async def fail() -> None:
        await trio.sleep(1)
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True, allow_unwrapped=True):
        async with lasting_nursery() as nursery:
            nursery.start_soon(fail)
            await trio.sleep_forever()


async def test_an_error_of_the_block_is_raised(autojump_clock: trio.abc.Clock) -> None:
    del autojump_clock
    with pytest.RaisesGroup(KeyError, flatten_subgroups=True, allow_unwrapped=True):
        async with lasting_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise KeyError


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancellation_at_any_moment_of_its_beginning_ends_it(
    autojump_clock: trio.abc.Clock, steps: int
) -> None:
    del autojump_clock
    with trio.fail_after(10), trio.CancelScope() as scope:

        async def cancel() -> None:
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            scope.cancel()

        async with trio.open_nursery() as around:
            if steps:
                around.start_soon(cancel)
            else:
                scope.cancel()
            async with lasting_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await trio.sleep_forever()
    assert scope.cancelled_caught
