"""When something is due: a line of cron in a time zone.

The five fields are those of crontab(5) as Debian's cron reads them: lists, ranges, steps, names of
months and weekdays, Sunday as 0 or 7. Day of month and day of week must both match if one of them
begins with ``*``, else one of them does it. ``L`` (last day of the month), ``LW`` (its last working
day), ``5L`` (its last Friday) and ``5#2`` (its second Friday) are understood as well. So are
``@hourly @daily @midnight @weekly @monthly @yearly @annually``.

Where clocks change, a line with a fixed hour and minute fires once: at the end of the gap when its
time is skipped, and the first time when its time comes twice. A line with ``*`` in hour or minute
follows the clock: nothing in the gap, and again in the hour that comes again.

Source: crontab(5) and cron(8) of Debian; the fields and the calendar are the library cronsim's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cronsim import CronSim, CronSimError

from .errors import BadPolicy
from .zones import LOCAL, zone_of

__all__ = ["Schedule", "parse_schedule"]

_MACROS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST: Final = 1000  # characters
_SOME_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 (any day does, to see if there is a tick)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A line of cron, checked.

    Attributes:
        cron: five fields, or a macro.
        zone: whose clock it is read on: a name of the database of time zones, ``UTC``, ``local``.

    Raises:
        BadPolicy: it can not be read, never comes, or the zone is not known.
    """

    cron: str
    zone: str = LOCAL

    def __post_init__(self) -> None:
        zone_of(self.zone)
        if len(self.cron) > _LONGEST:
            raise BadPolicy(f"a schedule of {len(self.cron)} characters: the limit is {_LONGEST}")
        try:
            next(_simulate(self.cron, _SOME_DAY, reverse=False))
        except StopIteration:
            raise BadPolicy(f"schedule {self.cron!r}: there is no such day") from None

    def due(self, last: int | None, now: int) -> int | None:
        """The newest tick after `last` and not after `now`, in seconds since 1970.

        However many ticks there were between, only the newest counts.

        Args:
            last: what was done last; None: nothing yet, and then any tick before `now` counts.
            now: the time.
        """
        tick = self._at_or_before(now)
        # Looking back, cronsim misses a fixed time that the clock showed before, in the hour that
        # comes again; and some before a shift by half an hour (Lord Howe Island), in one direction
        # only. So both directions are asked.
        while tick is not None and (later := self._after(tick)) <= now:
            tick = later
        return None if tick is None or (last is not None and tick <= last) else tick

    def next(self, after: int) -> int:
        """The first tick after `after`, both in seconds since 1970."""
        tick = self._after(after)
        while (earlier := self._at_or_before(tick - 1)) is not None and earlier > after:
            tick = earlier
        return tick

    def _at_or_before(self, now: int) -> int | None:
        start = datetime.fromtimestamp(now + 1, zone_of(self.zone))
        return next(_ticks(_simulate(self.cron, start, reverse=True)), None)

    def _after(self, after: int) -> int:
        start = datetime.fromtimestamp(after, zone_of(self.zone))
        ticks = _ticks(_simulate(self.cron, start, reverse=False))
        return next(tick for tick in ticks if tick > after)


def parse_schedule(text: str, zone: str = LOCAL) -> Schedule:
    """Return the schedule that a line of cron says.

    Raises:
        BadPolicy: see `Schedule`.
    """
    return Schedule(cron=" ".join(text.split()), zone=zone)


def _simulate(cron: str, start: datetime, *, reverse: bool) -> CronSim:
    if cron.startswith("@") and cron not in _MACROS:
        raise BadPolicy(f"schedule {cron!r}: known are {' '.join(_MACROS)}, or five fields")
    fields = _MACROS.get(cron, cron)
    if len(fields.split()) != 5:
        raise BadPolicy(
            f"schedule {cron!r}: five fields are wanted, as in '*/15 * * * *': minute, hour, "
            "day of month, month, day of week"
        )
    try:
        return CronSim(fields, start, reverse=reverse)
    except CronSimError as exc:
        what = str(exc).removeprefix("Bad ")
        never = ", or a day that those months do not have" if what == "day-of-month" else ""
        raise BadPolicy(f"schedule {cron!r}: the {what} is not understood{never}") from exc


def _ticks(simulation: CronSim) -> Iterator[int]:
    return (int(tick.timestamp()) for tick in simulation)
