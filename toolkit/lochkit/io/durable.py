"""Files that are on the disk when the call returns, and never half there under their own name."""

import logging
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from glob import escape
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from .faults import InstallError, telling

__all__ = [
    "DEFAULT_ACCESS",
    "Access",
    "access_of",
    "chunks",
    "count",
    "forget",
    "forget_begun",
    "holds",
    "random_name",
    "read_whole",
    "replace_file",
    "replace_link",
    "sync_directory",
    "sync_file",
    "write_new",
]

log = logging.getLogger(__name__)

_AT_ONCE: Final = 1024
"""Pieces handed to the kernel in one call: IOV_MAX on Linux."""

_CHUNK: Final = 1 << 18
_MARK: Final = ".lochkit-"
_READ: Final = os.O_RDONLY | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Access(NamedTuple):
    """Who may do what with a file.

    Attributes:
        mode: permission bits.
        uid: its owner; -1 is whoever creates it.
        gid: its group; -1 likewise.
    """

    mode: int
    uid: int = -1
    gid: int = -1


DEFAULT_ACCESS: Final = Access(0o644)
"""Of a new file that everybody may read."""


def access_of(path: Path) -> Access | None:
    """What a file has, links followed; None when there is none.

    Raises:
        InstallError: it can not be told.
    """
    with telling("can not look at", path):
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
    return Access(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def random_name(label: str) -> str:
    """A name for something temporary: hidden, known to be ours, and nobody else's."""
    return f".{label}{_MARK}{secrets.token_hex(6)}"


def write_new(
    path: Path, pieces: Iterable[bytes], access: Access, *, sync: bool = True
) -> os.stat_result:
    """Write a file that does not exist yet, and its content to the disk. Its directory is not.

    Args:
        path: of the file; when this fails it is gone again.
        pieces: the content.
        access: who may do what. An owner or group that can not be given is an error, unless
            everybody may read the file anyhow.
        sync: wait for the disk.

    Returns:
        What the system says of it in the end.

    Raises:
        InstallError: it could not be written.
        ConfigError: there can be no such file.
    """
    with telling("can not write", path):
        fd = os.open(path, _CREATE, 0o600)
        try:
            _give(fd, path, access)
            _write(fd, pieces)
            if sync:
                os.fsync(fd)
            return os.fstat(fd)
        except BaseException:
            forget(path)
            raise
        finally:
            os.close(fd)


def _give(fd: int, path: Path, access: Access) -> None:
    """Set group, owner and mode, in this order: a new owner can take bits of the mode away."""
    is_now = os.fstat(fd)
    for ours, wanted, kind in (
        (is_now.st_gid, access.gid, "group"),
        (is_now.st_uid, access.uid, "owner"),
    ):
        if wanted in (-1, ours):
            continue
        ids = (-1, wanted) if kind == "group" else (wanted, -1)
        try:
            os.fchown(fd, *ids)
        except PermissionError as exc:
            if not access.mode & stat.S_IROTH:
                raise InstallError(
                    f"can not keep {kind} {wanted} of {path}, and not everybody may read it; "
                    f"user {os.geteuid()} must be root, or of that group",
                    path,
                    exc.errno,
                ) from exc
    os.fchmod(fd, access.mode)


def _write(fd: int, pieces: Iterable[bytes]) -> None:
    """Write everything, many pieces at once, without joining them."""
    rest = iter(pieces)
    while batch := list(islice(rest, _AT_ONCE)):
        written, wanted = os.writev(fd, batch), sum(map(len, batch))
        while written < wanted:  # as a rule because the disk is full, and the next call says so
            batch = _after(batch, written)
            wanted -= written
            written = os.writev(fd, batch)


def _after(pieces: Sequence[bytes], skipped: int) -> list[bytes]:
    """What is left of `pieces` behind the first bytes."""
    left = list(pieces)
    for index, piece in enumerate(left):
        if skipped < len(piece):
            return [piece[skipped:], *left[index + 1 :]]
        skipped -= len(piece)
    return []


def forget(path: Path) -> bool:
    """Remove a file or link that is of no use any more; whether it is gone. Never raises."""
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        log.warning("can not remove %s: %s", path, exc)
        return False
    return True


def forget_begun(path: Path) -> None:
    """Remove what killed processes had begun of a file that we alone write. Never raises."""
    with suppress(OSError):
        for begun in path.parent.glob(f".{escape(path.name)}{_MARK}*"):
            forget(begun)


def sync_file(path: Path) -> None:
    """Write a file's content to the disk.

    Raises:
        InstallError: it could not be done.
    """
    _sync(path, os.O_NOFOLLOW)


def sync_directory(path: Path) -> None:
    """Write a directory's names to the disk.

    Raises:
        InstallError: it could not be done.
    """
    _sync(path, os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    with telling("can not sync", path):
        fd = os.open(path, _READ | flags)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def replace_file(path: Path, pieces: Iterable[bytes], default: Access = DEFAULT_ACCESS) -> None:
    """Install one file: all of the old content is under the name, or all of the new.

    Mode and owner of a file that is replaced are kept.

    Args:
        path: of the file.
        pieces: the content.
        default: of a new file.

    Raises:
        InstallError: it could not be written; the old one is untouched.
        ConfigError: there can be no such file.
    """
    temporary = path.with_name(random_name(path.name))
    write_new(temporary, pieces, access_of(path) or default)
    try:
        with telling("can not replace", path):
            temporary.replace(path)
    except BaseException:
        forget(temporary)
        raise
    sync_directory(path.parent)


def replace_link(path: Path, destination: str) -> None:
    """Let a name be a symbolic link, whatever it was before. Its directory is not synced.

    Raises:
        InstallError: it could not be done; the name is what it was.
        ConfigError: it is a directory.
    """
    temporary = path.with_name(random_name(path.name))
    with telling("can not create", temporary):
        temporary.symlink_to(destination)
    try:
        with telling("can not replace", path):
            temporary.replace(path)
    except BaseException:
        forget(temporary)
        raise


def holds(path: Path, pieces: Sequence[bytes]) -> bool:
    """Whether a file's content is exactly this. Little of it is in memory at a time.

    Raises:
        InstallError: it is there and can not be read.
    """
    with telling("can not read", path):
        try:
            fd = os.open(path, _READ)
        except FileNotFoundError:
            return False
        with open(fd, "rb", buffering=0) as file:
            if os.fstat(fd).st_size != sum(map(len, pieces)):
                return False
            return all(read_whole(file.fileno(), len(piece)) == piece for piece in pieces)


def read_whole(fd: int, size: int) -> bytes:
    """Read so many bytes of an open file; fewer only where it ends."""
    content = os.read(fd, size)
    while len(content) < size and (more := os.read(fd, size - len(content))):
        content += more
    return content


def count(path: Path, marker: bytes) -> int:
    """How often `marker` is in a file; 0 when there is no file. Little is in memory at a time.

    Args:
        path: of the file.
        marker: something that can not overlap itself.

    Raises:
        InstallError: it is there and can not be read.
    """
    found, tail = 0, b""
    for chunk in chunks(path):
        window = tail + chunk
        found += window.count(marker)
        tail = window[len(window) - len(marker) + 1 :] if len(marker) > 1 else b""
    return found


def chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's content, a part at a time; nothing when there is no file.

    Raises:
        InstallError: it is there and can not be read.
    """
    with telling("can not read", path):
        try:
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            return
        with file:
            while chunk := file.read(_CHUNK):
                yield chunk
