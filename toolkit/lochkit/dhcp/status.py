"""The status file: what a keeper tells of itself, as JSON. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
        revision: of etcd, that the wanted state is of; 0 before the first.
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

    def to_json(self) -> bytes:
        """The file's content."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> "Status":
        """Read the file's content.

        Raises:
            ValueError: it is not a status.
        """
        try:
            fields: dict[str, Any] = json.loads(content)
            listed = tuple(Quarantined(**item) for item in fields.pop("quarantined", ()))
            return cls(quarantined=listed, **fields)
        except (TypeError, AttributeError, RecursionError) as exc:
            raise ValueError(f"this is not a status file of lochkit dhcp: {exc}") from exc


def remembered(status: Status) -> dict[str, Entry]:
    """What a status file knows of objects that were not served, so that their times are kept."""
    known = {reason.value: reason for reason in Reason}
    return {
        item.key: Entry(Problem(known[item.reason], item.text), item.first_seen)
        for item in status.quarantined
        if item.reason in known
    }
