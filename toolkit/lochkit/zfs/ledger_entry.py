"""What is remembered of an order, as a small JSON file."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from ..errors import LochkitError
from .message_fields import Fields
from .order_json import order_message, read_answer, result_message
from .orders import Order, OrderResult

__all__ = ["LARGEST_ENTRY", "BadEntry", "LedgerEntry", "digest_of", "encode_entry", "read_entry"]

LARGEST_ENTRY: Final = 256 * 1024
"""Bytes of a file; what a result says in detail is left out if it would not fit."""


class BadEntry(LochkitError):
    """A file that says nothing of an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An order that was begun.

    Attributes:
        uuid: of the order.
        digest: of all that it says: the same uuid with other words is another order.
        client: who gave it.
        begun: seconds since 1970.
        ended: seconds since 1970; None while it has not.
        result: what became of it; None while it has not ended.
    """

    uuid: str
    digest: str
    client: str
    begun: float
    ended: float | None = None
    result: OrderResult | None = None


def digest_of(order: Order) -> str:
    """What tells an order from others under its uuid."""
    text = json.dumps(order_message(order), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def encode_entry(entry: LedgerEntry) -> bytes:
    """The file of an entry."""
    result = result_message(entry.result) if entry.result is not None else None
    document = {
        "OrderUUID": entry.uuid,
        "Digest": entry.digest,
        "Client": entry.client,
        "Begun": entry.begun,
        "Ended": entry.ended,
        "Result": result,
    }
    content = json.dumps(document, indent=1).encode() + b"\n"
    if result is not None and len(content) > LARGEST_ENTRY:
        result["Details"] = {"LeftOut": "too long to be remembered"}
        result["Error"] = str(result["Error"])[:4096]
        content = json.dumps(document, indent=1).encode() + b"\n"
    return content


def read_entry(content: bytes) -> LedgerEntry:
    """The entry in a file.

    Raises:
        BadEntry: there is none.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise BadEntry(f"no JSON: {exc}") from exc
    fields = Fields(document, BadEntry, "order")
    message = fields.table("Result")
    try:
        result = read_answer(message) if message is not None else None
    except LochkitError as exc:
        raise BadEntry(str(exc)) from exc
    if result is not None and not isinstance(result, OrderResult):
        raise BadEntry("Result: not a result")
    return LedgerEntry(
        uuid=fields.text("OrderUUID", longest=64),
        digest=fields.text("Digest", longest=64),
        client=fields.text("Client", longest=255),
        begun=fields.real("Begun"),
        ended=fields.real("Ended") if "Ended" in fields else None,
        result=result,
    )
