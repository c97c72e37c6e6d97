"""Where destinations are: another pool here, a host of the policy, or one that etcd knows."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from ..errors import ConfigError
from ..io.peer_tls import ClientSecurity, Credentials
from .local_target import LocalTarget
from .order_client import Destination
from .policy_types import HostAddress
from .receiver import Receiver
from .remote_target import RemoteTarget
from .targets import Target

__all__ = ["LOCAL", "Lookup", "Targets"]

log = logging.getLogger(__name__)

LOCAL: Final = "local"

Lookup = Callable[[str], Awaitable[HostAddress | None]]


class Targets:
    """Finds destinations.

    Args:
        receiver: of this host.
        hosts: the hosts of the policy, as it is now.
        lookup: asks somebody else for a host; None: there is nobody to ask.
        speaks: whether other hosts can be spoken with at all.
        credentials: ours; None: plaintext.
        allow_public: plaintext may go to addresses that are not private.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        hosts: Callable[[], Mapping[str, HostAddress]],
        lookup: Lookup | None = None,
        speaks: bool = True,
        credentials: Credentials | None = None,
        allow_public: bool = False,
    ) -> None:
        self._local = LocalTarget(receiver)
        self._hosts = hosts
        self._lookup = lookup
        self._speaks = speaks
        self._credentials = credentials
        self._allow_public = allow_public

    async def where(self, host: str, address: HostAddress | None = None) -> Destination:
        """How another host is reached.

        Args:
            host: its name.
            address: what is known of it already; goes before all else.

        Raises:
            ConfigError: nobody knows, or we have no certificate to show there.
        """
        if not self._speaks:
            raise ConfigError(
                f"{host} can not be spoken with: this agent has no certificate; give --tls-cert,"
                " --tls-key and --tls-ca (lochkit pki makes them)"
            )
        found = address or self._hosts().get(host)
        if found is None and self._lookup is not None:
            found = await self._lookup(host)
        if found is None:
            asked = "neither the policy nor etcd knows" if self._lookup else "the policy lacks"
            raise ConfigError(
                f"where is {host!r}? {asked} it: give the policy a table [hosts.{host}] with its"
                " address"
            )
        return Destination(host=host, where=found)

    async def find(self, host: str, address: HostAddress | None = None) -> Target:
        """What streams are sent to.

        Args:
            host: its name, or ``local``.
            address: as for `where`.

        Raises:
            ConfigError: nobody knows where it is.
        """
        if host == LOCAL:
            return self._local
        to = await self.where(host, address)
        secured = self._credentials is not None
        return RemoteTarget(
            to.where.address,
            to.where.streams,
            security=ClientSecurity(
                credentials=self._credentials,
                expected_name=to.certificate if secured else None,
                allow_public=self._allow_public,
            ),
            name=host,
        )
