"""What an operator can say to ``lochkit zfs-agent``."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self

from ..etcd_options import EtcdOptions
from ..options import flag, option, shared
from ..peer_options import PeerOptions
from ..zfs.layout import DEFAULT_NAMESPACE
from .zfs_options import DEFAULT_POLICY

__all__ = ["DEFAULT_STATE", "AgentEtcdOptions", "ZfsAgentOptions"]

DEFAULT_STATE: Final = "/var/lib/lochkit/zfs"

_SERVING: Final = "What others may ask of this host"
_TELLING: Final = "What is told in etcd"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEtcdOptions(EtcdOptions):
    """As `EtcdOptions`, and whether anybody has said where etcd is.

    Attributes:
        named: somebody has.
    """

    named: bool = field(default=False)

    @classmethod
    def resolve(cls, given: Mapping[str, Any], environ: Mapping[str, str]) -> Self:
        """See `EtcdOptions.resolve`."""
        # Not super(): a dataclass with slots is another class than the one that is written here.
        found = super(AgentEtcdOptions, cls).resolve(given, environ)
        return replace(found, named="endpoints" in given or bool(environ.get("ETCDCTL_ENDPOINTS")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsAgentOptions:
    """The options of the agent, as given: see their help."""

    policy: str | None = option(
        "--policy",
        "-p",
        default=None,
        default_text=f"{DEFAULT_POLICY}, if it is there",
        metavar="FILE",
        completes="file",
        help="Jobs, hosts and clients: TOML; or the server.json of the program this one replaces.",
    )
    clients: str | None = option(
        "--clients",
        default=None,
        metavar="FILE",
        completes="file",
        help="What clients may do, besides what the policy says: TOML.",
    )
    host: str | None = option(
        "--host",
        default=None,
        metavar="NAME",
        default_text="the host's name up to the first dot",
        help="Which of the policy's hosts this one is.",
    )
    state: str = option(
        "--state",
        default=DEFAULT_STATE,
        metavar="DIRECTORY",
        completes="directory",
        help="Where it remembers what it has done.",
    )
    zfs: str = option(
        "--zfs", default="zfs", metavar="PROGRAM", completes="file", help="The zfs command to run."
    )
    concurrency: int = option(
        "--concurrency",
        default=4,
        minimum=1,
        maximum=1000,
        metavar="COUNT",
        help="How many streams are sent, and how many received, at once.",
    )
    once: bool = flag("--once", "-1", help="Do what is due of all jobs, and end; serve nobody.")
    listen: str = option(
        "--listen",
        default="0.0.0.0",
        default_text="0.0.0.0, if there is a certificate",
        metavar="ADDRESS",
        section=_SERVING,
        help="Where others reach this host; none: they do not.",
    )
    orders_port: int = option(
        "--orders-port",
        default=7711,
        minimum=0,
        maximum=65535,
        metavar="PORT",
        section=_SERVING,
        help="Where orders are taken; 0: any port.",
    )
    streams_port: int = option(
        "--streams-port",
        default=7722,
        minimum=0,
        maximum=65535,
        metavar="PORT",
        section=_SERVING,
        help="Where streams are received; 0: any port.",
    )
    publish: Literal["auto", "yes", "no"] = option(
        "--publish",
        default="auto",
        section=_TELLING,
        help="Tell in etcd that this agent lives, and what the host has; auto: if it is said where"
        " etcd is.",
    )
    namespace: str = option(
        "--namespace",
        default=DEFAULT_NAMESPACE,
        metavar="PREFIX",
        section=_TELLING,
        help="What all keys begin with.",
    )
    advertise: str | None = option(
        "--advertise",
        default=None,
        default_text="the host's name",
        metavar="ADDRESS",
        section=_TELLING,
        help="Name or address at which other hosts reach this one.",
    )
    ttl: int = option(
        "--ttl",
        default=30,
        minimum=2,
        maximum=86400,
        metavar="SECONDS",
        section=_TELLING,
        help="How long it is told of a host that has died.",
    )
    refresh: float = option(
        "--refresh",
        default=60.0,
        minimum=1,
        maximum=86400,
        metavar="SECONDS",
        section=_TELLING,
        help="How often it looks for what others have changed on this host.",
    )
    peers: PeerOptions = shared(PeerOptions, "tls")
    etcd: AgentEtcdOptions = shared(AgentEtcdOptions, "etcd")

    @property
    def host_name(self) -> str:
        """The name of this host."""
        return self.host or socket.gethostname().partition(".")[0]

    @property
    def policy_file(self) -> str | None:
        """The policy to follow; None: there is none."""
        if self.policy is None and os.path.exists(DEFAULT_POLICY):
            return DEFAULT_POLICY
        return self.policy

    @property
    def publishes(self) -> bool:
        """Whether anything is told in etcd."""
        if self.publish == "auto":
            return self.etcd.named and not self.once
        return self.publish == "yes" and not self.once
