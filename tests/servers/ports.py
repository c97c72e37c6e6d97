"""Free TCP ports of the loopback interface, none given out twice, whoever else runs tests here.

A server that is started again needs its port to be still free, and several processes run tests at
once. So ports are not asked of the kernel: it gives the same one to the next who asks, and to any
connection. They are taken from below the range that it takes those from, in blocks; a block belongs
to the process that has bound an abstract unix socket of its name, until that process ends.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

__all__ = ["free_port"]

BLOCK = 64
FIRST = 10240

_claims: list[socket.socket] = []


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on, and that no other call returns, here or elsewhere."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in _ports:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port
    raise AssertionError("all ports for tests are taken")


def _blocks() -> Iterator[int]:
    """Claim one block after the other; each is told by its first port."""
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    for first in range(FIRST, int(limits[0]) - BLOCK, BLOCK):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0lochkit-tests-ports-{first}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        yield first


_ports = (port for first in _blocks() for port in range(first, first + BLOCK))
