"""What is wrong in a registry, told from its keys and leases alone. Pure.

No clock is compared with another: whether an instance is late is told by what is left of its lease,
which etcd itself counts.
"""

from collections.abc import Iterable, Iterator, Mapping

from ..etcd.messages import KeyValue, LeaseTimeToLiveResponse
from .doctor_findings import Finding, FindingKind, Severity, finding
from .doctor_rules import ServiceRecords, host_findings, infos_findings, service_findings
from .doctor_types import DNS_TYPES, type_faults
from .errors import BadRecord, InvalidName
from .host import Instance
from .layout import DEFAULT_LAYOUT, Layout
from .lookup import read_infos, read_instance
from .names import check_service, split_uuid
from .values import parse_object

__all__ = ["Finding", "FindingKind", "Severity", "examine", "leases_of"]

Leases = Mapping[int, LeaseTimeToLiveResponse | None]


def leases_of(entries: Iterable[KeyValue]) -> frozenset[int]:
    """The leases that `examine` wants to know of."""
    return frozenset(kv.lease for kv in entries if kv.lease)


def examine(
    entries: Iterable[KeyValue],
    *,
    leases: Leases,
    layout: Layout = DEFAULT_LAYOUT,
    dns: Iterable[KeyValue] = (),
    traefik: Iterable[KeyValue] = (),
) -> tuple[Finding, ...]:
    """What is wrong, the worst first.

    Args:
        entries: all keys of instances and of infos, best of one revision.
        leases: what etcd said of the leases of those keys, asked after they were read. Nothing is
            said of a lease that is not there, or is None.
        layout: where the keys are.
        dns: all keys below the path of CoreDNS, if they are to be looked at.
        traefik: all keys below the root of Traefik, likewise.
    """
    found: list[Finding] = []
    services: dict[str, ServiceRecords] = {}
    instances: list[tuple[KeyValue, Instance]] = []
    for kv in entries:
        if (service := layout.parse_infos(kv.key)) is not None:
            records = services.setdefault(service, ServiceRecords())
            records.infos_key, records.infos = kv, read_infos(kv, layout)[0]
            found += _name(kv.key, service)
            found += infos_findings(kv, service, records.infos)
        elif (place := layout.parse_instance(kv.key)) is not None:
            instance, _ = read_instance(kv, layout)
            records = services.setdefault(place.service, ServiceRecords())
            records.keys.append(kv)
            found += _name(kv.key, place.service, place.uuid)
            found += host_findings(kv, instance)
            found += _lease(kv, leases)
            if instance is not None:
                records.instances.append((kv, instance))
                instances.append((kv, instance))
        else:
            text = "this is the key of neither an instance nor a service"
            found.append(finding(Severity.WARNING, FindingKind.NAME, kv.key, text))
    for service, records in services.items():
        found += service_findings(service, records)
    found += _same_ports(instances)
    found += _dns(dns)
    found += _traefik(traefik)
    rank = {severity: place for place, severity in enumerate(Severity)}
    order = {kind: place for place, kind in enumerate(FindingKind)}
    return tuple(sorted(found, key=lambda one: (rank[one.severity], order[one.kind], one.key)))


def _name(key: bytes, service: str, uuid: str = "") -> Iterator[Finding]:
    if "/" in service or "/" in uuid:
        text = "the key has more parts than it should: readers in Go fail on the whole service"
        yield finding(Severity.ERROR, FindingKind.NAME, key, text)
        return
    if service.startswith("_") or uuid.startswith("_"):
        text = "a name that begins with '_' is hidden from readers in Go, where etcd is old"
        yield finding(Severity.WARNING, FindingKind.NAME, key, text)
        return
    try:
        check_service(service)
    except InvalidName as exc:
        yield finding(Severity.WARNING, FindingKind.NAME, key, str(exc))


def _lease(kv: KeyValue, leases: Leases) -> Iterator[Finding]:
    if not kv.lease:
        text = "it hangs on no lease, so it stays there when its instance is gone"
        yield finding(Severity.WARNING, FindingKind.NO_LEASE, kv.key, text)
        return
    answer = leases.get(kv.lease)
    if answer is None:
        return
    if answer.TTL < 0:
        text = (
            f"its lease {kv.lease:x} has ended: the instance left meanwhile, or this is left over"
        )
        yield finding(Severity.NOTE, FindingKind.LEASE_GONE, kv.key, text)
    elif answer.grantedTTL > 3 * answer.TTL:
        # It is renewed at each third of its time; so two renewals are missing.
        text = f"its lease {kv.lease:x} of {answer.grantedTTL} s has {answer.TTL} s left"
        yield finding(Severity.WARNING, FindingKind.OVERDUE, kv.key, text)


def _same_ports(instances: Iterable[tuple[KeyValue, Instance]]) -> Iterator[Finding]:
    """Yield which instances cannot both be where they say they are; the older one goes first."""
    holders: dict[tuple[str, str], tuple[KeyValue, Instance]] = {}
    for kv, instance in sorted(instances, key=lambda one: (one[0].create_revision, one[0].key)):
        host = instance.host
        hostname = (host.private_hostname or host.name).lower()
        ports = host.private_ports or host.ports or {}
        # Several schemes of one instance may have one port.
        for port in dict.fromkeys(ports.values()) if hostname else ():
            other, older = holders.setdefault((hostname, port), (kv, instance))
            if other is kv:
                continue
            key = other.key.decode("utf-8", "backslashreplace")
            text = f"port {port[:40]!r} of {hostname[:300]!r} is that of {key}, too"
            # One server may well stand for two services; of one service it makes no sense.
            same = older.service == instance.service
            severity = Severity.WARNING if same else Severity.NOTE
            yield finding(severity, FindingKind.SAME_PORT, kv.key, text)


def _dns(keys: Iterable[KeyValue]) -> Iterator[Finding]:
    for kv in keys:
        try:
            wrong = list(type_faults(parse_object(kv.value), DNS_TYPES))
        except BadRecord as exc:
            wrong = [str(exc)]
        if wrong:
            text = f"{'; '.join(wrong)}: CoreDNS fails every answer that this would be a part of"
            yield finding(Severity.ERROR, FindingKind.PUBLISHED_UNREADABLE, kv.key, text)
        leaf = kv.key.rpartition(b"/")[2].decode("utf-8", "backslashreplace")
        # Others may well be written by hand, to stay.
        if not kv.lease and split_uuid(leaf).uuid:
            text = "a record of one instance hangs on no lease: DNS leads there for ever"
            yield finding(Severity.WARNING, FindingKind.NO_LEASE, kv.key, text)


def _traefik(keys: Iterable[KeyValue]) -> Iterator[Finding]:
    for kv in keys:
        if kv.key.startswith(b"/"):
            text = "Traefik reads no key that begins with a slash"
            yield finding(Severity.WARNING, FindingKind.PUBLISHED_UNREADABLE, kv.key, text)
        elif not kv.lease and b"/loadbalancer/servers/" in kv.key.lower():
            text = "a server hangs on no lease: Traefik leads there for ever"
            yield finding(Severity.NOTE, FindingKind.NO_LEASE, kv.key, text)
