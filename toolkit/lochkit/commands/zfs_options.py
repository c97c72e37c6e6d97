"""What an operator can say to ``lochkit zfs`` in all of its modes."""

import os
import socket
from dataclasses import dataclass
from typing import Final

from ..options import flag, option

__all__ = ["DEFAULT_POLICY", "PolicyOptions", "ZfsOptions"]

DEFAULT_POLICY: Final = "/etc/lochkit/zfs.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsOptions:
    """What every mode knows."""

    zfs: str = option(
        "--zfs", default="zfs", metavar="PROGRAM", completes="file", help="The zfs command to run."
    )
    json: bool = flag("--json", help="Print JSON instead.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOptions(ZfsOptions):
    """What every mode knows that follows a policy."""

    policy: str = option(
        "--policy",
        "-p",
        default=DEFAULT_POLICY,
        metavar="FILE",
        completes="file",
        help="The policy: TOML, or the server.json of the program this one replaces.",
    )
    host: str | None = option(
        "--host",
        default=None,
        metavar="NAME",
        default_text="the host's name up to the first dot",
        help="Which of the policy's hosts this one is.",
    )

    @property
    def host_name(self) -> str:
        """The name of this host."""
        return self.host or socket.gethostname().partition(".")[0]

    @property
    def has_policy(self) -> bool:
        """Whether there is a policy to follow: one that was named, or that of the host."""
        return self.policy != DEFAULT_POLICY or os.path.exists(self.policy)
