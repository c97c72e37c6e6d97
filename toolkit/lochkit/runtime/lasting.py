"""A nursery for what must outlive the cancellation of those who use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

__all__ = ["lasting_nursery"]


@asynccontextmanager
async def lasting_nursery() -> AsyncIterator[trio.Nursery]:
    """A nursery whose tasks are cancelled when the block ends, and not before.

    A cancelled scope cancels everything in it in the same moment: a connection as well as the task
    whose cleanup needs it. Tasks that are started in here go on until the block, cleanup included,
    is done; which must therefore be bounded.

    Raises:
        ExceptionGroup: what the block or a task raises. A failed task cancels the block.
    """
    async with trio.open_nursery() as outer:
        nursery: trio.Nursery = await outer.start(_hold)
        try:
            yield nursery
        finally:
            nursery.cancel_scope.cancel()


async def _hold(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.shield = True
        task_status.started(nursery)
        await trio.sleep_forever()
