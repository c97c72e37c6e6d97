"""Connections to other hosts, as a client."""

import socket

import trio

from ..wire.addresses import is_own_network
from .peer_errors import PeerError, PeerRefused, PeerSilent
from .peer_faults import connected_with
from .peer_greeting import ask, shake_hands
from .peer_line import Line, PlainLine, TlsLine, prepare
from .peer_link import leave
from .peer_socket import Peer
from .peer_tls import ClientSecurity, TlsEnd, client_context

__all__ = ["connect_peer"]


async def connect_peer(
    address: str, port: int, *, service: str, security: ClientSecurity, timeout: float
) -> Peer:
    """Connect, and agree on a service.

    Args:
        address: host name or address; of several, the first that answers is taken.
        port: TCP port.
        service: what is asked for, as a word.
        security: see there.
        timeout: seconds for all of it.

    Returns:
        The connection; the caller's to close.

    Raises:
        PeerError: it could not be reached, or broke, or took too long.
        PeerRefused: one end does not want the other.
        ConfigError: our own files can not be used.
    """
    shown = f"{address}:{port}" if ":" not in address else f"[{address}]:{port}"
    context = security.credentials and client_context(security.credentials)
    end = context and TlsEnd(context, server_side=False)
    with trio.move_on_after(timeout):
        sock = await _dial(address, port, shown)
        try:
            return await _greet(sock, end or None, shown, service, security)
        except BaseException:
            sock.close()
            raise
    raise PeerSilent(f"no connection with {shown} within {timeout:g} s")


async def _dial(address: str, port: int, shown: str) -> socket.socket:
    try:
        stream = await trio.open_tcp_stream(address, port)
    except OSError as exc:
        raise PeerError(f"{shown} can not be reached: {exc}") from exc
    with stream.socket:
        sock = socket.socket(fileno=stream.socket.detach())
    prepare(sock)
    return sock


async def _greet(
    sock: socket.socket, end: TlsEnd | None, shown: str, service: str, security: ClientSecurity
) -> Peer:
    with connected_with(shown):
        name = None
        line: Line
        if end is None:
            line = PlainLine(sock)
            found = sock.getpeername()[0]
            if not security.allow_public and not is_own_network(found):
                raise PeerRefused(
                    f"{shown} is at {found}, which is not a private address: plain text does not "
                    "go there unless that is allowed as well"
                )
        else:
            line = tls = TlsLine(sock, end)
            name = await shake_hands(tls)
            if name != security.expected_name:
                await leave(line)
                raise PeerRefused(f"{shown} is {name!r}, and not {security.expected_name!r}")
        await ask(line, service, shown)
    return Peer(line, name=name, address=shown)
