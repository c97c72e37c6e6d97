"""``lochkit zfs receive``: let other hosts send here, without an agent."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from ..errors import ConfigError
from ..io.peer_listen import open_listener
from ..options import Subcommand, argument, flag, option, shared
from ..peer_options import PeerOptions
from ..runtime.signals import exit_code_of, run_until_stopped
from ..zfs.errors import BadName
from ..zfs.host import open_host
from ..zfs.names import check_dataset
from ..zfs.permits import Permit, Permits
from ..zfs.receiver import Receiver
from ..zfs.stream_server import serve_streams
from .output import shown
from .zfs_options import ZfsOptions
from .zfs_peer_options import server_security

__all__ = ["SUBCOMMAND", "ZfsReceiveOptions", "run"]

log = logging.getLogger(__name__)

_STOP_WITHIN: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsReceiveOptions(ZfsOptions):
    """The options of ``lochkit zfs receive``, as given: see their help."""

    peers: PeerOptions = shared(PeerOptions, "tls")
    sender: tuple[str, ...] = option(
        "--from",
        env="FROM",
        default=(),
        metavar="NAME",
        help="Who may send: the name in the certificate. May be repeated.",
    )
    listen: str = option(
        "--listen", default="0.0.0.0", metavar="ADDRESS", help="The address to listen at."
    )
    port: int = option(
        "--port", default=7722, minimum=0, maximum=65535, metavar="PORT", help="The port; 0: any."
    )
    once: bool = flag("--once", help="End when the first stream has been received.")
    allow_rollback: bool = flag(
        "--allow-rollback", help="Let senders roll back what is here, if they are told to."
    )
    allow_properties: bool = flag(
        "--allow-properties", help="Let senders set any property of what they send."
    )
    datasets: tuple[str, ...] = argument(
        "DATASET...", required=True, interspersed=True, help="All that they may write to, or see."
    )

    def __post_init__(self) -> None:
        """Refuse what does not say who may write where.

        Raises:
            ValueError: says what is missing.
        """
        try:
            for name in self.datasets:
                check_dataset(name)
        except BadName as exc:
            raise ValueError(str(exc)) from exc
        if self.peers.insecure_plaintext and self.sender:
            raise ValueError("--from needs certificates: in plaintext, everybody may send")
        if not self.peers.insecure_plaintext and not self.sender:
            raise ValueError("say who may send: --from NAME")


async def run(options: ZfsReceiveOptions) -> int:
    """Receive until stopped."""
    permits = _permits(options)
    security = server_security(options.peers)

    async def body() -> None:
        receiver = Receiver(await open_host(zfs=options.zfs))
        listener = await open_listener(options.listen, options.port)
        where = f"{listener.address}:{listener.port}"
        async with trio.open_nursery() as nursery:

            def received(dataset: str) -> None:
                log.info("received", extra={"dataset": shown(dataset)})
                if options.once:
                    nursery.cancel_scope.cancel()

            serve = partial(serve_streams, receiver, permits.of, listener, security=security)
            await nursery.start(partial(serve, on_received=received))
            log.warning("receiving at %s", where)

    stopped_by = await run_until_stopped(body, stop_within=_STOP_WITHIN)
    return exit_code_of(stopped_by)


def _permits(options: ZfsReceiveOptions) -> Permits:
    def permit(name: str) -> Permit:
        return Permit(
            client=name,
            write=options.datasets,
            rollback=options.allow_rollback,
            properties=options.allow_properties,
        )

    if options.peers.insecure_plaintext:
        return Permits(anonymous=permit("anybody"))
    if len(set(options.sender)) != len(options.sender):
        raise ConfigError("--from: a name is given twice")
    return Permits(clients={name: permit(name) for name in options.sender})


HELP: Final = """\
Listen for other hosts, and receive what they send below the datasets that are named, until stopped:
what lochkit zfs-agent does as well, without its other duties.

Nothing that is here is destroyed, but with --allow-rollback if a sender is told to; what is
received is not mounted.
"""

SUBCOMMAND = Subcommand(options=ZfsReceiveOptions, run=run, help=HELP)
