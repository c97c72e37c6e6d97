"""``lochkit etcdwatch``: run a command whenever a part of etcd changes."""

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import SIGINT, Signals
from typing import Final

import trio

from ..errors import LochkitError
from ..etcd.errors import Compacted, EtcdError
from ..etcd.follow import Follower, Store
from ..etcd.model import Step
from ..etcdwatch.desk import Desk
from ..etcdwatch.formats import Format
from ..etcdwatch.launch import (
    ChildLauncher,
    DiffPrinter,
    OutputClosed,
    StatePrinter,
    write_stdout,
)
from ..etcdwatch.runner import Launcher, Runner
from ..io.guardian import open_guardian
from ..io.process import KILLED_SECONDS, check_command
from ..options import Subcommand
from ..runtime.debounce import Debouncer
from ..runtime.signals import STOP_WITHIN, exit_code_of, run_until_stopped
from ..runtime.supervisor import start, supervise
from .etcdwatch_options import EtcdwatchOptions
from .etcdwatch_settings import (
    connection_of,
    guards_of,
    limit_of,
    policy_of,
    reconnects_of,
    selection_of,
)
from .stop_options import stop_plan_of
from .store import open_store

__all__ = ["SUBCOMMAND", "EtcdLost", "Session", "run"]

log = logging.getLogger(__name__)

LAST_STEPS_SECONDS: Final = 0.5
"""What our own end takes after the command's."""


class EtcdLost(LochkitError):
    """etcd is away, and we are not to wait for it. Not transient to the supervisor: it ends us."""

    exit_code: int = 75


class Session:
    """One ``lochkit etcdwatch``, from its options to its exit code."""

    def __init__(self, options: EtcdwatchOptions) -> None:
        self._options = options
        self._runner: Runner | None = None
        self._children: ChildLauncher | None = None

    async def follow(self, store: Store) -> None:
        """Follow the store and run the command, until that is over."""
        async with self._launcher() as launcher:
            await self.pipeline(store, launcher)

    async def pipeline(self, store: Store, launcher: Launcher) -> None:
        """Follower, debouncer, runner: one after another, and the last one's end is the end of all.

        Raises:
            ExceptionGroup: of what ends us: CommandFailed, EtcdLost, or what etcd refuses.
        """
        options = self._options
        steps, settled = trio.open_memory_channel[Step](0)
        async with trio.open_nursery() as nursery:
            await start(nursery, self._follower(store, steps), steps)
            if options.stable:
                merged, latest = trio.open_memory_channel[Step](0)
                await start(nursery, self._debouncer(settled, merged), merged)
                settled = latest
            self._runner = Runner(settled, self._desk(), launcher, policy_of(options))
            await supervise(self._runner)
            nursery.cancel_scope.cancel()

    def _debouncer(
        self, source: trio.abc.ReceiveChannel[Step], sink: trio.abc.SendChannel[Step]
    ) -> Debouncer[Step]:
        quiet, limit = self._options.quiet_time, limit_of(self._options)
        return Debouncer(source, sink, quiet=quiet, limit=limit, merge=Step.merge)

    def _desk(self) -> Desk:
        options = self._options
        return Desk(
            selection_of(options),
            options.format,
            binary=options.binary,
            guards=guards_of(options),
            env_prefix=options.env_prefix,
            run_unchanged=options.run_unchanged,
        )

    def _follower(self, store: Store, steps: trio.abc.SendChannel[Step]) -> Follower:
        options = self._options
        return Follower(
            store,
            selection_of(options).ranges(),
            steps,
            per_revision=not options.stable,
            resync_interval=options.resync_interval,
            backoff=reconnects_of(options),
            on_outage=None if options.reconnect else _give_up,
        )

    @asynccontextmanager
    async def _launcher(self) -> AsyncIterator[Launcher]:
        options = self._options
        if options.print:
            yield StatePrinter(write_stdout)
        elif options.dry_run:
            yield DiffPrinter(write_stdout, colour=_stdout_has_colours())
        else:
            stop = stop_plan_of(options)
            async with open_guardian(
                stop_signal=stop.signal, stop_timeout=stop.timeout
            ) as guardian:
                self._children = ChildLauncher(
                    options.command,
                    stop=stop,
                    guardian=guardian,
                    environ=os.environ,
                    changes_file=options.changes_file,
                )
                yield self._children

    def hang_up(self) -> None:
        """Pass a HUP on to the command."""
        if self._runner is not None:
            self._runner.hang_up()

    def kill_now(self) -> None:
        """Leave no command behind at a forced exit."""
        if self._children is not None:
            self._children.kill_now()

    def code_when_stopped(self) -> int | None:
        """Return the exit code of the command that our end stopped; None if none was running."""
        runner = self._runner
        if runner is None or not runner.busy or runner.last_exit is None:
            return None
        return runner.last_exit.code


async def run(options: EtcdwatchOptions) -> int:
    """Follow etcd and run the command until it is over, or a signal asks for the end."""
    _say_what_is_unusual(options)
    if options.command and not options.dry_run:
        check_command(options.command)
    session = Session(options)

    async def body() -> None:
        async with open_store(connection_of(options)) as store:
            await session.follow(store)

    unread = False
    stopped_by: Signals | None = None
    try:
        stopped_by = await run_until_stopped(
            body,
            on_hangup=None if _has_terminal() else session.hang_up,
            stop_within=max(
                STOP_WITHIN, options.stop_timeout + KILLED_SECONDS + LAST_STEPS_SECONDS
            ),
            before_force=session.kill_now,
        )
    except* OutputClosed:
        unread = True
    if unread:  # whoever read our output has seen enough
        return OutputClosed.exit_code
    code = session.code_when_stopped()
    if stopped_by is None or stopped_by is SIGINT or code is None:
        return exit_code_of(stopped_by)
    return code


def _say_what_is_unusual(options: EtcdwatchOptions) -> None:
    if options.debug:
        logging.getLogger("lochkit").setLevel(logging.DEBUG)
    if options.format is Format.PICKLE:
        log.warning("whoever can write to etcd can run code in whatever unpickles its state")
    if options.wait_index is not None:
        log.warning(
            "nothing is run before etcd's revision is above --wait-index; a number from etcd v2"
            " means nothing to v3",
            extra={"wait_index": options.wait_index},
        )


def _give_up(error: EtcdError) -> None:
    """Raise, unless it is only that history was compacted: then etcd is there.

    Raises:
        EtcdLost: it is away.
    """
    if not isinstance(error, Compacted):
        raise EtcdLost(f"etcd is away, and --no-reconnect was given: {error}") from error


def _has_terminal() -> bool:
    """Return whether we have a controlling terminal: then HUP means that it was closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _stdout_has_colours() -> bool:
    environ = os.environ
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


HELP: Final = """\
Run a command whenever a part of etcd changes.

The command reads the whole state on its standard input: a file, positioned at its start. It runs
once at the start, and then whenever the state has changed and been quiet for a moment. It never
sees part of a state, always sees the last one, and sees none twice in a row.
"""

EPILOG: Final = """\
\b
The command finds in its environment:
  LOCHKIT_REVISION           etcd's revision that the state is of
  LOCHKIT_PREVIOUS_REVISION  that of the state it saw before; 0 at first
  LOCHKIT_KEY_COUNT          number of keys
  LOCHKIT_CHANGED_COUNT      number of keys that differ from what it saw before
  LOCHKIT_CHANGED_KEYS       these keys, one a line; not set if they are too long
  LOCHKIT_CHANGES_FILE       a file that tells what became of them, an object of JSON a line:
                             type (put, delete), key, value, prev_value, revision...
  LOCHKIT_RUN_ID             different for every run

\b
A change while the command runs, by --on-busy:
  queue    is seen when it has ended: it runs once more, with the newest state
  restart  stops it; it runs with the newest state
  signal   sends it --busy-signal; it sees the state when it runs next, at its end
  ignore   is seen at the next change after its end, or a maximum wait after its end

It leads a session of its own, and is stopped with all that it started when we are: by TERM, INT or
a closed terminal, or when we crash. TERM during a run ends us with the command's own exit code,
128+n if signal n killed it. Without a terminal, HUP is passed on to the command.

A tree begins at etcd's root, whatever the paths. A key that has keys below it is shown among them
under the empty name. Directories do not outlive their last key.
"""

SUBCOMMAND = Subcommand(options=EtcdwatchOptions, run=run, help=HELP, epilog=EPILOG)
