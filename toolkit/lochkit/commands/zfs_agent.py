"""``lochkit zfs-agent``: own a host's datasets."""

import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from ..errors import CommandFailed, ConfigError
from ..io.peer_tls import Credentials
from ..options import Subcommand
from ..runtime.signals import STOP_WITHIN, exit_code_of, run_until_stopped
from ..zfs.agent import Agent
from ..zfs.agent_settings import AgentSettings, Etcd
from ..zfs.host import open_host
from .store import open_store
from .zfs_agent_options import ZfsAgentOptions
from .zfs_peer_options import credentials_of

__all__ = ["SUBCOMMAND", "run", "settings_of"]

_NOWHERE: Final = "none"


def settings_of(options: ZfsAgentOptions) -> AgentSettings:
    """What the operator's words mean to the agent.

    Raises:
        ConfigError: they can not be meant, or a certificate can not be used.
    """
    credentials = _credentials(options)
    speaks = credentials is not None or options.peers.insecure_plaintext
    if not speaks and options.listen not in (_NOWHERE, "0.0.0.0"):
        raise ConfigError(
            "--listen wants a certificate: give --tls-cert, --tls-key and --tls-ca (lochkit pki"
            " makes them)"
        )
    listens = speaks and options.listen != _NOWHERE and not options.once
    policy = options.policy_file
    if policy is None and options.clients is None and not options.publishes:
        raise ConfigError("there is nothing to do: give a policy with --policy")
    etcd = Etcd(
        namespace=options.namespace,
        address=options.advertise or socket.gethostname(),
        ttl=options.ttl,
        every=options.refresh,
    )
    return AgentSettings(
        host=options.host_name,
        state=Path(options.state).absolute(),
        policy=policy,
        clients=options.clients,
        listen=options.listen if listens else None,
        orders_port=options.orders_port,
        streams_port=options.streams_port,
        credentials=credentials,
        plaintext=options.peers.insecure_plaintext,
        allow_public=options.peers.allow_public,
        streams=options.concurrency,
        etcd=etcd if options.publishes else None,
    )


def _credentials(options: ZfsAgentOptions) -> Credentials | None:
    """An agent on its own needs none."""
    peers = options.peers
    given = peers.cert or peers.key or peers.ca
    if not given and not peers.insecure_plaintext and not peers.allow_public:
        return None
    return credentials_of(peers)


async def run(options: ZfsAgentOptions) -> int:
    """Own the host's datasets until a signal asks for the end, or once.

    Raises:
        CommandFailed: with `--once`, something could not be done; why has been logged.
    """
    settings = settings_of(options)
    agents: list[Agent] = []
    went_well: list[bool] = []

    async def body() -> None:
        async with AsyncExitStack() as stack:
            etcd = None
            if settings.etcd is not None:
                etcd = await stack.enter_async_context(open_store(options.etcd))
            agent = Agent(settings, await open_host(zfs=options.zfs), etcd)
            agents.append(agent)
            if options.once:
                went_well.append(await agent.once())
            else:
                await agent.run()

    def hang_up() -> None:
        for agent in agents:
            agent.hang_up()

    def tell_stopping() -> None:
        for agent in agents:
            agent.tell_stopping()

    stopped_by = await run_until_stopped(
        body,
        on_hangup=None if options.once else hang_up,
        on_stop=tell_stopping,
        stop_within=STOP_WITHIN,
    )
    if stopped_by is None and not all(went_well):
        raise CommandFailed("not everything could be done; see above", exit_code=1)
    return exit_code_of(stopped_by)


HELP: Final = """\
Own a host's ZFS datasets: take and destroy snapshots, send them, receive those of others.

A policy file is all it needs. With a certificate it also serves others: agents send it streams, a
director gives it orders, each as far as the policy's [clients] let them.
"""

EPILOG: Final = """\
\b
A policy in short; lochkit zfs check-policy judges one:
  [[job]]
  name = "data"
  datasets = ["tank/data"]
  snapshot = { cron = "*/15 * * * *" }
  keep = ["24 in last day", "1/day in last week"]
  [[job.replicate]]
  to = "vault"                      # [hosts.vault] address = "10.0.0.2"
  target = "bulk/web1"

\b
HUP makes it read the policy anew: jobs that have not changed go on undisturbed.
TERM and INT end it; streams are cut, and go on from there next time.
agent.json in --state says how it is doing; so does lochkit zfs status.
Exit codes besides lochkit's own: 1 if --once could not do everything.
"""

SUBCOMMAND = Subcommand(options=ZfsAgentOptions, run=run, help=HELP, epilog=EPILOG)
