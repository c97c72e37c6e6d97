"""Replication to another host: one connection for each conversation, made when it is needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from ..io.peer_connect import connect_peer
from ..io.peer_socket import Peer
from ..io.peer_tls import ClientSecurity
from .remote_session import RemoteSession
from .stream_limits import StreamLimits

__all__ = ["SERVICE", "RemoteTarget"]

SERVICE: Final = "streams"
"""What is asked for in the banner."""


class RemoteTarget:
    """A `Target` at another host.

    Args:
        address: name or address of the host.
        port: where its agent takes streams.
        security: how it is known that it is the right one.
        name: of the host, for people.
        limits: of time.

    Attributes:
        name: as given.
        conversations: see `Target`; each would be a connection.
    """

    conversations = 1

    def __init__(
        self,
        address: str,
        port: int,
        *,
        security: ClientSecurity,
        name: str | None = None,
        limits: StreamLimits | None = None,
    ) -> None:
        self.name = name or address
        self._address, self._port, self._security = address, port, security
        self._limits = limits or StreamLimits()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[RemoteSession]:
        """See `Target`."""
        failure: Exception | None = None
        well = False
        async with trio.open_nursery() as nursery:
            session = RemoteSession(self.name, self._connect, self._limits, nursery)
            try:
                yield session
                await session.say_goodbye()
                well = True
            except Exception as exc:  # noqa: BLE001 (raised again, outside of the nursery's group)
                failure = exc
            finally:
                await session.close(orderly=well)  # noqa: ASYNC102 (shielded)
                nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _connect(self) -> Peer:
        return await connect_peer(
            self._address,
            self._port,
            service=SERVICE,
            security=self._security,
            timeout=self._limits.connect,
        )
