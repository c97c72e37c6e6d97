"""How the director is doing, as the value of ``director/status`` in etcd. Pure."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from ..errors import LochkitError
from .directing_work import Conflicted
from .message_fields import Fields

__all__ = [
    "BadDirectorStatus",
    "DirectorStatus",
    "HostLine",
    "JunkLine",
    "OrderLine",
    "TroubleLine",
    "decode_status",
    "encode_status",
    "status_document",
]

_VERSION: Final = 1
_MOST: Final = 200
"""Entries of each list; there is a count of what is left out."""
_LONGEST: Final = 1000


class BadDirectorStatus(LochkitError):
    """The status of a director that can not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLine:
    """A host.

    Attributes:
        host: its name.
        address: of its agent; empty: it is silent.
        zfs: the version.
        datasets: how many there are.
        complete: its agent has told everything.
    """

    host: str
    address: str = ""
    zfs: str = ""
    datasets: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """An order that is under way. Times are seconds since 1970."""

    order: str
    job: str
    work: str
    host: str
    dataset: str
    replication: str = ""
    to: str = ""
    given: float = 0.0
    phase: str = ""
    done: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleLine:
    """What has failed last, and was not made good.

    Attributes:
        retry_at: when it is tried again; 0: when something has changed.
    """

    job: str
    work: str
    dataset: str
    replication: str = ""
    error: str = ""
    failures: int = 0
    failed_at: float = 0.0
    retry_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JunkLine:
    """A key that can not be read."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorStatus:
    """How it is doing. Times are seconds since 1970.

    Attributes:
        name: who directs.
        since: since when.
        at: when this was said.
        policy: where it comes from.
        policy_error: what is wrong with the newest one.
        jobs: how many there are.
        waiting: orders that wait for their turn.
        done: orders that went well.
        failed: orders that failed.
        left_out: entries of the lists that are not told of.
    """

    name: str
    since: float
    at: float
    policy: str = ""
    policy_error: str = ""
    jobs: int = 0
    waiting: int = 0
    done: int = 0
    failed: int = 0
    left_out: int = 0
    hosts: tuple[HostLine, ...] = ()
    running: tuple[OrderLine, ...] = ()
    troubles: tuple[TroubleLine, ...] = ()
    conflicts: tuple[Conflicted, ...] = ()
    notices: tuple[str, ...] = ()
    junk: tuple[JunkLine, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nobody need look after anything."""
        return not (
            self.policy_error or self.troubles or self.conflicts or self.notices or self.junk
        )


_LISTS: Final[Mapping[str, type[Any]]] = {
    "hosts": HostLine,
    "running": OrderLine,
    "troubles": TroubleLine,
    "conflicts": Conflicted,
    "junk": JunkLine,
}


def status_document(status: DirectorStatus) -> dict[str, object]:
    """The status as a JSON object."""
    lists = {name: getattr(status, name) for name in (*_LISTS, "notices")}
    left_out = status.left_out + sum(max(0, len(one) - _MOST) for one in lists.values())
    document: dict[str, object] = {"Version": _VERSION}
    for field in fields(status):
        if field.name not in lists:
            document[_camel(field.name)] = _cut(getattr(status, field.name))
    document["LeftOut"] = left_out
    for name, lines in lists.items():
        document[_camel(name)] = [_line(one) for one in lines[:_MOST]]
    return document


def encode_status(status: DirectorStatus) -> bytes:
    """The value in etcd."""
    document = status_document(status)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()


def decode_status(value: bytes) -> DirectorStatus:
    """The status in a value of etcd.

    Raises:
        BadDirectorStatus: it can not be read, or another version has written it.
    """
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as exc:
        raise BadDirectorStatus(f"status: not JSON: {exc}") from None
    found = Fields(document, BadDirectorStatus, "status")
    if found.number("Version") != _VERSION:
        raise found.wrong("Version", f"not {_VERSION}: another version of lochkit has written it")
    plain = _read(DirectorStatus, found, skip=(*_LISTS, "notices"))
    for name, kind in _LISTS.items():
        rows = found.items(_camel(name), most=_MOST)
        where = f"status: {_camel(name)}"
        plain[name] = tuple(kind(**_read(kind, Fields(r, BadDirectorStatus, where))) for r in rows)
    return DirectorStatus(**plain, notices=found.texts("Notices", most=_MOST))


def _line(one: Any) -> object:
    if isinstance(one, str):
        return _cut(one)
    return {_camel(field.name): _cut(getattr(one, field.name)) for field in fields(one)}


def _cut(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: _LONGEST - 3] + "..."
    return value


def _read(kind: type[Any], found: Fields, *, skip: Iterable[str] = ()) -> dict[str, Any]:
    readers: Mapping[object, Callable[[str], object]] = {
        str: found.text,
        int: found.number,
        float: found.real,
        bool: found.flag,
    }
    return {
        field.name: readers[field.type](_camel(field.name))
        for field in fields(kind)
        if field.name not in skip
    }


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
