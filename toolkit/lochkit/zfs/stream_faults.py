"""What goes wrong with a connection, in the words of `errors`."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..io.peer_errors import PeerError, PeerRefused, PeerSilent, ProtocolFault
from .errors import Failure, Refused, StreamLost

__all__ = ["connection_faults"]


@contextmanager
def connection_faults(other: str) -> Iterator[None]:
    """Turn the errors of a connection into those of ZFS.

    Args:
        other: the host at the other end, for the message.

    Raises:
        StreamLost: the connection broke, could not be made, or was silent.
        Refused: one end does not want the other.
    """
    try:
        yield
    except ProtocolFault as exc:
        raise Refused(f"{other}: {exc}", failure=Failure.BAD_REQUEST) from exc
    except PeerSilent as exc:
        raise StreamLost(f"{other}: {exc}", failure=Failure.TIMEOUT) from exc
    except PeerError as exc:
        raise StreamLost(f"{other}: {exc}", failure=Failure.CUT) from exc
    except PeerRefused as exc:
        raise Refused(f"{other}: {exc}", failure=Failure.DENIED) from exc
