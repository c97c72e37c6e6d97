"""One attempt: stage, check, install, reload; and back to the last good files when that fails."""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from ..errors import ConfigError
from ..io.folder import FileFolder
from ..io.generations import GenerationStore, InstallError, Staged
from .checker import Checker
from .checker import Outcome as Judgement
from .documents import Document, LineSource
from .handover import FOLDER, HOSTS, Handover, NotTaken, ReloadPolicy
from .model import Group
from .outcome import Ending, Outcome
from .reload import Reloader
from .shrink import ShrinkGuard
from .wanted import Wanted

__all__ = ["Applier", "ApplyPolicy"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPolicy:
    """What the operator wants of every attempt.

    Attributes:
        guard: against losing too many hosts at once.
        require_check: nothing is installed that no checker has judged.
        reloads: how the server is made to take it.
    """

    guard: ShrinkGuard = field(default_factory=ShrinkGuard)
    require_check: bool = False
    reloads: ReloadPolicy = field(default_factory=ReloadPolicy)


class _Stopped(Exception):
    """The attempt ends here, and why."""

    def __init__(self, ending: Ending, text: str) -> None:
        super().__init__(text)
        self.ending = ending


class Applier:
    """Makes files and server as wanted, one attempt at a time.

    Everything that can be wrong with an attempt is an `Outcome`, not an exception, and leaves the
    files and the server as they were, or as they last were good.

    Args:
        store: of the generations; open, and the caller's.
        folder: the hosts directory; None when there is none.
        lines: has the lines that the checker is to judge besides the files; None when there are
            none.
        prepare: called in a thread before a generation is staged, to keep what it depends on.
        checker: judges a staged set; None when the operator wants none.
        reloader: has the server take what is installed.
        policy: see `ApplyPolicy`.
        jitter: numbers in [0, 1).
    """

    def __init__(
        self,
        store: GenerationStore,
        checker: Checker | None,
        reloader: Reloader,
        policy: ApplyPolicy,
        *,
        folder: FileFolder | None = None,
        lines: LineSource | None = None,
        prepare: Callable[[], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._folder = folder
        self._lines = lines
        self._prepare = prepare
        self._checker = checker
        self._policy = policy
        self._handover = Handover(store, folder, reloader, policy.reloads, jitter)
        self._stamps: dict[str, int] = {}  # of what is known to be on the disk
        self._hosts: int | None = None  # in what is on the disk
        self._files: dict[str, bytes | None] = {}  # of the hosts directory, to be written
        self._folder_known = False
        self._told = ""  # by the checker
        self._disturbed: frozenset[str] = frozenset()  # files that somebody has touched

    async def apply(self, wanted: Wanted, *, thorough: bool = False) -> Outcome:
        """Make files and server as wanted.

        Args:
            wanted: the wanted state; not changed meanwhile.
            thorough: compare the files on disk, whatever is known of them.
        """
        began = trio.current_time()
        changed: tuple[str, ...] = ()
        try:
            changed = await self._attempt(wanted, thorough=thorough)
            ending, text = (Ending.INSTALLED if changed else Ending.UNCHANGED), ""
        except _Stopped as stop:
            ending, text = stop.ending, str(stop)
        except NotTaken as exc:
            if exc.put_back:
                self._stamps.clear()
                self._folder_known = False
                self._hosts = exc.hosts  # None is counted before the next attempt
            ending, text = Ending.FAILED, str(exc)
        except (InstallError, ConfigError) as exc:
            self._stamps.clear()  # who knows what is there now
            self._folder_known = False
            ending, text = Ending.FAILED, str(exc)
        current = self._store.current
        return Outcome(
            ending=ending,
            text=text,
            generation=current.number if current else 0,
            hosts=self._hosts or 0,
            changed=changed,
            seconds=trio.current_time() - began,
        )

    async def _attempt(self, wanted: Wanted, *, thorough: bool) -> tuple[str, ...]:
        """Do what is to be done; the names of what was changed."""
        documents = wanted.backend.documents()
        names = await self._different(documents, thorough=thorough)
        current = self._store.current
        if self._hosts is None and current is not None and current != self._store.last_good:
            self._handover.due.update(one.name for one in documents)  # killed before that
        self._files.update(wanted.backend.take_files())
        if names or self._files or self._hosts is None:
            await self._guard(wanted, documents)
        if names:
            await self._install(wanted, documents, names)
            self._handover.due |= names
        elif self._files:
            await self._check_folder(documents)
        if await self._write_folder(wanted, thorough=thorough):
            self._handover.due.add(FOLDER)
        self._hosts = wanted.backend.hosts
        done = tuple(sorted(self._handover.due))
        if done:
            await self._handover.run()
        return done

    async def _different(self, documents: Sequence[Document], *, thorough: bool) -> set[str]:
        """Names of the files that are not as wanted."""
        self._disturbed = disturbed = await _in_thread(self._store.disturbed)
        known = {} if thorough else self._stamps
        names = set()
        for document in documents:
            name = document.name
            if known.get(name) == document.stamp and name not in disturbed:
                continue
            if name not in known or name in disturbed:  # it may be right all the same
                if await _in_thread(self._store.same, name, document.pieces):
                    self._stamps[name] = document.stamp
                    continue
                if known.get(name) == document.stamp:
                    log.warning("somebody else has changed %s: it is put right", name)
            names.add(name)
        return names

    async def _guard(self, wanted: Wanted, documents: Sequence[Document]) -> None:
        """Refuse to lose too many hosts.

        Raises:
            _Stopped: too many would be lost.
        """
        if self._hosts is None:
            self._hosts = await self._installed_hosts(documents)
        refusal = self._policy.guard.refusal(self._hosts, wanted.backend.hosts)
        if refusal is not None:
            raise _Stopped(Ending.HELD, refusal)

    async def _installed_hosts(self, documents: Sequence[Document]) -> int:
        """How many hosts there are in what an earlier process, or another program, has left."""
        if self._folder is not None:
            return await _in_thread(self._folder.count)
        return sum([await _in_thread(self._store.count, one.name, one.marker) for one in documents])

    async def _install(
        self, wanted: Wanted, documents: Sequence[Document], names: set[str]
    ) -> None:
        """Stage, check, and put in force.

        Raises:
            _Stopped: the checker is against it.
            InstallError: the disk is.
        """
        contents = {
            one.name: None if one.name not in names and self._holds(one.name) else one.pieces
            for one in documents
        }
        if self._prepare is not None:
            await _in_thread(self._prepare)
        staged = await _in_thread(self._store.stage, contents, _manifest(wanted))
        try:
            await self._check(staged, documents)
            await _in_thread(self._store.commit, staged)
        finally:
            with trio.CancelScope(shield=True):  # bounded: it only unlinks what is staged
                await _in_thread(self._store.discard, staged)
        self._stamps = {one.name: one.stamp for one in documents}

    async def _check_folder(self, documents: Sequence[Document]) -> None:
        """Let the checker judge what is new in the hosts directory, beside what is installed."""
        if self._checker is None:
            return self._accepted()
        contents = {one.name: None if self._holds(one.name) else one.pieces for one in documents}
        staged = await _in_thread(self._store.stage, contents, {})
        try:
            await self._check(staged, documents)
        finally:
            with trio.CancelScope(shield=True):
                await _in_thread(self._store.discard, staged)

    def _holds(self, name: str) -> bool:
        """Whether the generation in force has this file, as it was written."""
        current = self._store.current
        return current is not None and name in current.files and name not in self._disturbed

    async def _check(self, staged: Staged, documents: Sequence[Document]) -> None:
        """Let the server's own checker judge.

        Raises:
            _Stopped: it is against it; or there is none, and the operator wants one.
        """
        if self._checker is None:
            return self._accepted()
        lines = self._lines.lines_to_check() if self._lines else ()
        # Others may be there as well: what another kind of server reads is handed on.
        ours = {one.name: staged.files[one.name] for one in documents}
        verdict = await self._checker.check(ours, lines)
        if verdict.outcome is Judgement.REJECTED:
            raise _Stopped(Ending.REJECTED, verdict.text)
        if verdict.outcome is Judgement.SKIPPED and self._policy.require_check:
            raise _Stopped(Ending.REJECTED, f"--require-check: {verdict.text}")
        self._accepted()
        if verdict.text and verdict.text != self._told:
            log.warning("%s", verdict.text)
            self._told = verdict.text

    def _accepted(self) -> None:
        """Take note that the checker, if there is one, has nothing against the lines."""
        if self._lines is not None:
            self._lines.lines_accepted()

    async def _write_folder(self, wanted: Wanted, *, thorough: bool) -> bool:
        """Bring the hosts directory up to date; whether anything was changed."""
        if self._folder is None:
            return False
        if thorough or not self._folder_known:
            result = await _in_thread(self._folder.sync, wanted.backend.files())
            self._folder_known = True
        elif self._files:
            result = await _in_thread(self._folder.apply, self._files)
        else:
            return False
        self._files = {}
        self._handover.note(result.undo)
        return result.written > 0 or result.removed > 0


def _manifest(wanted: Wanted) -> Mapping[str, Any]:
    """What is noted with a generation."""
    return {
        HOSTS: wanted.backend.hosts,
        "revision": wanted.revision,
        **{group.value: wanted.hosts(group) for group in Group},
    }


_in_thread = trio.to_thread.run_sync
