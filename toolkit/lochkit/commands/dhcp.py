"""``lochkit dhcp``: keep a DHCP server's configuration true to what is in etcd."""

import gc
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from .. import logs
from ..dhcp.applier import Applier
from ..dhcp.documents import Backend
from ..dhcp.keeper import Keeper, tell_left_out
from ..dhcp.pacing import Pacing
from ..dhcp.reading import read_step
from ..dhcp.reporter import Reporter, remembered_in
from ..dhcp.wanted import Wanted
from ..errors import LochkitError
from ..etcd.follow import Follower, Store
from ..etcd.model import Step
from ..io.durable import forget_begun
from ..io.generations import GenerationStore, InstallError
from ..io.lockfile import LockHeld
from ..io.notify import Notifier
from ..options import Mode, Subcommand
from ..runtime.backoff import Backoff
from ..runtime.debounce import Debouncer
from ..runtime.signals import STOP_WITHIN, exit_code_of, run_until_stopped
from ..runtime.supervisor import start, supervise
from .dhcp_options import DhcpOptions
from .dhcp_pipeline import (
    checker_of,
    folder_of,
    kea_servers_of,
    lines_of,
    policy_of,
    prepare_of,
    reloader_of,
)
from .dhcp_setup import (
    STATUS_FILE,
    SUBNET_IDS_FILE,
    backend_of,
    layout_of,
    new_file_access,
    require_kea_base,
    state_dir_of,
    targets_of,
)
from .dhcp_view_options import BackendKind
from .store import open_store

__all__ = ["SUBCOMMAND", "Session", "run"]

log = logging.getLogger(__name__)

_SEARCH_AFTER: Final = (50_000, 20, 100)
"""New objects after which garbage is looked for. Nearly all that a list makes stays: to search as
often as usual took 0.4 s of 2.9 s of a start with 110,000 objects (CPU, medians of six)."""


class NotInstalled(LochkitError):
    """``--once`` did not bring the files up to date; why has been logged."""


class Session:
    """One ``lochkit dhcp``, from its options to its end."""

    def __init__(self, options: DhcpOptions) -> None:
        self._options = options
        self._layout = layout_of(options)
        self._status_path = state_dir_of(options) / STATUS_FILE
        self._keeper: Keeper | None = None
        self._follower: Follower | None = None

    async def once(self, store: Store) -> None:
        """Bring the files up to date, once.

        Raises:
            NotInstalled: that was not possible.
            EtcdError: etcd can not be reached.
        """
        wanted = self._wanted()
        async with self._applier(wanted.backend) as applier:
            step = await read_step(store, self._layout, wanted.judge_ahead)
            tell_left_out(wanted.take(step, time.time()))
            outcome = await applier.apply(wanted)
            await self._reporter(wanted).report(outcome)
        if not outcome.in_step:
            raise NotInstalled(f"{outcome.ending.value}: {outcome.text}")

    async def follow(self, store: Store) -> None:
        """Keep them up to date until cancelled."""
        options = self._options
        wanted = self._wanted()
        async with self._applier(wanted.backend) as applier, trio.open_nursery() as nursery:
            steps, settled = trio.open_memory_channel[Step](0)
            self._follower = Follower(
                store,
                self._layout.ranges(),
                steps,
                select=self._layout.wanted,
                resync_interval=options.resync_interval,
                ahead=wanted.judge_ahead,
            )
            merged, latest = trio.open_memory_channel[Step](0)
            debouncer = Debouncer(
                settled, merged, quiet=options.quiet, limit=options.longest_wait, merge=Step.merge
            )
            reporter = self._reporter(wanted)
            self._keeper = Keeper(
                latest,
                wanted,
                applier,
                pacing=Pacing(limit=options.longest_wait),
                report=reporter.report,
            )
            await start(nursery, self._follower, steps)
            await start(nursery, debouncer, merged)
            await start(nursery, reporter)
            await supervise(self._keeper)
            nursery.cancel_scope.cancel()

    def hang_up(self) -> None:
        """Look at everything anew: at etcd, at the files on disk, at what has failed."""
        if self._follower is not None and self._keeper is not None:
            self._follower.resync()
            self._keeper.recheck()

    @asynccontextmanager
    async def _applier(self, backend: Backend) -> AsyncIterator[Applier]:
        options = self._options
        store = GenerationStore(
            state_dir_of(options),
            targets_of(options),
            keep=options.generations,
            default=new_file_access(options),
        )
        await self._open(store)
        try:
            await trio.to_thread.run_sync(self._clear_up)
            servers = kea_servers_of(options)
            yield Applier(
                store,
                checker_of(options, servers),
                reloader_of(options, servers, backend, store),
                policy_of(options),
                folder=folder_of(options),
                lines=lines_of(backend),
                prepare=prepare_of(options, backend),
            )
        finally:
            store.close()

    def _clear_up(self) -> None:
        """Remove what those before us had begun to write, and were killed; we have their lock."""
        for name in (STATUS_FILE, SUBNET_IDS_FILE):
            forget_begun(state_dir_of(self._options) / name)

    async def _open(self, store: GenerationStore) -> None:
        """Open the store; a daemon waits for a directory that can not be written yet.

        Raises:
            LockHeld: another process keeps these files.
            InstallError: it can not be opened, and we are to do it once.
            ConfigError: it never can.
        """
        backoff, failures = Backoff(base=1.0, maximum=60.0), 0
        while True:
            try:
                return await trio.to_thread.run_sync(store.open)
            except LockHeld:
                if failures:
                    raise
                failures += 1  # it may have been `status`, which tries the lock for an instant
                await trio.sleep(0.2)
            except InstallError as exc:
                if self._options.once:
                    raise
                failures += 1
                (log.error if failures == 1 else log.debug)("%s; trying again", exc)
                await trio.sleep(backoff.jittered(failures, random.random()))

    def _wanted(self) -> Wanted:
        backend = backend_of(self._options)
        return Wanted(self._layout, backend, remembered_in(self._status_path))

    def _reporter(self, wanted: Wanted) -> Reporter:
        backend = self._options.backend.value
        return Reporter(self._status_path, backend, wanted, Notifier(), self._away)

    def _away(self) -> str | None:
        follower = self._follower
        if follower is None or follower.connected:
            return None
        return str(follower.last_error or "not reached yet")


async def run(options: DhcpOptions) -> int:
    """Keep the configuration true until a signal asks for the end, or once."""
    _set_level(options)
    if options.backend is BackendKind.ISC:
        log.warning(
            "ISC has ended its dhcpd (4.4.3-P1 of October 2022 is the last one);"
            " --backend kea is the way on"
        )
    require_kea_base(options)
    gc.set_threshold(*_SEARCH_AFTER)
    session = Session(options)

    async def body() -> None:
        async with open_store(options.etcd) as store:
            await (session.once(store) if options.once else session.follow(store))

    stopped_by = await run_until_stopped(
        body,
        on_hangup=None if options.once else session.hang_up,
        on_stop=_tell_stopping,
        stop_within=STOP_WITHIN,
    )
    return exit_code_of(stopped_by)


def _tell_stopping() -> None:
    Notifier().stopping()


def _set_level(options: DhcpOptions) -> None:
    level = options.log_level
    if level is None:
        logs.default_level("warning")  # as the program before us
    else:
        logging.getLogger().setLevel("CRITICAL" if level == "fatal" else level.upper())


HELP: Final = """\
Keep a DHCP server's configuration true to the hypervisors, guests and subnets in etcd.

Every host that is complete and right has a reservation; what is wrong is left out, with the reason.
New files are judged by the server's own checker, installed all at once, and taken back if the
server does not take them.
"""

EPILOG: Final = """\
\b
HUP makes it look at everything anew: etcd, the files on disk, what has failed.
Exit codes besides lochkit's own: 1 if --once could not install, 75 if etcd is away then.
"""

SUBCOMMAND = Subcommand(
    options=DhcpOptions,
    run=run,
    help=HELP,
    epilog=EPILOG,
    modes={
        name: Mode(module=f"lochkit.commands.dhcp_{name}", short_help=text)
        for name, text in {
            "render": "Print the files, or write them to a directory.",
            "check": "Let the server's own checker judge them, and list what is left out.",
            "diff": "Compare them with those on disk.",
            "status": "Tell how the daemon is doing.",
            "audit": "Look for what does not fit: addresses, orphans, leases.",
        }.items()
    },
)
