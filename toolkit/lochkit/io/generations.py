"""Sets of files that change as one: whoever looks, at whatever moment, finds one set and no other.

A store is a directory with one directory for each set, a generation, and a link `current` to the
one that is in force. What a server reads are links through `current`. To rename that one link is to
install the whole set, and to rename it back is to have the old one again; a kill at any moment
leaves one or the other. All of this blocks: asynchronous callers use a thread.
"""

import errno
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from .durable import DEFAULT_ACCESS, Access, access_of, count, holds, sync_directory
from .faults import InstallError, telling
from .generation import Generation, Staged
from .lockfile import LockFile
from .placement import CURRENT, LOCK, Found, Place, places_of
from .sets import write_adopted, write_set
from .shelf import GOOD, Shelf, remove, state_of, states, torn

__all__ = ["Generation", "GenerationStore", "InstallError", "Staged"]

log = logging.getLogger(__name__)

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class GenerationStore:
    """Installs sets of files, keeps the last ones, and puts one of them back.

    A target that is a plain file when a set is installed is adopted first: what is in it becomes a
    generation of its own, and the file is replaced by our link to that.

    Args:
        store: directory of the generations; created when needed, in one that exists.
        targets: the path of each file, by its name in the set.
        keep: how many generations are kept, besides the last good one.
        default: of a file that replaces none. One that does replace one has the mode, the owner
            and the group of that.

    Raises:
        ValueError: a name can not be that of a file, or `keep` is not positive.
    """

    def __init__(
        self,
        store: Path,
        targets: Mapping[str, Path],
        keep: int = 5,
        default: Access = DEFAULT_ACCESS,
    ) -> None:
        if keep < 1:
            raise ValueError(f"at least one generation must be kept, not {keep}")
        for name in targets:
            if not name or name.startswith(".") or "/" in name:
                raise ValueError(f"{name!r} can not be the name of a file in a set")
        self._store = store
        self._targets = dict(targets)
        self._keep = keep
        self._default = default
        self._lock = LockFile(store / LOCK)
        self._shelf = Shelf(store)
        self._current: Generation | None = None
        self._good: Generation | None = None

    @property
    def current(self) -> Generation | None:
        """What is in force; None before the first, or when it can not be read."""
        return self._current

    @property
    def last_good(self) -> Generation | None:
        """The last one that was marked good: what to go back to."""
        return self._good

    @property
    def generations(self) -> tuple[Generation, ...]:
        """All that are kept, the oldest first."""
        return tuple(self._shelf.generations[number] for number in sorted(self._shelf.generations))

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def open(self) -> None:
        """Take the store's lock, look at what is there, and clear up after whoever was killed.

        When the generation in force is torn, as after a loss of power, the last good one is put in
        its place, or else the newest one that is whole.

        Raises:
            LockHeld: another process has the store open.
            InstallError: a directory is not there, or not writable, now.
            ConfigError: a target, or the store, can never be what it should be.
        """
        with telling("can not create", self._store):
            if not self._store.is_dir():
                self._store.mkdir()
                self._store.chmod(0o755)
        self._lock.acquire()
        try:
            self._shelf = Shelf(Path(os.path.realpath(self._store)))
            self._shelf.scan()
            for place in self._places():
                place.clear_up()
            self._good = self._shelf.led_to(GOOD)
            self._current = self._shelf.led_to(CURRENT)
            self._repair()
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Give the lock back. The store can be opened again."""
        self._lock.release()

    def _places(self) -> list[Place]:
        return places_of(self._targets, self._shelf.path)

    def _repair(self) -> None:
        """Fall back when what is in force is not all there."""
        if self._shelf.link(CURRENT) is None:
            return
        what = "its note" if self._current is None else torn(self._current)
        if what is None:
            return
        whole = self._shelf.whole(self._good)
        log.warning("%s of %s is not all there; going back", what, self._store / CURRENT)
        if whole is not None:
            self._shelf.lead(CURRENT, whole)
            self._shelf.sync()
        self._current = whole

    def same(self, name: str, pieces: Sequence[bytes]) -> bool:
        """Whether what is under a target's path now is exactly this; needs no open store.

        A file of the open store that is right, though somebody touched it, counts as installed.

        Raises:
            InstallError: it is there and can not be read.
        """
        right = holds(self._targets[name], pieces)
        found = state_of(self._targets[name])
        right = holds(self._targets[name], pieces)
        if right and found and self._current and self._lock.held:
            self._current = self._shelf.accept(self._current, name, found)
        return right

    def count(self, name: str, marker: bytes) -> int:
        """How often `marker` is under a target's path now; needs no open store.

        Raises:
            InstallError: it is there and can not be read.
        """
        return count(self._targets[name], marker)

    def disturbed(self) -> frozenset[str]:
        """Names whose target is not what was installed: missing, replaced or edited. No file is
        read. All of them when nothing was ever installed.

        Raises:
            InstallError, ConfigError: a target can not be looked at.
        """
        current = self._current
        if current is None or self._shelf.led_to(CURRENT) != current:
            return frozenset(self._targets)
        astray = {place.name for place in self._places() if place.found is not Found.OURS}
        edited = {name for name, written, found in states(current) if written != found}
        absent = self._targets.keys() - current.files.keys()
        made = {name for name in absent if os.path.lexists(current.path / name)}
        return frozenset(astray | made | edited & self._targets.keys())

    def stage(
        self, contents: Mapping[str, Sequence[bytes] | None], manifest: Mapping[str, Any]
    ) -> Staged:
        """Write a set to the disk, beside the one that is in force.

        When there is no room for it, generations that nothing needs are removed first.

        Args:
            contents: of each target, in pieces; None takes the file over from `current`.
            manifest: to be found in the generation later; what JSON can hold.

        Returns:
            The set; the caller hands it to `commit` or `discard`.

        Raises:
            ValueError: names are missing or too many, or there is nothing to take over.
            InstallError: it could not be written, or somebody has edited a file that was to be
                taken over. Nothing is left of it.
            ConfigError: it can never be written.
        """
        self._check_open()
        if contents.keys() != self._targets.keys():
            raise ValueError(f"the set is {sorted(self._targets)}, not {sorted(contents)}")
        try:
            return self._stage(contents, manifest)
        except InstallError as exc:
            if exc.errno not in _FULL or not self._shelf.prune(1, self._current, self._good):
                raise
            log.warning("removed old generations to make room: %s", exc)
            return self._stage(contents, manifest)

    def _stage(
        self, contents: Mapping[str, Sequence[bytes] | None], manifest: Mapping[str, Any]
    ) -> Staged:
        accesses = {name: access_of(path) or self._default for name, path in self._targets.items()}
        return write_set(self._shelf.new_stage(), self._current, contents, accesses, manifest)

    def discard(self, staged: Staged) -> None:
        """Remove a staged set; nothing happens when it is gone."""
        remove(staged.path)

    def commit(self, staged: Staged) -> Generation:
        """Put a staged set in force, all of it at once, and remove the oldest generations.

        Raises:
            InstallError: it could not be done. What was in force still is, and the set is staged.
            ConfigError: it can never be done.
        """
        self._check_open()
        self._adopt()
        return self._install(staged)

    def restore(self, generation: Generation) -> None:
        """Put a generation that is kept in force again, all of it at once.

        Raises:
            InstallError: it could not be done, and what was in force still is.
            ConfigError: it can never be done.
            ValueError: it is not kept.
        """
        self._check_open()
        generation = self._shelf.kept(generation)
        if (name := torn(generation)) is not None:
            raise InstallError(f"{generation.path / name} is not all there", generation.path / name)
        self._adopt(generation)
        self._put_in_force(generation)

    def mark_good(self, generation: Generation) -> None:
        """Remember that the server has taken a generation.

        Raises:
            InstallError: it could not be written down; it is remembered until the end of this
                process all the same.
        """
        self._check_open()
        self._good = generation
        self._shelf.lead(GOOD, generation)

    def _check_open(self) -> None:
        if not self._lock.held:
            raise RuntimeError(f"the store {self._store} is not open")

    def _install(self, staged: Staged, *needed: Generation) -> Generation:
        generation = self._shelf.take(staged)
        try:
            self._put_in_force(generation)
        except BaseException:
            self._shelf.give_back(generation, staged)
            raise
        self._shelf.prune(self._keep, self._current, self._good, *needed)
        return generation

    def _put_in_force(self, generation: Generation) -> None:
        before = self._shelf.link(CURRENT)
        self._shelf.sync()  # the generation must be there before the link to it is
        self._shelf.lead(CURRENT, generation)
        try:
            self._shelf.sync()
        except InstallError as exc:
            if self._shelf.put_back(CURRENT, before):
                raise
            log.warning("installed, but a loss of power may undo it: %s", exc)
        self._current = generation

    def _adopt(self, *needed: Generation) -> None:
        """Let every target be our link, without a change of what is read through it."""
        places = [place for place in self._places() if place.found is not Found.OURS]
        looks = [(place, place.look()) for place in places if place.found is Found.FILE]
        if looks:
            paths = {place.name: place.path for place, _ in looks}
            current = self._current
            grown = current is not None and not paths.keys() & current.files.keys()
            was_good = self._good is None or (grown and self._good == current)
            staged = write_adopted(self._shelf.new_stage(), self._current, paths)
            generation = self._install(staged, *needed)
            log.info("adopted %s", ", ".join(map(str, paths.values())))
            if was_good:  # and with files that we had not had yet, there is more to go back to
                self.mark_good(generation)
        for place, look in looks:
            if place.look() != look:
                raise InstallError(f"{place.path} is being changed by somebody else", place.path)
        for place in places:
            place.put()
        for directory in {place.path.parent for place in places}:
            sync_directory(directory)
