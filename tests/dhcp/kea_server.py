"""Kea servers for tests: a real one in private directories, and fakes that misbehave by name."""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from lochkit.dhcp.kea_socket import KeaSocket, KeaUnreachable

from .servers import dhcp_server

__all__ = ["Commands", "Misbehaviour", "fake_kea", "misbehaving_kea", "real_kea"]

Misbehaviour = Callable[[trio.SocketStream], Awaitable[None]]
Commands = Callable[[str, Any], Mapping[str, Any]]


@asynccontextmanager
async def misbehaving_kea(path: Path, behave: Misbehaviour) -> AsyncIterator[None]:
    """Listen on a socket, and do `behave` with every connection."""
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(str(path))
    listener.listen()

    async def handle(stream: trio.SocketStream) -> None:
        try:
            await behave(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, handle, [trio.SocketListener(listener)])
        yield
        nursery.cancel_scope.cancel()
    await trio.Path(path).unlink()


@asynccontextmanager
async def fake_kea(path: Path, answer: Commands) -> AsyncIterator[list[tuple[str, Any]]]:
    """Answer every command with what `answer` returns for it; yields what has been asked."""
    asked: list[tuple[str, Any]] = []

    async def behave(stream: trio.SocketStream) -> None:
        heard = b""
        while True:
            heard += await stream.receive_some(65536)
            try:
                question = json.loads(heard)
                break
            except ValueError:
                continue
        asked.append((question["command"], question.get("arguments")))
        await stream.send_all(json.dumps(answer(*asked[-1])).encode())

    async with misbehaving_kea(path, behave):
        yield asked


@asynccontextmanager
async def real_kea(
    directory: Path, config: Mapping[str, Any], version: int = 4
) -> AsyncIterator[KeaSocket]:
    """Run a server that listens on no network, until it answers on its control socket."""
    binary = dhcp_server(f"kea-dhcp{version}")
    family: dict[str, Any] = config[f"Dhcp{version}"]
    path = Path(family["control-socket"]["socket-name"])
    (directory / "start.conf").write_text(json.dumps(config))
    environment = {
        **os.environ,
        "KEA_PIDFILE_DIR": str(directory),
        "KEA_LOCKFILE_DIR": str(directory),
        "KEA_LOGGER_DESTINATION": str(directory / "kea.log"),
    }
    socket = KeaSocket(path, timeout=20)
    with (directory / "kea.out").open("wb") as output:
        process = await trio.lowlevel.open_process(
            [binary, "-c", str(directory / "start.conf"), "-p", "16767"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with trio.fail_after(10):
            while not await _answers(socket):
                said = await trio.Path(directory / "kea.out").read_text()
                assert process.poll() is None, said
                await trio.sleep(0.02)
        yield socket
    finally:
        process.kill()
        with trio.CancelScope(shield=True):  # it has been killed
            await process.wait()


async def _answers(socket: KeaSocket) -> bool:
    try:
        return (await socket.command("version-get")).ok
    except KeaUnreachable:
        return False
