"""The registry as one process knows it, kept up to date for all who look at it or subscribe."""

import logging
import random
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final

import trio

from ..errors import leaves
from ..etcd.model import Step
from ..etcd.prefix import KeyRange
from ..runtime.backoff import Backoff
from .errors import DirectoryStopped, DiscoveryError, InvalidName
from .events import Event, Kind
from .feed import Feed, Registry
from .layout import DEFAULT_LAYOUT, Layout
from .lookup import Fault, Service
from .mailbox import ALL_KINDS, ROOM
from .roster import Record, Roster
from .watching import Subscription

__all__ = ["Directory", "Registry"]

log = logging.getLogger(__name__)

_READ_AT_ONCE: Final = 100
"""Records read without a pause: some milliseconds of work."""
_FAULTS_LOGGED: Final = 10


class Directory:
    """The actor that knows the registry, or some services of it, for a whole process.

    However many subscribe, etcd is asked once and a record is read once. While etcd is away, what
    was known last stands, and `stale` says so. Who may not read what instances share finds services
    without that.

    Args:
        etcd: where to read and watch; borrowed. Raw values are kept, too, to compare with.
        services: the services to follow; None for all, which needs the permission to read all.
        layout: where the keys are.
        backoff: between attempts to reach etcd, see `Follower`.
        jitter: numbers in [0, 1).
    """

    name = "directory"

    def __init__(
        self,
        etcd: Registry,
        *,
        services: Collection[str] | None = None,
        layout: Layout = DEFAULT_LAYOUT,
        backoff: Backoff | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._names = None if services is None else tuple(dict.fromkeys(services))
        for name in self._names or ():
            if not name or "/" in name:
                raise InvalidName(f"{name[:200]!r} is no name of a service")
        self._etcd = etcd
        self._layout = layout
        self._backoff = backoff
        self._jitter = jitter
        self._begin()
        self._subscriptions: dict[str, dict[Subscription, None]] = {}
        self._settled = trio.Event()  # all is known, or never will be
        self._stopped: DirectoryStopped | None = None
        self.stale = True
        """Whether what is known may be out of date; True before the first reading."""

    def _begin(self) -> None:
        """Forget everything."""
        layout, names = self._layout, self._names
        if names is None:
            instances, infos = [layout.instances], [layout.infos]
        else:
            # One watch over several services would need the permission to read all in between.
            instances = [layout.service(name) for name in names]
            infos = [KeyRange.exact(layout.infos_key(name)) for name in names]
        self._roster = Roster(layout, draw=random.random)
        make = partial(Feed, self._etcd, backoff=self._backoff, jitter=self._jitter)
        self._feeds = [
            *(make(wanted, self, optional=False) for wanted in instances),
            # Passwords are in these: not everybody may read them who may find a service.
            *(make(wanted, self, optional=True) for wanted in infos),
        ]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow until cancelled. Started at once: an absent etcd is waited for.

        When this ends, however it does, so does every subscription; to run it again is to begin
        anew.

        Raises:
            ExceptionGroup: of what `Follower.run` raises: only an operator can heal it.
        """
        failure: Exception | None = None
        if self._stopped is not None:
            self._begin()
            self._settled, self._stopped = trio.Event(), None
        try:
            async with trio.open_nursery() as nursery:
                for feed in self._feeds:
                    nursery.start_soon(feed.follow)
                    nursery.start_soon(feed.attend)
                self.freshness_changed()
                task_status.started()
        except Exception as error:
            failure = error
            raise
        finally:
            self._stop(failure)

    async def ready(self) -> None:
        """Wait until the registry has been read once.

        Raises:
            DirectoryStopped: it has ended.
        """
        await self._settled.wait()
        if self._stopped is not None:
            raise DirectoryStopped(str(self._stopped)) from self._stopped.__cause__

    def service(self, name: str) -> Service:
        """A service as it is known now; one that nobody has registered is one without records.

        Raises:
            DiscoveryError: the registry has not been read yet (see `ready`), or this service is
                not followed.
        """
        if self._names is not None and name not in self._names:
            raise DiscoveryError(f"service {name} is not among those that are followed")
        if not self._is_known:
            raise DiscoveryError("the registry has not been read yet")
        return self._roster.service(name, stale=self.stale)

    def services(self) -> dict[str, Service]:
        """All services that have a record, by name, in order.

        Raises:
            DiscoveryError: the registry has not been read yet.
        """
        if not self._is_known:
            raise DiscoveryError("the registry has not been read yet")
        return {name: self._roster.service(name, stale=self.stale) for name in self._roster.names()}

    def subscribe(
        self,
        service: str = "",
        *,
        kinds: Collection[Kind] = ALL_KINDS,
        present: bool = False,
        room: int = ROOM,
    ) -> Subscription:
        """A subscription to a service, to be entered; the arguments are those of `Subscription`.

        Raises:
            DiscoveryError: the service is not followed.
        """
        if service and self._names is not None and service not in self._names:
            raise DiscoveryError(f"service {service} is not among those that are followed")
        return Subscription(self, service, kinds=kinds, present=present, room=room)

    def attach(self, subscription: Subscription) -> None:
        """See `Source`."""
        if self._stopped is not None:
            subscription.stop(self._stopped)
            return
        if subscription.present:
            names = (subscription.service,) if subscription.service else None
            for event in self._roster.present(names):
                subscription.put(event)
        if self.stale:
            subscription.put(Event(kind=Kind.STALE, service="", revision=self._roster.revision))
        self._subscriptions.setdefault(subscription.service, {})[subscription] = None

    def detach(self, subscription: Subscription) -> None:
        """See `Source`."""
        among = self._subscriptions.get(subscription.service, {})
        among.pop(subscription, None)
        if not among:
            self._subscriptions.pop(subscription.service, None)

    async def read(self, step: Step) -> list[Record | None]:
        """Read what a step brings; called by a feed. Large ones are read with pauses."""
        await trio.lowlevel.checkpoint()
        records = []
        for number, change in enumerate(step.changes.values(), start=1):
            records.append(self._roster.read(change))
            if number % _READ_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        return records

    def apply(self, step: Step, records: Iterable[Record | None]) -> None:
        """Go on to the state after a step, and tell everybody; called by a feed."""
        outcome = self._roster.apply(records, revision=step.revision, origin=step.origin)
        _log_faults(outcome.faults)
        everything = self._subscriptions.get("", {})
        for event in outcome.events:
            for subscription in everything:
                subscription.put(event)
            for subscription in self._subscriptions.get(event.service, ()):
                subscription.put(event)

    def freshness_changed(self) -> None:
        """Tell everybody, once for all feeds; called by a feed."""
        if self._is_known:
            self._settled.set()
        stale = not all(feed.fresh for feed in self._feeds)
        if stale is self.stale:
            return
        self.stale = stale
        kind = Kind.STALE if stale else Kind.FRESH
        event = Event(kind=kind, service="", revision=self._roster.revision)
        for among in self._subscriptions.values():
            for subscription in among:
                subscription.put(event)

    @property
    def _is_known(self) -> bool:
        return all(feed.known for feed in self._feeds)

    def _stop(self, failure: Exception | None) -> None:
        reason = "" if failure is None else ": " + "; ".join(map(str, leaves(failure)))
        self._stopped = DirectoryStopped(f"the registry is not followed any more{reason}")
        self._stopped.__cause__ = failure
        self.stale = True
        self._settled.set()
        subscriptions, self._subscriptions = self._subscriptions, {}
        for among in subscriptions.values():
            for subscription in among:
                subscription.stop(self._stopped)


def _log_faults(faults: tuple[Fault, ...]) -> None:
    for fault in faults[:_FAULTS_LOGGED]:
        log.warning("a record is left out", extra={"key": fault.key, "reason": fault.text})
    if len(faults) > _FAULTS_LOGGED:
        log.warning("records are left out", extra={"more": len(faults) - _FAULTS_LOGGED})
