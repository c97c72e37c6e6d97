"""A limit of bytes per second, for one transfer or shared by several."""

import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["RateLimit"]

_BURST: Final = 0.25  # seconds' worth that may be caught up with after a pause
_LEAST: Final = 4096  # bytes: smaller portions cost more than they smooth


class RateLimit:
    """Gives portions of a rate to whoever asks, in the order of asking.

    Safe in threads. Transfers that share one get the same each, since all ask for portions of the
    same size.

    Args:
        bytes_per_second: above 0.
        clock: seconds; another one in tests.
    """

    def __init__(
        self, bytes_per_second: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not bytes_per_second > 0:
            raise ValueError("a rate is above 0")
        self._rate = bytes_per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._free_from = clock()

    @property
    def portion(self) -> int:
        """Bytes that should be asked for at most at a time: a quarter of a second's worth."""
        return max(_LEAST, int(self._rate * _BURST))

    def reserve(self, count: int) -> float:
        """Take bytes out of what is to come.

        Returns:
            Seconds to wait before they may be moved.
        """
        with self._lock:
            now = self._clock()
            begin = max(self._free_from, now - _BURST)
            self._free_from = begin + count / self._rate
            return max(0.0, begin - now)
