"""How far a replication of a dataset is, as it is kept in etcd. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import LochkitError
from .errors import BadName
from .message_fields import Fields
from .names import check_dataset, is_within
from .orders import Order, OrderResult

__all__ = ["BadCursor", "CursorRecord", "cursors_of", "encode_cursor", "read_cursor"]


class BadCursor(LochkitError):
    """A cursor that can not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorRecord:
    """The newest snapshot that a destination has confirmed.

    Attributes:
        guid: of the snapshot.
        name: what follows the ``@`` at the source; empty: not told.
        at: seconds since 1970 when it was confirmed.
        order: the OrderUUID of the send that brought it.
    """

    guid: int
    name: str = ""
    at: float = 0.0
    order: str = ""


def encode_cursor(record: CursorRecord) -> bytes:
    """The value in etcd."""
    document = {
        "Guid": str(record.guid),
        "Name": record.name,
        "At": record.at,
        "Order": record.order,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def read_cursor(value: bytes) -> CursorRecord:
    """The cursor in a value of etcd.

    Raises:
        BadCursor: it can not be read.
    """
    try:
        document = json.loads(value[:10_000])
    except (ValueError, RecursionError) as exc:
        raise BadCursor(f"cursor: not JSON: {exc}") from None
    fields = Fields(document, BadCursor, "cursor")
    guid = fields.guid("Guid")
    if not guid:
        raise BadCursor("cursor: Guid must be there")
    return CursorRecord(
        guid=guid,
        name=fields.text("Name"),
        at=fields.real("At"),
        order=fields.text("Order", longest=64),
    )


def cursors_of(order: Order, result: OrderResult, at: float) -> Iterator[tuple[str, CursorRecord]]:
    """The datasets that a send has brought to where the source is, each with its new cursor.

    What an agent says of datasets that the order is not about is left aside.

    Args:
        order: a send.
        result: what its agent answered.
        at: when, in seconds since 1970.

    Raises:
        BadCursor: the answer can not be read.
    """
    for row in Fields(result.details, BadCursor, "result").items("Datasets"):
        fields = Fields(row, BadCursor, "result: Datasets")
        if fields.text("Outcome", longest=40) not in ("sent", "up-to-date"):
            continue
        newest = fields.table("Newest")
        if newest is None:
            continue
        try:
            dataset = check_dataset(fields.text("Dataset"))
        except BadName as exc:
            raise BadCursor(f"result: Datasets: {exc}") from exc
        if dataset != order.source_dataset and not (
            order.recursive and is_within(dataset, order.source_dataset)
        ):
            continue
        of_newest = Fields(newest, BadCursor, "result: Newest")
        guid = of_newest.guid("Guid")
        if guid:
            name = of_newest.text("Name").lstrip("@#")
            yield dataset, CursorRecord(guid=guid, name=name, at=at, order=order.uuid)
