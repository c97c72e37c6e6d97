"""Keys as they stand in the store, for tests of what reads them."""

import json
from typing import Any

from lochkit.discovery.layout import DEFAULT_LAYOUT
from lochkit.etcd.messages import KeyValue

__all__ = ["UUID4", "stored_host", "stored_infos", "uuid_of"]

UUID4 = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def uuid_of(number: int, hostname: str = "h1") -> str:
    """The id of an instance, made of a small number."""
    return f"00000000-0000-4000-8000-{number:012x}-{hostname}"


def stored_host(
    service: str, uuid: str, record: dict[str, Any] | bytes, *, lease: int = 7, create: int = 1
) -> KeyValue:
    """An instance: a record as its fields, or as its bytes."""
    value = record if isinstance(record, bytes) else json.dumps(record).encode()
    return KeyValue(
        key=DEFAULT_LAYOUT.instance_key(service, uuid),
        value=value,
        create_revision=create,
        mod_revision=create,
        version=1,
        lease=lease,
    )


def stored_infos(
    service: str, record: dict[str, Any] | bytes, *, mod: int = 1, lease: int = 0
) -> KeyValue:
    """What instances have in common: a record as its fields, or as its bytes."""
    value = record if isinstance(record, bytes) else json.dumps(record).encode()
    return KeyValue(
        key=DEFAULT_LAYOUT.infos_key(service),
        value=value,
        create_revision=1,
        mod_revision=mod,
        version=1,
        lease=lease,
    )
