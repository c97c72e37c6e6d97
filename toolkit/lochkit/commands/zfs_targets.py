"""Where replications go to, for commands that send or look once."""

from typing import Final

from ..errors import ConfigError
from ..peer_options import PeerOptions
from ..zfs.host_types import ZfsHost
from ..zfs.local_target import LocalTarget
from ..zfs.policy_types import HostAddress
from ..zfs.receiver import Receiver
from ..zfs.targets import Target

__all__ = ["LOCAL", "target_of"]

LOCAL: Final = "local"


def target_of(host: ZfsHost, to: str, where: HostAddress | None, options: PeerOptions) -> Target:
    """The target of a replication.

    Args:
        host: the ZFS of this host, which may be the target as well.
        to: the host it goes to, by name.
        where: where that host's agent is reached.
        options: who we are to it.

    Raises:
        ConfigError: nobody says where the host is, or our certificate can not be used.
    """
    if to == LOCAL:
        return LocalTarget(Receiver(host))
    if where is None:
        raise ConfigError(f"nobody says where {to!r} is: put [hosts.{to}] into the policy")
    from ..zfs.remote_target import RemoteTarget  # with TLS, which nobody needs within a host
    from .zfs_peer_options import client_security

    security = client_security(options, where.certificate or to)
    return RemoteTarget(where.address, where.streams, security=security, name=to)
