"""The records as JSON: tolerant to read, strict to write.

The fields, their order and which of them are left out are those of the Go structs of
etcd-discovery v8 (``Host`` and ``Infos``), so that its readers and ours see the same. Ports are
strings always: one number among them makes Go's readers fail for the whole service.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from .errors import InvalidHost
from .host import Host, Infos, Instance, State
from .names import check_hostname, check_ports, check_service, check_text
from .values import Fields, parse_object

__all__ = [
    "OWN",
    "decode_host",
    "decode_infos",
    "decode_instance",
    "encode_host",
    "encode_infos",
]

OWN: Final = "lochkit"
"""The field of all that the original has no field for."""

_HOST_FIELDS: Final = frozenset(
    (
        *("name", "service_name", "ports", "user", "password", "public", "private_hostname"),
        *("private_ports", "critical", "shard", "uuid", OWN),
    )
)
_INFOS_FIELDS: Final = frozenset(
    ("name", "critical", "hostname", "user", "password", "ports", "public")
)
_OWN_FIELDS: Final = frozenset(
    ("state", "weight", "tags", "meta", "version", "zone", "credentials")
)

# As Go writes them; to any reader of JSON they mean the same.
_ESCAPES: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def decode_instance(
    service: str,
    uuid: str,
    value: bytes,
    *,
    create_revision: int = 0,
    mod_revision: int = 0,
    lease: int = 0,
) -> Instance:
    """Read the record of an instance, whose key goes before what the record says of itself.

    Raises:
        BadRecord: there is no reading it.
    """
    host, faults = decode_host(value)
    if host.uuid and host.uuid != uuid:
        faults += ("uuid is not that of its key",)
    if host.service and host.service != service:
        faults += ("service_name is not that of its key",)
    return Instance(
        service=service,
        uuid=uuid,
        host=replace(host, service=service, uuid=uuid),
        create_revision=create_revision,
        mod_revision=mod_revision,
        lease=lease,
        faults=faults,
    )


def decode_host(value: bytes) -> tuple[Host, tuple[str, ...]]:
    """Read a host, of this or any older version, and what was odd about it.

    Raises:
        BadRecord: there is no reading it.
    """
    fields = Fields(parse_object(value))
    own = fields.inner(OWN)
    word = own.text("state")
    state = next((state for state in State if state.value == word), None)
    if word and state is None:
        own.faults.append(f"{OWN}.state is none that is known")
    slip = fields.flag("critcal")  # of an old document
    host = Host(
        name=fields.text("name"),
        service=fields.text("service_name"),
        ports=fields.table("ports"),
        user=fields.text("user"),
        password=fields.text("password"),
        public=fields.flag("public"),
        private_hostname=fields.text("private_hostname"),
        private_ports=fields.table("private_ports") or {},
        critical=fields.flag("critical") or slip,
        shard=fields.text("shard"),
        uuid=fields.text("uuid"),
        # Who says something that we do not know does not say that it is well.
        state=State.CRITICAL if word and state is None else state or State.PASSING,
        weight=own.number("weight", 1),
        tags=own.words("tags"),
        meta=own.table("meta") or {},
        version=own.text("version"),
        zone=own.text("zone"),
        credentials_revision=own.number("credentials"),
        extra_own=own.rest(),
        extra=fields.rest(),
    )
    return host, (*fields.faults, *own.faults)


def decode_infos(service: str, value: bytes) -> tuple[Infos, tuple[str, ...]]:
    """Read what the instances of a service have in common, and what was odd about it.

    Raises:
        BadRecord: there is no reading it.
    """
    fields = Fields(parse_object(value))
    infos = Infos(
        name=fields.text("name") or service,  # very old ones did not have it
        critical=fields.flag("critical"),
        hostname=fields.text("hostname"),
        user=fields.text("user"),
        password=fields.text("password"),
        ports=fields.table("ports") or {},
        public=fields.flag("public"),
        extra=fields.rest(),
    )
    if infos.name != service:
        fields.faults.append("name is not that of its key")
    return replace(infos, name=service), tuple(fields.faults)


def encode_host(host: Host) -> bytes:
    """Write a host.

    Raises:
        InvalidHost: some reader would not understand it, or would take it for another.
    """
    check_service(host.service)
    for what, name in (("hostname", host.name), ("private hostname", host.private_hostname)):
        if name:
            check_hostname(name, what)
    check_ports(host.ports or {})
    check_ports(host.private_ports)
    for what in ("user", "password", "shard", "version", "zone"):
        check_text(what, getattr(host, what))
    for word in (*host.tags, *host.meta, *host.meta.values()):
        check_text("a tag or a fact", word)
    if not 0 <= host.weight < 1 << 31:
        raise InvalidHost(f"a weight is from 0 to {(1 << 31) - 1}")
    if not host.uuid or "/" in host.uuid:
        raise InvalidHost(f"{host.uuid[:200]!r} is no id of an instance")
    record: dict[str, Any] = {
        "name": host.name,
        "service_name": host.service,
        "ports": None if host.ports is None else _sorted(host.ports),
    }
    record |= _present(
        user=host.user,
        password=host.password,
        public=host.public,
        private_hostname=host.private_hostname,
        private_ports=_sorted(host.private_ports),
        critical=host.critical,
        shard=host.shard,
        uuid=host.uuid,
    )
    own = _present(
        state="" if host.state is State.PASSING else host.state.value,
        tags=list(host.tags),
        meta=_sorted(host.meta),
        version=host.version,
        zone=host.zone,
        credentials=host.credentials_revision,
    )
    if host.weight != 1:
        own["weight"] = host.weight
    own |= _foreign(host.extra_own, _OWN_FIELDS)
    return _dumped({**record, **({OWN: own} if own else {}), **_foreign(host.extra, _HOST_FIELDS)})


def encode_infos(infos: Infos) -> bytes:
    """Write what the instances of a service have in common.

    Raises:
        InvalidHost: some reader would not understand it, or would take it for another.
    """
    check_service(infos.name)
    if infos.hostname:
        check_hostname(infos.hostname)
    check_ports(infos.ports)
    check_text("user", infos.user)
    check_text("password", infos.password)
    record: dict[str, Any] = {"name": infos.name, "critical": infos.critical}
    record |= _present(
        hostname=infos.hostname,
        user=infos.user,
        password=infos.password,
        ports=_sorted(infos.ports),
        public=infos.public,
    )
    return _dumped({**record, **_foreign(infos.extra, _INFOS_FIELDS)})


def _present(**fields: Any) -> dict[str, Any]:
    """The fields that are not empty, as Go's ``omitempty`` has it."""
    return {name: value for name, value in fields.items() if value}


def _foreign(extra: Mapping[str, Any], ours: frozenset[str]) -> dict[str, Any]:
    """The fields of others, but for those that Go, deaf to case, would take for one of ours."""
    return {name: value for name, value in extra.items() if name.casefold() not in ours}


def _sorted(table: Mapping[str, str]) -> dict[str, str]:
    """A table as Go writes it, of text also where a caller without types has given numbers."""
    return {name: str(value) for name, value in sorted(table.items())}


def _dumped(record: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise InvalidHost("the fields of others hold what JSON has no way to write") from None
    # Half a character, which JSON can hold and UTF-8 cannot, is written as JSON writes it.
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace")
