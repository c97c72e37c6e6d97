"""``main()``: argv in, exit code out. The only ``trio.run``."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

import trio

from . import cli, logs
from .errors import LochkitError, leaves

__all__ = ["main"]

log = logging.getLogger("lochkit")


def main(argv: Sequence[str] | None = None) -> int:
    """Run lochkit with ``argv`` (default: the process's own) and return its exit code.

    An expected failure is logged and becomes an exit code; a bug keeps its traceback.
    """
    logs.setup()  # until the operator's own choice is known
    code = _run(sys.argv[1:] if argv is None else argv)
    try:
        if sys.stdout is not None:  # so it is when it was closed from the beginning
            sys.stdout.flush()
    except OSError:  # it failed before, and that has been said
        _output_refused()
    return code


def _run(argv: Sequence[str]) -> int:
    try:
        code = trio.run(cli.invoke, argv)
        _flush()
    except KeyboardInterrupt:  # before a subcommand took over the signals
        return 128 + signal.SIGINT
    except SystemExit as exc:  # shell completion ends so
        return exc.code if isinstance(exc.code, int) else 1
    except (Exception, BaseExceptionGroup) as exc:
        gravest = _code_of(list(leaves(exc)))
        if gravest is None:
            raise
        return gravest
    return code


def _flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise LochkitError(f"the output can not be written: {exc.strerror or exc}") from exc


def _code_of(failures: list[BaseException]) -> int | None:
    """Report what failed if all of it was to be expected, and return the gravest exit code."""
    if all(isinstance(failure, BrokenPipeError) for failure in failures):
        return _output_refused()  # a network stream would have raised trio.BrokenResourceError
    codes = []
    for failure in failures:
        if isinstance(failure, KeyboardInterrupt):
            codes.append(128 + signal.SIGINT)
        elif isinstance(failure, LochkitError):
            codes.append(failure.exit_code)
        else:
            return None
    for failure in failures:
        for line in str(failure).splitlines():
            log.error("%s", line)
    return max(codes)


def _output_refused() -> int:
    """Say nothing: whoever read our output has seen enough."""
    with open(
        os.devnull, "wb"
    ) as nothing:  # else the interpreter complains when it flushes at exit
        os.dup2(nothing.fileno(), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
