"""What can be wrong with one record, and with the records of one service. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..etcd.messages import KeyValue
from .doctor_findings import Finding, FindingKind, Severity, finding
from .doctor_types import HOST_TYPES, INFOS_TYPES, FieldTypes, type_faults
from .errors import BadRecord, InvalidHost
from .host import Credentials, Infos, Instance, State
from .names import check_ports
from .records import OWN, decode_host
from .url import host_in_url
from .values import Fields, parse_object

__all__ = ["ServiceRecords", "host_findings", "infos_findings", "service_findings"]


@dataclass(slots=True)
class ServiceRecords:
    """All that there is of one service.

    Attributes:
        infos_key: the key of its infos, None when there is none.
        infos: what it says; None also when there is no reading it.
        keys: of its instances.
        instances: those that can be read, with their keys.
    """

    infos_key: KeyValue | None = None
    infos: Infos | None = None
    keys: list[KeyValue] = field(default_factory=list)
    instances: list[tuple[KeyValue, Instance]] = field(default_factory=list)


def host_findings(kv: KeyValue, instance: Instance | None) -> Iterator[Finding]:
    """What is wrong with the record of an instance.

    Args:
        kv: its key.
        instance: what it says; None when there is no reading it.
    """
    if instance is None:
        yield from _unreadable(kv)
        return
    yield from _types(kv, HOST_TYPES)
    host = instance.host
    said, _ = decode_host(kv.value)
    if said.uuid and said.uuid != instance.uuid:
        text = f"its uuid is {said.uuid[:200]!r}, and its key's is another"
        yield finding(Severity.WARNING, FindingKind.MISMATCH, kv.key, text)
    if said.service and said.service != instance.service:
        text = f"its service_name is {said.service[:200]!r}, and its key's is another"
        yield finding(Severity.WARNING, FindingKind.MISMATCH, kv.key, text)
    yield from _odd(kv, instance.faults)
    yield from _address(kv, host.name, host.ports or {}, host.private_ports)
    if host.state is State.LEAVING:
        text = "it has said that it leaves, and is still there"
        if kv.lease:
            yield finding(Severity.NOTE, FindingKind.LEAVING, kv.key, text)
        else:
            text += "; on no lease, it stays"
            yield finding(Severity.WARNING, FindingKind.LEAVING, kv.key, text)


def infos_findings(kv: KeyValue, service: str, infos: Infos | None) -> Iterator[Finding]:
    """What is wrong with the record of a service.

    Args:
        kv: its key.
        service: the service.
        infos: what it says; None when there is no reading it.
    """
    if infos is None:
        yield from _unreadable(kv)
        return
    yield from _types(kv, INFOS_TYPES)
    said = Fields(parse_object(kv.value)).text("name")
    if said and said != service:
        text = "its name is not that of its key: readers in Go look for the instances of the other"
        yield finding(Severity.ERROR, FindingKind.MISMATCH, kv.key, text)
    if infos.public:
        yield from _address(kv, infos.hostname, infos.ports)
    if kv.lease:
        text = "it hangs on a lease, and will go with the instance that wrote it"
        yield finding(Severity.WARNING, FindingKind.ODD, kv.key, text)


def service_findings(service: str, records: ServiceRecords) -> Iterator[Finding]:
    """What does not fit together in the records of a service."""
    infos, kv = records.infos, records.infos_key
    if kv is None:
        first = min(records.keys, key=lambda one: (one.create_revision, one.key))
        text = f"service {service} has no record of what its instances have in common"
        yield finding(Severity.WARNING, FindingKind.NO_INFOS, first.key, text)
        return
    if not records.keys:
        if infos is not None and infos.public:
            text = "there is no instance; readers in Go are led to its public address all the same"
            yield finding(Severity.WARNING, FindingKind.ORPHAN, kv.key, text)
        else:
            text = "there is no instance"
            yield finding(Severity.NOTE, FindingKind.ORPHAN, kv.key, text)
        return
    if infos is None:
        return  # it has been told already
    public = [one for one in records.instances if one[1].host.public]
    if infos.public and records.instances and not public:
        text = "it is public, and none of its instances is"
        yield finding(Severity.WARNING, FindingKind.PUBLIC_MISMATCH, kv.key, text)
    if not infos.public:
        for key, _ in public:
            text = "it is public, and its service is not: no reader is told its public address"
            yield finding(Severity.WARNING, FindingKind.PUBLIC_MISMATCH, key.key, text)
        return
    yield from _credentials(infos.credentials, kv.mod_revision, public)


def _credentials(
    wanted: Credentials, revision: int, public: list[tuple[KeyValue, Instance]]
) -> Iterator[Finding]:
    """Yield which instances have not adopted the credentials that were written at a revision."""
    if wanted:
        keepers = [kv for kv, one in public if one.host.password]
        if 0 < len(keepers) < len(public):
            for kv in keepers:
                text = "the password is in this record, while other instances keep it out of theirs"
                yield finding(Severity.NOTE, FindingKind.PASSWORDS, kv.key, text)
    for kv, instance in public:
        host = instance.host
        if host.credentials == wanted:
            continue
        if host.password or not host.credentials_revision:
            text = "its credentials are not those of its service"
            yield finding(Severity.WARNING, FindingKind.CREDENTIALS, kv.key, text)
        elif host.credentials_revision < revision:
            # The record may have been written again with the same ones.
            text = (
                f"it has adopted the credentials of revision {host.credentials_revision}, and the"
                f" record of its service is of revision {revision}"
            )
            yield finding(Severity.NOTE, FindingKind.CREDENTIALS, kv.key, text)


def _unreadable(kv: KeyValue) -> Iterator[Finding]:
    try:
        parse_object(kv.value)
    except BadRecord as exc:
        yield finding(Severity.ERROR, FindingKind.UNREADABLE, kv.key, str(exc))


def _types(kv: KeyValue, types: FieldTypes) -> Iterator[Finding]:
    if wrong := list(type_faults(parse_object(kv.value), types)):
        text = f"readers in Go fail on the whole service: {'; '.join(wrong)}"
        yield finding(Severity.ERROR, FindingKind.GO_FAILS, kv.key, text)


def _odd(kv: KeyValue, faults: tuple[str, ...]) -> Iterator[Finding]:
    """What Go does not look at, and we do."""
    if wrong := [text for text in faults if text.startswith(OWN)]:
        yield finding(Severity.WARNING, FindingKind.ODD, kv.key, "; ".join(wrong))


def _address(kv: KeyValue, name: str, *tables: Mapping[str, str]) -> Iterator[Finding]:
    try:
        host_in_url(name)
        for ports in tables:
            check_ports(ports)
    except InvalidHost as exc:
        yield finding(Severity.WARNING, FindingKind.NO_ADDRESS, kv.key, str(exc))
        return
    if not any(tables):
        text = "there is no port to reach it at"
        yield finding(Severity.NOTE, FindingKind.NO_ADDRESS, kv.key, text)
