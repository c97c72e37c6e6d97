"""What is kept of a job's snapshots: rules, of which each says what it keeps.

A snapshot is destroyed only if no rule keeps it: more rules keep more. The rules, as they are
written in a policy:

==================================  =============================================================
``24 in last day``                  see `keep_phrases`
``1/day in last week``
``1/week in last month``
``1/month in last year``
``1x1h(keep=all) | 24x1h | 30x1d``  a grid; see `keep_grid`
``last 10``                         the newest ten
``regex _00:00``                    those in whose name the regular expression is found
``not regex _00:00``                those in whose name it is not found
``not replicated``                  those that a destination has not confirmed yet
==================================  =============================================================

Rules judge a job's own snapshots only. What is never destroyed whatever the rules say is in
`pruning`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from .errors import BadPolicy
from .keep_grid import Grid, parse_grid
from .keep_phrases import Phrase, parse_phrase
from .model import Snapshot
from .zones import zone_of

__all__ = ["KeepPolicy", "KeepRule", "LastN", "NameMatches", "NotReplicated", "parse_keep"]

_MOST_RULES: Final = 100
_MOST_KEPT: Final = 1_000_000
_LAST: Final = re.compile(r"last (\d{1,9})")
_REGEX: Final = re.compile(r"(not )?regex (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastN:
    """The newest so many.

    Attributes:
        count: at least one.
    """

    count: int

    @property
    def text(self) -> str:
        """As it is written in a policy."""
        return f"last {self.count}"

    def keeps(self, snapshots: Sequence[Snapshot]) -> Iterable[Snapshot]:
        """What it keeps of snapshots, oldest first."""
        return snapshots[-self.count :]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMatches:
    """Those in whose name a regular expression is found, or is not.

    Attributes:
        pattern: searched in the whole name after the ``@``.
        negate: keep those where it is not found.
    """

    pattern: str
    negate: bool = False

    @property
    def text(self) -> str:
        """As it is written in a policy."""
        return f"{'not ' if self.negate else ''}regex {self.pattern}"

    def keeps(self, snapshots: Sequence[Snapshot]) -> Iterable[Snapshot]:
        """What it keeps of snapshots."""
        found = re.compile(self.pattern).search
        return (one for one in snapshots if (found(one.name) is None) is self.negate)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReplicated:
    """Those newer than what some destination has confirmed last."""

    @property
    def text(self) -> str:
        """As it is written in a policy."""
        return "not replicated"

    def keeps(
        self, snapshots: Sequence[Snapshot], replicated: Mapping[str, int | None]
    ) -> Iterable[Snapshot]:
        """What it keeps of snapshots.

        Args:
            snapshots: what is judged.
            replicated: by replication, the createtxg (here) of the newest snapshot that its
                destination has confirmed; None: none yet. Empty: nothing is known, and all are
                kept.
        """
        reached = min((-1 if txg is None else txg for txg in replicated.values()), default=-1)
        return (one for one in snapshots if one.createtxg > reached)


KeepRule: TypeAlias = Phrase | Grid | LastN | NameMatches | NotReplicated


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPolicy:
    """What is kept.

    Attributes:
        rules: at least one; what one of them keeps is kept.
        zone: whose days, weeks and months the phrases speak of.

    Raises:
        BadPolicy: there is no rule, or the zone is not known.
    """

    rules: tuple[KeepRule, ...]
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if not self.rules:
            raise BadPolicy("nothing would be kept: give at least one rule, as 'last 10'")
        if len(self.rules) > _MOST_RULES:
            raise BadPolicy(f"{len(self.rules)} rules: the limit is {_MOST_RULES}")
        zone_of(self.zone)

    @property
    def texts(self) -> list[str]:
        """The rules as they are written in a policy."""
        return [rule.text for rule in self.rules]


def parse_keep(texts: Sequence[str], zone: str = "UTC") -> KeepPolicy:
    """Return the policy that these rules make.

    Raises:
        BadPolicy: there is none, or one is not understood; all faults in one text.
    """
    rules: list[KeepRule] = []
    faults: list[str] = []
    for text in texts:
        try:
            rules.append(_name_rule(text.strip()) or _rule(" ".join(text.split())))
        except BadPolicy as exc:
            faults.append(str(exc))
    if faults:
        raise BadPolicy("; ".join(faults))
    return KeepPolicy(rules=tuple(rules), zone=zone)


def _rule(text: str) -> KeepRule:
    if text == "not replicated":
        return NotReplicated()
    if found := _LAST.fullmatch(text):
        return LastN(count=_count(int(found[1]), text))
    rule = parse_phrase(text) or parse_grid(text)
    if rule is None:
        raise BadPolicy(
            f"rule {text!r} is not understood; rules are '24 in last day', '1/day in last week', "
            "'1/week in last month', '1/month in last year', a grid as '24x1h | 30x1d', 'last 10', "
            "'regex _00:00', 'not regex _00:00' and 'not replicated'"
        )
    return rule


def _name_rule(text: str) -> NameMatches | None:
    found = _REGEX.fullmatch(text)
    if not found:
        return None
    try:
        re.compile(found[2])
    except (re.error, OverflowError, RecursionError) as exc:
        raise BadPolicy(f"rule {text!r}: not a regular expression: {exc}") from None
    return NameMatches(pattern=found[2], negate=bool(found[1]))


def _count(count: int, text: str) -> int:
    if not 1 <= count <= _MOST_KEPT:
        raise BadPolicy(f"rule {text!r}: keep 1 to {_MOST_KEPT}")
    return count
