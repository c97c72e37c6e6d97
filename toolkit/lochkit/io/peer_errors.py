"""What can go wrong between two hosts, named for whether time heals it."""

from ..errors import LochkitError, TransientError

__all__ = [
    "PeerClosed",
    "PeerError",
    "PeerRefused",
    "PeerSilent",
    "ProtocolFault",
    "SinkClosed",
]


class PeerError(TransientError):
    """The connection could not be made, or broke."""


class PeerClosed(PeerError):
    """The other end closed the connection where it may: between two frames."""


class PeerSilent(PeerError):
    """Nothing came from the other end, or went to it, for too long."""


class ProtocolFault(PeerError):
    """What came is not the protocol, or over one of its limits."""


class PeerRefused(LochkitError):
    """One end does not want the other: its certificate, its name, its version, its address."""


class SinkClosed(LochkitError):
    """Nobody reads the pipe any more that a stream is written to. The connection is still good."""
