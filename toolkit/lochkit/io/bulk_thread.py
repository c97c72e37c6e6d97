"""A relay's thread, as something that Trio can wait for and cancel."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import trio

from .bulk_relay import BulkRelay

__all__ = ["run_relay"]

T = TypeVar("T")


async def run_relay(relay: BulkRelay, run: Callable[[], T], *, cut: Callable[[], None]) -> T:
    """Run a relay in a thread, and return when that has ended.

    Args:
        relay: what is run; closed here.
        run: its work.
        cut: called when it is cancelled, to break what the thread could be in the middle of.

    Raises:
        Exception: whatever the work raises.
    """
    token = trio.lowlevel.current_trio_token()
    ended = trio.Event()
    results: list[Any] = []  # one, of the class `outcome.Outcome` that Trio uses

    def deliver(result: Any) -> None:
        results.append(result)
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(ended.set)

    try:
        await trio.lowlevel.checkpoint()
        # A thread of its own rather than `to_thread`: that one can not be told that it is
        # cancelled, and counts against a limit that is meant for short work.
        trio.lowlevel.start_thread_soon(run, deliver, "lochkit-stream")
        try:
            await ended.wait()
        finally:
            if not ended.is_set():
                cut()
                relay.stop()
                with trio.CancelScope(shield=True):  # it waits for nothing but what is now broken
                    await ended.wait()
    finally:
        relay.close()
    result: T = results[0].unwrap()
    return result
