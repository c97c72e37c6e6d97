"""How a DHCP server is made to take new files."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT, SIGTERM, Signals
from typing import Final, Literal, Protocol

import trio

from ..errors import CommandFailed, TransientError
from ..io.bounded import run_bounded
from ..io.guardian_child import stat_of
from .complaints import last_words, readable
from .services import SERVICES, Service, action, verb
from .systemd import Systemd, SystemdError

__all__ = [
    "AutoReloader",
    "CommandReloader",
    "NoReloader",
    "NotReached",
    "ReloadFailed",
    "Reloader",
    "SharedReloader",
    "SignalReloader",
]

log = logging.getLogger(__name__)

RELOAD_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 1.0
_SIGNAL_SETTLE_SECONDS: Final = 0.2
_MEANT_TO_END: Final = frozenset({SIGTERM, SIGINT, SIGQUIT, SIGKILL})


class ReloadFailed(TransientError):
    """The server has not taken the files, or has not survived it."""


class NotReached(ReloadFailed):
    """There is no server that could have taken them: no reason to think that they are bad."""


class Reloader(Protocol):
    """Makes a server take what has been installed."""

    async def reload(self, changed: frozenset[str]) -> None:
        """Return when the server has taken it, as far as that can be told.

        Args:
            changed: names of the files that have changed; empty when nothing is known of that.

        Raises:
            ReloadFailed: says why.
        """
        ...


class NoReloader:
    """For a server that sees changed files by itself, or that somebody else reloads."""

    async def reload(self, changed: frozenset[str]) -> None:
        """Do nothing."""


class SharedReloader:
    """One reloader for all files, and after it another one for some of them.

    Args:
        first: told of everything.
        second: told when one of `files` has changed, or nothing is known of what has.
        files: names.
    """

    def __init__(self, first: Reloader, second: Reloader, files: frozenset[str]) -> None:
        self._first = first
        self._second = second
        self._files = files

    async def reload(self, changed: frozenset[str]) -> None:
        """See `Reloader`."""
        await self._first.reload(changed)
        if not changed or changed & self._files:
            await self._second.reload(changed & self._files)


class CommandReloader:
    """Runs a command of the operator's; its exit code 0 is success.

    What the command starts may outlive it. What it says is told when it fails.

    Args:
        argv: the command and its arguments; no shell.
        timeout: seconds for it.
    """

    def __init__(self, argv: Sequence[str], *, timeout: float = RELOAD_SECONDS) -> None:
        self._argv = tuple(argv)
        self._timeout = timeout

    async def reload(self, changed: frozenset[str]) -> None:
        """See `Reloader`."""
        try:
            ended = await run_bounded(self._argv, timeout=self._timeout, leave=True)
        except CommandFailed as exc:
            raise ReloadFailed(f"the reload command can not be run: {exc}") from exc
        except TransientError as exc:
            raise ReloadFailed(f"the reload command can not be run now: {exc}") from exc
        if ended.ok:
            return
        name, said = self._argv[0], last_words(readable(ended.output))
        how = ended.exit or f"did not end within {self._timeout:g} s"
        raise ReloadFailed(f"the reload command {name}: {how}{said and ': '}{said}")


class SignalReloader:
    """Sends a signal to the process whose id is in a file.

    Args:
        pid_file: written by the server.
        signal: to send. After one that is not meant to end the server, it is seen to live on:
            dhcpd of ISC, for one, dies of HUP.
        settle: seconds that it must live on.
    """

    def __init__(
        self, pid_file: Path, signal: Signals, *, settle: float = _SIGNAL_SETTLE_SECONDS
    ) -> None:
        self._pid_file = pid_file
        self._signal = signal
        self._settle = settle

    async def reload(self, changed: frozenset[str]) -> None:
        """See `Reloader`."""
        pid = self._pid()
        try:
            os.kill(pid, self._signal)
        except OSError as exc:
            raise ReloadFailed(
                f"can not signal process {pid} of {self._pid_file}: {exc.strerror}"
            ) from exc
        if self._signal in _MEANT_TO_END:
            return
        await trio.sleep(self._settle)
        if not _is_alive(pid):
            raise ReloadFailed(
                f"process {pid} of {self._pid_file} has ended after {self._signal.name}"
            )

    def _pid(self) -> int:
        try:
            word = self._pid_file.read_bytes()[:64].split()[:1]
            pid = int(word[0])
        except OSError as exc:
            raise NotReached(f"can not read {self._pid_file}: {exc.strerror}") from exc
        except (ValueError, IndexError) as exc:
            raise NotReached(f"{self._pid_file} does not hold a process id") from exc
        # 0 and negative ones are groups of processes, and -1 is everybody.
        if pid < 2 or pid == os.getpid():
            raise NotReached(f"{self._pid_file} holds {pid}, which can not be the server")
        if not _is_alive(pid):
            raise NotReached(f"process {pid} of {self._pid_file} does not run")
        return pid


def _is_alive(pid: int) -> bool:
    try:
        return stat_of(str(pid))[0] not in "ZX"
    except OSError:
        return False


class AutoReloader:
    """Restarts or reloads the server's systemd unit, if systemd runs it; otherwise does nothing.

    Args:
        backend: ``isc``, ``kea`` or ``dnsmasq``.
        timeout: seconds for a restart.
        settle: seconds that a unit must stay active after one.
        find: looks for systemd.
    """

    def __init__(
        self,
        backend: Literal["isc", "kea", "dnsmasq"],
        *,
        timeout: float = RELOAD_SECONDS,
        settle: float = SETTLE_SECONDS,
        find: Callable[[], Systemd | None] | None = None,
    ) -> None:
        self._services = SERVICES[backend]
        self._settle = settle
        self._find = find or (lambda: Systemd.find(timeout=timeout))
        self._chosen: dict[Service, str] = {}
        self._said: set[str] = set()

    async def reload(self, changed: frozenset[str]) -> None:
        """See `Reloader`."""
        systemd = self._find()
        if systemd is None:
            self._say("systemd does not run here: the server is not told of new files")
            return
        for service in self._services:
            if wanted := verb(service, changed):
                try:
                    await self._reload(systemd, service, wanted)
                except SystemdError as exc:
                    raise ReloadFailed(str(exc)) from exc

    async def _reload(self, systemd: Systemd, service: Service, wanted: str) -> None:
        unit, state = await self._unit(systemd, service)
        seen = service in self._chosen
        if (do := action(state, wanted, seen_active=seen)) is None:
            names = unit if seen else ", ".join(service.units)
            self._say(f"not active: {names}; the server is not told of new files")
            return
        self._chosen[service] = unit
        await systemd.act(do, unit)
        await systemd.check_settled(unit, self._settle if do != "reload" else 0.0)

    async def _unit(self, systemd: Systemd, service: Service) -> tuple[str, str]:
        """Return the unit that is meant, and its state."""
        known = self._chosen.get(service)
        units = dict.fromkeys(service.units if known is None else (known, *service.units))
        states = {}
        for unit in units:
            states[unit] = state = await systemd.state(unit)
            if state == "active":
                return unit, state
            if unit == known and state != "inactive":
                return unit, state
        return next(iter(states.items()))

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            log.warning("%s", text)
