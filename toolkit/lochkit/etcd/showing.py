"""Showing keys to somebody as they arrive."""

from collections.abc import Callable, Sequence
from typing import Final

import trio

from .messages import KeyValue

__all__ = ["Ahead", "show"]

Ahead = Callable[[Sequence[KeyValue]], None]
"""What is shown keys before it is known whether their list will be whole."""

_AT_ONCE: Final = 500  # some milliseconds of work


async def show(kvs: Sequence[KeyValue], ahead: Ahead | None) -> None:
    """Show keys a few at a time, so that the network has its turn in between."""
    if ahead is not None:
        for start in range(0, len(kvs), _AT_ONCE):
            ahead(kvs[start : start + _AT_ONCE])
            await trio.lowlevel.checkpoint()
