"""One ``lochkit register``: the command, its health and its registration, put together.

The service is registered while its command is up (without one: always) and, from the first time
that its checks have passed, whatever they say then: that is told by the record's state. A stop goes
from the outside to the inside: first nobody finds the service any more, then the command ends.
"""

import logging
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from signal import SIGHUP, Signals
from typing import Final

import trio

from ..discovery.child import Charge
from ..discovery.child_plan import ChildStatus
from ..discovery.host import Credentials, Host, State
from ..discovery.monitor import Monitor
from ..discovery.register_options import RegisterOptions
from ..discovery.registrar import register
from ..discovery.registration import Registration
from ..discovery.registration_status import Phase, Status
from ..errors import ConfigError
from ..etcd.client import Client
from ..io.faults import InstallError
from ..io.guardian import open_guardian
from ..io.notify import Notifier
from ..io.process import Exit, signal_named
from ..runtime.backoff import Backoff
from ..runtime.supervisor import supervise
from .register_credentials import first_credentials
from .register_options import RegisterCommandOptions
from .register_setup import checks_of, host_of, plan_of, registration_of
from .registry import layout_of
from .service_secrets import write_credentials
from .stop_options import stop_plan_of

__all__ = ["Session"]

log = logging.getLogger(__name__)

_AGAIN: Final = Backoff(base=0.2, maximum=10.0)
_SHORTEST_BEAT: Final = 0.02
"""Seconds between two signs of life, whatever a service manager asks for."""


class Session:
    """One ``lochkit register``, from its options to its end."""

    def __init__(self, options: RegisterCommandOptions) -> None:
        self._options = options
        self._notifier = Notifier()
        self._charge: Charge | None = None
        self._monitor: Monitor | None = None
        self._registration: Registration | None = None
        self._up = not options.command
        self._was_well = not options.command
        self._credentials = Credentials()
        self._told_ready = False
        self._was_registered = False
        self._draining: trio.CancelScope | None = None
        self._news = trio.Event()

    @property
    def command_exit(self) -> Exit | None:
        """How the command ended; None while it has not, or without one."""
        return self._charge.exit if self._charge is not None else None

    def hang_up(self) -> None:
        """Pass a HUP on to the command; without one, look at everything anew."""
        if self._charge is not None:
            self._charge.signal(SIGHUP)
        elif self._monitor is not None:
            self._monitor.look_now()

    def pass_on(self, number: Signals) -> None:
        """Pass a signal on to the command, if there is one."""
        if self._charge is not None:
            self._charge.signal(number)

    def end_drain(self) -> bool:
        """Wait no longer before the end, and return whether there was a wait."""
        draining, self._draining = self._draining, None
        if draining is not None:
            draining.cancel()
        return draining is not None

    def tell_stopping(self) -> None:
        """Tell the service manager that this is the end."""
        self._notifier.stopping("leaving the registry")

    def kill_now(self) -> None:
        """Leave no command behind at a forced exit."""
        if self._charge is not None:
            self._charge.kill_now()

    async def serve(self, etcd: Client) -> None:
        """Keep the service registered, until cancelled or its command has ended.

        Raises:
            CommandFailed: the command could not be started.
            ConfigError: the record, a check or a file can not be what the operator says.
        """
        brought, self._credentials = await first_credentials(self._options, etcd)
        host = host_of(self._options, brought)
        self._monitor = monitor = Monitor(checks_of(self._options), host, self._state_changed)
        self._state_changed(monitor.state, monitor.text)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._feed_watchdog)
            if self._options.credentials_file is not None:
                path = Path(self._options.credentials_file)
                await nursery.start(self._hand_credentials_on, path)
            nursery.start_soon(self._look_after, monitor)
            if self._options.command:
                await self._serve_by_command(etcd, host)
            else:
                await self._keep_registered(etcd, host)
            nursery.cancel_scope.cancel()

    async def _look_after(self, monitor: Monitor) -> None:
        await self._until(lambda: self._up)  # nobody is to be told that what is not there is ill
        await supervise(monitor)

    async def _serve_by_command(self, etcd: Client, host: Host) -> None:
        options, stop = self._options, stop_plan_of(self._options)
        async with (
            open_guardian(stop_signal=stop.signal, stop_timeout=stop.timeout) as guardian,
            trio.open_nursery() as nursery,
        ):
            self._charge = charge = Charge(
                options.command,
                plan=plan_of(options),
                stop=stop,
                guardian=guardian,
                on_change=self._command_changed,
                environ=os.environ,
            )
            nursery.start_soon(_run_command, charge, nursery.cancel_scope)
            try:
                await self._keep_registered(etcd, host)
            finally:
                charge.finish()  # the nursery waits for its end, which its stop plan bounds

    async def _keep_registered(self, etcd: Client, host: Host) -> None:
        options = self._options
        assert self._monitor is not None  # made before
        while True:
            await self._until(self._is_wanted)
            host, how = self._again(host, registration_of(options))
            async with register(
                etcd,
                options.service,
                host,
                options=replace(how, state=self._monitor.state),
                layout=layout_of(options),
                on_change=self._registration_changed,
            ) as registration:
                self._registration = registration
                registration.set_state(self._monitor.state)  # it may have changed meanwhile
                try:
                    await self._until(lambda: not self._is_wanted())
                finally:
                    self._registration = None
                    if options.drain and self._up:
                        with trio.CancelScope(shield=True):  # bounded by the drain and stop_within
                            await self._drain(registration)

    async def _drain(self, registration: Registration) -> None:
        """Leave slowly, for as long as there is somebody to be found."""
        with trio.CancelScope() as self._draining:
            async with trio.open_nursery() as nursery:

                async def until_down() -> None:
                    await self._until(lambda: not self._up)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(until_down)
                await registration.deregister(drain=self._options.drain)
                nursery.cancel_scope.cancel()
        self._draining = None

    def _again(self, host: Host, how: RegisterOptions) -> tuple[Host, RegisterOptions]:
        """The same for the command's next run, to which nobody has brought anything new."""
        if not self._was_registered:
            return host, how
        held = self._credentials
        if host.public:  # others may have changed them since
            host = replace(host, user=held.user, password=held.password)
        return host, replace(how, takeover=False, brings_credentials=False)

    def _is_wanted(self) -> bool:
        return self._up and self._was_well

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _state_changed(self, state: State, text: str) -> None:
        """The checks say something else."""
        del text  # the monitor has logged it
        self._was_well = self._was_well or state is not State.CRITICAL
        if self._registration is not None:
            self._registration.set_state(state)
        self._tell()

    def _command_changed(self, status: ChildStatus) -> None:
        """The command has come up, is leaving, or has ended."""
        was_up, self._up = self._up, status.phase.is_up
        if self._up and not was_up and self._monitor is not None:
            # Another process than before: how that one was, says nothing of this one.
            self._was_well = False
            self._monitor.reset()
            self._was_well = self._was_well or self._monitor.state is not State.CRITICAL
        self._tell()

    def _registration_changed(self, status: Status) -> None:
        if status.phase is Phase.READY:
            self._was_registered = True
            (self._notifier.status if self._told_ready else self._notifier.ready)("registered")
            self._told_ready = True
        elif status.phase is Phase.LOST:
            self._notifier.status(f"not registered: {status.last_error or 'the lease was lost'}")
        if status.credentials:
            self._credentials = status.credentials
            self._tell()

    async def _hand_credentials_on(
        self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep the credentials in the service's file, and tell it of new ones.

        Started when those that are known at first are there. What goes wrong later costs nobody
        the registration.

        Raises:
            ConfigError: there can be no such file, or everybody could read it, from the start.
        """
        written, failures = Credentials(), 0
        while True:
            wanted = self._credentials
            if wanted == written:
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await self._until(lambda: self._credentials != written)  # noqa: B023
                continue
            try:
                await trio.to_thread.run_sync(write_credentials, path, wanted)
            except (InstallError, ConfigError) as exc:
                if isinstance(exc, ConfigError) and not written:
                    raise
                failures += 1
                (log.error if failures == 1 else log.debug)(
                    "the credentials can not be handed on, trying again: %s", exc
                )
                await trio.sleep(_AGAIN.jittered(failures, random.random()))
                continue
            name = self._options.credentials_signal
            if name is not None and self._charge is not None and written:
                self._charge.signal(signal_named(name))
            written, failures = wanted, 0

    async def _feed_watchdog(self) -> None:
        seconds = self._notifier.watchdog_seconds
        while seconds is not None:
            self._notifier.watchdog()
            await trio.sleep(max(seconds / 2, _SHORTEST_BEAT))


async def _run_command(charge: Charge, scope: trio.CancelScope) -> None:
    """Run the command to its end, which is the end of all."""
    with trio.CancelScope(shield=True):  # a stop deregisters first; `finish` then ends this
        await charge.run()
    scope.cancel()
