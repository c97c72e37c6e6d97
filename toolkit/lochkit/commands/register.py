"""``lochkit register``: register a service for as long as it is up and well."""

from functools import partial
from signal import SIGUSR1, SIGUSR2
from typing import Final

from ..errors import CommandFailed
from ..io.process import KILLED_SECONDS, check_command
from ..options import Subcommand
from ..runtime.signals import STOP_WITHIN, exit_code_of, run_until_stopped
from .register_options import RegisterCommandOptions
from .register_session import Session
from .registry import open_registry

__all__ = ["SUBCOMMAND", "run"]


async def run(options: RegisterCommandOptions) -> int:
    """Keep the service registered until a signal asks for the end, or its command ends.

    Raises:
        CommandFailed: the command failed, and its exit code is ours.
    """
    if options.command:
        check_command(options.command)
    session = Session(options)

    async def body() -> None:
        async with open_registry(options) as etcd:
            await session.serve(etcd)

    stopped_by = await run_until_stopped(
        body,
        on_hangup=session.hang_up,
        on_stop=session.tell_stopping,
        stop_within=STOP_WITHIN + options.drain + options.stop_timeout + KILLED_SECONDS,
        before_force=session.kill_now,
        others={number: partial(session.pass_on, number) for number in (SIGUSR1, SIGUSR2)},
        hurry=session.end_drain,
    )
    ended = session.command_exit
    if stopped_by is None and ended is not None and ended.code:
        raise CommandFailed(f"the command ended: {ended}", exit_code=ended.code)
    return exit_code_of(stopped_by)


HELP: Final = """\
Register a service in etcd for as long as it is up and well.

The record lives on a lease: it is gone at once when lochkit ends, and within --ttl when the host
vanishes. With a command, that is run, and registered from when it is up until it ends.
"""

EPILOG: Final = """\
\b
A check (--check) is a target and its settings, with their defaults here:
  tcp:SCHEME, tcp://HOST:PORT  somebody accepts a connection
  http:SCHEME/PATH, or a URL   the answer is of status=200-299 or warn=429;
                               method= host= cacert= insecure
  exec -- CMD [ARG]...         the command ends with 0, or one of warn=1
  ttl:FILE                     the service has touched it within ttl=30s
  absent:FILE                  it is not there; else: in maintenance
  of all                       interval=10s timeout=5s passes=1 failures=3
                               name=; of files interval=1s failures=1

\b
TERM and INT deregister, wait for --drain (a second one ends that, a third
everything), and then stop the command. HUP, USR1 and USR2 are passed on to it;
without one HUP makes the checks run at once, and USR1 and USR2 do nothing.

\b
Exit codes besides lochkit's own: those of the command, 128+n if signal n
killed it; 126 and 127 if it can not be started.
"""

SUBCOMMAND = Subcommand(options=RegisterCommandOptions, run=run, help=HELP, epilog=EPILOG)
