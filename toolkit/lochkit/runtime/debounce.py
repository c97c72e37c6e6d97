"""An actor that waits for quiet: many messages in, few merged ones out, the last never lost."""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

__all__ = ["Debouncer"]

T = TypeVar("T")


def latest(earlier: T, later: T) -> T:
    """Merge messages that each carry the full state: the later one says it all."""
    del earlier
    return later


class Pending(Generic[T]):
    """Messages not handed over yet, merged as they come.

    Runs of equal length are merged, like the carries of a binary counter: a large first message (a
    whole keyspace) is then copied by ``merge`` log2(n) times while n small ones arrive, not n
    times. At most log2(n) + 1 merged messages are held.
    """

    def __init__(self, merge: Callable[[T, T], T]) -> None:
        self._merge = merge
        self._runs: list[tuple[int, T]] = []  # (messages merged, the result), oldest first

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, message: T) -> None:
        """Take in a message later than all others."""
        length = 1
        while self._runs and self._runs[-1][0] == length:
            message = self._merge(self._runs.pop()[1], message)
            length *= 2
        self._runs.append((length, message))

    def merged(self) -> T:
        """Return everything as one message, and keep it as that."""
        length, message = self._runs.pop()
        while self._runs:
            earlier_length, earlier = self._runs.pop()
            length, message = length + earlier_length, self._merge(earlier, message)
        # A run of any length: add() then merges less often, and never wrongly.
        self._runs.append((length, message))
        return message

    def clear(self) -> None:
        """Forget everything: it has been handed over."""
        self._runs.clear()


class Debouncer(Generic[T]):
    """Hands over a burst of messages as one, once it has been quiet or has waited long enough.

    It goes on receiving and merging while the consumer is busy, so the producer is never held up by
    a slow command, and memory stays bounded by the merged message. The waits begin with the first
    message not handed over yet; changes that come while the consumer is busy get their quiet time
    too.

    What was received and not handed over survives a restart, and is handed over at once when the
    source ends.

    Args:
        source: where messages come from; its end ends the actor. Borrowed.
        sink: where merged messages go. Borrowed. Sending to it must be cancel-atomic (sent, or
            cancelled and not sent), as it is for Trio's memory channels.
        quiet: seconds without a message after which what there is is handed over; 0 is at once.
        limit: seconds after which it is handed over even if messages keep coming.
        merge: makes one message of an earlier and a later one. Associative; must not change its
            arguments. By default the later one wins.
        name: for logs.
    """

    def __init__(
        self,
        source: trio.abc.ReceiveChannel[T],
        sink: trio.abc.SendChannel[T],
        *,
        quiet: float,
        limit: float,
        merge: Callable[[T, T], T] = latest,
        name: str = "debouncer",
    ) -> None:
        if not 0 <= quiet <= limit:
            raise ValueError("0 <= quiet <= limit must hold")
        self.name = name
        self._source = source
        self._sink = sink
        self._quiet = quiet
        self._limit = limit
        self._pending = Pending(merge)
        self._give_up = 0.0  # when the limit of what is pending is reached
        self._ended = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Debounce until the source has ended and everything has been handed over."""
        task_status.started()  # it owns nothing
        while True:
            if not self._pending and not self._ended:
                await self._receive()
            if not self._pending:
                return
            await self._wait_for_quiet()
            await self._offer()

    async def _receive(self) -> None:
        """Take in one message, or note the end."""
        try:
            message = await self._source.receive()
        except trio.EndOfChannel:
            self._ended = True
            return
        self._add(message)

    async def _wait_for_quiet(self) -> None:
        """Take in messages until it is quiet, the limit is reached, or the source ends."""
        with trio.CancelScope() as window:
            while not self._ended:
                window.deadline = min(trio.current_time() + self._quiet, self._give_up)
                await self._receive()  # memory channels are cancel-atomic: nothing is lost

    async def _offer(self) -> None:
        """Hand over what is pending, or take in one more message, whichever comes first.

        Either can win, or both in the same tick; then the new message is what is pending.
        """
        offered = self._pending.merged()
        caught: list[T] = []
        sent = False
        try:
            async with trio.open_nursery() as race:
                race.start_soon(self._catch, caught, race.cancel_scope)
                await self._sink.send(offered)
                sent = True
                race.cancel_scope.cancel()
        finally:  # whatever ended the race, what was received is kept and what was sent is not
            if sent:
                self._pending.clear()
            for message in caught:
                self._add(message)

    async def _catch(self, caught: list[T], race: trio.CancelScope) -> None:
        """Take one message into ``caught`` and end the race, or note the end and let it go on."""
        try:
            caught.append(await self._source.receive())
        except trio.EndOfChannel:
            self._ended = True
        else:
            race.cancel()

    def _add(self, message: T) -> None:
        if not self._pending:
            self._give_up = trio.current_time() + self._limit
        self._pending.add(message)
