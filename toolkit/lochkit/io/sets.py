"""Writing a set of files into a directory of its own, to be on the disk before it is needed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .durable import Access, access_of, chunks, sync_directory, sync_file, write_new
from .faults import InstallError, telling
from .generation import NOTE, FileState, Generation, Staged, encode_note
from .shelf import remove, states

__all__ = ["write_adopted", "write_set"]


def write_set(
    path: Path,
    current: Generation | None,
    contents: Mapping[str, Sequence[bytes] | None],
    accesses: Mapping[str, Access],
    manifest: Mapping[str, Any],
) -> Staged:
    """Write a new set.

    Args:
        path: of an empty directory; removed when this fails.
        current: what is in force. What it has and the new set does not is taken over as it is:
            it is no target any more, but somebody may read it.
        contents: of each file, in pieces; None takes it over from `current`.
        accesses: who may do what with a file, by name.
        manifest: goes with it.

    Raises:
        InstallError: it could not be written, or a file to be taken over was changed.
        ConfigError: it can never be written.
        ValueError: there is no file to take over, or the manifest is no JSON.
    """
    with _SetWriter(path) as writer:
        taken = [name for name, pieces in contents.items() if pieces is None]
        if current is not None:
            writer.take_over(current, taken, strict=True)
            writer.take_over(current, current.files.keys() - contents.keys(), strict=False)
        elif taken:
            raise ValueError(f"there is no {taken[0]} to take over")
        for name, pieces in contents.items():
            if pieces is not None:
                writer.write(name, pieces, accesses[name])
        return writer.seal(manifest)


def write_adopted(path: Path, current: Generation | None, found: Mapping[str, Path]) -> Staged:
    """Write a set of what is read now: of files that were found in place, and else of `current`.

    Args:
        path: of an empty directory; removed when this fails.
        current: what is in force.
        found: path of each file that takes the place of what is in `current`, by name.

    Raises:
        InstallError: it could not be written.
        ConfigError: it can never be written.
    """
    with _SetWriter(path) as writer:
        if current is not None:
            writer.take_over(current, current.files.keys() - found.keys(), strict=False)
        for name, theirs in found.items():
            access = access_of(theirs)
            if access is None:
                raise InstallError(f"{theirs} is gone all at once", theirs)
            writer.write(name, chunks(theirs), access)
        return writer.seal({}, adopted=True)


class _SetWriter:
    """Fills an empty directory. As a context manager it removes the directory when that fails.

    Args:
        path: of the directory; it becomes that of the set.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._states: dict[str, FileState] = {}
        self._fresh: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            remove(self._path)

    def write(self, name: str, pieces: Iterable[bytes], access: Access) -> None:
        """Write one file.

        Raises:
            InstallError: it could not be written.
        """
        found = write_new(self._path / name, pieces, access, sync=False)
        self._states[name] = FileState.of(found)
        self._fresh.append(name)

    def take_over(self, generation: Generation, names: Iterable[str], *, strict: bool) -> None:
        """Share files with a generation, as they are now.

        Args:
            generation: whose.
            names: of the files.
            strict: be sure that they are as they were installed; otherwise those that are missing
                are left out.

        Raises:
            InstallError: a file could not be shared, or is not as it was installed.
            ValueError: strict, and a name is not in that generation.
        """
        now = {name: (written, found) for name, written, found in states(generation)}
        for name in names:
            theirs = generation.path / name
            if strict and name not in now:
                raise ValueError(f"there is no {name} to take over")
            written, found = now.get(name, (None, None))
            if strict and written != found:
                raise InstallError(f"{theirs} was changed by somebody else", theirs)
            if found is not None:
                with telling("can not link", self._path / name):
                    os.link(theirs, self._path / name)
                self._states[name] = found

    def seal(self, manifest: Mapping[str, Any], *, adopted: bool = False) -> Staged:
        """Write the note, and everything to the disk. To be called once, at the end.

        Raises:
            InstallError: it could not be done.
            TypeError, ValueError: the manifest can not be written as JSON.
        """
        staged = Staged(
            path=self._path,
            files={name: self._path / name for name in self._states},
            states=self._states,
            manifest=manifest,
            adopted=adopted,
        )
        write_new(self._path / NOTE, [encode_note(staged)], Access(0o644), sync=False)
        for name in (*self._fresh, NOTE):
            sync_file(self._path / name)
        sync_directory(self._path)
        return staged
