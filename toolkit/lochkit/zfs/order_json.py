"""Orders, their results and their progress as JSON objects: control messages of ``orders``.

The fields of an order that the program before this one had keep their names, `RollbackIfNeeded` and
all; guids are decimal strings. What is at its default is left out.
"""

import re
from collections.abc import Mapping
from typing import Final

from ..errors import ConfigError
from .errors import Failure
from .message_fields import Fields
from .names import check_dataset, check_snapshot_name
from .orders import (
    Action,
    BadOrder,
    Order,
    OrderProgress,
    OrderResult,
    OrderStatus,
    parse_snapshot_ref,
)
from .policy_json import read_replication, replication_document
from .policy_types import HostAddress, Replication

__all__ = [
    "order_message",
    "progress_message",
    "read_answer",
    "read_order",
    "result_message",
]

_UUID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST: Final = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:-]{0,254}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.:-]{0,200}")
_MOST_SNAPSHOTS: Final = 100_000
_ACTIONS: Final = {action.value: action for action in Action} | {"kv_resync": Action.RESYNC}


def order_message(order: Order) -> dict[str, object]:
    """The message that gives an order."""
    message: dict[str, object] = {
        "Type": "order",
        "OrderUUID": order.uuid,
        "Action": order.action.value,
        "Destination": order.destination,
        "SnapshotUUID": [str(one) for one in order.snapshots],
        "SnapshotName": order.snapshot_name,
        "DestDataset": order.dataset,
        "RollbackIfNeeded": order.rollback_if_needed,
        "SkipIfRenamed": order.skip_if_renamed,
        "SkipIfNotWritten": order.skip_if_not_written,
        "SkipIfCloned": order.skip_if_cloned,
    }
    added: dict[str, object] = {
        "SourceDataset": order.source_dataset,
        "Job": order.job,
        "Replication": replication_document(order.replication) if order.replication else None,
        "Address": _address_document(order.address) if order.address else None,
        "Recursive": order.recursive,
        "Exclude": list(order.exclude),
        "WrittenSince": order.written_since,
    }
    return message | {name: value for name, value in added.items() if value}


def read_order(message: Mapping[str, object]) -> Order:
    """The order in a message; every name in it can be a word of a command.

    Raises:
        BadOrder: it is none, or asks for what makes no sense.
    """
    fields = Fields(message, BadOrder, "order")
    uuid = fields.text("OrderUUID")
    if not _UUID.fullmatch(uuid):
        raise BadOrder("order: OrderUUID: 1 to 64 letters, digits, '.', '_' or '-'")
    word = fields.text("Action", longest=40)
    action = _ACTIONS.get(word)
    if action is None:
        raise BadOrder(f"order: Action {word!r}: not one of {', '.join(_ACTIONS)}")
    refs = (one for one in fields.texts("SnapshotUUID", most=_MOST_SNAPSHOTS) if one)
    try:
        order = Order(
            uuid=uuid,
            action=action,
            destination=_matching(fields, "Destination", _HOST),
            snapshots=tuple(map(parse_snapshot_ref, refs)),
            snapshot_name=_snapshot_name(fields),
            dataset=_dataset(fields, "DestDataset"),
            rollback_if_needed=fields.flag("RollbackIfNeeded"),
            skip_if_renamed=fields.flag("SkipIfRenamed"),
            skip_if_not_written=fields.flag("SkipIfNotWritten"),
            skip_if_cloned=fields.flag("SkipIfCloned"),
            source_dataset=_dataset(fields, "SourceDataset"),
            job=fields.text("Job", longest=200),
            replication=_replication(fields),
            address=_address(fields.table("Address")),
            recursive=fields.flag("Recursive"),
            exclude=fields.texts("Exclude", most=1000, longest=300),
            written_since=_matching(fields, "WrittenSince", _PREFIX),
        )
    except BadOrder:
        raise
    except ConfigError as exc:  # a name, or a part of a policy
        raise BadOrder(f"order {uuid}: {exc}") from exc
    _check(order)
    return order


def result_message(result: OrderResult) -> dict[str, object]:
    """The message that answers an order for good."""
    return {
        "Type": "result",
        "OrderUUID": result.uuid,
        "IsSuccess": result.is_success,
        "Status": int(result.status),
        "Error": result.error,
        "Failure": result.failure.value if result.failure else None,
        "Details": dict(result.details),
    }


def progress_message(progress: OrderProgress) -> dict[str, object]:
    """The message that says how far an order is."""
    return {
        "Type": "progress",
        "OrderUUID": progress.uuid,
        "Phase": progress.phase,
        "Dataset": progress.dataset,
        "Bytes": progress.done,
        "Size": progress.size,
        "Rate": round(progress.rate, 1),
    }


def read_answer(message: Mapping[str, object]) -> OrderResult | OrderProgress:
    """What the agent answers.

    Raises:
        BadOrder: that is neither a result nor progress.
    """
    fields = Fields(message, BadOrder, "answer")
    kind, uuid = fields.text("Type", longest=40), fields.text("OrderUUID", longest=64)
    if kind == "progress":
        return OrderProgress(
            uuid=uuid,
            phase=fields.text("Phase", longest=40),
            dataset=fields.text("Dataset"),
            done=fields.number("Bytes"),
            size=fields.maybe_number("Size"),
            rate=fields.real("Rate"),
        )
    if kind != "result":
        raise BadOrder(f"answer: Type {kind!r}: neither result nor progress")
    number, word = fields.number("Status", most=99), fields.text("Failure", longest=40)
    try:
        status = OrderStatus(number)
    except ValueError:
        raise BadOrder(f"answer: Status {number}: unknown") from None
    return OrderResult(
        uuid=uuid,
        is_success=fields.flag("IsSuccess"),
        status=status,
        error=fields.text("Error", longest=100_000),
        failure=_failure(word),
        details=fields.table("Details") or {},
    )


def _failure(word: str) -> Failure | None:
    """A word of a newer program is none that we could act on."""
    if not word:
        return None
    return next((one for one in Failure if one.value == word), Failure.OTHER)


def _check(order: Order) -> None:
    """See that the order has what its action needs.

    Raises:
        BadOrder: it has not.
    """
    lacks = {
        Action.TAKE: (("DestDataset", order.dataset), ("SnapshotName", order.snapshot_name)),
        Action.SEND: (
            ("SourceDataset", order.source_dataset or any(one.dataset for one in order.snapshots)),
            ("Destination", order.destination or order.replication),
            ("DestDataset", order.dataset or order.replication),
        ),
        Action.DESTROY: (
            ("SnapshotUUID", order.snapshots),
            ("DestDataset", order.dataset or all(one.dataset for one in order.snapshots)),
        ),
        Action.RESYNC: (),
    }[order.action]
    for name, value in lacks:
        if not value:
            raise BadOrder(f"order {order.uuid}: {order.action.value} needs {name}")
    foreign = next(
        (
            one
            for one in order.snapshots
            if order.action is Action.DESTROY
            and order.dataset
            and one.dataset not in (None, order.dataset)
        ),
        None,
    )
    if foreign is not None:
        raise BadOrder(f"order {order.uuid}: {foreign} is not a snapshot of {order.dataset}")


def _matching(fields: Fields, name: str, pattern: re.Pattern[str]) -> str:
    value = fields.text(name, longest=300)
    if value and not pattern.fullmatch(value):
        raise fields.wrong(name, f"{value!r} is not allowed")
    return value


def _dataset(fields: Fields, name: str) -> str:
    value = fields.text(name)
    return check_dataset(value) if value else ""


def _snapshot_name(fields: Fields) -> str:
    """The name; in a destroy or send the old program's ``dataset@name`` is no name, and is not
    looked at."""
    value = fields.text("SnapshotName")
    if not value or "@" in value:
        return ""
    return check_snapshot_name(value)


def _replication(fields: Fields) -> Replication | None:
    document = fields.table("Replication")
    return None if document is None else read_replication(document, "Replication")


def _address(document: Mapping[str, object] | None) -> HostAddress | None:
    if document is None:
        return None
    fields = Fields(document, BadOrder, "order: Address")
    certificate = _matching(fields, "Certificate", _HOST)
    return HostAddress(
        address=_matching(fields, "Address", _HOST),
        orders=fields.number("Orders", 7711, least=1, most=65535),
        streams=fields.number("Streams", 7722, least=1, most=65535),
        certificate=certificate or None,
    )


def _address_document(address: HostAddress) -> dict[str, object]:
    document: dict[str, object] = {
        "Address": address.address,
        "Orders": address.orders,
        "Streams": address.streams,
    }
    return document | ({"Certificate": address.certificate} if address.certificate else {})
