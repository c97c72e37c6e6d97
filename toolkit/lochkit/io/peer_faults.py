"""The errors of sockets, TLS and the protocol, in the words of `peer_errors`."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from ..wire.faults import WireFault
from .peer_errors import PeerError, ProtocolFault
from .peer_tls import tls_error

__all__ = ["connected_with"]


@contextmanager
def connected_with(other: str) -> Iterator[None]:
    """Turn what goes wrong on a connection into our errors.

    Args:
        other: the other end, for a person.

    Raises:
        PeerError: what it turned into.
        PeerRefused: likewise.
    """
    try:
        yield
    except ssl.SSLError as exc:
        raise tls_error(exc, other) from exc
    except OSError as exc:
        raise PeerError(f"the connection with {other} broke: {exc.strerror or exc}") from exc
    except WireFault as exc:
        raise ProtocolFault(f"{other}: {exc}") from exc
