"""The four phrases of retention, with the meaning their words have.

==========================  ====================================================================
``N in last day``           of the snapshots younger than 24 hours: the newest N
``N/day in last week``      of those younger than 7 days: of each calendar day, the newest N
``N/week in last month``    of those younger than 31 days: of each week (ISO 8601: from Monday),
                            the newest N
``N/month in last year``    of those younger than 366 days: of each calendar month, the newest N
==========================  ====================================================================

Days, weeks and months are those of the policy's zone. Each phrase also covers what a phrase before
it covers: ``1/day in last week`` keeps the newest of today as well. The newest of a calendar day
does not change once the day is over, so that what was kept yesterday is kept today.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from types import MappingProxyType
from typing import Final, NamedTuple

from .errors import BadPolicy
from .model import Snapshot
from .zones import local_date

__all__ = ["Phrase", "parse_phrase"]

_MOST_KEPT: Final = 1_000_000
_DAY: Final = 86400
_PHRASE: Final = re.compile(r"(\d{1,9})(?:/(day|week|month))? in last (day|week|month|year)")


class _Meaning(NamedTuple):
    """What the words after the number say.

    Attributes:
        words: themselves.
        younger: seconds.
        bucket: what of a date tells the ones apart that are counted each for itself.
    """

    words: str
    younger: int
    bucket: Callable[[date], Hashable] | None


_MEANINGS: Final[Mapping[tuple[str | None, str], _Meaning]] = MappingProxyType(
    {
        (None, "day"): _Meaning(" in last day", _DAY, None),
        ("day", "week"): _Meaning("/day in last week", 7 * _DAY, lambda day: day),
        ("week", "month"): _Meaning(
            "/week in last month", 31 * _DAY, lambda day: day.isocalendar()[:2]
        ),
        ("month", "year"): _Meaning(
            "/month in last year", 366 * _DAY, lambda day: (day.year, day.month)
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One of the four.

    Attributes:
        count: how many of each, at least one.
        each: ``day``, ``week``, ``month``; None: of all together.
        last: ``day``, ``week``, ``month``, ``year``.
    """

    count: int
    each: str | None
    last: str

    @property
    def text(self) -> str:
        """As it is written in a policy."""
        return f"{self.count}{_MEANINGS[self.each, self.last].words}"

    def keeps(self, snapshots: Sequence[Snapshot], now: int, zone: tzinfo) -> Iterable[Snapshot]:
        """What it keeps of snapshots, oldest first.

        Args:
            snapshots: none of them from the future.
            now: seconds since 1970.
            zone: of the calendar.
        """
        meaning = _MEANINGS[self.each, self.last]
        counts: dict[Hashable, int] = {}
        for one in reversed(snapshots):
            if now - one.creation >= meaning.younger:
                continue  # not the end: a clock may have been set back between two snapshots
            key = meaning.bucket(local_date(zone, one.creation)) if meaning.bucket else None
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= self.count:
                yield one


def parse_phrase(text: str) -> Phrase | None:
    """Return the phrase a text is; None: it is something else.

    Raises:
        BadPolicy: it is one that does not exist, as ``1/week in last day``, or keeps nothing.
    """
    found = _PHRASE.fullmatch(text)
    if not found:
        return None
    count, each, last = int(found[1]), found[2], found[3]
    if (each, last) not in _MEANINGS:
        known = ", ".join(f"'N{meaning.words}'" for meaning in _MEANINGS.values())
        raise BadPolicy(f"rule {text!r}: the phrases are {known}")
    if not 1 <= count <= _MOST_KEPT:
        raise BadPolicy(f"rule {text!r}: keep 1 to {_MOST_KEPT}")
    return Phrase(count=count, each=each, last=last)
