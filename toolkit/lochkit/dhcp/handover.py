"""Having the server take what was installed, and going back to what it had when it does not."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

import trio

from ..errors import ConfigError
from ..io.folder import FileFolder
from ..io.generations import Generation, GenerationStore, InstallError
from ..runtime.backoff import Backoff
from .reload import NotReached, Reloader, ReloadFailed

__all__ = ["FOLDER", "HOSTS", "Handover", "NotTaken", "ReloadPolicy"]

log = logging.getLogger(__name__)

FOLDER: Final = "hosts directory"
"""What a reloader is told when files of the hosts directory have changed."""
HOSTS: Final = "hosts"
"""In a generation's manifest: how many there are in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadPolicy:
    """What the operator wants of every reload.

    Attributes:
        interval: shortest time from one to the next, in seconds.
        retries: how often one that failed is tried again.
        waits: between these attempts.
    """

    interval: float = 1.0
    retries: int = 2
    waits: Backoff = field(default_factory=lambda: Backoff(base=0.5, maximum=10.0))


class NotTaken(Exception):
    """The server has not taken what was installed; the text is for the operator.

    Attributes:
        put_back: whether other files are in force now than those that were installed.
        hosts: how many there are in them; None when that is not known, as of what another program
            had written.
    """

    def __init__(self, text: str, *, put_back: bool = False, hosts: int | None = None) -> None:
        super().__init__(text)
        self.put_back = put_back
        self.hosts = hosts


class Handover:
    """Keeps account of what the server has not taken yet.

    Args:
        store: of the generations.
        folder: the hosts directory; None when there is none.
        reloader: makes the server take it.
        policy: see `ReloadPolicy`.
        jitter: numbers in [0, 1).

    Attributes:
        due: names of the files that it has not taken.
    """

    def __init__(
        self,
        store: GenerationStore,
        folder: FileFolder | None,
        reloader: Reloader,
        policy: ReloadPolicy,
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._folder = folder
        self._reloader = reloader
        self._policy = policy
        self._jitter = jitter
        self._undo: dict[str, bytes | None] = {}  # of the hosts directory, since the last reload
        self._reloaded_at = -inf
        self._told = ""  # of a reload that failed
        self.due: set[str] = set()

    def note(self, undo: Mapping[str, bytes | None]) -> None:
        """Remember what brings the hosts directory back to what it was."""
        self._undo = {**undo, **self._undo}  # the oldest is what was good

    async def run(self) -> None:
        """Have the server take what is due.

        Raises:
            NotTaken: it did not. Unless there is no server, the last good files are back.
            InstallError: it has, and that could not be noted.
        """
        await trio.sleep_until(self._reloaded_at + self._policy.interval)
        generation = self._store.current
        try:
            await self._try()
        except NotReached as exc:
            raise NotTaken(f"installed, and nobody there to take it: {exc}") from exc
        except ReloadFailed as exc:
            raise await self._go_back(generation, exc) from exc
        if generation is not None and self._store.last_good != generation:
            await trio.to_thread.run_sync(self._store.mark_good, generation)
        self.due.clear()
        self._undo = {}

    async def _try(self) -> None:
        failures = 0
        while True:
            try:
                await self._reload()
            except ReloadFailed as exc:
                failures += 1
                if failures > self._policy.retries:
                    raise
                wait = self._policy.waits.jittered(failures, self._jitter())
                level = logging.DEBUG if str(exc) == self._told else logging.WARNING
                self._told = str(exc)
                log.log(level, "%s", exc, extra={"retry_in_seconds": round(wait, 1)})
                await trio.sleep(wait)
            else:
                self._told = ""
                return

    async def _reload(self) -> None:
        try:
            await self._reloader.reload(frozenset(self.due))
        finally:
            self._reloaded_at = trio.current_time()

    async def _go_back(self, generation: Generation | None, failure: ReloadFailed) -> NotTaken:
        """Put the last good files back, and reload those; what to tell of it."""
        good = self._store.last_good
        if (
            good is None
            or generation is None
            # What is good may be another backend's: our names would lead nowhere.
            or (not self._undo and (good == generation or not self.due & good.files.keys()))
        ):
            return NotTaken(f"{failure}; there is no earlier generation to go back to")
        try:
            hosts = await self._put_back(good, generation)
        except (InstallError, ConfigError) as exc:
            text = f"{failure}; and the last good files can not be put back: {exc}"
            return NotTaken(text, put_back=True)
        try:
            await self._reload()
        except ReloadFailed as exc:
            text = f"{failure}; the last good files are back, and not taken either: {exc}"
            return NotTaken(text, put_back=True, hosts=hosts)
        text = f"{failure}; the last good files are back (generation {good.number})"
        return NotTaken(text, put_back=True, hosts=hosts)

    async def _put_back(self, good: Generation, generation: Generation) -> int | None:
        """Put the last good files back; how many hosts there are in them, if that is known.

        Raises:
            InstallError, ConfigError: it could not be done.
        """
        hosts: int | None = good.manifest.get(HOSTS)
        if good != generation:
            await trio.to_thread.run_sync(self._store.restore, good)
        if self._folder is not None and self._undo:
            await trio.to_thread.run_sync(self._folder.apply, self._undo)
            hosts = await trio.to_thread.run_sync(self._folder.count)
        self._undo = {}
        return hosts
