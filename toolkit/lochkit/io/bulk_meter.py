"""How much of a stream has moved, and how fast: counted by one thread, read by anybody."""

import time
from collections import deque
from typing import Final

__all__ = ["Meter"]

_WINDOW: Final = 10.0  # seconds over which a rate is taken
_STEP: Final = 0.5


class Meter:
    """Counts the bytes of one stream.

    Attributes:
        bytes: so far.
        last_progress: when the last of them moved, or the meter was made (``time.monotonic()``).
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.last_progress = time.monotonic()
        self._steps = deque([(self.last_progress, 0)], maxlen=int(_WINDOW / _STEP))

    def add(self, count: int) -> None:
        """Count bytes that have moved; only the relay's thread does."""
        now = time.monotonic()
        self.bytes += count
        self.last_progress = now
        if now - self._steps[-1][0] >= _STEP:
            self._steps.append((now, self.bytes))

    def rate(self) -> float:
        """Bytes per second over the last seconds."""
        now, total = time.monotonic(), self.bytes
        steps = self._steps.copy()  # one operation of C: whole, whatever the other thread does
        since, before = next(
            (step for step in steps if now - step[0] <= _WINDOW), (now - _WINDOW, total)
        )
        return (total - before) / max(now - since, _STEP)
