"""Connections from other hosts, as a server: with limits on all that strangers can take."""

import errno
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final, Never

import trio

from ..errors import LochkitError, leaves
from ..wire.addresses import is_own_network
from ..wire.banner import encode_banner, encode_refusal
from .peer_errors import PeerClosed, PeerError, PeerRefused, PeerSilent
from .peer_faults import connected_with
from .peer_greeting import hear, shake_hands
from .peer_guests import Guests, ServeLimits
from .peer_line import Line, PlainLine, TlsLine, prepare
from .peer_link import leave, write_all
from .peer_listen import Listener, PeerListener, Visitor, open_listener
from .peer_renewal import ServerCertificates
from .peer_socket import Peer
from .peer_tls import ServerSecurity, TlsEnd

__all__ = ["PeerListener", "ServeLimits", "open_listener", "serve_peers"]

log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 0.1
_BUGS: Final = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.EFAULT)
"""All else that `accept` can say is about this connection, or heals when others end."""

Handler = Callable[[Peer], Awaitable[None]]


async def serve_peers(
    handler: Handler,
    listener: Listener,
    *,
    service: str,
    security: ServerSecurity,
    limits: ServeLimits | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> Never:
    """Let others in, and give each to a task that runs the handler.

    Error handling: what goes wrong with one connection, or comes out of a handler as
    `LochkitError`, bare or in a group, is logged and ends that connection. Anything else that comes
    out of a handler is a bug and ends this. When the process is out of descriptors or the like, it
    is tried again and again.

    Args:
        handler: called with each connection that has asked for the service; closed after it.
        listener: owned from now on.
        service: what is served, as a word.
        security: see there. Plain text is warned of.
        limits: see there.
        task_status: told when connections are waited for.

    Raises:
        ConfigError: our own files can not be used; only at the start.
    """
    limits = limits or ServeLimits()
    with closing(listener):
        server = _Server(handler, service, security, limits)
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                visitor = await _accept(listener)
                reason = server.guests.knock(visitor.host)
                if reason is None:
                    nursery.start_soon(server.serve, visitor)
                else:
                    log.warning("%s is turned away: %s", visitor.address, reason)
                    visitor.socket.close()


async def _accept(listener: Listener) -> Visitor:
    while True:
        try:
            return await listener.accept()
        except OSError as exc:
            if exc.errno in _BUGS:
                raise
            log.warning("a connection could not be accepted: %s", exc)
            await trio.sleep(_RETRY_SECONDS)


class _Server:
    def __init__(
        self, handler: Handler, service: str, security: ServerSecurity, limits: ServeLimits
    ) -> None:
        self.guests = Guests(limits)
        self._handler, self._service = handler, service
        self._security, self._limits = security, limits
        self._certificates: ServerCertificates | None = None
        if security.credentials is not None:
            self._certificates = ServerCertificates(security.credentials)
        else:
            log.warning(
                "%s are served in plain text: everybody on the way can read and change them, and "
                "everybody who gets here can ask for them%s",
                service,
                ", from any address" if security.allow_public else "",
            )

    async def serve(self, visitor: Visitor) -> None:
        """Everything about one connection."""
        visit = _Visit(visitor)
        try:
            with visitor.socket:
                async with await self._welcome(visit) as peer:
                    await self._handler(peer)
        except Exception as exc:
            if not all(isinstance(leaf, LochkitError) for leaf in leaves(exc)):
                raise
            for leaf in leaves(exc):
                level = logging.INFO if isinstance(leaf, PeerClosed) else logging.WARNING
                log.log(level, "connection of %s: %s", visitor.address, leaf)
        finally:
            self.guests.leave(visitor.host, was_in=visit.is_in)

    async def _welcome(self, visit: "_Visit") -> Peer:
        """Find out who it is and what is wanted.

        Raises:
            PeerError: it broke, was too slow, or is not our protocol.
            PeerRefused: one end does not want the other.
        """
        address = visit.visitor.address
        line = self._line(visit.visitor)
        name = None
        try:
            with connected_with(address):
                if isinstance(line, TlsLine):
                    with _within(
                        self._limits.handshake, f"{address} did not finish TLS's handshake"
                    ):
                        name = await shake_hands(line)
                with _within(self._limits.banner, f"{address} asked for nothing"):
                    await self._agree(line, visit)
        except (PeerError, PeerRefused):
            await leave(line)  # noqa: ASYNC120 (cancelled, nobody asks any more)
            raise
        return Peer(line, name=name, address=address)

    def _line(self, visitor: Visitor) -> Line:
        with connected_with(visitor.address):
            prepare(visitor.socket)
        if self._certificates is not None:
            end = TlsEnd(self._certificates.context(), server_side=True)
            return TlsLine(visitor.socket, end)
        if not self._security.allow_public and not is_own_network(visitor.host):
            raise PeerRefused(f"{visitor.host} is not a private address: no plain text with it")
        return PlainLine(visitor.socket)

    async def _agree(self, line: Line, visit: "_Visit") -> None:
        await hear(line, self._service, visit.visitor.address)
        reason = self.guests.let_in()
        if reason is not None:
            await write_all(line, encode_refusal(reason))
            raise PeerRefused(f"not let in: {reason}")
        visit.is_in = True
        await write_all(line, encode_banner(self._service))


class _Visit:
    """A connection, and whether it has been let in."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.is_in = False


@contextmanager
def _within(seconds: float, text: str) -> Iterator[None]:
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise PeerSilent(f"{text} within {seconds:g} s")
