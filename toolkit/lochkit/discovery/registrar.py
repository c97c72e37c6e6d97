"""Registering instances of services: one, or thousands of them in one process."""

import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from ..etcd.errors import EtcdError
from .calls import Calls, Etcd
from .defaults import complete
from .errors import RegistrationEnded
from .host import Host
from .key_watch import KeyWatch
from .layout import DEFAULT_LAYOUT, Layout
from .register_options import RegisterOptions
from .registration import Registration
from .registration_status import Status
from .writing import Sighting

__all__ = ["Registrar", "machine_name", "register"]

log = logging.getLogger(__name__)

_DEFAULTS = RegisterOptions()


def machine_name() -> str:
    """This machine's name, as the original had it: $HOSTNAME goes before what the system says."""
    return os.environ.get("HOSTNAME") or socket.gethostname()


class _SharedRecord:
    """The watch on the record of one service, for all its instances here."""

    def __init__(self) -> None:
        self.members: set[Registration] = set()
        self.scope = trio.CancelScope()
        self._seen: Sighting | None = None

    def tell(self, seen: Sighting) -> None:
        """The record was seen."""
        self._seen = seen
        for member in self.members:
            member.saw_infos(seen)

    def join(self, member: Registration) -> None:
        """Tell it too, and at once what is known."""
        self.members.add(member)
        if self._seen is not None:
            member.saw_infos(self._seen)


class Registrar:
    """The actor that holds registrations; they share one client and one watch for each service.

    When it is cancelled all of them leave the registry.

    Args:
        etcd: the client; borrowed. It must outlive `run`.
        layout: where records are kept.
        machine: the name of this machine; None to ask the system.
    """

    def __init__(
        self, etcd: Etcd, *, layout: Layout = DEFAULT_LAYOUT, machine: str | None = None
    ) -> None:
        self._calls = Calls(etcd)
        self._layout = layout
        self._machine = machine_name() if machine is None else machine
        self._records: dict[str, _SharedRecord] = {}
        self._nursery: trio.Nursery | None = None

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "registrar"

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold registrations until cancelled. Started at once."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    async def add(
        self,
        service: str,
        host: Host,
        *,
        options: RegisterOptions = _DEFAULTS,
        on_change: Callable[[Status], None] | None = None,
    ) -> Registration:
        """Register an instance; it is on its way when this returns, see `Registration.wait_ready`.

        An error that an operator must heal ends this registration alone; it is logged, and told by
        its `wait_ready`.

        Args:
            service: the service.
            host: where the instance is.
            options: how to register it.
            on_change: see `Registration`.

        Raises:
            InvalidHost: the record cannot be written.
            RegistrationEnded: `run` does not run.
        """
        if self._nursery is None:
            raise RegistrationEnded("the registrar does not run")
        registration = self._make(service, host, options, on_change)
        await self._nursery.start(self._hold, registration)
        return registration

    def _make(
        self,
        service: str,
        host: Host,
        options: RegisterOptions,
        on_change: Callable[[Status], None] | None,
    ) -> Registration:
        whole = complete(host, service, uuid4=str(uuid.uuid4()), machine=self._machine)
        return Registration(self._calls, whole, self._layout, options, on_change=on_change)

    async def _hold(  # noqa: ASYNC114, ASYNC128 - the registration calls started()
        self,
        registration: Registration,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        service = registration.host.service
        record = self._join(service, registration)
        try:
            await registration.run(task_status=task_status)
        except EtcdError as error:
            log.error("registering %s failed: %s", registration.uuid, error)
        finally:
            record.members.discard(registration)
            if not record.members:
                record.scope.cancel()
                if self._records.get(service) is record:
                    del self._records[service]

    def _join(self, service: str, registration: Registration) -> _SharedRecord:
        record = self._records.get(service)
        if record is None:
            record = self._records[service] = _SharedRecord()
            assert self._nursery is not None  # we run in it
            self._nursery.start_soon(self._watch, service, record)
        record.join(registration)
        return record

    async def _live(self, registration: Registration, life: trio.CancelScope) -> None:
        """Hold one registration, alone, until `life` is cancelled."""
        service = registration.host.service
        record = _SharedRecord()
        record.join(registration)
        failure: EtcdError | None = None
        with life:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, service, record)
                try:
                    await registration.run()
                except EtcdError as error:  # kept, so that it does not leave in a group of groups
                    failure = error
                nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _watch(self, service: str, record: _SharedRecord) -> None:
        with record.scope:
            await KeyWatch(self._calls.etcd, self._layout.infos_key(service), record.tell).run()


@asynccontextmanager
async def register(
    etcd: Etcd,
    service: str,
    host: Host,
    *,
    options: RegisterOptions = _DEFAULTS,
    layout: Layout = DEFAULT_LAYOUT,
    machine: str | None = None,
    on_change: Callable[[Status], None] | None = None,
) -> AsyncIterator[Registration]:
    """An instance in the registry for as long as the block runs.

        async with register(etcd, "web", Host(name="a.example", ports={"http": "80"})) as here:
            await here.wait_ready()
            ...

    Entered at once. However the block is left, the instance is taken out of the registry before the
    context ends; it is in there until the block's own cleanup, in which it may `deregister` with a
    drain, is done.

    Args:
        etcd: the client; borrowed.
        service: the service.
        host: where the instance is.
        options: how to register it.
        layout: where records are kept.
        machine: the name of this machine; None to ask the system.
        on_change: see `Registration`.

    Raises:
        InvalidHost: the record cannot be written.
        ExceptionGroup: what the block raises, since it runs inside a nursery; or an EtcdError that
            an operator must heal, which ends the block.
    """
    registrar = Registrar(etcd, layout=layout, machine=machine)
    registration = registrar._make(service, host, options, on_change)
    life = trio.CancelScope(shield=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(registrar._live, registration, life)
        try:
            yield registration
        finally:
            life.cancel()
