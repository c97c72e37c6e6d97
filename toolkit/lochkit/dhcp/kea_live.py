"""A running Kea server is given new configurations, or single hosts, without a restart."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import trio

from ..errors import ConfigError
from ..io.faults import InstallError, telling
from .kea_family import ReservationChange
from .kea_plan import knows_reservations, lease_query, lease_to_end, steps
from .kea_socket import KeaError, KeaSocket, KeaUnreachable
from .reload import NotReached, ReloadFailed

__all__ = ["KeaServer", "KeaSocketReloader"]

log = logging.getLogger(__name__)

_CHUNK: Final = 1024 * 1024  # bytes


class KeaServer:
    """One running server.

    While it reads a configuration it serves nobody: 10,000 hosts take it a third of a second, and
    110,000 four seconds. So it is not asked to test what its own checker has accepted in another
    process, and single hosts are told one by one where it can take that.

    Args:
        socket: its control socket.
        version: of IP.
        write_to: a file to which it writes its configuration by itself after each change; in a
            directory that it may write to, and none of our files. None for no such file.
    """

    def __init__(
        self, socket: KeaSocket, version: Literal[4, 6] = 4, *, write_to: str | None = None
    ) -> None:
        self.version = version
        self._socket = socket
        self._write_to = write_to
        self._accepted: tuple[int, ...] | None = None
        self._write_failed = False

    def accept(self, path: Path) -> None:
        """Take note that a file has been accepted by the server's checker.

        Raises:
            InstallError, ConfigError: the file is not there.
        """
        with telling("can not read", path):
            self._accepted = _identity(path)

    async def test(self, path: Path) -> None:
        """Have a configuration tested; nothing changes.

        Raises:
            KeaRefused: it is wrong; the text says why.
            KeaUnreachable, KeaGarbled: there is no answer.
            InstallError, ConfigError: the file can not be read.
        """
        document = await _read(path)
        self._socket.granted(
            "config-test", await self._socket.command_with("config-test", document)
        )
        self.accept(path)

    async def replace(self, path: Path) -> None:
        """Have a configuration put in force. When it is refused the one before it stays.

        Raises:
            KeaRefused: it is wrong; the text says why.
            KeaUnreachable, KeaGarbled: there is no answer, and nobody knows which one is in force.
            InstallError, ConfigError: the file can not be read.
        """
        with telling("can not read", path):
            known = self._accepted is not None and self._accepted == _identity(path)
        if not known:
            await self.test(path)
        document = await _read(path)
        self._socket.granted("config-set", await self._socket.command_with("config-set", document))
        await self._write()

    async def change(self, changes: Sequence[ReservationChange]) -> bool:
        """Have single hosts changed.

        Returns:
            Whether it has been done; else anything may be, and only `replace` helps.
        """
        try:
            known = await self._socket.demand("list-commands")
            release = (await self._socket.command("version-get")).text
            if not knows_reservations(known, release):
                return False
            for name, arguments in steps(changes):
                answer = await self._socket.command(name, arguments)
                if not answer.ok and not (name == "reservation-del" and answer.empty):
                    log.info("Kea does not take a single host: %s", answer.text)
                    return False
        except KeaError as exc:
            log.info("Kea does not take single hosts: %s", exc)
            return False
        await self._write()
        return True

    async def release(self, changes: Sequence[ReservationChange]) -> int:
        """End the leases of hosts that are gone, or have another address now.

        Needs the hook library for leases, and says nothing when that is missing; only for DHCPv4,
        where a lease can be found by its MAC. Faults are logged.

        Returns:
            How many.
        """
        if self.version != 4:
            return 0
        ended = 0
        try:
            for change in changes:
                if change.reservation is not None:
                    continue
                answer = await self._socket.command("lease4-get", lease_query(change))
                if answer.unsupported:
                    break
                if (address := lease_to_end(change, answer.arguments, changes)) is None:
                    continue
                done = await self._socket.command("lease4-del", {"ip-address": address})
                ended += done.ok
        except KeaError as exc:
            log.warning("leases of removed hosts may be left: %s", exc)
        return ended

    async def _write(self) -> None:
        if self._write_to is None:
            return
        try:
            await self._socket.demand("config-write", {"filename": self._write_to})
        except KeaError as exc:
            # It has taken the configuration, and reads ours when it is started: no reason to fail.
            if not self._write_failed:
                log.warning("%s", exc)
            self._write_failed = True
        else:
            self._write_failed = False


class KeaSocketReloader:
    """Makes running Kea servers take the installed files.

    Single hosts are told one by one only if it is sure that the server has exactly what the backend
    had when it was last asked for changes; in all other cases it is given the whole file. That
    nobody listens is a failure: a server that is just being started may have read the old file.

    Args:
        servers: by the name of the file each reads.
        targets: the installed files, by name.
        generation: the number of what is installed; None when that is not known. A smaller one than
            before means that an older generation has been put back.
        changes: what is different in the backend since the last call; None when that is not known
            in single hosts (`KeaBackend.take_reservations`).
    """

    def __init__(
        self,
        servers: Mapping[str, KeaServer],
        targets: Mapping[str, Path],
        *,
        generation: Callable[[], int | None] = lambda: None,
        changes: Callable[[], Sequence[ReservationChange] | None] = lambda: None,
    ) -> None:
        self._servers = dict(servers)
        self._targets = dict(targets)
        self._generation = generation
        self._changes = changes
        self._newest = 0
        self._asked_at: int | None = None  # the generation at which changes were last asked for
        self._served: dict[str, int | None] = dict.fromkeys(servers)
        self._owed: set[str] = set()  # servers that have failed since

    async def reload(self, changed: frozenset[str]) -> None:
        """See `Reloader`."""
        generation, basis = self._generation(), self._asked_at
        changes: Sequence[ReservationChange] | None = None
        if generation is not None and generation > self._newest:
            changes = self._changes()
            self._newest = self._asked_at = generation
        failures: list[Exception] = []
        for name, server in self._servers.items():
            served = self._served[name]
            if changed and name not in changed | self._owed:
                self._served[name] = None if served is None else generation
                continue
            mine = [one for one in changes or () if one.version == server.version]
            self._served[name] = None
            self._owed.add(name)
            try:
                sure = served is not None and served == basis
                if not (sure and mine and await server.change(mine)):
                    await server.replace(self._targets[name])
            except (KeaError, InstallError, ConfigError) as exc:
                failures.append(exc)
                continue
            await server.release(mine)
            self._owed.discard(name)
            self._served[name] = generation
        if failures:
            away = all(isinstance(exc, KeaUnreachable) for exc in failures)
            raise (NotReached if away else ReloadFailed)("; ".join(map(str, failures)))


def _identity(path: Path) -> tuple[int, ...]:
    """What tells a file from all others; to be installed by renaming does not change it."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


async def _read(path: Path) -> list[bytes]:
    """Return a file's content in pieces.

    Raises:
        InstallError, ConfigError: it can not be read.
    """

    def read() -> list[bytes]:
        with path.open("rb") as file:
            return list(iter(lambda: file.read(_CHUNK), b""))

    with telling("can not read", path):
        return await trio.to_thread.run_sync(read)
