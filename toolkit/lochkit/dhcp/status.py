"""The status file: what a keeper tells of itself, as JSON. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import NoneType
from typing import Any, Final

from .ledger import Entry
from .model import Problem, Reason

__all__ = ["MOST_LISTED", "Quarantined", "Status", "remembered"]

MOST_LISTED: Final = 1000
"""Quarantined objects in the file; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One object that is not served.

    Attributes:
        key: in etcd.
        reason: the word of `Reason`.
        text: the sentence for the operator.
        first_seen: seconds since the epoch.
    """

    key: str
    reason: str
    text: str
    first_seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a keeper is doing. Times are seconds since the epoch; None is never.

    Attributes:
        pid: its process.
        backend: isc, kea or dnsmasq.
        written: when this was written.
        revision: of etcd, that the wanted state was of when this was written; 0 before the first.
        hypervisors: how many are served.
        guests: how many are served.
        left_out: how many objects are not, by reason.
        quarantined: the first of them, but for guests that are simply not placed.
        generation: number of the installed generation; 0 when there is none.
        installed_hosts: hosts in it.
        last_apply: when a generation was last installed, or found to be in place.
        last_error: what last went wrong, in a sentence.
        last_error_at: when.
        in_step: whether what is wanted is what is installed, and the server has taken it.
        etcd: None while etcd is followed, else why it is not.
    """

    pid: int
    backend: str
    written: float
    revision: int = 0
    hypervisors: int = 0
    guests: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    quarantined: tuple[Quarantined, ...] = ()
    generation: int = 0
    installed_hosts: int = 0
    last_apply: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    in_step: bool = False
    etcd: str | None = None

    @property
    def told(self) -> "Status":
        """The same without what always changes: two that are equal here tell the same."""
        return replace(self, written=0.0, revision=0)

    def to_json(self) -> bytes:
        """The file's content."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        # An error may name a path that is no text: its bytes become escapes of JSON.
        return text.encode("utf-8", "backslashreplace") + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> "Status":
        """Read the file's content.

        Raises:
            ValueError: it is not a status.
        """
        try:
            said: dict[str, Any] = json.loads(content)
            listed = said.pop("quarantined", ())
            found = cls(quarantined=tuple(Quarantined(**item) for item in listed), **said)
        except (TypeError, AttributeError, RecursionError) as exc:
            raise ValueError(f"this is not a status file of lochkit dhcp: {exc}") from exc
        _check_kinds(found)
        for one in found.quarantined:
            _check_kinds(one)
        return found


_NUMBER: Final = (int, float)
_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(("pid", "revision", "hypervisors", "guests", "generation"), int),
    **dict.fromkeys(("installed_hosts", "in_step"), int),
    **dict.fromkeys(("backend", "key", "reason", "text"), str),
    **dict.fromkeys(("written", "first_seen"), _NUMBER),
    **dict.fromkeys(("last_apply", "last_error_at"), (*_NUMBER, NoneType)),
    **dict.fromkeys(("last_error", "etcd"), (str, NoneType)),
    "left_out": dict,
    "quarantined": tuple,
}


def _check_kinds(one: Status | Quarantined) -> None:
    for item in fields(one):
        value = getattr(one, item.name)
        counts = value.values() if isinstance(value, dict) else ()
        if not isinstance(value, _KINDS[item.name]) or not all(isinstance(n, int) for n in counts):
            raise ValueError(f"this is not a status file of lochkit dhcp: {item.name} is {value!r}")


def remembered(status: Status) -> dict[str, Entry]:
    """What a status file knows of objects that were not served, so that their times are kept."""
    known = {reason.value: reason for reason in Reason}
    return {
        item.key: Entry(Problem(known[item.reason], item.text), item.first_seen)
        for item in status.quarantined
        if item.reason in known
    }
