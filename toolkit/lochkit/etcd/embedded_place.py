"""Where an embedded etcd lives: a directory of ours, its sockets, and the lock that says whose."""

import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import ConfigError

__all__ = ["Place", "default_directory", "prepare_place"]

# etcd takes only names that look like host:port, and makes the socket in its working directory.
CLIENT_SOCKET: Final = "client:0"
PEER_SOCKET: Final = "peer:0"
VERSION_FILE: Final = "version"
LONGEST_SOCKET_PATH: Final = 107  # sockaddr_un, less the final zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory that is ours, with room for an etcd.

    Attributes:
        directory: absolute; etcd's working directory.
    """

    directory: Path

    @property
    def socket(self) -> Path:
        """Where clients connect."""
        return self.directory / CLIENT_SOCKET

    @property
    def endpoint(self) -> str:
        """The URL for clients; the same for as long as the directory has its name."""
        return f"unix://{self.socket}"

    @contextmanager
    def try_lock(self) -> Iterator[int | None]:
        """Take the lock without waiting, for as long as the block runs.

        Yields:
            The descriptor that holds the lock, or None when somebody else has it. A child that
            inherits the descriptor holds the lock as well: it is free when both have ended.

        Raises:
            ConfigError: the file can not be opened.
        """
        path = self.directory / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise ConfigError(f"{path}: {exc.strerror}") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def written_by(self) -> tuple[int, int, int] | None:
        """Return the release that served the data last; None when that is not known.

        Raises:
            ConfigError: the file can not be read.
        """
        try:
            text = (self.directory / VERSION_FILE).read_text(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise ConfigError(f"{self.directory / VERSION_FILE}: {exc.strerror}") from exc
        found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\n", text)  # not so when half written
        if found is None:
            return None
        major, minor, patch = map(int, found.groups())
        return major, minor, patch

    def record_version(self, version_text: str) -> None:
        """Remember which release serves the data. Only under the lock.

        Raises:
            OSError: no room for it.
        """
        (self.directory / VERSION_FILE).write_text(f"{version_text}\n")

    def remove_sockets(self) -> None:
        """Remove what a killed etcd has left, over which 3.4 stumbles. Only under the lock."""
        for name in (CLIENT_SOCKET, PEER_SOCKET):
            (self.directory / name).unlink(missing_ok=True)


def default_directory(environ: Mapping[str, str], *, uid: int, home: Path | None) -> Path:
    """Return where the data is kept unless the operator says otherwise.

    Args:
        environ: STATE_DIRECTORY (systemd's StateDirectory=) and XDG_STATE_HOME are read.
        uid: who we are.
        home: our home directory, if we have one.

    Raises:
        ConfigError: there is no home.
    """
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given) / "etcd"
    if uid == 0:
        return Path("/var/lib/lochkit/etcd")
    state = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # others are to be ignored, says the XDG specification
        return Path(state) / "lochkit" / "etcd"
    if home is None:
        raise ConfigError("no home directory for the embedded etcd: give it a --data-dir")
    return home / ".local" / "state" / "lochkit" / "etcd"


def prepare_place(directory: str | None) -> Place:
    """Make the directory (mode 0700) unless it is there.

    Args:
        directory: the operator's choice; None for the default.

    Raises:
        ConfigError: it can not be made, is not ours, others may write to it, or its name will not
            do for a socket.
    """
    if directory is None:
        path = default_directory(os.environ, uid=os.geteuid(), home=_home())
    else:
        path = Path(os.path.abspath(directory))
    place = Place(directory=path)
    _check_name(place)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}; choose another --data-dir") from exc
    if status.st_uid != os.geteuid():
        raise ConfigError(f"{path}: belongs to another user; choose another --data-dir")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path}: others may write to it; chmod go-w, or another --data-dir")
    return place


def _check_name(place: Place) -> None:
    size = len(os.fsencode(place.socket))
    if size > LONGEST_SOCKET_PATH:
        raise ConfigError(
            f"{place.directory}: name too long for a socket in it, by"
            f" {size - LONGEST_SOCKET_PATH} bytes; choose another --data-dir"
        )
    if "," in str(place.directory):
        raise ConfigError(f"{place.directory}: no comma, please: commas separate endpoints")


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
