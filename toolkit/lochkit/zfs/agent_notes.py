"""What an agent remembers over a restart: which ticks are done, and what destinations have.

Nothing here is needed to go on: without it a tick may be done a second time, which finds nothing to
do, and what a destination has is known again after the next replication.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from ..errors import LochkitError
from ..io.durable import Access, chunks, forget_begun, replace_file
from .message_fields import Fields

__all__ = ["Notes"]

log = logging.getLogger(__name__)

NOTES_FILE: Final = "notes.json"
_ACCESS: Final = Access(0o600)
_LARGEST: Final = 64 * 1024 * 1024  # bytes


class BadNotes(LochkitError):
    """The file can not be read."""


class Notes:
    """The notes of one agent, in memory and in a file. Call `open` first.

    Args:
        directory: where the file is.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / NOTES_FILE
        self._ticks: dict[str, int] = {}
        self._known: dict[str, dict[str, int]] = {}
        self._saving = trio.Lock()

    async def open(self) -> None:
        """Read the file, if there is one; notes that can not be read are begun anew."""
        try:
            self._ticks, self._known = await trio.to_thread.run_sync(self._read)
        except LochkitError as exc:
            log.warning("%s is of no use, and begun anew: %s", self._path, exc)

    def tick(self, chore: str) -> int | None:
        """The newest tick of a chore that is done."""
        return self._ticks.get(chore)

    def known(self, replication: str) -> Mapping[str, int]:
        """The guid of the newest snapshot that a destination has confirmed, by source dataset."""
        return self._known.get(replication, {})

    async def done(self, chore: str, tick: int | None) -> None:
        """A tick of a chore is done."""
        if tick is not None and self._ticks.get(chore) != tick:
            self._ticks[chore] = tick
            await self._save()

    async def confirmed(self, replication: str, newest: Mapping[str, int]) -> None:
        """A destination has confirmed snapshots: their guids by source dataset."""
        known = self._known.setdefault(replication, {})
        if any(known.get(dataset) != guid for dataset, guid in newest.items()):
            known.update(newest)
            await self._save()

    async def _save(self) -> None:
        async with self._saving:
            document = {
                "Ticks": self._ticks,
                "Known": {
                    name: {dataset: str(guid) for dataset, guid in known.items()}
                    for name, known in self._known.items()
                },
            }
            content = json.dumps(document, indent=1).encode() + b"\n"
            try:
                await trio.to_thread.run_sync(replace_file, self._path, (content,), _ACCESS)
            except LochkitError as exc:
                log.warning("notes can not be written: %s", exc)

    def _read(self) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
        forget_begun(self._path)
        content = bytearray()
        for chunk in chunks(self._path):
            content += chunk
            if len(content) > _LARGEST:
                raise BadNotes("too large")
        if not content:
            return {}, {}
        try:
            fields = Fields(json.loads(content), BadNotes, "notes")
        except (ValueError, RecursionError) as exc:
            raise BadNotes(f"no JSON: {exc}") from exc
        ticks = Fields(fields.table("Ticks") or {}, BadNotes, "Ticks")
        tables = Fields(fields.table("Known") or {}, BadNotes, "Known")
        known: dict[str, dict[str, int]] = {}
        for name in fields.table("Known") or {}:
            table = tables.table(name) or {}
            guids = Fields(table, BadNotes, name)
            known[name] = {dataset: guids.guid(dataset) for dataset in table}
        return {name: ticks.number(name) for name in fields.table("Ticks") or {}}, known
