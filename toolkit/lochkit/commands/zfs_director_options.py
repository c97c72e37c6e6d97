"""What an operator can say to ``lochkit zfs-director``."""

import os
import socket
from dataclasses import dataclass

from ..etcd_options import EtcdOptions
from ..options import flag, option, shared
from ..peer_options import PeerOptions
from ..zfs.layout import DEFAULT_NAMESPACE
from .zfs_options import DEFAULT_POLICY

__all__ = ["ZfsDirectorOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsDirectorOptions:
    """The options of the director, as given: see their help."""

    policy: str | None = option(
        "--policy",
        "-p",
        default=None,
        default_text=DEFAULT_POLICY,
        metavar="FILE",
        completes="file",
        help="The policy: TOML, or the server.json of the program this one replaces.",
    )
    policy_in_etcd: bool = flag(
        "--policy-in-etcd",
        help="Follow the jobs that are kept in etcd instead, below NAMESPACE/policy/.",
    )
    namespace: str = option(
        "--namespace",
        default=DEFAULT_NAMESPACE,
        metavar="PREFIX",
        help="What all keys in etcd begin with.",
    )
    interval: float = option(
        "--interval",
        default=60.0,
        minimum=1,
        maximum=86400,
        metavar="SECONDS",
        help="How often everything is planned anew, besides when something has changed.",
    )
    concurrency: int = option(
        "--concurrency",
        default=4,
        minimum=1,
        maximum=60,
        metavar="COUNT",
        help="How many takes, how many sends and how many destroys a host has to do at once.",
    )
    settle: float = option(
        "--settle",
        default=15.0,
        minimum=1,
        maximum=3600,
        metavar="SECONDS",
        help="How long nothing new must have come from an agent that has just begun, before it has"
        " told everything.",
    )
    ttl: int = option(
        "--ttl",
        default=15,
        minimum=2,
        maximum=3600,
        metavar="SECONDS",
        help="How long others wait for a director that has died, before one of them takes over.",
    )
    name: str | None = option(
        "--name",
        default=None,
        metavar="NAME",
        default_text="the host's name up to the first dot",
        help="How this director is called where it is said who directs.",
    )
    once: bool = flag("--once", "-1", help="Have done what is due, and end.")
    peers: PeerOptions = shared(PeerOptions, "tls")
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")

    @property
    def own_name(self) -> str:
        """The name of this director."""
        return self.name or socket.gethostname().partition(".")[0]

    @property
    def policy_file(self) -> str | None:
        """The file to follow; None: there is none."""
        if self.policy is None and not self.policy_in_etcd and os.path.exists(DEFAULT_POLICY):
            return DEFAULT_POLICY
        return self.policy
