"""Grids: how many snapshots of each interval of time are kept, going back from the newest.

``1x1h(keep=all) | 24x1h | 30x1d`` says: of the last hour, all; before that, of 24 intervals of an
hour each, one; before those, of 30 intervals of a day each, one; older ones are not kept by this
rule. Units are ``s m h d w``; intervals may not become shorter towards the past.

The intervals are counted from the newest snapshot, not from now: when nothing new is taken, nothing
moves, and nothing is destroyed. Of each interval the *oldest* ones are kept, since it is the oldest
that passes on to the next interval first; were the newest kept, each would be replaced by a newer
one before it is old enough to pass on, and the grid would run dry. (As zrepl does it:
https://zrepl.github.io/configuration/prune.html, "Policy grid".) The newest snapshot is kept too,
which the intervals hang on.

Keeping more (``keep=``), more intervals at the end, or another rule destroys never more. More
intervals before others move those, and then other snapshots may be the oldest in theirs.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .errors import BadPolicy
from .model import Snapshot

__all__ = ["Grid", "Interval", "parse_grid"]

_MOST: Final = 1_000_000
_LONGEST: Final = 100 * 366 * 86400  # seconds
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_INTERVAL: Final = re.compile(
    r"(\d{1,9}) ?x ?(\d{1,9}) ?([smhdw]) ?(?:\( ?keep ?= ?(all|\d{1,9}) ?\))?"
)
_LIKE_A_GRID: Final = re.compile(r"\d+ ?x ?\d.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """So many intervals of the same length.

    Attributes:
        count: how many, one after the other.
        seconds: length of each.
        keep: how many snapshots are kept of each; None: all.
    """

    count: int
    seconds: int
    keep: int | None = 1

    @property
    def text(self) -> str:
        """As it is written in a policy."""
        unit = next(unit for unit in "wdhms" if self.seconds % _UNITS[unit] == 0)
        keep = {None: "(keep=all)", 1: ""}.get(self.keep, f"(keep={self.keep})")
        return f"{self.count}x{self.seconds // _UNITS[unit]}{unit}{keep}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Intervals, from the newest snapshot backwards.

    Attributes:
        intervals: at least one.
    """

    intervals: tuple[Interval, ...]

    @property
    def text(self) -> str:
        """As it is written in a policy."""
        return " | ".join(interval.text for interval in self.intervals)

    def keeps(self, snapshots: Sequence[Snapshot]) -> Iterable[Snapshot]:
        """What it keeps of snapshots, oldest first; none of them may be from the future."""
        if not snapshots:
            return
        newest = max(one.creation for one in snapshots)
        counts: dict[tuple[int, int], int] = {}
        for one in snapshots:
            found = self._interval(newest - one.creation)
            if found is None:
                continue
            where, keep = found
            counts[where] = counts.get(where, 0) + 1
            if keep is None or counts[where] <= keep or one.creation == newest:
                yield one

    def _interval(self, age: int) -> tuple[tuple[int, int], int | None] | None:
        """Which interval an age falls in, and how many that keeps."""
        for number, interval in enumerate(self.intervals):
            length = interval.count * interval.seconds
            if age < length:
                return (number, age // interval.seconds), interval.keep
            age -= length
        return None


def parse_grid(text: str) -> Grid | None:
    """Return the grid a text is; None: it is something else.

    Raises:
        BadPolicy: it is one with a fault.
    """
    if not _LIKE_A_GRID.fullmatch(text):
        return None
    intervals = tuple(_parse_interval(part.strip(), text) for part in text.split("|"))
    for before, after in pairwise(intervals):
        if after.seconds < before.seconds:
            raise BadPolicy(
                f"rule {text!r}: {after.text} is finer than {before.text} before it; intervals may"
                " not become shorter towards the past"
            )
    return Grid(intervals=intervals)


def _parse_interval(part: str, text: str) -> Interval:
    found = _INTERVAL.fullmatch(part)
    if not found:
        raise BadPolicy(
            f"rule {text!r}: {part!r} is not understood; an interval is '24x1h' or "
            "'1x1h(keep=all)', with s, m, h, d or w"
        )
    count, seconds = int(found[1]), int(found[2]) * _UNITS[found[3]]
    keep = None if found[4] == "all" else int(found[4] or 1)
    if not 1 <= count <= _MOST or not 1 <= seconds <= _LONGEST or keep == 0:
        raise BadPolicy(
            f"rule {text!r}: {part!r}: 1 to {_MOST} intervals of a second to 100 years, of which "
            "each keeps at least one snapshot"
        )
    return Interval(count=count, seconds=seconds, keep=keep)
