"""``lochkit services watch``: what happens in the registry, as lines or to a command."""

import json
from contextlib import suppress
from signal import SIGINT, Signals
from typing import Final

import trio

from ..discovery.directory import Directory
from ..discovery.errors import DirectoryStopped
from ..discovery.showing import event_cells, event_fields
from ..discovery.watching import Subscription
from ..etcd.client import Client
from ..io.guardian import open_guardian
from ..io.process import KILLED_SECONDS, check_command
from ..options import Subcommand
from ..runtime.signals import STOP_WITHIN, exit_code_of, run_until_stopped
from ..runtime.supervisor import start, supervise
from .output import print_lines, shown
from .registry import layout_of, open_registry
from .services_news import Batch, News, View, document, environment
from .services_watch_options import ServicesWatchOptions
from .services_watch_run import CommandLauncher, CommandRunner, Job, Launcher
from .stop_options import stop_plan_of

__all__ = ["SUBCOMMAND", "Session", "run"]

LAST_STEPS_SECONDS: Final = 0.5
"""What our own end takes after the command's."""


class Session:
    """One ``lochkit services watch``, from its options to its exit code."""

    def __init__(self, options: ServicesWatchOptions) -> None:
        self._options = options
        self._runner: CommandRunner | None = None
        self._launcher: CommandLauncher | None = None

    async def follow(self, etcd: Client) -> None:
        """Follow the registry until cancelled, or once.

        Raises:
            ExceptionGroup: of what ends us: CommandFailed, or what etcd refuses.
        """
        options = self._options
        directory = Directory(etcd, services=options.names or None, layout=layout_of(options))
        async with trio.open_nursery() as nursery:
            await start(nursery, directory)
            try:
                async with directory.subscribe(
                    kinds=options.kinds, present=options.present
                ) as events:
                    if options.command:
                        await self._run_command(directory, events)
                    else:
                        await self._print(events)
            except DirectoryStopped:
                pass  # for a reason that the nursery is about to raise
            else:
                nursery.cancel_scope.cancel()

    async def _print(self, events: Subscription) -> None:
        options = self._options
        async for event in events:
            if not options.selection.concerns(event):
                continue
            if options.json:
                line = json.dumps(event_fields(event, secrets=options.with_credentials))
            else:
                kind, *rest = event_cells(event)
                line = " ".join((kind.ljust(7), *map(shown, rest)))
            await print_lines([line])
            if options.once:
                return

    async def _run_command(self, directory: Directory, events: Subscription) -> None:
        options = self._options
        stop = stop_plan_of(options)
        async with open_guardian(stop_signal=stop.signal, stop_timeout=stop.timeout) as guardian:
            self._launcher = CommandLauncher(options.command, stop=stop, guardian=guardian)
            await self.pipeline(directory, events, self._launcher)

    async def pipeline(
        self, directory: Directory, events: Subscription, launcher: Launcher
    ) -> None:
        """Collect the news and run the command with them, until that is over.

        Raises:
            ExceptionGroup: of what `CommandRunner.run` raises.
        """
        options = self._options
        news = News(start=options.start)

        def job(batch: Batch) -> Job:
            view = view_of(directory, options.names, batch)
            content = document(view, batch, options.selection, secrets=options.with_credentials)
            return Job(content=content, variables=environment(view, batch))

        runner = self._runner = CommandRunner(news, job, launcher, options.policy)

        async def collect() -> None:
            with suppress(DirectoryStopped):  # for a reason that the directory's nursery raises
                async for event in events:
                    if options.selection.concerns(event):
                        news.add(event)
                        runner.arrived()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect)
            await supervise(runner)
            nursery.cancel_scope.cancel()

    def kill_now(self) -> None:
        """Leave no command behind at a forced exit."""
        if self._launcher is not None:
            self._launcher.kill_now()

    def code_when_stopped(self) -> int | None:
        """The exit code of the command that our end stopped; None if none was running."""
        runner = self._runner
        if runner is None or not runner.busy or runner.last_exit is None:
            return None
        return runner.last_exit.code


def view_of(directory: Directory, names: tuple[str, ...], batch: Batch) -> View:
    """What is known now; a service that was named is there, even if nothing is known of it."""
    services = {name: directory.service(name) for name in names} if names else directory.services()
    revisions = [one.revision for one in services.values()]
    revisions += [event.revision for event in batch.events]
    return View(services=services, revision=max(revisions, default=0), stale=directory.stale)


async def run(options: ServicesWatchOptions) -> int:
    """Print or run what there is, until it is over or a signal asks for the end."""
    if options.command:
        check_command(options.command)
    session = Session(options)

    async def body() -> None:
        async with open_registry(options) as etcd:
            await session.follow(etcd)

    stopped_by: Signals | None = await run_until_stopped(
        body,
        stop_within=max(STOP_WITHIN, options.stop_timeout + KILLED_SECONDS + LAST_STEPS_SECONDS),
        before_force=session.kill_now,
    )
    code = session.code_when_stopped()
    if stopped_by is None or stopped_by is SIGINT or code is None:
        return exit_code_of(stopped_by)
    return code


HELP: Final = """\
Follow services, or all of them: print a line for everything that happens, or run a command that
reads the whole view as one JSON document on its standard input.

The command runs once at the start, and then when something has happened: one run at a time, always
with the newest view. When it fails it is run again, after a wait that grows, and told the same and
what has happened since.

etcd is waited for, at the start and whenever it is away.
"""

EPILOG: Final = """\
\b
What happens (--kind):
  new, down  an instance came, or is gone: left, expired or removed
  changed    an instance has written its record anew
  infos      what all instances of a service have in common
  stale      etcd is away; what was known last stands
  fresh      etcd is back, and all that happened meanwhile has been told

\b
The document on the command's standard input:
  revision, stale           what the view is of, and whether etcd is away
  services                  by name: infos, instances, faults
  event                     start, a kind, or several
  events, events_dropped    what happened since the last run that went well

\b
The command finds in its environment:
  LOCHKIT_EVENT     start, a kind, or several
  LOCHKIT_SERVICE, LOCHKIT_UUID, LOCHKIT_CAUSE
                    the service, the instance, why it is down: of several events
                    what they have in common, else empty
  LOCHKIT_REVISION  etcd's revision
  LOCHKIT_STALE     1 if etcd is away
  LOCHKIT_RUN_ID    different for every run

It leads a session of its own, and is stopped with all that it started when we are, or crash.

\b
Exit codes:
  0        stopped by TERM or HUP between two runs; with --once, done
  130      interrupted (INT)
  126, 127 the command can not be executed, or is not there
  others   of the command: with --once, or stopped in a run by TERM; 124 if it
           took too long, 128+n if signal n killed it
"""

SUBCOMMAND = Subcommand(options=ServicesWatchOptions, run=run, help=HELP, epilog=EPILOG)
