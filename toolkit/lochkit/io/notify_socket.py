"""The place where a command that we have started tells us how it is doing.

It is what the service manager is to us: a datagram socket whose address is in NOTIFY_SOCKET. The
socket is for one run of one command, so that what an earlier run has left behind can not speak for
it.
"""

import logging
import os
import secrets
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from .notify_lines import MOST_NOTICE, Notice, parse_notice

__all__ = ["NotifySocket", "open_notify_socket"]

log = logging.getLogger(__name__)

_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid and gid, as the kernel vouches for them
_DEEPEST: Final = 64
"""Generations between the command and a sender."""


class NotifySocket:
    """The receiving end.

    Heard are root, our own user, and whatever runs in the command's session or descends from it,
    as whatever user; everybody else is passed over.

    Attributes:
        address: for NOTIFY_SOCKET.
        directory: where it is, and nothing else; None where it has no place.
        leader: process id of the command, once it is known.
    """

    def __init__(self, listener: socket.socket, address: str) -> None:
        self._socket = listener
        self.address = address
        self.directory = None if address.startswith("@") else str(Path(address).parent)
        self.leader: int | None = None
        self._told = False

    async def receive(self) -> Notice:
        """Wait for the next datagram that is to be heard."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            notice = self.receive_nowait()
            if notice is not None:
                return notice

    def receive_nowait(self) -> Notice | None:
        """Take a datagram; None when there is none, or it is not to be heard."""
        try:
            # Room for the credentials and nothing else: descriptors that are sent along, as with
            # BARRIER=1, are closed by the kernel.
            data, ancillary, flags, _ = self._socket.recvmsg(
                MOST_NOTICE, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
        except (BlockingIOError, InterruptedError):
            return None
        if flags & socket.MSG_TRUNC:
            self._tell_once("a notification of the command is too long, and passed over")
            return None
        if not self._is_heard(ancillary):
            self._tell_once("a notification is not from the command, and passed over")
            return None
        return parse_notice(data)

    def waiting(self) -> Iterator[Notice]:
        """Take what has come and not been taken, as after the end of the command."""
        for _ in range(_DEEPEST):
            notice = self.receive_nowait()
            if notice is None:
                return
            yield notice

    def _is_heard(self, ancillary: list[tuple[int, int, bytes]]) -> bool:
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                pid, uid, _ = _CREDENTIALS.unpack(content[: _CREDENTIALS.size])
                return uid in (0, os.geteuid()) or self._is_kin(pid)
        return False

    def _is_kin(self, pid: int) -> bool:
        """Whether it belongs to the command; not known of one that has ended meanwhile."""
        leader = self.leader
        if leader is None or pid <= 0:
            return False
        with suppress(OSError):
            if os.getsid(pid) == leader:
                return True
        with suppress(OSError):
            for _ in range(_DEEPEST):
                if pid in (leader, 0):
                    return pid == leader
                pid = _parent_of(pid)
        return False

    def _tell_once(self, text: str) -> None:
        if not self._told:
            log.warning(text)
        self._told = True


@contextmanager
def open_notify_socket() -> Iterator[NotifySocket]:
    """Make a socket, and remove it again.

    It has a name in a directory of its own, under which the command finds it as whatever user and
    in whatever network. Where that can not be made it has a name without a place (``@``), which
    only this network knows.

    Raises:
        OSError: there are no descriptors left.
    """
    with ExitStack() as owned:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        listener = owned.enter_context(socket.socket(socket.AF_UNIX, kind))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            address = _bind_path(listener, owned)
        except OSError as exc:
            log.debug("no place for a socket in the file system", extra={"error": exc})
            name = f"lochkit-notify-{secrets.token_hex(16)}"
            listener.bind(f"\0{name}")
            address = f"@{name}"
        yield NotifySocket(listener, address)


def _bind_path(listener: socket.socket, owned: ExitStack) -> str:
    directory = Path(tempfile.mkdtemp(prefix="lochkit-notify-"))
    owned.callback(_remove, directory)
    path = directory / "socket"
    listener.bind(str(path))
    # The command may have given up its rights. The directory's name is not to be guessed or listed,
    # and who sends is looked at.
    path.chmod(0o666)
    directory.chmod(0o711)
    return str(path)


def _remove(directory: Path) -> None:
    with suppress(OSError):
        (directory / "socket").unlink(missing_ok=True)
    with suppress(OSError):
        directory.rmdir()


def _parent_of(pid: int) -> int:
    """The process that started it, 0 for none that we can see.

    Raises:
        OSError: it is gone.
    """
    # After the command's name, in parentheses, which may hold anything: its state, its parent.
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
