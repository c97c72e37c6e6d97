"""A server process that can be started again, frozen and killed, and that dies with the tests."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import trio

__all__ = ["ServerFailed", "ServerProcess"]

POLL_SECONDS = 0.02
STOP_SECONDS = 10.0


class ServerFailed(Exception):
    """A server did not start or stop as told; the text ends with the tail of its log."""


class ServerProcess:
    """One program with fixed arguments; started, ended and started again.

    It is killed by the kernel when the thread that started it ends, however that happens.

    Args:
        argv: the program and its arguments.
        directory: where it runs, and where its output is kept in ``log``.
        env: added to the environment.
    """

    def __init__(
        self, argv: Sequence[str], *, directory: Path, env: Mapping[str, str] | None = None
    ) -> None:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise ServerFailed("setpriv (util-linux) is missing")
        self._argv = [setpriv, "--pdeathsig", "KILL", *argv]
        self._directory = directory
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.log = directory / "log"

    @property
    def running(self) -> bool:
        """Whether the process exists, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process that runs, or ran last."""
        assert self._process is not None, "never started"
        return self._process.pid

    def spawn(self) -> None:
        """Start the program and return at once; its output is appended to the log."""
        assert not self.running, "already running"
        with self.log.open("ab") as log:
            self._process = self._popen(log)

    def _popen(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._argv,
            cwd=self._directory,
            env={**os.environ, **self._env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once with SIGKILL, and wait for that."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)

    async def stop(self) -> None:
        """Ask the process to end with SIGTERM, and wait for that.

        Raises:
            ServerFailed: it did not.
        """
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        deadline = monotonic() + STOP_SECONDS
        while self.running:
            if monotonic() > deadline:
                self.kill()
                raise self.failure("did not stop on SIGTERM")
            await trio.sleep(POLL_SECONDS)

    def failure(self, what: str) -> ServerFailed:
        """Return an error that shows the end of the log."""
        tail = self.log.read_bytes()[-3000:].decode(errors="replace")
        return ServerFailed(f"{self._argv[3]}: {what}\n{tail}")
