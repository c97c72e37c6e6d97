"""systemctl, as far as a server's unit is asked after, reloaded and restarted."""

import shutil
from pathlib import Path
from typing import Final, Self

import trio

from ..errors import CommandFailed, TransientError
from ..io.bounded import Finished, run_bounded
from .complaints import last_words, readable

__all__ = ["Systemd", "SystemdError"]

_RUNNING: Final = Path("/run/systemd/system")
"""There is such a directory when systemd runs the machine; see sd_booted(3)."""

_QUESTION_SECONDS: Final = 10.0


class SystemdError(TransientError):
    """systemctl did not do what it was asked for."""


class Systemd:
    """The manager of the machine's services.

    Args:
        systemctl: path of the command.
        timeout: seconds for a reload or restart.
    """

    def __init__(self, systemctl: str, *, timeout: float = 30.0) -> None:
        self._systemctl = systemctl
        self._timeout = timeout

    @classmethod
    def find(cls, *, timeout: float = 30.0, running: Path = _RUNNING) -> Self | None:
        """Return it when systemd runs this machine, and its command is there."""
        systemctl = shutil.which("systemctl")
        return cls(systemctl, timeout=timeout) if systemctl and running.is_dir() else None

    async def state(self, unit: str) -> str:
        """Return the state of a unit: ``active``, ``inactive``, ``failed``, ``activating``...

        Raises:
            SystemdError: there is no answer.
        """
        ended = await self._run(min(self._timeout, _QUESTION_SECONDS), "is-active", unit)
        if ended.ok:
            return "active"
        return readable(ended.output).strip().partition("\n")[0] or "unknown"

    async def act(self, verb: str, unit: str) -> None:
        """Reload or restart a unit, and wait until systemd says that it is done.

        Raises:
            SystemdError: it failed, or took too long.
        """
        if verb != "reload":
            # systemd counts our restarts as if the service kept crashing, and would let it lie
            # after five in ten seconds. How often we restart it is limited by ourselves.
            await self._run(_QUESTION_SECONDS, "reset-failed", unit)
        ended = await self._run(self._timeout, verb, unit)
        if not ended.ok:
            said = last_words(readable(ended.output))
            raise SystemdError(f"systemctl {verb} {unit}: {said or ended.exit}")

    async def check_settled(self, unit: str, seconds: float) -> None:
        """See that a unit stays active for so long: many servers fall over after they are started.

        Raises:
            SystemdError: it does not.
        """
        deadline = trio.current_time() + seconds
        while True:
            state = await self.state(unit)
            if state not in ("active", "reloading"):
                raise SystemdError(f"{unit} is {state} after it was restarted; see journalctl")
            if trio.current_time() >= deadline:
                return
            await trio.sleep(min(0.2, seconds))

    async def _run(self, timeout: float, *words: str) -> Finished:
        try:
            ended = await run_bounded([self._systemctl, *words], timeout=timeout, leave=True)
        except (CommandFailed, TransientError) as exc:
            raise SystemdError(str(exc)) from exc
        if ended.exit is None:
            raise SystemdError(f"systemctl {' '.join(words)} did not end within {timeout:g} s")
        return ended
