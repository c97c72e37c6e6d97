"""``lochkit register`` as a process, beside a registry in a real etcd."""

import json
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

from lochkit.etcd.prefix import KeyRange
from tests.commands.servicing import RegistryBench

__all__ = ["LIMIT", "Registering", "alive", "registering", "service_manager", "until_dead"]

LIMIT = 30


class Registering:
    """One such process, whose output is in files of its directory.

    Attributes:
        process: the process.
        directory: where it runs.
        bench: the registry.
    """

    def __init__(self, process: trio.Process, directory: Path, bench: RegistryBench) -> None:
        self.process = process
        self.directory = directory
        self.bench = bench

    @property
    def errors(self) -> str:
        """What it logged."""
        return (self.directory / "errors").read_text()

    async def records(self, service: str = "web") -> list[dict[str, Any]]:
        """The instances in the registry."""
        prefix = f"/services/{service}/"
        keys = await self.bench.keys()
        return [json.loads(kv.value) for key, kv in keys.items() if key.startswith(prefix)]

    async def published(self, prefix: str) -> list[str]:
        """The keys of others that begin so; they know no namespace."""
        found = await self.bench.etcd.kv.list(KeyRange.prefix(prefix.encode()))
        return [kv.key.decode() for kv in found.kvs]

    async def until_there(self, count: int = 1, service: str = "web") -> list[dict[str, Any]]:
        """Wait for so many instances."""
        return await self.until(service, lambda records: len(records) == count)

    async def until_state(self, state: str, service: str = "web") -> dict[str, Any]:
        """Wait until the one instance says this of itself."""
        found = await self.until(service, lambda records: _states(records) == [state])
        return found[0]

    async def until(
        self, service: str, holds: Callable[[list[dict[str, Any]]], bool]
    ) -> list[dict[str, Any]]:
        """Wait until the records are so."""
        records: list[dict[str, Any]] = []
        with trio.move_on_after(LIMIT):
            while True:
                records = await self.records(service)
                if holds(records):
                    return records
                await trio.sleep(0.02)
        raise AssertionError(f"{records}\n{self.errors}")

    async def until_file(self, name: str) -> str:
        """Wait for a file that is not empty, and read it."""
        path = self.directory / name
        with trio.move_on_after(LIMIT):
            while not (path.exists() and path.read_text()):  # noqa: ASYNC110 (real servers tell no trio.Event)
                await trio.sleep(0.02)
        assert path.exists(), self.errors
        return path.read_text()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return await self.ends()

    async def ends(self) -> int:
        """Wait for the end; the exit code."""
        with trio.move_on_after(LIMIT):
            return await self.process.wait()
        raise AssertionError(self.errors)


def _states(records: list[dict[str, Any]]) -> list[str]:
    return [record.get("lochkit", {}).get("state", "passing") for record in records]


@asynccontextmanager
async def registering(
    bench: RegistryBench, directory: Path, *words: str, **environ: str
) -> AsyncIterator[Registering]:
    """The process, for as long as the block runs; killed afterwards if it is still there.

    Args:
        bench: the registry.
        directory: where it runs.
        words: the command line, the service's name first.
        environ: added to its environment.
    """
    argv = [sys.executable, "-m", "lochkit", "register", words[0]]
    argv += ["-e", bench.endpoint, "--namespace", bench.namespace, *words[1:]]
    output, errors = (directory / name for name in ("output", "errors"))
    with output.open("w") as to_output, errors.open("w") as to_errors:
        process = await trio.lowlevel.open_process(
            argv,
            env={**bench.environ, "HOSTNAME": "here", **environ},
            cwd=directory,
            stdin=-3,
            stdout=to_output,
            stderr=to_errors,
            start_new_session=True,
        )
    try:
        yield Registering(process, directory, bench)
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@contextmanager
def service_manager(directory: Path) -> Any:
    """A socket for NOTIFY_SOCKET; yields its path, and what reads the words that have come."""
    path = directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(str(path))
        heard: list[str] = []

        def words() -> list[str]:
            while True:
                try:
                    heard.extend(listener.recv(4096).decode().splitlines())
                except BlockingIOError:
                    return heard

        yield str(path), words


def alive(pid: int) -> bool:
    """Whether there is such a process, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until_dead(pid: int, seconds: float = 10) -> bool:
    """Wait for the end of a process that is not ours."""
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)
