"""What a director keeps in etcd: orders that were given, their results, and ticks. Pure.

Keys that `layout` has not::

    director/status                         how the director is doing     lease: the leader's
    director/tick/JOB/DATASET               a tick that is done           lease: none
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote

from ..errors import LochkitError
from ..etcd.prefix import KeyRange
from .directing_notes import Tick
from .directing_work import Pursuit, Wanted
from .errors import BadName
from .layout import Layout
from .message_fields import Fields
from .names import check_dataset
from .order_json import order_message, read_order, result_message
from .orders import Action, BadOrder, Order, OrderResult
from .work_queue import Work

__all__ = [
    "BadRecordOfDirector",
    "DirectorKeys",
    "GivenOrder",
    "encode_given",
    "encode_result",
    "encode_tick",
    "read_given",
    "read_tick",
]

_LARGEST: Final = 1_400_000
"""Bytes of a value that is read: etcd takes 1.5 MiB unless it was told otherwise."""
_LARGEST_RESULT: Final = 64 * 1024
_MOST_ROWS: Final = 50
_LONGEST_ERROR: Final = 4000
_WORKS: Final = {Action.TAKE: Work.TAKE, Action.SEND: Work.SEND, Action.DESTROY: Work.DESTROY}


class BadRecordOfDirector(LochkitError):
    """What is kept under a director's key can not be read."""


class DirectorKeys:
    """The keys of a director.

    Args:
        layout: of the namespace.
    """

    __slots__ = ("_root", "layout")

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._root = layout.leader().removesuffix(b"leader")

    @property
    def status(self) -> bytes:
        """How the director is doing."""
        return self._root + b"status"

    @property
    def ticks(self) -> KeyRange:
        """All ticks."""
        return KeyRange.prefix(self._root + b"tick/")

    def tick(self, job: str, dataset: str) -> bytes:
        """A tick of a job and a dataset."""
        return self._root + f"tick/{quote(job, safe='')}/{quote(dataset, safe='')}".encode()

    def tick_of(self, key: bytes) -> tuple[str, str] | None:
        """The job and the dataset, if it is the key of a tick."""
        parts = key.removeprefix(self._root + b"tick/").decode("ascii", "replace").split("/")
        if len(parts) != 2:
            return None
        job, dataset = map(unquote, parts)
        return (job, dataset) if self.tick(job, dataset) == key else None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOrder:
    """An order that was given, or is about to be.

    Attributes:
        wanted: with the order and its uuid.
        given: when, in seconds since 1970.
    """

    wanted: Wanted
    given: float


def encode_given(given: GivenOrder) -> bytes:
    """The value in etcd."""
    wanted = given.wanted
    return _encoded(
        {
            "Version": 1,
            "Order": order_message(wanted.order),
            "Job": wanted.pursuit.job,
            "Dataset": wanted.pursuit.dataset,
            "Replication": wanted.pursuit.replication,
            "To": wanted.to,
            "Target": wanted.target,
            "Tick": wanted.tick,
            "Given": given.given,
        }
    )


def read_given(value: bytes, host: str) -> GivenOrder:
    """The order in a value of etcd, and to whom.

    Raises:
        BadRecordOfDirector: it can not be read.
    """
    fields = Fields(_decoded(value, "order"), BadRecordOfDirector, "order")
    try:
        order: Order = read_order(fields.table("Order") or {})
        dataset = check_dataset(fields.text("Dataset"))
        target = fields.text("Target")
        if target:
            check_dataset(target)
    except (BadOrder, BadName) as exc:
        raise BadRecordOfDirector(str(exc)) from exc
    work = _WORKS.get(order.action)
    if work is None:
        raise BadRecordOfDirector(f"order: {order.action.value} is none that a director gives")
    pursuit = Pursuit(
        fields.text("Job", longest=255),
        work,
        dataset,
        fields.text("Replication", longest=255),
    )
    wanted = Wanted(
        pursuit=pursuit,
        host=host,
        order=order,
        to=fields.text("To", longest=255),
        target=target,
        tick=fields.maybe_number("Tick"),
    )
    return GivenOrder(wanted=wanted, given=fields.real("Given"))


def encode_result(given: GivenOrder, result: OrderResult, ended: float) -> bytes:
    """What became of an order, as a value in etcd; cut to a size that many of them may have."""
    wanted = given.wanted
    head: dict[str, object] = {
        "Version": 1,
        "Job": wanted.pursuit.job,
        "Work": wanted.pursuit.work.value,
        "Host": wanted.host,
        "Dataset": wanted.pursuit.dataset,
        "Replication": wanted.pursuit.replication,
        "To": wanted.to,
        "Given": given.given,
        "Ended": ended,
    }
    short = replace(result, error=result.error[:_LONGEST_ERROR], details=_shortened(result.details))
    try:
        value = _encoded(head | result_message(short))
    except (ValueError, TypeError, RecursionError):
        value = b""
    if not value or len(value) > _LARGEST_RESULT:
        value = _encoded(head | result_message(replace(short, details={"Cut": True})))
    return value


def encode_tick(tick: Tick) -> bytes:
    """The value in etcd."""
    return _encoded({"Tick": tick.tick, "Recursive": tick.recursive})


def read_tick(value: bytes) -> Tick:
    """The tick in a value of etcd.

    Raises:
        BadRecordOfDirector: it can not be read.
    """
    fields = Fields(_decoded(value, "tick"), BadRecordOfDirector, "tick")
    return Tick(tick=fields.number("Tick"), recursive=fields.flag("Recursive"))


def _shortened(details: Mapping[str, object]) -> dict[str, object]:
    return {
        str(name): value[:_MOST_ROWS] if isinstance(value, list) else value
        for name, value in details.items()
    }


def _encoded(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _decoded(value: bytes, what: str) -> object:
    if len(value) > _LARGEST:
        raise BadRecordOfDirector(f"{what}: {len(value)} bytes: the limit is {_LARGEST}")
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as exc:
        raise BadRecordOfDirector(f"{what}: not JSON: {exc}") from None
