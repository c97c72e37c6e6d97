"""Time zones by name: those of the host's database, ``UTC``, and ``local`` for the host's own.

``UTC`` and ``local`` need no database. What ``local`` means is the host's business (``TZ``,
``/etc/localtime``), so the same policy may mean another zone on another host; give a name to be
independent of that.
"""

import difflib
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from .errors import BadPolicy

__all__ = ["LOCAL", "local_date", "zone_of"]

LOCAL: Final = "local"


class _LocalZone(tzinfo):
    """The zone of the host, with its rules at each instant; ``datetime`` knows them."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        if dt is None:
            return None
        return dt.replace(tzinfo=None).astimezone().utcoffset()  # a naive one is local

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None  # not known, and nobody here asks

    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        there = dt.replace(tzinfo=UTC).astimezone()
        bare = there.replace(tzinfo=None)
        again = bare.astimezone().utcoffset() != there.utcoffset()
        return bare.replace(tzinfo=self, fold=int(again))


_LOCAL_ZONE: Final = _LocalZone()


def zone_of(name: str) -> tzinfo:
    """Return the zone of that name.

    Raises:
        BadPolicy: there is none, or the host has no database of zones.
    """
    if name == LOCAL:
        return _LOCAL_ZONE
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadPolicy(_unknown(name)) from None


def _unknown(name: str) -> str:
    known = available_timezones()
    if not known:
        return (
            f"time zone {name!r}: this host has no database of time zones; install tzdata, "
            "or use UTC or local"
        )
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; use one like Europe/Paris, UTC or local"
    return f"there is no time zone {name!r}{hint}"


def local_date(zone: tzinfo, at: int) -> date:
    """The date on a calendar in that zone at an instant (seconds since 1970)."""
    if zone is _LOCAL_ZONE:
        return datetime.fromtimestamp(at).date()  # noqa: DTZ006 (the local date is what is asked)
    return datetime.fromtimestamp(at, zone).date()
