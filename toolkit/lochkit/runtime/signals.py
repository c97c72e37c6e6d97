"""Stopping in bounded time on TERM and INT, and reloading on HUP."""

import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

import trio

__all__ = ["STOP_WITHIN", "exit_code_of", "run_until_stopped"]

log = logging.getLogger(__name__)

STOP_WITHIN: Final = 4.5
"""Seconds from the first signal to a forced end: below the 5 s promised, which include our exit."""

SAME_REQUEST: Final = 0.5
"""Seconds in which a second signal is the same request: ``timeout`` signals its child and then the
child's whole group, and so does a service manager that is told to stop twice."""


_NONE: Final[Mapping[signal.Signals, Callable[[], None]]] = MappingProxyType({})


def exit_code_of(stopped_by: signal.Signals | None) -> int:
    """Return the exit code of a process that stopped cleanly when asked to.

    That is success, except for INT: 130 lets a shell see that the operator interrupted it.
    """
    return 128 + signal.SIGINT if stopped_by is signal.SIGINT else 0


async def run_until_stopped(
    body: Callable[[], Awaitable[None]],
    *,
    on_hangup: Callable[[], None] | None = None,
    on_stop: Callable[[], None] | None = None,
    stop_within: float = STOP_WITHIN,
    before_force: Callable[[], None] | None = None,
    others: Mapping[signal.Signals, Callable[[], None]] = _NONE,
    hurry: Callable[[], bool] | None = None,
) -> signal.Signals | None:
    """Run ``body`` until it returns, or until a signal asks for the end.

    The first TERM or INT cancels ``body``. If that has not ended it ``stop_within`` seconds later,
    or another TERM or INT comes (but see ``hurry``), the process exits at once with 128 + n, even
    when the event loop hangs. Must be called in the main thread, before anything is started that
    needs cleaning up.

    Args:
        body: the work; its cleanup must be bounded.
        on_hangup: called in Trio's thread on HUP, for instance to send on a channel without
        waiting;
            without it HUP is one more request to stop.
        on_stop: called when the end is first asked for, as to tell the service manager; must not
            block.
        stop_within: seconds that the cleanup of ``body`` may take.
        before_force: called before a forced exit, perhaps in another thread, to leave no child
            behind; must not block.
        others: called in Trio's thread on further signals, also while ``body`` cleans up: by then
            their default, which is to kill us, would be worst.
        hurry: called in Trio's thread when the end is asked for again. True says that ``body`` will
            wait no longer than it must, and then only the next request forces an exit.

    Returns:
        The signal that asked for the end, or None when ``body`` returned by itself.
    """
    root = trio.CancelScope()
    stop = Stop(root, stop_within, before_force, on_stop, hurry)
    ours = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    with trio.open_signal_receiver(*ours, *others) as arrivals:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_listen, arrivals, stop, on_hangup, others)
                with root:
                    await body()
                nursery.cancel_scope.cancel()
        finally:
            stop.done()
    return stop.asked_by


class Stop:
    """What has been asked of us so far, and the clock that runs since."""

    def __init__(
        self,
        root: trio.CancelScope,
        within: float,
        before_force: Callable[[], None] | None,
        on_stop: Callable[[], None] | None,
        hurry: Callable[[], bool] | None,
    ) -> None:
        self.asked_by: signal.Signals | None = None
        self._asked_at = 0.0
        self._root = root
        self._within = within
        self._before_force = before_force
        self._on_stop = on_stop
        self._hurry = hurry
        self._timer: threading.Timer | None = None

    def ask(self, arrived: signal.Signals) -> None:
        """Begin to stop, or if that has been asked before: stop now."""
        now = trio.current_time()
        if self.asked_by is None:
            self.asked_by, self._asked_at = arrived, now
            log.info("stopping", extra={"signal": arrived.name})
            # A thread, because a hung event loop is one of the things it guards against.
            self._timer = threading.Timer(self._within, self._force, (arrived, "took too long"))
            self._timer.daemon = True
            self._timer.start()
            self._root.cancel(reason=f"{arrived.name} received")
            if self._on_stop is not None:
                self._on_stop()
        elif now - self._asked_at >= SAME_REQUEST and arrived is not signal.SIGHUP:
            if self._hurry is not None and self._hurry():
                self._asked_at = now
                log.info("stopping at once", extra={"signal": arrived.name})
            else:
                self._force(arrived, "was cut short by a second signal")

    def done(self) -> None:
        """The body has ended: nothing is left to force."""
        if self._timer is not None:
            self._timer.cancel()

    def _force(self, arrived: signal.Signals, why: str) -> None:
        log.critical("stopping %s: exit at once", why, extra={"signal": arrived.name})
        try:
            if self._before_force is not None:
                self._before_force()
        finally:
            os._exit(128 + arrived)


async def _listen(
    arrivals: AsyncIterator[int],
    stop: Stop,
    on_hangup: Callable[[], None] | None,
    others: Mapping[signal.Signals, Callable[[], None]],
) -> None:
    async for number in arrivals:
        arrived = signal.Signals(number)
        if (on_other := others.get(arrived)) is not None:
            on_other()
        elif arrived is signal.SIGHUP and on_hangup is not None and stop.asked_by is None:
            log.info("reload asked for", extra={"signal": arrived.name})
            on_hangup()
        else:
            stop.ask(arrived)
