"""Why bytes are no message."""

from ..errors import LochkitError

__all__ = ["DecodeError", "Malformed", "TooLarge", "Truncated"]


class DecodeError(LochkitError):
    """The bytes are not a message of the type asked for. Nothing of them has been used.

    Attributes:
        reason: what is wrong with them.
        message_type: the name of the type asked for.
    """

    def __init__(self, reason: str, message_type: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.message_type = message_type

    def __str__(self) -> str:
        return f"cannot decode {self.message_type or 'a message'}: {self.reason}"


class Truncated(DecodeError):
    """A field goes on behind the end of the message it is in."""


class TooLarge(DecodeError):
    """The message is longer than the caller allows. It was not looked at."""


class Malformed(DecodeError):
    """The bytes break the encoding itself, whatever their number."""
