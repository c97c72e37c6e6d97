"""Two ends of a connection in plain text, without a network."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lochkit.io.peer_line import PlainLine
from lochkit.io.peer_socket import Peer

__all__ = ["peer_pair"]


@asynccontextmanager
async def peer_pair(
    *, left: str | None = None, right: str | None = None
) -> AsyncIterator[tuple[Peer, Peer]]:
    """Two ends, over real sockets and so with the real clock.

    Args:
        left: the name that the left end is known by to the right one.
        right: the other way round.
    """
    one, two = socket.socketpair()
    one.setblocking(False)
    two.setblocking(False)
    async with (
        Peer(PlainLine(one), name=right, address="right:1") as at_left,
        Peer(PlainLine(two), name=left, address="left:1") as at_right,
    ):
        try:
            yield at_left, at_right
        finally:
            at_left.cut()  # none of the two waits for the other's goodbye
