"""The parts of a policy that several tables have: schedules, rules of what is kept, names."""

import re
from typing import Final

from .errors import BadPolicy
from .keep_rules import KeepPolicy, parse_keep
from .policy_read_fields import Table
from .schedule import Schedule, parse_schedule
from .zones import LOCAL, zone_of

__all__ = ["ASAP", "check_host", "check_pattern", "check_zone", "read_keep", "read_when"]

ASAP: Final = "asap"
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_LONGEST_PATTERN: Final = 255


def check_host(name: str) -> str:
    """Return the name of a host if it can be one.

    Raises:
        BadPolicy: it can not, and why.
    """
    if not _HOST.fullmatch(name):
        raise BadPolicy(f"{name[:80]!r} can not be the name of a host: A-Z a-z 0-9 . _ -")
    return name


def check_pattern(pattern: str) -> str:
    """Return a pattern of dataset names if there is anything it could match.

    Raises:
        BadPolicy: there is not.
    """
    if not 0 < len(pattern) <= _LONGEST_PATTERN or "@" in pattern:
        raise BadPolicy(f"{pattern[:80]!r} can not match a dataset: give a name, as 'pool/tmp*'")
    return pattern


def check_zone(name: str) -> str:
    """Return the name of a time zone if there is one.

    Raises:
        BadPolicy: there is none.
    """
    zone_of(name)
    return name


def read_when(table: Table, key: str, zone: str | None) -> Schedule | None:
    """A schedule: ``"asap"`` (None), a line of cron, or ``{cron, zone}``.

    Args:
        table: where it stands.
        key: what it is called.
        zone: of the job; None: the host's own.
    """
    if not isinstance(table.raw(key), dict):
        text = table.text(key, ASAP)
        if text is None or text.strip() == ASAP:
            return None
        return table.made(key, text, lambda cron: parse_schedule(cron, zone or LOCAL))
    below = table.table(key)
    assert below is not None  # it is a dict
    cron = below.needed("cron", "a line of cron, as '30 2 * * *'")
    where = below.made("zone", below.text("zone", zone or LOCAL), check_zone)
    below.close()
    if where is None:
        return None
    return below.made("cron", cron, lambda text: parse_schedule(text, where))


def read_keep(table: Table, key: str, zone: str | None) -> KeepPolicy | None:
    """Rules of what is kept: a list, or ``{rules, zone}``; None: there are none.

    Args:
        table: where they stand.
        key: what they are called.
        zone: of the job; None: UTC.
    """
    if key not in table:
        return None
    if not isinstance(table.raw(key), dict):
        return _keep(table, key, zone or "UTC")
    below = table.table(key)
    assert below is not None  # it is a dict
    where = below.made("zone", below.text("zone", zone or "UTC"), check_zone)
    keep = _keep(below, "rules", where or "UTC")
    below.close()
    return keep


def _keep(table: Table, key: str, zone: str) -> KeepPolicy | None:
    before = table.faults
    texts = table.texts(key)
    if table.faults > before:
        return None
    for number, text in enumerate(texts):
        table.made(f"{key}[{number}]", text, lambda one: parse_keep([one], zone))
    if table.faults > before:
        return None
    try:
        return parse_keep(texts, zone)
    except BadPolicy as exc:
        table.fault(key, str(exc))
        return None
