"""The directory that holds the generations: what is there, and what is left of who was killed."""

import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..errors import LochkitError
from .durable import forget, replace_link, sync_directory
from .faults import telling
from .generation import (
    NOTE,
    FileState,
    Generation,
    Staged,
    decode_note,
    generation_name,
    number_in,
    too_old,
)
from .placement import CURRENT

__all__ = ["GOOD", "STAGE", "Shelf", "remove", "state_of", "states", "torn"]

log = logging.getLogger(__name__)

GOOD: Final = "good"
"""Name of the link to the last good generation."""

STAGE: Final = "stage-"
"""What the name of a directory begins with whose set is not complete, or was never in force."""


class Shelf:
    """The generations in a directory. Only who has its lock may change it.

    Args:
        path: of the directory; its real path.

    Attributes:
        path: as given.
        generations: all that can be read, by number.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generations: dict[int, Generation] = {}
        self._paths: dict[int, Path] = {}  # of all there are, readable or not
        self._newest = -1

    def scan(self) -> None:
        """Find the generations, and remove what a killed process had begun.

        Raises:
            InstallError: the directory can not be read.
        """
        with telling("can not read", self.path), os.scandir(self.path) as entries:
            names = sorted(entry.name for entry in entries)
        self.generations.clear()
        self._paths.clear()
        for name in names:
            path = self.path / name
            if name.startswith((STAGE, f".{CURRENT}.lochkit-", f".{GOOD}.lochkit-")):
                remove(path)
            elif (number := number_in(name)) is not None:
                self._newest = max(self._newest, number)
                self._paths[number] = path
                if found := _read(path):
                    self.generations[number] = found

    def link(self, name: str) -> str | None:
        """What a link in the directory says; None when there is none.

        Raises:
            InstallError: it can not be told.
            ConfigError: it is no link.
        """
        path = self.path / name
        with telling("can not read", path):
            try:
                return os.readlink(path)
            except FileNotFoundError:
                return None

    def led_to(self, link: str) -> Generation | None:
        """The generation that a link leads to; None when it leads to none that can be read."""
        name = self.link(link)
        number = None if name is None else number_in(name)
        found = None if number is None else self.generations.get(number)
        return found if found is not None and found.path.name == name else None

    def lead(self, link: str, generation: Generation) -> None:
        """Let a link lead to a generation; not synced.

        Raises:
            InstallError: it could not be done.
        """
        replace_link(self.path / link, generation.path.name)

    def put_back(self, link: str, said: str | None) -> bool:
        """Let a link say again what it said, if the disk lets us; whether it did."""
        path = self.path / link
        if said is None:
            return forget(path)
        try:
            replace_link(path, said)
        except LochkitError as exc:
            log.warning("%s", exc)
            return False
        return True

    def whole(self, best: Generation | None) -> Generation | None:
        """A generation of which nothing is missing: this one, or else the newest.

        Raises:
            InstallError: it can not be told.
        """
        newest_first = [self.generations[number] for number in sorted(self.generations)[::-1]]
        ordered = newest_first if best is None else [best, *newest_first]
        return next((found for found in ordered if not torn(found)), None)

    def new_stage(self) -> Path:
        """Make an empty directory for a set that is to become a generation.

        Raises:
            InstallError: it could not be done.
        """
        path = self.path / f"{STAGE}{secrets.token_hex(6)}"
        with telling("can not create", path):
            path.mkdir()
            path.chmod(0o755)
        return path

    def take(self, staged: Staged) -> Generation:
        """Make a staged set a generation; it has another path then. Not synced.

        Raises:
            InstallError: it could not be done, and is staged still.
        """
        # Number 0 is for what was there before us.
        number = max(self._newest + 1, 0 if staged.adopted else 1)
        path = self.path / generation_name(number, staged.path.name.removeprefix(STAGE))
        with telling("can not create", path):
            staged.path.rename(path)
        self._newest = number
        generation = Generation(
            number=number,
            path=path,
            files=staged.states,
            manifest=staged.manifest,
            adopted=staged.adopted,
        )
        self.generations[number], self._paths[number] = generation, path
        return generation

    def kept(self, generation: Generation) -> Generation:
        """The same generation, as it is known now.

        Raises:
            ValueError: it is not kept.
        """
        found = self.generations.get(generation.number)
        if found is None or found != generation:
            raise ValueError(f"generation {generation.number} is not kept")
        return found

    def accept(self, generation: Generation, name: str, state: FileState) -> Generation:
        """Take a file of a generation for what was written, if it is the one in this state.

        Raises:
            InstallError: it can not be told.
        """
        written = generation.files.get(name, state)
        if written == state or state_of(generation.path / name) != state:
            return generation
        accepted = replace(generation, files={**generation.files, name: state})
        self.generations[generation.number] = accepted
        return accepted

    def give_back(self, generation: Generation, staged: Staged) -> None:
        """Undo `take`, as far as the disk lets us."""
        self.generations.pop(generation.number, None)
        self._paths.pop(generation.number, None)
        try:
            generation.path.rename(staged.path)
        except OSError as exc:
            log.warning("can not rename %s: %s", generation.path, exc)

    def prune(self, keep: int, *needed: Generation | None) -> bool:
        """Remove old generations; one that resists is tried again next time.

        Returns:
            Whether there were any.
        """
        numbers = {generation.number for generation in needed if generation is not None}
        old = too_old(self._paths, keep, numbers)
        for number in old:
            # Under another name first: nobody is to find half a generation after a kill.
            waste = self.path / f"{STAGE}{secrets.token_hex(6)}"
            try:
                self._paths[number].rename(waste)
            except OSError as exc:
                log.warning("can not remove %s: %s", self._paths[number], exc)
                continue
            self.generations.pop(number, None)
            del self._paths[number]
            remove(waste)
        return bool(old)

    def sync(self) -> None:
        """Write the names in the directory to the disk.

        Raises:
            InstallError: it could not be done.
        """
        sync_directory(self.path)


def _read(path: Path) -> Generation | None:
    note = path / NOTE
    with telling("can not read", note):
        try:
            return decode_note(path, note.read_bytes())
        except (FileNotFoundError, ValueError) as exc:
            log.warning("generation %s can not be used: %s", path, exc)
            return None


def state_of(path: Path) -> FileState | None:
    """A file as it is now, links followed; None when there is none.

    Raises:
        InstallError: it can not be told.
    """
    with telling("can not look at", path):
        try:
            return FileState.of(path.stat())
        except FileNotFoundError:
            return None


def states(generation: Generation) -> Iterator[tuple[str, FileState, FileState | None]]:
    """Yield name, state as written and state as it is now of each file; None is missing.

    Raises:
        InstallError: it can not be told.
    """
    for name, written in generation.files.items():
        yield name, written, state_of(generation.path / name)


def torn(generation: Generation) -> str | None:
    """Which of its files is not all there, as after a loss of power; None when all are.

    A file that somebody has changed since is not torn.

    Raises:
        InstallError: it can not be told.
    """
    for name, written, found in states(generation):
        if found is None:
            return name
        if found.size != written.size and found.mtime_ns <= written.mtime_ns:
            return name
    return None


def remove(path: Path) -> bool:
    """Remove a file, a link, or a directory with all that is in it; whether it is gone."""
    if path.is_symlink() or not path.is_dir():
        return forget(path)
    try:
        shutil.rmtree(path)
    except OSError as exc:
        log.warning("can not remove %s: %s", path, exc)
        return False
    return True
