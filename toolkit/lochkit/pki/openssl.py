"""The ``openssl`` program, run."""

import os
from collections.abc import Sequence
from typing import Final

from ..errors import ConfigError, LochkitError
from ..io.bounded import run_bounded
from ..io.process import CommandNotFound

__all__ = ["OpensslFailed", "run_openssl"]

_SECONDS: Final = 30.0


class OpensslFailed(LochkitError):
    """It did not do what it was asked to."""


async def run_openssl(argv: Sequence[str]) -> str:
    """Run a command of ``openssl``; nobody can answer its questions.

    Returns:
        What it printed.

    Raises:
        OpensslFailed: it failed, or took too long.
        ConfigError: there is no such program.
    """
    # Its host-wide configuration may say anything, of extensions for one.
    environment = {"OPENSSL_CONF": os.devnull, "LC_ALL": "C"}
    try:
        finished = await run_bounded(argv, timeout=_SECONDS, environment=environment)
    except CommandNotFound as exc:
        raise ConfigError("the openssl program is needed (Debian: apt install openssl)") from exc
    text = finished.output.decode(errors="replace")
    if not finished.ok:
        told = " / ".join(text.split("\n")[:4]).strip(" /") or "it said nothing"
        how = "took too long" if finished.exit is None else f"ended with {finished.exit}"
        raise OpensslFailed(f"openssl {argv[1]} {how}: {told}")
    return text
