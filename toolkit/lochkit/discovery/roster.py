"""What is known of the registry, kept up to date step by step; each step told as events. Pure.

A record is read once, however many look at it afterwards. One that turns bad while its key lives
harms nobody: the last good one stands, and the fault is told once. An instance is down when its key
is gone, not when somebody writes nonsense there.

A change is compared with what is known here, not with what the step says was there before: to apply
a step twice is the same as to apply it once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..etcd.messages import KeyValue
from ..etcd.model import KeyChange, Origin, Step
from .events import Cause, Event, Kind
from .host import Infos, Instance, State
from .layout import DEFAULT_LAYOUT, Layout
from .lookup import Fault, Service, by_age, read_infos, read_instance

__all__ = ["Outcome", "Record", "Roster"]


class Record(NamedTuple):
    """A change of one key, read.

    Attributes:
        service: the service it is about.
        uuid: the instance, empty when it is about the infos.
        kv: the key as it is now, None when it is gone.
        instance: what it says, None when there is no reading it.
        infos: likewise.
        faults: what is wrong with it.
    """

    service: str
    uuid: str = ""
    kv: KeyValue | None = None
    instance: Instance | None = None
    infos: Infos | None = None
    faults: tuple[Fault, ...] = ()


class Outcome(NamedTuple):
    """What a step has come to.

    Attributes:
        events: what happened, in order.
        faults: of records that can not be read, and before could be, or were not there.
    """

    events: tuple[Event, ...]
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class _Known:
    """One instance.

    Attributes:
        created: revision that its key was created at.
        instance: the last record that could be read, None when none ever could.
        readable: whether that is what the key says now.
        faults: what is wrong with what the key says now.
    """

    created: int
    instance: Instance | None
    readable: bool
    faults: tuple[Fault, ...]


class _Group:
    """One service.

    Attributes:
        instances: by id.
        infos: None when there are none, or no reading them.
        infos_there: whether there is a key, whatever it says.
        infos_faults: what is wrong with it.
        shown: the service as it was last asked for, None when it has changed since.
    """

    __slots__ = ("infos", "infos_faults", "infos_there", "instances", "shown")

    def __init__(self) -> None:
        self.instances: dict[str, _Known] = {}
        self.infos: Infos | None = None
        self.infos_there = False
        self.infos_faults: tuple[Fault, ...] = ()
        self.shown: Service | None = None

    def __bool__(self) -> bool:
        return bool(self.instances) or self.infos_there


class Roster:
    """All services of a registry, or some, at the moment of the last step.

    Args:
        layout: where the keys are.
        draw: of the services it gives, see `Service`.

    Attributes:
        revision: the store's revision of the last step, 0 before the first.
    """

    def __init__(
        self, layout: Layout = DEFAULT_LAYOUT, *, draw: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._layout = layout
        self._draw = draw
        self._groups: dict[str, _Group] = {}
        self.revision = 0

    def read(self, change: KeyChange) -> Record | None:
        """Read a change; changes nothing here. None when the key is none of the registry's."""
        key, kv = change.key, change.new
        place = self._layout.parse_instance(key)
        if place is not None:
            if kv is None:
                return Record(*place)
            instance, faults = read_instance(kv, self._layout)
            return Record(*place, kv, instance=instance, faults=faults)
        service = self._layout.parse_infos(key)
        if service is None:
            return None
        if kv is None:
            return Record(service)
        infos, faults = read_infos(kv, self._layout)
        return Record(service, "", kv, infos=infos, faults=faults)

    def take(self, step: Step) -> Outcome:
        """Read and apply a step."""
        records = [self.read(change) for change in step.changes.values()]
        return self.apply(records, revision=step.revision, origin=step.origin)

    def apply(
        self, records: Iterable[Record | None], *, revision: int, origin: Origin = Origin.WATCHED
    ) -> Outcome:
        """Go on to the state after a step.

        Args:
            records: what `read` has made of its changes.
            revision: of the step.
            origin: of the step.
        """
        synthetic = origin is Origin.RESYNCED
        # Two followers do not go in step; only a list may tell that the store has gone back.
        self.revision = revision if synthetic else max(revision, self.revision)
        events: list[Event] = []
        faults: list[Fault] = []
        for record in records:
            if record is None:
                continue
            group = self._groups.get(record.service)
            if group is None:
                group = self._groups[record.service] = _Group()
            group.shown = None
            change = _Change(record, revision, synthetic)
            if record.uuid:
                _instance_changed(group, change, events, faults)
            else:
                _infos_changed(group, change, events, faults)
            if not group:
                del self._groups[record.service]
        return Outcome(tuple(events), tuple(faults))

    def names(self) -> list[str]:
        """The services that have a record of any kind, sorted."""
        return sorted(self._groups)

    def service(self, name: str, *, stale: bool = False) -> Service:
        """What is known of a service; one without any record is known to have none.

        Args:
            name: the service.
            stale: what to say of that.
        """
        group = self._groups.get(name)
        if group is None:
            return Service(name=name, revision=self.revision, stale=stale, draw=self._draw)
        if group.shown is None:
            known = group.instances.values()
            faults = [fault for one in known for fault in one.faults]
            instances = [one.instance for one in known if one.instance is not None]
            group.shown = Service(
                name=name,
                infos=group.infos,
                instances=tuple(sorted(instances, key=by_age)),
                faults=(*group.infos_faults, *faults),
                revision=self.revision,
                draw=self._draw,
            )
        return replace(group.shown, stale=True) if stale else group.shown

    def present(self, names: Iterable[str] | None = None) -> list[Event]:
        """What is there, told as if it had just come: infos, then the instances by age.

        Args:
            names: of these services; None for all.
        """
        events = []
        for name in self.names() if names is None else names:
            service = self.service(name)
            change = _Change(Record(name), self.revision, synthetic=True)
            if service.infos is not None:
                events.append(_infos_event(change, service.infos))
            events += [_event(change, Kind.NEW, instance) for instance in service.instances]
        return events


class _Change(NamedTuple):
    """A record, and what all events about it have in common."""

    record: Record
    revision: int
    synthetic: bool


def _instance_changed(
    group: _Group, change: _Change, events: list[Event], faults: list[Fault]
) -> None:
    record = change.record
    kv, known = record.kv, group.instances.get(record.uuid)
    if known is not None and (kv is None or kv.create_revision != known.created):
        del group.instances[record.uuid]
        if known.instance is not None:
            events.append(_down(change, known.instance))
        known = None
    if kv is None:
        return
    if record.instance is None and (known is None or known.readable):
        faults.extend(record.faults)
    before = known.instance if known is not None else None
    after = record.instance or before
    group.instances[record.uuid] = _Known(
        kv.create_revision, after, record.instance is not None, record.faults
    )
    if after is None:
        return
    if before is None:
        events.append(_event(change, Kind.NEW, after))
    elif before.host != after.host:  # who only repeats itself has changed nothing
        events.append(_event(change, Kind.CHANGED, after, before))


def _down(change: _Change, last: Instance) -> Event:
    if last.host.state is State.LEAVING:
        cause = Cause.LEFT
    else:
        cause = Cause.EXPIRED if last.lease else Cause.REMOVED
    return Event(
        kind=Kind.DOWN,
        service=last.service,
        uuid=last.uuid,
        host=last.host,
        cause=cause,
        revision=change.revision,
        synthetic=change.synthetic,
    )


def _event(change: _Change, kind: Kind, now: Instance, before: Instance | None = None) -> Event:
    return Event(
        kind=kind,
        service=now.service,
        uuid=now.uuid,
        host=now.host,
        previous=before.host if before is not None else None,
        revision=change.revision,
        synthetic=change.synthetic,
    )


def _infos_changed(
    group: _Group, change: _Change, events: list[Event], faults: list[Fault]
) -> None:
    record = change.record
    was_readable = group.infos is not None or not group.infos_there
    if record.kv is not None and record.infos is None and was_readable:
        faults.extend(record.faults)
    before, group.infos = group.infos, record.infos
    group.infos_there = record.kv is not None
    group.infos_faults = record.faults
    if before != record.infos:
        events.append(_infos_event(change, record.infos))


def _infos_event(change: _Change, infos: Infos | None) -> Event:
    return Event(
        kind=Kind.INFOS,
        service=change.record.service,
        infos=infos,
        revision=change.revision,
        synthetic=change.synthetic,
    )
