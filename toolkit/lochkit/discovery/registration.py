"""The actor that keeps one instance in the registry."""

import random
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import trio

from ..etcd.errors import EtcdError
from .calls import Calls
from .defaults import complete
from .errors import RegistrationEnded
from .holding import Holding
from .host import Credentials, Host, State
from .layout import Layout
from .names import split_uuid
from .publishing import Publication
from .records import encode_host
from .register_options import RegisterOptions, published_keys
from .registration_status import Phase, Status, StatusBoard, Statuses
from .tenure import Tenure
from .writing import Sighting

__all__ = ["Registration"]


def _draw_lease() -> int:
    """An id for a lease that nobody else has drawn: 62 bits."""
    return secrets.randbits(62) | 1


class Registration:
    """One instance of a service, in the registry for as long as `run` runs.

    Made by `Registrar.add` and `register`. Whatever happens to etcd, it stays the same instance,
    with the same id. It raises only what an operator must heal, and only before it was ever there:
    a login or a key that is refused. When `run` ends, and also when it is cancelled, it takes the
    instance out of the registry, in at most `RegisterOptions.stop_within` seconds, and some
    milliseconds for each other that its registrar holds; failing that, the lease runs out by
    itself.

    Args:
        calls: how etcd is asked; borrowed.
        host: the complete record.
        layout: where records are kept.
        options: what else to do.
        on_change: told of each change of `status`; must neither block nor raise.
        jitter: numbers in [0, 1).
        clock: seconds since the epoch.
        new_lease: draws ids for leases.
    """

    __slots__ = (
        *(
            "__weakref__",
            "_board",
            "_calls",
            "_drain",
            "_holding",
            "_publications",
            "_running",
            "_tenure",
        ),
    )

    def __init__(
        self,
        calls: Calls,
        host: Host,
        layout: Layout,
        options: RegisterOptions,
        *,
        on_change: Callable[[Status], None] | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        new_lease: Callable[[], int] = _draw_lease,
    ) -> None:
        host = replace(host, state=options.state)
        encode_host(host)
        self._tenure = Tenure(
            host,
            layout,
            takeover=options.takeover,
            brings=options.brings_credentials,
            instance_passwords=options.instance_passwords,
        )
        self._calls = calls
        self._board = StatusBoard(clock, on_change, host.credentials)
        self._holding = Holding(
            calls, self._tenure, self._board, options, jitter=jitter, new_lease=new_lease
        )
        self._publications: tuple[Publication, ...] = ()
        self._publish(tuple(options.publications), host)
        self._running = False
        self._drain = 0.0

    # -- what it is

    @property
    def name(self) -> str:
        """See `Actor`."""
        return f"registration of {self._tenure.host.service}"

    @property
    def uuid(self) -> str:
        """The id of the instance; never another."""
        return self._tenure.host.uuid

    @property
    def host(self) -> Host:
        """The record as wanted now, with the credentials that are in force."""
        return self._tenure.host

    @property
    def credentials(self) -> Credentials:
        """User and password in force: a public service's are those that all instances share."""
        return self._tenure.host.credentials

    @property
    def status(self) -> Status:
        """How it stands."""
        return self._board.status

    @property
    def ready(self) -> bool:
        """Whether the instance is in the registry; false again while its lease is lost."""
        return self._board.status.phase is Phase.READY

    def statuses(self) -> Statuses:
        """Its status now, and each time it changes."""
        return self._board.reader()

    async def wait_ready(self) -> None:
        """Wait until the instance is in the registry.

        Raises:
            EtcdError: what an operator must heal.
            RegistrationEnded: it has left.
        """
        if await self._board.until(Phase.READY, Phase.STOPPED) is Phase.STOPPED:
            raise self._board.failure or RegistrationEnded(f"the {self.name} has ended")

    # -- what it should be

    def update(self, **changes: Any) -> None:
        """Change fields of the record; the actor makes it so. Its service and its id stay.

        Raises:
            InvalidHost: the record cannot be written so; nothing has changed.
        """
        brings = not {"user", "password"}.isdisjoint(changes)
        self._want(replace(self.host, **changes), brings=brings)

    def set(self, host: Host) -> None:
        """Change the whole record; credentials stay in force where `host` has none.

        Raises:
            InvalidHost: the record cannot be written so; nothing has changed.
        """
        held = self.credentials
        if not host.credentials:
            host = replace(host, user=held.user, password=held.password)
        self._want(host, brings=host.credentials != held)

    def set_state(self, state: State) -> None:
        """Say something else of itself: only one that is passing is published."""
        self._want(replace(self.host, state=state), brings=False)

    def publish(self, publications: Iterable[Publication]) -> None:
        """Publish this, and nothing else, while in rotation.

        Raises:
            InvalidHost: the host cannot be published so; nothing has changed.
        """
        if not self._holding.leaving:
            self._publish(tuple(publications), self.host)
            self._holding.poke()

    async def deregister(self, drain: float = 0.0) -> None:
        """Leave the registry, and return when that is done; `run` ends.

        Args:
            drain: seconds to stay in the registry and say that it leaves, before it does.
        """
        self._drain = max(self._drain, drain)
        self._holding.end()
        if self._running:
            await self._board.until(Phase.STOPPED)
        else:
            await trio.lowlevel.checkpoint()

    # -- the actor

    def saw_infos(self, seen: Sighting) -> None:
        """The record of the service was seen by the watch that its instances here share."""
        self._holding.saw_infos(seen)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be in the registry until cancelled or deregistered. Started at once.

        Raises:
            EtcdError: it was refused before it was ever there; an operator must heal it.
        """
        self._running = True
        self._calls.holders += 1
        task_status.started()
        board = self._board
        error = ""
        try:
            await self._holding.hold()
            await self._holding.drain(self._drain)
        except EtcdError as failure:
            board.failure, error = failure, str(failure)
            raise
        finally:
            board.enter(Phase.STOPPING, lease_id=self._tenure.lease, error=error)
            await self._holding.farewell()  # noqa: ASYNC102 - which is shielded, and bounded
            board.enter(Phase.STOPPED, error=error)

    # -- within

    def _want(self, host: Host, *, brings: bool) -> None:
        if self._holding.leaving:
            return
        tenure = self._tenure
        uuid4, hostname = split_uuid(self.uuid)
        host = complete(host, tenure.host.service, uuid4=uuid4, machine=hostname)
        host = replace(host, uuid=self.uuid)
        encode_host(host)
        self._publish(self._publications, host)
        tenure.want(host, brings=brings)
        self._holding.poke()

    def _publish(self, publications: tuple[Publication, ...], host: Host) -> None:
        tenure = self._tenure
        own, shared = published_keys(publications, host, (tenure.own_key, tenure.infos_key))
        self._publications = publications
        tenure.published, tenure.shared = own, shared
