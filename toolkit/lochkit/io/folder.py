"""A directory with one small file for each of many things, shared with files that are not ours.

What one change costs does not depend on how many files there are. All of this blocks: asynchronous
callers use a thread.
"""

import ctypes
import logging
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import ConfigError, LochkitError
from .durable import Access, forget, random_name, read_whole, replace_file, write_new
from .faults import telling

__all__ = ["FileFolder", "FolderChange"]

log = logging.getLogger(__name__)

_MARK: Final = ".lochkit-"
_FEW: Final = 32
"""Up to so many new files each one is synced; more are with their whole file system, once."""

_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderChange:
    """What was done in a directory.

    Attributes:
        written: how many files are new or have another content.
        removed: how many are gone.
        undo: given to `FileFolder.apply`, it brings back what was there.
        foreign: names of the files that are not ours, where the directory was listed.
    """

    written: int = 0
    removed: int = 0
    undo: Mapping[str, bytes | None] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()


class _Seen(NamedTuple):
    """One of our files as it is; no content when there is none, or it is a link."""

    content: bytes | None
    access: Access
    is_link: bool = False


class FileFolder:
    """Keeps its own files in a directory as they are wanted.

    A file is never half there under its name: it is written under a hidden one, and renamed. When
    a change fails, none of it has been made.

    Args:
        directory: where; it must exist.
        ours: whether a name is that of one of our files. Others are not touched.
        mode: permission bits of new files. One that replaces another has the mode, the owner and
            the group of that.
    """

    def __init__(self, directory: Path, ours: Callable[[str], bool], mode: int = 0o644) -> None:
        self._directory = directory
        self._ours = ours
        self._mode = mode

    def count(self) -> int:
        """How many of our files there are. None of them is read.

        Raises:
            InstallError: the directory can not be read, or is not there: it may be mounted later.
            ConfigError: it can never be read.
        """
        return sum(1 for name in self._names() if not name.startswith(".") and self._ours(name))

    def sync(self, files: Mapping[str, bytes]) -> FolderChange:
        """Let the directory hold exactly these of our files.

        This reads the directory and all our files in it. What a killed process has left is removed.

        Args:
            files: content by name.

        Raises:
            InstallError: it could not be done, and nothing was changed.
            ConfigError: it can never be done.
            ValueError: a name is not one of ours.
        """
        changes: dict[str, bytes | None] = dict(files)
        foreign = []
        for name in self._names():
            if name.startswith(".") and _MARK in name:
                forget(self._directory / name)
            elif not self._ours(name):
                foreign.append(name)
            else:
                changes.setdefault(name, None)
        done = self.apply(changes)
        return FolderChange(
            written=done.written, removed=done.removed, undo=done.undo, foreign=tuple(foreign)
        )

    def apply(self, changes: Mapping[str, bytes | None]) -> FolderChange:
        """Change some files; those that are as wanted already are not touched.

        Args:
            changes: content by name; None removes a file.

        Returns:
            What was done; `foreign` is empty, as nobody looked.

        Raises:
            InstallError: it could not be done, and nothing was changed.
            ConfigError: it can never be done.
            ValueError: a name is not one of ours.
        """
        for name in changes:
            if not self._ours(name) or name.startswith(".") or "/" in name:
                raise ValueError(f"{name!r} is not the name of one of our files")
        with telling("can not open", self._directory):
            fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return self._apply(changes, fd)
        finally:
            os.close(fd)

    def _apply(self, changes: Mapping[str, bytes | None], directory: int) -> FolderChange:
        before = {name: self._look(name) for name in changes}
        undo = {
            name: was.content
            for name, was in before.items()
            if was.is_link or was.content != changes[name]
        }
        if not undo:
            return FolderChange()
        hidden = self._write(
            {
                name: (content, before[name].access)
                for name in undo
                if (content := changes[name]) is not None
            },
            directory,
        )
        self._put(hidden, undo)
        with telling("can not sync", self._directory):
            os.fsync(directory)
        return FolderChange(written=len(hidden), removed=len(undo) - len(hidden), undo=undo)

    def _names(self) -> list[str]:
        with telling("can not read", self._directory):
            return sorted(os.listdir(self._directory))

    def _look(self, name: str) -> "_Seen":
        path = self._directory / name
        with telling("can not read", path):
            try:
                fd = os.open(path, _READ)
            except FileNotFoundError:
                return _Seen(None, Access(self._mode))
            except OSError:
                if path.is_symlink():  # somebody else's idea: it is replaced, not followed
                    return _Seen(None, Access(self._mode), is_link=True)
                raise
            try:
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode):
                    raise ConfigError(f"can not install {path}: what is there is no file")
                access = Access(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
                return _Seen(read_whole(fd, found.st_size), access)
            finally:
                os.close(fd)

    def _write(self, fresh: Mapping[str, tuple[bytes, Access]], directory: int) -> dict[str, Path]:
        """Write new content under hidden names, and to the disk: all of it or nothing.

        Returns:
            The hidden paths, by name.
        """
        hidden: dict[str, Path] = {}
        few = len(fresh) <= _FEW
        try:
            for name, (content, access) in fresh.items():
                path = self._directory / random_name(name)
                write_new(path, [content], access, sync=few)
                hidden[name] = path
            if not few:
                with telling("can not sync", self._directory):
                    _sync_file_system(directory)
        except BaseException:
            for path in hidden.values():
                forget(path)
            raise
        return hidden

    def _put(self, hidden: Mapping[str, Path], undo: Mapping[str, bytes | None]) -> None:
        """Give the new files their names, and remove what is to go: all of it or nothing."""
        done: list[str] = []
        gone = [name for name in undo if name not in hidden]
        try:
            for name in gone:  # first, so that no address is in two files
                path = self._directory / name
                with telling("can not remove", path):
                    path.unlink(missing_ok=True)
                done.append(name)
            for name, path in hidden.items():
                with telling("can not replace", self._directory / name):
                    path.replace(self._directory / name)
                done.append(name)
        except BaseException:
            for path in hidden.values():
                forget(path)
            self._revert({name: undo[name] for name in done})
            raise

    def _revert(self, undo: Mapping[str, bytes | None]) -> None:
        """Bring back what was there, as far as the disk lets us."""
        for name, content in undo.items():
            path = self._directory / name
            try:
                if content is None:
                    path.unlink(missing_ok=True)
                else:
                    replace_file(path, [content], Access(self._mode))
            except (OSError, LochkitError) as exc:
                log.warning("can not bring back %s: %s", path, exc)


def _sync_file_system(fd: int) -> None:
    """Write everything on the file system of an open directory to the disk."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
    elif libc.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
