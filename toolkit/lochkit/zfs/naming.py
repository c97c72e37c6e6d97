"""What snapshots are called, and whose they are by that name.

A template is text with fields in braces::

    {prefix}_{utc:%Y-%m-%dT%H:%M:%SZ}      the default: hot_2026-03-10T12:00:00Z
    {prefix}_{time:%Y-%B-%d_%H:%M:%S}      ``legacy``: hot_2026-March-10_12:00:00
    {prefix}-{epoch}                       hot-1773144000

``utc`` and ``time`` take some of strftime's directives: ``%Y %m %d %H %M %S %B %b``; months are
English whatever the locale. ``time`` is the clock of the zone, and the same hour comes twice there
when clocks go back. A name that is taken gets a suffix: ``.02`` to ``.99``.

The default sorts by name as it sorts by time, and so does ``{epoch}``; ``legacy`` does not.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from .errors import BadName, BadPolicy
from .names import check_snapshot_name
from .zones import LOCAL, zone_of

__all__ = ["DEFAULT", "LEGACY", "NameTemplate"]

DEFAULT: Final = "{prefix}_{utc:%Y-%m-%dT%H:%M:%SZ}"
LEGACY: Final = "{prefix}_{time:%Y-%B-%d_%H:%M:%S}"
_WORDS: Final = {"default": DEFAULT, "legacy": LEGACY}

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_SHORT: Final = tuple(name[:3] for name in _MONTHS)
_DIRECTIVES: Final = {
    "Y": r"(?P<Y>19[7-9]\d|[2-9]\d{3})",
    "m": r"(?P<m>0[1-9]|1[0-2])",
    "d": r"(?P<d>0[1-9]|1\d|2[0-8]|(?P<late>29|3[01]))",
    "H": r"(?P<H>[01]\d|2[0-3])",
    "M": r"(?P<M>[0-5]\d)",
    "S": r"(?P<S>[0-5]\d)",
    "B": f"(?P<B>{'|'.join(_MONTHS)})",
    "b": f"(?P<b>{'|'.join(_SHORT)})",
}
_PIECE: Final = re.compile(r"\{(\w+)(?::([^{}]*))?\}|([^{}]+)|(.)", re.DOTALL)
_DIRECTIVE: Final = re.compile(r"%(.)|([^%]+)|%$", re.DOTALL)
_CLOCKS: Final = frozenset(("utc", "time"))
_INSTANTS: Final = frozenset(("utc", "time", "epoch"))
_SUFFIX: Final = r"(?:\.(?:0[2-9]|[1-9]\d))?"
_LONGEST: Final = 120  # bytes of a name; the dataset needs room in the 255 that ZFS has for both
_FIRST_SUFFIX: Final = 2
_LAST_SUFFIX: Final = 99


class _Piece(NamedTuple):
    """A part of a template: text, or a field with its format."""

    field: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTemplate:
    """The names of a job's snapshots.

    Attributes:
        prefix: with which they begin; tells jobs on the same datasets apart.
        template: see the module; ``default`` and ``legacy`` stand for the two above.
        zone: whose clock ``{time:…}`` is.
        also: templates of names given formerly: such snapshots are owned too.

    Raises:
        BadPolicy: a template is not understood, gives names that ZFS does not allow, or does not
            tell the second a snapshot is of.
    """

    prefix: str
    template: str = DEFAULT
    zone: str = LOCAL
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        zone_of(self.zone)
        try:
            check_snapshot_name(self.prefix)
        except BadName as exc:
            raise BadPolicy(f"prefix: {exc}") from None
        for template in (self.template, *self.also):
            pieces = _pieces(template)
            _check_instant(template, pieces)
            try:
                name = check_snapshot_name(_written(pieces, self.prefix, 0, UTC))
            except BadName as exc:
                raise BadPolicy(f"template {template!r}: {exc}") from None
            if len(name) > _LONGEST:
                raise BadPolicy(
                    f"prefix {self.prefix!r} and template {template!r} give names of {len(name)} "
                    f"bytes: the limit is {_LONGEST}, and 255 with the dataset's name"
                )

    def name(self, at: int, *, taken: Container[str] = ()) -> str:
        """The name of a snapshot of the instant `at`, seconds since 1970.

        Args:
            taken: names there are already.

        Raises:
            BadName: the name and its suffixes are all taken.
        """
        bare = _written(_pieces(self.template), self.prefix, at, zone_of(self.zone))
        if bare not in taken:
            return bare
        for number in range(_FIRST_SUFFIX, _LAST_SUFFIX + 1):
            if (name := f"{bare}.{number:02}") not in taken:
                return name
        raise BadName(f"snapshot {bare!r}: the name is taken, and so are its suffixes to .99")

    def parse(self, name: str) -> int | None:
        """The instant a name tells, seconds since 1970; None: it is not one of ours.

        Of a time that came twice, the first.
        """
        if not name.startswith(self.prefix):
            return None  # most foreign ones, at little cost
        for template in (self.template, *self.also):
            found = _pattern(template, self.prefix).fullmatch(name)
            at = None if found is None else _instant(found, zone_of(self.zone))
            if at is not None:
                return at
        return None

    def owns(self, name: str) -> bool:
        """Whether a snapshot is this job's own, by its name."""
        if not name.startswith(self.prefix):
            return False
        for template in (self.template, *self.also):
            found = _pattern(template, self.prefix).fullmatch(name)
            # Every month has a 28th: only names of later days need a calendar.
            if found and (found["late"] is None or _instant(found, UTC) is not None):
                return True
        return False


@lru_cache(maxsize=256)
def _pieces(template: str) -> tuple[_Piece, ...]:
    """Take a template apart."""
    pieces = []
    for found in _PIECE.finditer(_WORDS.get(template, template)):
        field, form, text, wrong = found.groups()
        if wrong is not None:
            raise BadPolicy(f"template {template!r}: a brace that is not part of a field")
        if text is not None:
            pieces.append(_Piece("", text))
        elif (field in ("prefix", "epoch") and form is None) or (field in _CLOCKS and form):
            pieces.extend(_format_pieces(field, form or "", template))
        else:
            raise BadPolicy(
                f"template {template!r}: {found[0]} is not known; fields are {{prefix}}, "
                "{epoch}, {utc:%Y-%m-%d…} and {time:%Y-%m-%d…}"
            )
    return tuple(pieces)


def _format_pieces(field: str, form: str, template: str) -> Iterator[_Piece]:
    if not form:
        yield _Piece(field, "")
    for found in _DIRECTIVE.finditer(form):
        directive, text = found.groups()
        if text is not None:
            yield _Piece("", text)
        elif directive in _DIRECTIVES:
            yield _Piece(field, directive)
        else:
            known = " ".join(f"%{one}" for one in _DIRECTIVES)
            raise BadPolicy(f"template {template!r}: {found[0]} is not known; known are {known}")


def _check_instant(template: str, pieces: tuple[_Piece, ...]) -> None:
    """See that a name tells one second, once."""
    fields = [piece for piece in pieces if piece.field]
    if len(fields) != len(set(fields)) or len({one.field for one in fields} & _INSTANTS) > 1:
        raise BadPolicy(
            f"template {template!r}: the same is said twice; one of utc, time and epoch, each part"
            " once"
        )
    if _Piece("prefix", "") != (pieces[0] if pieces else None):
        raise BadPolicy(f"template {template!r}: it must begin with {{prefix}}")
    said = {one.text for one in fields if one.field in _CLOCKS}
    if not any(one.field == "epoch" for one in fields) and not (
        said >= set("YdHMS") and len(said & {"m", "B", "b"}) == 1
    ):
        raise BadPolicy(
            f"template {template!r}: it must tell the second: {{epoch}}, or %Y %d %H %M %S and one "
            "of %m %B %b"
        )
    if len(pieces) > 1 and pieces[1].field:
        raise BadPolicy(f"template {template!r}: something must stand between prefix and time")


def _written(pieces: tuple[_Piece, ...], prefix: str, at: int, zone: tzinfo) -> str:
    clocks = {"utc": datetime.fromtimestamp(at, UTC), "time": datetime.fromtimestamp(at, zone)}
    words = []
    for field, text in pieces:
        if field in clocks:
            words.append(_directive(text, clocks[field]))
        else:
            words.append({"prefix": prefix, "epoch": str(at)}.get(field, text))
    return "".join(words)


def _directive(letter: str, at: datetime) -> str:
    match letter:
        case "Y":
            return f"{at.year:04}"
        case "B":
            return _MONTHS[at.month - 1]
        case "b":
            return _SHORT[at.month - 1]
    number = {"m": at.month, "d": at.day, "H": at.hour, "M": at.minute, "S": at.second}[letter]
    return f"{number:02}"


@lru_cache(maxsize=256)
def _pattern(template: str, prefix: str) -> re.Pattern[str]:
    """What the names of a template look like."""
    words = []
    for field, text in _pieces(template):
        if field in _CLOCKS:
            words.append(_DIRECTIVES[text])
            words.append(f"(?P<{field}>)" if f"(?P<{field}>)" not in words else "")
        elif field == "epoch":
            words.append(r"(?P<epoch>0|[1-9]\d{0,10})(?P<late>(?!))?")
        else:
            words.append(re.escape(prefix if field == "prefix" else text))
    return re.compile("".join(words) + _SUFFIX, re.ASCII)


def _instant(found: re.Match[str], zone: tzinfo) -> int | None:
    """The second that a name tells; None: there is no such day or time."""
    said = found.groupdict()
    if said.get("epoch") is not None:
        return int(said["epoch"])
    if "m" in said:
        month = int(said["m"])
    elif "B" in said:
        month = _MONTHS.index(said["B"]) + 1
    else:
        month = _SHORT.index(said["b"]) + 1
    day, hour, minute, second = (int(said[letter]) for letter in "dHMS")
    where = UTC if "utc" in said else zone
    try:
        at = datetime(int(said["Y"]), month, day, hour, minute, second, tzinfo=where)
        return int(at.timestamp())
    except (ValueError, OverflowError):
        return None
