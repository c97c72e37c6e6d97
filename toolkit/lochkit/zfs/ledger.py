"""Which orders were begun, and what became of them: on disk, so that none is carried out twice.

One small file for each order, written before the work begins and again at its end. An order that
was begun and has no end was interrupted: it is carried out again, and finds done what was done.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from ..errors import LochkitError
from ..io.durable import Access, chunks, forget, replace_file
from ..io.faults import telling
from .ledger_entry import (
    LARGEST_ENTRY,
    BadEntry,
    LedgerEntry,
    digest_of,
    encode_entry,
    read_entry,
)
from .orders import Order, OrderResult

__all__ = ["Ledger"]

log = logging.getLogger(__name__)

_OURS_ALONE: Final = Access(0o600)
_SUFFIX: Final = ".json"


class Ledger:
    """The orders of one agent. Call `open` first.

    Args:
        directory: where the files are; made when needed, for us alone. Nobody else writes there.
        most: orders that are remembered.
        keep: seconds for which they are.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        directory: Path,
        *,
        most: int = 5000,
        keep: float = 30 * 86400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._most = most
        self._keep = keep
        self._clock = clock
        self._entries: dict[str, LedgerEntry] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._entries)

    async def open(self) -> None:
        """Read what there is.

        Raises:
            InstallError: the directory can not be made or read.
            ConfigError: it never can.
        """
        self._entries = await trio.to_thread.run_sync(self._read)
        await self._forget_old()

    def find(self, uuid: str) -> LedgerEntry | None:
        """What is known of an order."""
        return self._entries.get(uuid)

    async def begin(self, order: Order, client: str) -> None:
        """Remember that an order is begun. On the disk when this returns.

        Raises:
            InstallError: it could not be written: the order must not be carried out.
            ConfigError: it never can be.
        """
        entry = LedgerEntry(
            uuid=order.uuid, digest=digest_of(order), client=client, begun=self._clock()
        )
        await self._write(entry)
        self._entries.pop(entry.uuid, None)
        self._entries[entry.uuid] = entry
        await self._forget_old()

    async def end(self, result: OrderResult) -> None:
        """Remember what became of an order.

        Raises:
            InstallError: it could not be written; it is known for as long as this process lives.
        """
        begun = self._entries.get(result.uuid)
        if begun is None:
            return  # it took longer than anything is remembered
        entry = LedgerEntry(
            uuid=begun.uuid,
            digest=begun.digest,
            client=begun.client,
            begun=begun.begun,
            ended=self._clock(),
            result=result,
        )
        self._entries[entry.uuid] = entry
        await self._write(entry)

    async def _write(self, entry: LedgerEntry) -> None:
        content = encode_entry(entry)
        path = self._path(entry.uuid)
        # Not abandoned when cancelled: what is on the disk and what we know must be the same.
        await trio.to_thread.run_sync(replace_file, path, (content,), _OURS_ALONE)

    async def _forget_old(self) -> None:
        """Keep within the bounds; those that have ended go first."""
        oldest = self._clock() - self._keep
        gone = [one.uuid for one in self._entries.values() if one.begun < oldest]
        rest = [one for one in self._entries.values() if one.begun >= oldest]
        rest.sort(key=lambda one: (one.result is None, one.begun))
        gone += (one.uuid for one in rest[: max(0, len(rest) - self._most)])
        for uuid in gone:
            del self._entries[uuid]
        if gone:
            await trio.to_thread.run_sync(self._remove, gone)

    def _path(self, uuid: str) -> Path:
        return self._directory / (uuid + _SUFFIX)

    def _remove(self, uuids: list[str]) -> None:
        for uuid in uuids:
            forget(self._path(uuid))

    def _read(self) -> dict[str, LedgerEntry]:
        with telling("can not make", self._directory):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory.chmod(0o700)
        found = sorted(self._readable(), key=lambda one: one.begun)
        return {entry.uuid: entry for entry in found}

    def _readable(self) -> Iterator[LedgerEntry]:
        with telling("can not read", self._directory):
            paths = list(self._directory.iterdir())
        for path in paths:
            if path.name.startswith("."):  # begun by one who was killed
                forget(path)
                continue
            with suppress(LochkitError):
                try:
                    entry = read_entry(_content(path))
                    if path.name == entry.uuid + _SUFFIX:
                        yield entry
                        continue
                    raise BadEntry("another order's file")
                except BadEntry as exc:
                    log.warning("%s says nothing of an order, and is removed: %s", path, exc)
                    forget(path)


def _content(path: Path) -> bytes:
    content = bytearray()
    for chunk in chunks(path):
        content += chunk
        if len(content) > 2 * LARGEST_ENTRY:
            raise BadEntry("too large")
    return bytes(content)
