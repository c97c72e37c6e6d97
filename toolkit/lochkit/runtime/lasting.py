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
    opened: list[trio.Nursery] = []
    is_open = trio.Event()

    async def hold() -> None:
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.shield = True
            opened.append(nursery)
            is_open.set()
            await trio.sleep_forever()

    async with trio.open_nursery() as outer:
        # Not `outer.start`: that gives up when we are cancelled meanwhile, and what is shielded
        # then stays for ever.
        outer.start_soon(hold)
        with trio.CancelScope(shield=True):
            await is_open.wait()
        try:
            yield opened[0]
        finally:
            opened[0].cancel_scope.cancel()
