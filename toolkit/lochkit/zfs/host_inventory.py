"""Everything a host has, by one ``zfs`` command, read while it is being printed."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from .argv import batches, get_words, list_words, origins_words, roots_of
from .capabilities import Capabilities
from .errors import Failure, ZfsError
from .host_program import Outcome, ZfsProgram
from .model import Inventory
from .names import check_dataset, pool_of
from .parse_get import GetParser, get_properties, parse_origins
from .parse_list import ListParser, list_columns

__all__ = ["Rows", "read_datasets", "read_inventory"]

_LONGEST_ROW: Final = 1024 * 1024  # bytes; a snapshot's row names all its clones


class Rows:
    """Divides output into rows.

    Args:
        feed: gets the rows of each piece.
    """

    def __init__(self, feed: Callable[[list[str]], None]) -> None:
        self._feed = feed
        self._rest = b""

    def take(self, chunk: bytes) -> None:
        """Read a piece of output.

        Raises:
            ZfsError: a row has no end; and what `feed` raises.
        """
        text = self._rest + chunk
        end = text.rfind(b"\n") + 1
        self._rest = text[end:]
        if len(self._rest) > _LONGEST_ROW:
            raise ZfsError(f"zfs printed a row of more than {_LONGEST_ROW} bytes")
        if end:
            # Not splitlines: that knows more ends of lines than ZFS.
            self._feed(text[: end - 1].decode("utf-8", "replace").split("\n"))


async def read_inventory(
    program: ZfsProgram, can: Capabilities, roots: Sequence[str], properties: Sequence[str]
) -> Inventory:
    """Read datasets at and below the roots, or all; see ZfsHost.inventory."""
    wanted = roots_of(roots)
    if roots and not wanted:
        return Inventory(datasets={}, at=time.time())
    # Roots by the thousand do not fit on one command line.
    groups = list(batches(wanted)) or [()]
    return await _read(program, can, groups, properties, only=None)


async def read_datasets(
    program: ZfsProgram, can: Capabilities, names: Sequence[str], properties: Sequence[str]
) -> Inventory:
    """Read some datasets alone; see ZfsHost.dataset."""
    groups = list(batches(tuple(dict.fromkeys(map(check_dataset, names)))))
    return await _read(program, can, groups, properties, only=frozenset(names))


async def _read(
    program: ZfsProgram,
    can: Capabilities,
    groups: Sequence[tuple[str, ...]],
    properties: Sequence[str],
    *,
    only: frozenset[str] | None,
) -> Inventory:
    at = time.time()
    alone = only is not None
    if can.parsable_list:
        columns = list_columns(can, properties)
        listed = ListParser(columns, only=only, properties=properties)
        for roots in groups:
            words = list_words(columns, roots, alone=alone)
            _check(await program.run_inventory(words, Rows(listed.feed).take), only)
        return Inventory(datasets=listed.finish(), at=at)
    told = GetParser(only=only, properties=properties)
    for roots in groups:
        words = get_words(get_properties(properties), roots, alone=alone)
        _check(await program.run_inventory(words, Rows(told.feed).take), only)
    origins: dict[str, str] = {}
    for pools in {tuple(sorted({pool_of(root) for root in roots})) for roots in groups}:
        outcome = await program.attempt(origins_words(pools))
        _check(outcome, only)
        origins |= parse_origins(outcome.output)
    return Inventory(datasets=told.finish(origins), at=at)


def _check(outcome: Outcome, only: frozenset[str] | None) -> None:
    # Roots that are not there are left out, and so is what vanished while it was being read.
    if not outcome.ok and not outcome.only(Failure.MISSING):
        raise outcome.error(min(only) if only else None)
