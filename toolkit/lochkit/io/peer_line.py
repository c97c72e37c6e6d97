"""The bytes below the frames: a socket that never blocks, in plain text or in TLS.

Who waits for it is not known here: Trio's tasks for what is controlled, and a thread with ``poll``
while a stream is moved. Only one of the two uses a line at a time.
"""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, cast

from .peer_tls import TlsEnd

__all__ = ["WRITE_LIMIT", "Line", "PlainLine", "TlsLine", "prepare"]

WRITE_LIMIT: Final = 1 << 18
"""Bytes that `Line.write` takes at most: so much is kept in memory while it is sent."""

_RECEIVE: Final = 1 << 18


class Line(Protocol):
    """A connection.

    Attributes:
        socket: non-blocking; what it is waited for with. Nobody reads or writes it directly, but
            for a line that is `plain`.
        plain: whether bytes go over the socket as they are.
    """

    socket: socket.socket
    plain: bool

    def read_into(self, memory: memoryview) -> int | None:
        """Read into memory; 0 at the end, None when the socket must become readable first.

        Raises:
            OSError: the connection broke (``ssl.SSLError`` is one).
        """
        ...

    def write(self, data: memoryview) -> int:
        """Take bytes to be sent, `WRITE_LIMIT` at most; 0: the socket must become writable first.

        Raises:
            OSError: the connection broke.
        """
        ...

    def flush(self) -> bool:
        """Send what was taken; False when the socket must become writable first.

        Raises:
            OSError: the connection broke.
        """
        ...

    def say_goodbye(self) -> None:
        """Tell the other end that nothing more will come, if that is possible at once."""
        ...


def prepare(sock: socket.socket) -> None:
    """Set what the socket of every line has."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class PlainLine:
    """The bytes as they are."""

    plain = True

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def read_into(self, memory: memoryview) -> int | None:
        """See `Line`."""
        try:
            return self.socket.recv_into(memory)
        except BlockingIOError:
            return None

    def write(self, data: memoryview) -> int:
        """See `Line`."""
        try:
            return self.socket.send(data[:WRITE_LIMIT])
        except BlockingIOError:
            return 0

    def flush(self) -> bool:
        """See `Line`."""
        return True

    def say_goodbye(self) -> None:
        """See `Line`."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)


class TlsLine:
    """The bytes in TLS."""

    plain = False

    def __init__(self, sock: socket.socket, end: TlsEnd) -> None:
        self.socket = sock
        self._end = end
        self._unsent = memoryview(b"")
        self._received = memoryview(bytearray(_RECEIVE))

    def shake_hands(self) -> bool | None:
        """Go on with the handshake: True when it is done, None when more must come first.

        Raises:
            OSError: the other end is not wanted, or does not want us; what it must be told has been
                sent, if that was possible at once.
        """
        try:
            while not self._end.advance():
                self.flush()
                if self._fill() is None:
                    return None
            return True
        finally:
            self.flush()

    def certificate(self) -> Mapping[str, Any]:
        """The other end's, verified."""
        return self._end.certificate()

    def read_into(self, memory: memoryview) -> int | None:
        """See `Line`."""
        while True:
            try:
                return cast(int, self._end.tls.read(len(memory), memory))
            except ssl.SSLWantReadError:
                self.flush()  # what TLS itself had to answer
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return 0  # frames and trailers tell a whole conversation from one that was cut
            if self._fill() is None:
                return None

    def write(self, data: memoryview) -> int:
        """See `Line`."""
        if not self.flush():
            return 0
        taken = self._end.tls.write(data[:WRITE_LIMIT])
        self.flush()
        return taken

    def flush(self) -> bool:
        """See `Line`."""
        while self._unsent or self._end.outgoing.pending:
            if not self._unsent:
                self._unsent = memoryview(self._end.outgoing.read())
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                return False
        return True

    def say_goodbye(self) -> None:
        """See `Line`."""
        with suppress(OSError):
            with suppress(ssl.SSLError):
                self._end.tls.unwrap()  # wants an answer that nobody waits for
            self.flush()
            self.socket.shutdown(socket.SHUT_WR)

    def _fill(self) -> int | None:
        try:
            count = self.socket.recv_into(self._received)
        except BlockingIOError:
            return None
        if count == 0:
            self._end.incoming.write_eof()
        else:
            self._end.incoming.write(self._received[:count])
        return count
