"""The registry as it is shown: to people in cells of a table, to programs as fields of JSON.

Passwords are shown to nobody who has not asked for them. Values of others are shown as they are:
whoever prints them to a terminal has to mind what they hold.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .events import Event, Kind
from .host import Host, Infos, Instance, State
from .lookup import Service

__all__ = [
    "REDACTED",
    "Selection",
    "address",
    "changed_fields",
    "event_cells",
    "event_fields",
    "infos_fields",
    "instance_fields",
    "instance_named",
    "instance_rows",
    "service_fields",
    "service_rows",
]

REDACTED: Final = "***"
_SHORTEST_WORD: Final = 4
_NOTHING: Final = "-"

# What can differ between two records of an instance, and how it is called here.
_COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    "state": ("state",),
    "credentials": ("user", "password", "credentials_revision"),
    "name": ("name",),
    "ports": ("ports",),
    "private_hostname": ("private_hostname",),
    "private_ports": ("private_ports",),
    "public": ("public",),
    "critical": ("critical",),
    "shard": ("shard",),
    "weight": ("weight",),
    "tags": ("tags",),
    "meta": ("meta",),
    "version": ("version",),
    "zone": ("zone",),
    "other": ("extra", "extra_own"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which instances are shown.

    Attributes:
        shard: of this shard only; empty for all.
        passing: only those that want work.
    """

    shard: str = ""
    passing: bool = False

    def shows(self, host: Host) -> bool:
        """Whether the instance is among them."""
        if self.shard and host.shard != self.shard:
            return False
        return host.in_rotation or not self.passing

    def instances(self, service: Service) -> tuple[Instance, ...]:
        """Those of a service, the oldest first."""
        return tuple(one for one in service.instances if self.shows(one.host))

    def concerns(self, event: Event) -> bool:
        """Whether something happened to one of them; what is about no instance concerns all."""
        hosts = [host for host in (event.host, event.previous) if host is not None]
        return not hosts or any(self.shows(host) for host in hosts)


def service_fields(service: Service, shown: Selection, *, secrets: bool) -> dict[str, Any]:
    """A service as JSON.

    Args:
        service: the service.
        shown: which of its instances.
        secrets: whether passwords are shown.
    """
    return {
        "name": service.name,
        "revision": service.revision,
        "infos": None if service.infos is None else infos_fields(service.infos, secrets=secrets),
        "instances": [instance_fields(one, secrets=secrets) for one in shown.instances(service)],
        "faults": [{"key": fault.key, "text": fault.text} for fault in service.faults],
    }


def infos_fields(infos: Infos, *, secrets: bool) -> dict[str, Any]:
    """What the instances of a service have in common, as JSON."""
    return {
        "public": infos.public,
        "critical": infos.critical,
        "hostname": infos.hostname,
        "ports": dict(infos.ports),
        "user": infos.user,
        "password": _password(infos.password, secrets),
    }


def instance_fields(instance: Instance, *, secrets: bool) -> dict[str, Any]:
    """An instance as JSON; its lease as etcdctl has it, in hexadecimal digits."""
    return {
        "uuid": instance.uuid,
        **_host_fields(instance.host, secrets=secrets),
        "create_revision": instance.create_revision,
        "mod_revision": instance.mod_revision,
        "lease": f"{instance.lease:x}" if instance.lease else "",
        "faults": list(instance.faults),
    }


def event_fields(event: Event, *, secrets: bool) -> dict[str, Any]:
    """An event as JSON."""
    host, previous, infos = event.host, event.previous, event.infos
    return {
        "kind": event.kind.value,
        "service": event.service,
        "uuid": event.uuid,
        "cause": event.cause.value if event.cause else "",
        "revision": event.revision,
        "synthetic": event.synthetic,
        "changed": list(changed_fields(previous, host)) if host and previous else [],
        "host": _host_fields(host, secrets=secrets) if host else None,
        "previous_state": previous.state.value if previous else "",
        "infos": infos_fields(infos, secrets=secrets) if infos else None,
    }


def event_cells(event: Event) -> tuple[str, ...]:
    """An event in words: what, of which service, which instance, and more about it."""
    told = " ".join(_told(event))
    if event.synthetic:
        told += " (as found)"
    return (event.kind.value, event.service or _NOTHING, event.uuid or _NOTHING, told)


def changed_fields(previous: Host, host: Host) -> tuple[str, ...]:
    """What is different in a record written anew."""
    return tuple(
        called
        for called, names in _COMPARED.items()
        if any(getattr(previous, name) != getattr(host, name) for name in names)
    )


def service_rows(services: Iterable[Service], shown: Selection) -> Iterator[tuple[str, ...]]:
    """A row for every service, below one of headings."""
    yield "SERVICE", "PASSING", "OTHERS", "PUBLIC ADDRESS"
    for service in services:
        hosts = [one.host for one in shown.instances(service)]
        others = [
            f"{count} {state.value}"
            for state in State
            if state is not State.PASSING and (count := sum(host.state is state for host in hosts))
        ]
        if faulty := {fault.key for fault in service.faults}:
            others.append(f"{len(faulty)} faulty")
        infos = service.infos
        public = infos is not None and infos.public
        yield (
            service.name,
            str(sum(host.in_rotation for host in hosts)),
            ", ".join(others) or _NOTHING,
            address(infos.hostname, infos.ports) if infos and public else _NOTHING,
        )


def instance_rows(instances: Iterable[Instance]) -> Iterator[tuple[str, ...]]:
    """A row for every instance, below one of headings."""
    yield "INSTANCE", "STATE", "ADDRESS", "PRIVATE ADDRESS", "SHARD", "MORE"
    for one in instances:
        host = one.host
        yield (
            one.uuid,
            host.state.value,
            address(host.name, host.ports),
            address(host.private_hostname, host.private_ports),
            host.shard or _NOTHING,
            ", ".join(_more(one)) or _NOTHING,
        )


def address(hostname: str, ports: Mapping[str, str] | None) -> str:
    """Where something is reached: ``web.example.com http=80 https=443``."""
    words = [
        hostname or _NOTHING,
        *(f"{name}={port}" for name, port in sorted((ports or {}).items())),
    ]
    return " ".join(words)


def instance_named(word: str, uuids: Iterable[str]) -> str:
    """The id that an operator means: a whole one, or the beginning of exactly one.

    Raises:
        ValueError: none, or several.
    """
    known = set(uuids)
    if word in known:
        return word
    found = sorted(uuid for uuid in known if uuid.startswith(word))
    if not found:
        raise ValueError(f"there is no instance {word!r}")
    if len(word) < _SHORTEST_WORD:
        raise ValueError(f"{word!r} is too short: write {_SHORTEST_WORD} characters of the id")
    if len(found) > 1:
        raise ValueError(f"{word!r} may be {found[0]!r} or {found[1]!r}: write more of it")
    return found[0]


def _host_fields(host: Host, *, secrets: bool) -> dict[str, Any]:
    return {
        "state": host.state.value,
        "name": host.name,
        "ports": dict(host.ports or {}),
        "public": host.public,
        "private_hostname": host.private_hostname,
        "private_ports": dict(host.private_ports),
        "critical": host.critical,
        "shard": host.shard,
        "user": host.user,
        "password": _password(host.password, secrets),
        "weight": host.weight,
        "tags": list(host.tags),
        "meta": dict(host.meta),
        "version": host.version,
        "zone": host.zone,
        "credentials_revision": host.credentials_revision,
    }


def _password(password: str, secrets: bool) -> str:
    return password if secrets or not password else REDACTED


def _told(event: Event) -> Iterator[str]:
    host, previous = event.host, event.previous
    match event.kind:
        case Kind.STALE:
            yield "etcd is away: nothing is known to change"
        case Kind.FRESH:
            yield "etcd is back"
        case Kind.INFOS if event.infos is None:
            yield "gone or unreadable"
        case Kind.INFOS if event.infos is not None:
            infos = event.infos
            yield f"public: {address(infos.hostname, infos.ports)}" if infos.public else "private"
        case Kind.CHANGED if host and previous:
            yield address(host.name or host.private_hostname, host.ports)
            names = changed_fields(previous, host)
            if "state" in names:
                yield f"{previous.state.value} -> {host.state.value}"
            yield from [name for name in names if name != "state"]
        case _:
            if event.cause is not None:
                yield event.cause.value
            if host is not None:
                yield address(host.name or host.private_hostname, host.ports)
            if host is not None and host.state is not State.PASSING and event.kind is Kind.NEW:
                yield host.state.value


def _more(instance: Instance) -> Iterator[str]:
    host = instance.host
    if host.public:
        yield "public"
    if not instance.lease:
        yield "no lease"
    if host.weight != 1:
        yield f"weight {host.weight}"
    yield from (f"version {host.version}",) if host.version else ()
    yield from (f"zone {host.zone}",) if host.zone else ()
    yield from (f"tag {tag}" for tag in host.tags)
    yield from (f"{name}={value}" for name, value in sorted(host.meta.items()))
    yield from (f"fault: {fault}" for fault in instance.faults)
