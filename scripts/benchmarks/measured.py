"""What a client under measurement says to the benchmark. Standard library only: each has its own
venv."""

import json
import resource
import sys
import time

__all__ = ["Clock", "ready", "report"]


class Clock:
    """Wall and processor time of this process since the clock was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    @staticmethod
    def now() -> float:
        """Seconds, for differences."""
        return time.perf_counter()

    def read(self) -> dict[str, float]:
        """Seconds since the start."""
        return {
            "wall": time.perf_counter() - self._wall,
            "cpu": time.process_time() - self._cpu,
        }


def ready() -> None:
    """Events may begin."""
    print("ready", flush=True)


def report(clock: Clock, **more: object) -> None:
    """The one line of JSON that ends a measurement."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({**clock.read(), "rss": peak, **more}, sys.stdout)
    sys.stdout.flush()
