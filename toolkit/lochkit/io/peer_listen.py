"""Sockets that wait for connections."""

import errno
import socket
from typing import Final, Protocol

import trio

from ..errors import ConfigError, TransientError

__all__ = ["Listener", "PeerListener", "Visitor", "open_listener"]

_BACKLOG: Final = 64
_LATER: Final = (errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOBUFS)


class Visitor:
    """A connection that has just come in.

    Attributes:
        socket: of it.
        host: the address of the other end; an IPv4 address always as such.
        address: with its port, for people.
    """

    def __init__(self, sock: socket.socket, host: str, port: int) -> None:
        self.socket = sock
        self.host = host.removeprefix("::ffff:") if "." in host else host
        self.address = f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"


class Listener(Protocol):
    """What a server takes its connections from."""

    async def accept(self) -> Visitor:
        """Wait for the next one.

        Raises:
            OSError: not this time.
        """
        ...

    def close(self) -> None:
        """Wait for no more."""
        ...


class PeerListener:
    """A listening TCP socket.

    Args:
        sock: listens; owned from now on.

    Attributes:
        address: it is bound to.
        port: likewise.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.address, self.port = sock.getsockname()[:2]

    async def accept(self) -> Visitor:
        """See `Listener`."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:  # it has gone again, or another process has taken it
                continue
            return Visitor(sock, address[0], address[1])

    def close(self) -> None:
        """See `Listener`."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()


async def open_listener(address: str, port: int) -> PeerListener:
    """Listen.

    Args:
        address: of this host, or a name of it; ``::`` is all of them, ``0.0.0.0`` those of IPv4.
        port: TCP port; 0 is any that is free.

    Raises:
        ConfigError: it can not be had: it is taken, not this host's, or not allowed.
        TransientError: not now.
    """
    try:
        found = await trio.socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, target = found[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as exc:
        raise _error(address, port, exc) from exc
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setblocking(False)
        sock.bind(target)
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        raise _error(address, port, exc) from exc
    return PeerListener(sock)


def _error(address: str, port: int, exc: OSError) -> ConfigError | TransientError:
    text = f"can not listen on {address} port {port}: {exc.strerror or exc}"
    return TransientError(text) if exc.errno in _LATER else ConfigError(text)
