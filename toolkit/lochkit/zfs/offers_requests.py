"""How the requests of a client look on the wire: JSON objects, told apart by ``Type``.

Reading is strict, see `offers_fields`. Guids are decimal texts. Everything has a limit, so that the
largest message fits the limit of a frame.
"""

from collections.abc import Callable, Mapping
from typing import Final

from .model import Kind
from .names import check_bookmark, check_dataset, check_snapshot_name
from .offers import (
    BETWEEN_MOST,
    AbortReceive,
    Base,
    Bye,
    InventoryRequest,
    Offer,
    ReleasableRequest,
    Request,
    SnapshotId,
)
from .offers_fields import BadMessage, Fields, guid_text
from .offers_properties import check_property
from .tags import check_replication

__all__ = ["COMPRESSIONS", "TOKEN_LONGEST", "read_request", "request_message"]

COMPRESSIONS: Final = ("none", "zstd", "lz4", "gzip")
TOKEN_LONGEST: Final = 4096
"""Characters of a resume token; those of OpenZFS have some hundred."""

_MANY: Final = 10_000  # guids of snapshots that a rollback would destroy
_DEEPEST: Final = 50  # levels of datasets
_ROOTS: Final = 1000
_PROPERTIES: Final = 100
_KINDS: Final = {kind.value: kind for kind in Kind}
_COMPRESSIONS: Final = {one: one for one in COMPRESSIONS}


def request_message(request: Request) -> dict[str, object]:
    """What the client sends for a request."""
    match request:
        case Offer():
            return _offer_message(request)
        case InventoryRequest():
            return {
                "Type": "inventory",
                "Datasets": list(request.datasets),
                "Recursive": request.recursive,
                "Properties": list(request.properties),
            }
        case ReleasableRequest():
            return {
                "Type": "releasable",
                "Datasets": list(request.datasets),
                "Replication": request.replication,
            }
        case AbortReceive():
            return {
                "Type": "abort-receive",
                "DestDataset": request.dataset,
                "Token": request.token,
            }
        case Bye():
            return {"Type": "bye"}


def read_request(message: Mapping[str, object]) -> Request:
    """What a client wants.

    Raises:
        BadMessage: it is none of the requests, or out of limits.
    """
    kind = message.get("Type")
    reader = _REQUESTS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadMessage(f"{str(kind)[:40]!r} is no request that is known here")
    found = Fields(message, str(kind))
    found.text("Type")
    request = reader(found)
    found.done()
    return request


def _offer_message(offer: Offer) -> dict[str, object]:
    base = offer.base
    return {
        "Type": "offer",
        "OrderUUID": offer.order,
        "Replication": offer.replication,
        "SourceDataset": offer.source,
        "DestDataset": offer.dataset,
        "Kind": offer.kind.value,
        "From": base
        and {
            "Guid": guid_text(base.guid),
            "Name": base.name,
            "Kind": "bookmark" if base.bookmark else "snapshot",
        },
        "To": {"Guid": guid_text(offer.to.guid), "Name": offer.to.name},
        "Token": offer.token,
        "Between": [guid_text(guid) for guid in offer.between[:BETWEEN_MOST]],
        "Raw": offer.raw,
        "Properties": offer.properties,
        "Size": offer.size,
        "Compression": offer.compression,
        "Set": dict(offer.set_properties),
        "Exclude": list(offer.exclude_properties),
        "Resumable": offer.resumable,
        "Rollback": offer.rollback,
        "WouldLose": [guid_text(guid) for guid in offer.would_lose],
        "Placeholders": list(offer.placeholders),
        "HoldTag": offer.hold_tag,
    }


def _read_offer(found: Fields) -> Offer:
    return Offer(
        order=found.text("OrderUUID", longest=64, default=""),
        replication=found.checked("Replication", check_replication),
        source=found.text("SourceDataset", default=""),
        dataset=found.checked("DestDataset", check_dataset),
        kind=found.one_of("Kind", _KINDS),
        base=_read_base(found.inner("From")),
        to=_read_to(found.inner("To")),
        token=found.optional_text("Token", longest=TOKEN_LONGEST),
        between=found.guids("Between", most=BETWEEN_MOST),
        raw=found.flag("Raw"),
        properties=found.flag("Properties"),
        size=found.optional_count("Size"),
        compression=found.one_of("Compression", _COMPRESSIONS, default="none"),
        set_properties=found.texts("Set", most=_PROPERTIES, longest=1024),
        exclude_properties=found.checked_list("Exclude", check_property, most=_PROPERTIES),
        resumable=found.flag("Resumable"),
        rollback=found.flag("Rollback"),
        would_lose=found.guids("WouldLose", most=_MANY),
        placeholders=found.checked_list("Placeholders", check_dataset, most=_DEEPEST),
        hold_tag=found.optional_text("HoldTag"),
    )


def _read_base(found: Fields | None) -> Base | None:
    if found is None:
        return None
    bookmark = found.one_of("Kind", {"snapshot": False, "bookmark": True})
    check = check_bookmark if bookmark else check_snapshot_name
    base = Base(guid=found.guid("Guid"), name=found.checked("Name", check), bookmark=bookmark)
    found.done()
    return base


def _read_to(found: Fields | None) -> SnapshotId:
    if found is None:
        raise BadMessage("offer: To: it must say which snapshot")
    to = SnapshotId(guid=found.guid("Guid"), name=found.checked("Name", check_snapshot_name))
    found.done()
    return to


def _read_inventory(found: Fields) -> InventoryRequest:
    return InventoryRequest(
        datasets=found.checked_list("Datasets", check_dataset, most=_ROOTS),
        recursive=found.flag("Recursive", default=True),
        properties=found.checked_list("Properties", check_property, most=_PROPERTIES),
    )


def _read_releasable(found: Fields) -> ReleasableRequest:
    return ReleasableRequest(
        datasets=found.checked_list("Datasets", check_dataset, most=_ROOTS),
        replication=found.checked("Replication", check_replication),
    )


def _read_abort(found: Fields) -> AbortReceive:
    return AbortReceive(
        dataset=found.checked("DestDataset", check_dataset),
        token=found.text("Token", longest=TOKEN_LONGEST),
    )


_REQUESTS: Final[Mapping[str, Callable[[Fields], Request]]] = {
    "offer": _read_offer,
    "inventory": _read_inventory,
    "releasable": _read_releasable,
    "abort-receive": _read_abort,
    "bye": lambda _: Bye(),
}
