"""What can go wrong between lochkit and etcd, named for who must act.

`Unavailable` and its children are transient: another endpoint or a little time heals them, and
nothing else should retry. Every other error is an answer that will be the same next time.

The gRPC status numbers and the texts of etcd's own errors are facts of its public API
(``api/v3rpc/rpctypes``); the texts are matched only where one status means several things.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from ..errors import LochkitError, TransientError

__all__ = [
    "AuthFailed",
    "Compacted",
    "ConnectionLost",
    "DeadlineExceeded",
    "EtcdError",
    "LeaseNotFound",
    "MessageTooLarge",
    "NoLeader",
    "PermissionDenied",
    "ProtocolError",
    "RpcError",
    "StatusCode",
    "Unauthenticated",
    "Unavailable",
    "WatchCanceled",
    "WatchOverflow",
    "rpc_error",
]


class StatusCode(IntEnum):
    """The gRPC status codes (gRPC core specification, ``statuscodes.md``)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class EtcdError(LochkitError):
    """The root of everything this client raises on purpose."""


class ProtocolError(EtcdError):
    """The server broke HTTP/2, gRPC or etcd's API; the connection it did so on is closed."""


class MessageTooLarge(EtcdError):
    """A message is over the limit this client was given (``max_message_bytes``)."""


class Unavailable(EtcdError, TransientError):
    """No answer for now: no endpoint reachable, no leader, server shutting down."""


class ConnectionLost(Unavailable):
    """The connection under a call or stream went away before the answer.

    Attributes:
        unprocessed: the server is known not to have acted on the call, so that sending it again is
            safe.
    """

    def __init__(self, message: str, *, unprocessed: bool = False) -> None:
        super().__init__(message)
        self.unprocessed = unprocessed


class DeadlineExceeded(Unavailable):
    """The caller's time limit ran out. A write may or may not have been committed."""


class RpcError(EtcdError):
    """etcd answered, and the answer is an error.

    Attributes:
        code: the gRPC status.
        message: etcd's own words.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"etcd answered: {message or 'no reason given'} (grpc status {code})")
        self.code = code
        self.message = message


class ServerUnavailable(RpcError, Unavailable):
    """etcd answered that it cannot serve now (``UNAVAILABLE``)."""


class NoLeader(ServerUnavailable):
    """The member has no leader: it is cut off, or an election is on. Another may have one."""


class Unauthenticated(RpcError):
    """The token is missing, expired or unknown to the server."""


class AuthFailed(RpcError):
    """User name or password are wrong, or authentication is not enabled."""


class PermissionDenied(RpcError):
    """The user has no role that allows this on these keys."""


class LeaseNotFound(RpcError):
    """The lease expired or was revoked."""


class FutureRevision(RpcError):
    """The revision asked for does not exist (yet) on this member."""


class Compacted(RpcError):
    """The revision asked for is no longer kept.

    Attributes:
        compact_revision: the oldest revision still kept, 0 when the server did not say.
    """

    def __init__(self, message: str, compact_revision: int = 0) -> None:
        super().__init__(StatusCode.OUT_OF_RANGE, message)
        self.compact_revision = compact_revision


class WatchCanceled(EtcdError):
    """The server ended a watch for a reason that has no class of its own."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"etcd canceled the watch: {reason or 'no reason given'}")
        self.reason = reason


class WatchOverflow(Unavailable):
    """The consumer of one watch stood still so long that it was cut off from the stream it shares.

    Nothing is lost: a new watch from the last revision seen goes on where this one ended.
    """


_BY_CODE: Final[Mapping[int, type[RpcError]]] = MappingProxyType(
    {
        StatusCode.UNAVAILABLE: ServerUnavailable,
        StatusCode.UNAUTHENTICATED: Unauthenticated,
        StatusCode.PERMISSION_DENIED: PermissionDenied,
    }
)

# One status, several meanings: etcd's text decides. (status, part of the text) -> error
_BY_TEXT: Final[tuple[tuple[int, str, type[RpcError]], ...]] = (
    (StatusCode.UNAVAILABLE, "no leader", NoLeader),
    (StatusCode.NOT_FOUND, "lease not found", LeaseNotFound),
    (StatusCode.OUT_OF_RANGE, "future revision", FutureRevision),
    # A token made before the auth store changed: a new one is all that is needed.
    (StatusCode.INVALID_ARGUMENT, "revision of auth store is old", Unauthenticated),
    # No token at all while authentication is on.
    (StatusCode.INVALID_ARGUMENT, "user name is empty", Unauthenticated),
    (StatusCode.INVALID_ARGUMENT, "authentication failed", AuthFailed),
    (StatusCode.FAILED_PRECONDITION, "authentication is not enabled", AuthFailed),
)


def rpc_error(code: int, message: str) -> EtcdError:
    """The error for a gRPC status other than OK.

    Args:
        code: the ``grpc-status`` of the trailers.
        message: the ``grpc-message``, already percent-decoded.
    """
    if code == StatusCode.OUT_OF_RANGE and "compacted" in message:
        return Compacted(message)
    if code == StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(message)
    for status, text, kind in _BY_TEXT:
        if code == status and text in message:
            return kind(code, message)
    return _BY_CODE.get(code, RpcError)(code, message)
