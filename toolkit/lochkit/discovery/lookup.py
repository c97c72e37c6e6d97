"""What is known of one service, and how an instance of it is chosen. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from ..etcd.messages import KeyValue
from .errors import (
    BadRecord,
    DiscoveryError,
    NoHostFound,
    NoHostFoundOnShard,
    ServiceNotFound,
    UnknownScheme,
)
from .host import Host, Infos, Instance, State
from .layout import DEFAULT_LAYOUT, Layout
from .records import decode_infos, decode_instance
from .url import Url, host_url, in_words, infos_url

__all__ = ["Fault", "Service", "by_age", "read_infos", "read_instance", "service_of"]


class Fault(NamedTuple):
    """A record that could not be read, or was read and is not as it should be.

    Attributes:
        key: of the record.
        text: what is wrong, for people; no value is ever told.
    """

    key: str
    text: str


def by_age(instance: Instance) -> tuple[int, str]:
    """Sort instances by this: the oldest first, and always in the same order."""
    return instance.create_revision, instance.uuid


def _no_lot() -> float:
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service at one moment.

    Attributes:
        name: the service.
        infos: what its instances have in common; None when there is no record, or no reading it.
        instances: what could be read, in the order of `by_age`.
        faults: the rest, and what was odd.
        revision: the store's revision at which all this was true.
        stale: etcd is away: this was true when it was last heard of.
        draw: makes the lots of `one` and `url`: numbers, 0 <= n < 1. Without one the lot falls on
            the oldest; what `reading` and `Directory` give draws at random.
    """

    name: str
    infos: Infos | None = None
    instances: tuple[Instance, ...] = ()
    faults: tuple[Fault, ...] = ()
    revision: int = 0
    stale: bool = False
    draw: Callable[[], float] = field(default=_no_lot, repr=False, compare=False)

    @property
    def public(self) -> bool:
        """Whether the service is reached at one address, which its infos have."""
        return self.infos is not None and self.infos.public

    def shards(self) -> tuple[str, ...]:
        """The shards that there are instances of, by name; those without one are of none."""
        names = {instance.host.shard for instance in self.instances}
        return tuple(sorted(names - {""}))

    def all(self, shard: str = "", passing: bool = True) -> tuple[Host, ...]:
        """The instances that want work, the oldest first; there is at least one.

        Args:
            shard: only those of this shard; empty for all, of any shard or of none.
            passing: False to get also those that do not want work.

        Raises:
            ServiceNotFound: nothing was ever known of the service.
            NoHostFound: there is no instance, or none of them wants work.
            NoHostFoundOnShard: there are instances, and none of that shard.
        """
        hosts = [instance.host for instance in self.instances]
        if not hosts:
            raise self._nobody()
        if shard:
            hosts = [host for host in hosts if host.shard == shard]
            if not hosts:
                what = f"service {self.name} on shard {shard[:200]!r}"
                shards = in_words(self.shards())
                raise NoHostFoundOnShard(f"no host found for {what} (it has {shards})")
        wanted = [host for host in hosts if host.in_rotation] if passing else hosts
        if not wanted:
            what = f"service {self.name}" + (f" on shard {shard[:200]!r}" if shard else "")
            raise NoHostFound(f"no passing host found for {what}: {_counted(hosts)}")
        return tuple(wanted)

    def first(self, shard: str = "", passing: bool = True) -> Host:
        """The oldest instance: every reader's is the same one.

        Args:
            shard: as in `all`.
            passing: as in `all`.

        Raises:
            ServiceNotFound: as of `all`, and so the next two.
            NoHostFound: see there.
            NoHostFoundOnShard: see there.
        """
        return self.all(shard, passing)[0]

    def one(
        self,
        shard: str = "",
        passing: bool = True,
        *,
        weighted: bool = True,
        draw: Callable[[], float] | None = None,
    ) -> Host:
        """An instance by lot.

        Args:
            shard: as in `all`.
            passing: as in `all`.
            weighted: whether each has the chance that its weight gives it, rather than the same.
                Instances of weight 0 are taken only if all are.
            draw: instead of the service's own.

        Raises:
            ServiceNotFound: as of `all`, and so the next two.
            NoHostFound: see there.
            NoHostFoundOnShard: see there.
        """
        hosts = self.all(shard, passing)
        return hosts[_drawn(hosts, (draw or self.draw)(), weighted)]

    def url(
        self,
        scheme: str = "",
        path: str = "",
        shard: str = "",
        *,
        draw: Callable[[], float] | None = None,
        passing: bool = True,
        strict: bool = True,
    ) -> Url:
        """Where the service is reached: a public one at its own address, any other at an instance.

        With a shard, it is always an instance. One whose record makes no such URL is the answer
        only if they all are so.

        Args:
            scheme: one that there is a port for; empty for http, else https.
            path: what follows the port, see `host_url`.
            shard: as in `all`.
            draw: as in `one`.
            passing: as in `all`. A public address stands for all instances, whatever their state.
            strict: False for what the original says of a public service: its address also when it
                has no instance, and no scheme is chosen for who names none.

        Raises:
            ServiceNotFound: nothing was ever known of the service.
            NoHostFound: it has no instance, or none that wants work.
            NoHostFoundOnShard: none of that shard.
            UnknownScheme: there is no port for that scheme.
            SchemeNotFound: no scheme was given, and there is neither http nor https.
            BadRecord: the record has no hostname, or one or a port that no URL can have.
        """
        if self.infos is not None and self.infos.public and not shard:
            if strict and not self.instances:
                raise self._nobody()
            if not strict and not scheme:
                raise UnknownScheme(f"service {self.name} is public: name a scheme")
            return infos_url(self.infos, scheme, path)
        hosts = list(self.all(shard, passing))
        while True:
            host = hosts.pop(_drawn(hosts, (draw or self.draw)(), weighted=True))
            try:
                return host_url(host, scheme, path)
            except DiscoveryError:
                if not hosts:
                    raise

    def _nobody(self) -> DiscoveryError:
        """What to answer when there is not one instance that can be read."""
        if self.infos is None and not self.faults:
            return ServiceNotFound(f"service {self.name} not found")
        faults = f" (faults in its records: {len(self.faults)})" if self.faults else ""
        return NoHostFound(f"no host found for service {self.name}{faults}")


def service_of(
    name: str,
    infos: KeyValue | None,
    hosts: Iterable[KeyValue],
    revision: int,
    layout: Layout = DEFAULT_LAYOUT,
    draw: Callable[[], float] = _no_lot,
) -> Service:
    """What a reading of the store says of a service. A bad record harms nothing but itself.

    Args:
        name: the service.
        infos: the key of its infos, None when there is none.
        hosts: the keys of its range; of what is not below it, nothing is taken.
        revision: at which all were read.
        layout: where the keys are.
        draw: see `Service`.
    """
    faults: list[Fault] = []
    known = None
    if infos is not None:
        known, odd = read_infos(infos, layout)
        faults += odd
    instances = []
    own = layout.service(name)
    for kv in hosts:
        place = layout.parse_instance(kv.key)
        # A key that is not UTF-8 is below no name that could be written.
        if place.service != name if place is not None else not own.contains(kv.key):
            continue
        instance, odd = read_instance(kv, layout)
        faults += odd
        if instance is not None:
            instances.append(instance)
    return Service(
        name=name,
        infos=known,
        instances=tuple(sorted(instances, key=by_age)),
        faults=tuple(faults),
        revision=revision,
        draw=draw,
    )


def read_instance(
    kv: KeyValue, layout: Layout = DEFAULT_LAYOUT
) -> tuple[Instance | None, tuple[Fault, ...]]:
    """An instance, None when there is no reading it, and what is wrong with it."""
    key = _text(kv.key)
    place = layout.parse_instance(kv.key)
    if place is None:
        return None, (Fault(key, "this is not the key of an instance"),)
    try:
        instance = decode_instance(
            place.service,
            place.uuid,
            kv.value,
            create_revision=kv.create_revision,
            mod_revision=kv.mod_revision,
            lease=kv.lease,
        )
    except BadRecord as exc:
        return None, (Fault(key, str(exc)),)
    return instance, tuple(Fault(key, text) for text in instance.faults)


def read_infos(
    kv: KeyValue, layout: Layout = DEFAULT_LAYOUT
) -> tuple[Infos | None, tuple[Fault, ...]]:
    """What is known of a service, None when there is no reading it, and what is wrong with it."""
    key = _text(kv.key)
    service = layout.parse_infos(kv.key)
    if service is None:
        return None, (Fault(key, "this is not the key of a service's infos"),)
    try:
        infos, odd = decode_infos(service, kv.value)
    except BadRecord as exc:
        return None, (Fault(key, str(exc)),)
    return infos, tuple(Fault(key, text) for text in odd)


def _drawn(hosts: Sequence[Host], lot: float, weighted: bool) -> int:
    """The place of the host that a lot falls on."""
    sums = list(accumulate(host.weight if weighted else 1 for host in hosts))
    if not sums[-1]:
        sums = list(range(1, len(hosts) + 1))
    # A product that was rounded up must not fall behind the last share.
    return bisect_right(sums, min(int(lot * sums[-1]), sums[-1] - 1))


def _counted(hosts: Iterable[Host]) -> str:
    """How many there are of each state, such as ``2 critical, 1 leaving``."""
    counts = Counter(host.state for host in hosts)
    return ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state])


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
