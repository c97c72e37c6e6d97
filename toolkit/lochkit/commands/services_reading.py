"""What the modes of ``lochkit services`` that ask something have in common."""

from collections.abc import Awaitable, Callable
from typing import Final

from .. import logs
from ..etcd.client import Client
from ..runtime.signals import STOP_WITHIN, run_until_stopped
from .registry import RegistryOptions, open_registry

__all__ = ["LEASES_AT_ONCE", "answered"]

LEASES_AT_ONCE: Final = 16
"""Questions about leases that wait for an answer at the same time."""


async def answered(options: RegistryOptions, work: Callable[[Client], Awaitable[int]]) -> int:
    """Ask the registry something, unless a signal asks for the end; the exit code.

    Raises:
        ConfigError: a file, an endpoint or a binary cannot be used.
        ExceptionGroup: what the work raises.
    """
    logs.default_level("warning")
    codes: list[int] = []

    async def body() -> None:
        async with open_registry(options) as etcd:
            codes.append(await work(etcd))

    stopped_by = await run_until_stopped(body, stop_within=STOP_WITHIN)
    # Not a clean end as that of a daemon: it has been asked something, and gives no answer.
    return codes[0] if stopped_by is None else 128 + stopped_by
