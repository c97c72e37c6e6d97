"""How a replication goes on: in one line of a terminal, or as events in the log."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TextIO

from ..zfs.durations import in_words
from ..zfs.offers import Received
from ..zfs.plan_types import Step
from ..zfs.progress import SILENT, Reporter, Silent
from ..zfs.reports import DatasetReport
from .output import shown
from .zfs_showing import in_bytes, step_text

__all__ = ["Bar", "Events", "open_reporter", "progress_line"]

log = logging.getLogger(__name__)

_EVERY: Final = 0.2  # seconds between two lines
_WIDEST: Final = 200  # characters
_CELLS: Final = 20


@dataclass(slots=True)
class Stream:
    """A stream that is under way.

    Attributes:
        snapshot: that will be there.
        size: bytes it will have; None: not known.
        sent: bytes that have gone.
        rate: bytes a second.
    """

    snapshot: str
    size: int | None
    sent: int = 0
    rate: float = 0.0


def progress_line(streams: dict[str, Stream], width: int) -> str:
    """Return all streams in one line: a bar where all sizes are known, the rate and the time left.

    Args:
        streams: by dataset.
        width: characters there is room for.
    """
    sent = sum(one.sent for one in streams.values())
    rate = sum(one.rate for one in streams.values())
    sizes = [one.size for one in streams.values()]
    size = None if None in sizes else sum(one or 0 for one in sizes)
    parts = [in_bytes(sent)]
    if size:
        share = min(1.0, sent / size)
        full = round(share * _CELLS)
        bar = "#" * full + "." * (_CELLS - full)
        parts = [f"[{bar}] {share:4.0%}", f"{in_bytes(sent)} of {in_bytes(size)}"]
    parts.append(f"{in_bytes(rate)}/s")
    if size and rate > 0:
        parts.append(f"{in_words(round(max(0, size - sent) / rate))} left")
    names = [f"{shown(name)}@{shown(one.snapshot)}" for name, one in streams.items()]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{'  '.join(parts)}  {names[0]}{more}"[: width - 1] if names else ""


class Bar(Silent):
    """The reporter that writes the line; a `Reporter`.

    Args:
        out: a terminal.
        width: its characters in a line.
    """

    def __init__(self, out: TextIO, width: int) -> None:
        self._out = out
        self._width = min(width, _WIDEST)
        self._streams: dict[str, Stream] = {}
        self._written = 0.0
        self._shown = False

    def started(self, dataset: str, step: Step, size: int | None) -> None:
        """See `Reporter`."""
        self._streams[dataset] = Stream(step.to.name, size)
        self._write()

    def moved(self, dataset: str, sent: int, rate: float) -> None:
        """See `Reporter`."""
        if (stream := self._streams.get(dataset)) is not None:
            stream.sent, stream.rate = sent, rate
            self._write()

    def received(self, dataset: str, step: Step, result: Received) -> None:
        """See `Reporter`."""
        del step, result
        self._streams.pop(dataset, None)

    def retrying(self, dataset: str, why: str, seconds: float) -> None:
        """See `Reporter`."""
        self._streams.pop(dataset, None)
        self.clear()
        self._out.write(f"{shown(dataset)}: {shown(why)}; again in {seconds:.1f} s\n")
        self._out.flush()

    def finished(self, report: DatasetReport) -> None:
        """See `Reporter`."""
        self._streams.pop(report.source, None)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._shown = False

    def _write(self) -> None:
        now = time.monotonic()
        if now - self._written < _EVERY:
            return
        self._written = now
        self._out.write(f"\r\x1b[K{progress_line(self._streams, self._width)}")
        self._out.flush()
        self._shown = True


class Events(Silent):
    """The reporter that logs each stream; a `Reporter`."""

    def started(self, dataset: str, step: Step, size: int | None) -> None:
        """See `Reporter`."""
        extra = {"dataset": dataset, "stream": step_text(step), "bytes": size}
        log.info("sending", extra={key: value for key, value in extra.items() if value is not None})

    def received(self, dataset: str, step: Step, result: Received) -> None:
        """See `Reporter`."""
        log.info("received", extra={"dataset": dataset, "snapshot": step.to.name})

    def retrying(self, dataset: str, why: str, seconds: float) -> None:
        """See `Reporter`."""
        log.warning(
            "%s; trying again", why, extra={"dataset": dataset, "after": f"{seconds:.1f} s"}
        )


@contextmanager
def open_reporter(*, quiet: bool) -> Iterator[Reporter]:
    """A reporter for as long as the block runs: a line of the terminal if there is one, or events.

    Args:
        quiet: none in any case.
    """
    import shutil  # for the terminal's width, which most runs do not have

    if quiet:
        yield SILENT
        return
    if sys.stderr is None or not sys.stderr.isatty():
        yield Events()
        return
    bar = Bar(sys.stderr, shutil.get_terminal_size().columns)
    try:
        yield bar
    finally:
        bar.clear()
