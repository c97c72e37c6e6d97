"""What came from the other end and is not our protocol, or more than may come."""

from ..errors import LochkitError

__all__ = ["WireFault"]


class WireFault(LochkitError):
    """The bytes are not a banner, frame, message or trailer of ours, or are over a limit.

    The text says what was found, in words that may go into a log as they are.
    """
