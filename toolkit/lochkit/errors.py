"""The errors of lochkit, named for who must act on them.

An error that only time can heal is a :class:`TransientError`: the supervisor restarts on it. An
error that an operator must heal by changing something is a :class:`ConfigError`. Everything else
that is not a :class:`LochkitError` is a bug, keeps its traceback, and takes the process down.
"""

from collections.abc import Iterator

__all__ = ["CommandFailed", "ConfigError", "LochkitError", "TransientError", "leaves"]


class LochkitError(Exception):
    """An expected failure: reported to the operator as one line, without a traceback.

    Attributes:
        exit_code: what the process returns when this error ends it (see ``lochkit --help``).
    """

    exit_code: int = 1


class ConfigError(LochkitError):
    """The operator must change an option, a file, a permission or the host (EX_CONFIG)."""

    exit_code: int = 78


class TransientError(LochkitError):
    """Only time can heal it: an unreachable server, a lost leader, a timeout (EX_TEMPFAIL)."""

    exit_code: int = 75


class CommandFailed(LochkitError):
    """A command that lochkit ran on the operator's behalf failed, and its status is ours.

    Args:
        message: what failed, in one line.
        exit_code: the child's own code, or 128 + n when signal n killed it.
    """

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def leaves(exc: BaseException) -> Iterator[BaseException]:
    """Yield the plain exceptions in ``exc``: itself, or the leaves of an exception group."""
    if isinstance(exc, BaseExceptionGroup):
        for inner in exc.exceptions:
            yield from leaves(inner)
    else:
        yield exc
