"""``lochkit zfs-director``: have the agents of all hosts do what a policy wants."""

import logging
import os
import uuid
from typing import Final

from ..errors import CommandFailed, ConfigError
from ..io.notify import Notifier
from ..options import Mode, Subcommand
from ..runtime.signals import STOP_WITHIN, exit_code_of, run_until_stopped
from ..zfs.director import Director
from ..zfs.director_rule import RuleSettings
from ..zfs.election_record import Candidate
from ..zfs.layout import Layout
from ..zfs.order_client import OrderClient
from ..zfs.policy_feed import EtcdFeed, FileFeed, PolicyFeed
from .store import open_store
from .zfs_director_options import ZfsDirectorOptions
from .zfs_peer_options import credentials_of

__all__ = ["SUBCOMMAND", "feed_of", "run"]

log = logging.getLogger(__name__)


def feed_of(options: ZfsDirectorOptions) -> PolicyFeed:
    """Where the policy comes from.

    Raises:
        ConfigError: nowhere, or from two places.
    """
    if options.policy_in_etcd:
        if options.policy is not None:
            raise ConfigError("--policy and --policy-in-etcd exclude each other")
        return EtcdFeed(Layout(options.namespace))
    path = options.policy_file
    if path is None:
        raise ConfigError("there is no policy: give its file with --policy, or --policy-in-etcd")
    return FileFeed(path)


async def run(options: ZfsDirectorOptions) -> int:
    """Direct until a signal asks for the end, or once.

    Raises:
        CommandFailed: with `--once`, something could not be done; why has been logged.
    """
    feed = feed_of(options)
    credentials = credentials_of(options.peers)
    if credentials is None:
        log.warning("orders go to agents in plain text: see --insecure-plaintext")
    giver = OrderClient(credentials, allow_public=options.peers.allow_public)
    settings = RuleSettings(
        layout=Layout(options.namespace),
        name=options.own_name,
        interval=options.interval,
        places=options.concurrency,
        settle=options.settle,
    )
    candidate = Candidate(name=options.own_name, instance=str(uuid.uuid4()), pid=os.getpid())
    directors: list[Director] = []
    went_well: list[bool] = []
    notifier = Notifier()

    async def body() -> None:
        async with open_store(options.etcd) as etcd:
            director = Director(settings, candidate, etcd, feed, giver, ttl=options.ttl)
            directors.append(director)
            if options.once:
                went_well.append(await director.once())
            else:
                await director.run(notifier)

    def hang_up() -> None:
        for director in directors:
            director.hang_up()

    stopped_by = await run_until_stopped(
        body,
        on_hangup=None if options.once else hang_up,
        on_stop=lambda: _tell_stopping(notifier),
        stop_within=STOP_WITHIN,
    )
    if stopped_by is None and not all(went_well):
        raise CommandFailed("not everything could be done; see above", exit_code=1)
    return exit_code_of(stopped_by)


def _tell_stopping(notifier: Notifier) -> None:
    notifier.stopping()


HELP: Final = """\
Have the agents of all hosts do what one policy wants: take snapshots, send them, destroy them.

Agents tell etcd what their hosts have (lochkit zfs-agent --publish yes); the director compares that
with the policy and gives orders. Two or more may run: one directs, the others wait to take over.
"""

EPILOG: Final = """\
\b
Every job of the policy says whose datasets it is about: host = "web1".
Agents let a director in by the name in its certificate:
  [clients.director]
  orders = ["all"]
  orders_on = ["tank"]

\b
HUP makes it read the policy anew, and try everything again.
Orders that are under way when a director ends go on; the next one waits for their results.
Exit codes besides lochkit's own: 1 if --once could not have everything done, 75 if another one
directs then.
"""

SUBCOMMAND = Subcommand(
    options=ZfsDirectorOptions,
    run=run,
    help=HELP,
    epilog=EPILOG,
    modes={
        "status": Mode(
            module="lochkit.commands.zfs_director_status",
            short_help="Tell who directs, what is under way, and what does not go well.",
        )
    },
)
