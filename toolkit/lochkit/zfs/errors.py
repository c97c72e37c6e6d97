"""What can go wrong with datasets and streams, named for what is to be done about it."""

import enum

from ..errors import ConfigError, LochkitError, TransientError

__all__ = [
    "BadName",
    "BadPolicy",
    "Failure",
    "Refused",
    "StreamLost",
    "ZfsBusy",
    "ZfsError",
    "ZfsUnavailable",
]


class Failure(enum.Enum):
    """Why ZFS, or the host at the other end, did not do it; the words go over the wire."""

    BUSY = "busy"  # in use: a send, a receive, a mount, a hold that is about to go
    NO_SPACE = "no-space"
    MISSING = "missing"  # dataset, snapshot, bookmark or parent is not there
    EXISTS = "exists"
    MODIFIED = "modified"  # the target was written to since its newest snapshot
    DIVERGED = "diverged"  # the newest snapshot of the target is not the source of the stream
    HELD = "held"
    HAS_CLONES = "has-clones"
    BAD_STREAM = "bad-stream"
    CUT = "cut"  # the stream ended before its end
    RESUMABLE = "resumable"  # as CUT, and the target can go on from where it was
    STALE_TOKEN = "stale-token"
    KEY_NOT_LOADED = "key-not-loaded"
    UNSUPPORTED = "unsupported"  # by this version of ZFS, or this pool
    DENIED = "denied"  # by ZFS, or by the permissions of this client
    BAD_REQUEST = "bad-request"
    LIMIT = "limit"  # as many as may be are at work already
    STOPPED = "stopped"  # an operator or the end of the process
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"  # no ZFS here, no pool, no module
    OTHER = "other"

    @property
    def retryable(self) -> bool:
        """Whether the very same request may succeed later."""
        return self in _HEALED_BY_TIME


_HEALED_BY_TIME = frozenset(
    (
        Failure.BUSY,
        Failure.CUT,
        Failure.RESUMABLE,
        Failure.LIMIT,
        Failure.STOPPED,
        Failure.TIMEOUT,
        Failure.UNAVAILABLE,
    )
)


class ZfsError(LochkitError):
    """A ``zfs`` command, or the host at the other end, failed.

    Args:
        message: one line for a person: which dataset, what was found, what to do.
        failure: why.
        dataset: which, as far as that is known.
    """

    def __init__(
        self, message: str, *, failure: Failure = Failure.OTHER, dataset: str | None = None
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.dataset = dataset


class ZfsBusy(ZfsError, TransientError):
    """It may succeed later, as it is; see `Failure.retryable`."""


class ZfsUnavailable(ZfsBusy):
    """There is no ZFS to talk to: program, module or daemon are missing."""


class StreamLost(ZfsBusy):
    """The connection to the other host broke, or was silent for too long."""


class Refused(ZfsError):
    """The other host will not do it for us: a permission, a limit, a request it does not know."""


class BadName(ConfigError):
    """A name that no dataset, snapshot or bookmark can have, or that hides another."""


class BadPolicy(ConfigError):
    """A policy that cannot be followed; nothing is destroyed because of it."""
