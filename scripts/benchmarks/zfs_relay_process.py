"""What `scripts/bench zfs` measures: one end of a relay, as an agent would be.

Modes: ``receive [DIRECTORY]`` prints its port, then serves until its input ends; ``send PORT BYTES
COUNT [DIRECTORY]`` moves that many streams of that many bytes at once. Both print one line of JSON
at their end. With a directory (`zfs_relay_bench` fills it) all is in TLS.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from lochkit.io.bulk_meter import Meter
from lochkit.io.peer_connect import connect_peer
from lochkit.io.peer_serve import open_listener, serve_peers
from lochkit.io.peer_socket import Peer
from lochkit.io.peer_tls import ClientSecurity, Credentials, ServerSecurity
from lochkit.wire.trailer import Trailer

__all__ = ["main"]

SERVICE = "streams"


def credentials(directory: str, name: str) -> Credentials:
    """The files of one end."""
    return Credentials(
        cert=f"{directory}/{name}/{name}.crt",
        key=f"{directory}/{name}/{name}.key",
        ca=f"{directory}/ca.crt",
    )


def peak() -> float:
    """The most memory this process ever had, in MB.

    Not as `getrusage` tells it: there a child begins with the peak of the parent that forked it.
    """
    [line] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) / 1024


@asynccontextmanager
async def running(argv: Sequence[str], **pipes: Any) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A program with blocking pipes, as `zfs` has."""
    with subprocess.Popen(argv, **pipes) as process:  # noqa: ASYNC220 (a moment)
        yield process
        assert await trio.to_thread.run_sync(process.wait) == 0


async def receive(directory: str | None) -> None:
    """Be the receiver, of any number of streams."""
    before: list[float] = []

    async def handler(peer: Peer) -> None:
        await peer.receive(timeout=10)
        before.append(peak())
        async with running(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as sink:
            assert sink.stdin is not None
            trailer = await peer.receive_stream(sink.stdin.fileno(), meter=Meter())
            sink.stdin.close()
        await peer.send({"Type": "received", "Bytes": trailer.bytes})

    security = ServerSecurity()
    if directory is not None:
        security = ServerSecurity(credentials=credentials(directory, "server"))
    listener = await open_listener("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(serve_peers, handler, listener, service=SERVICE, security=security)
        )
        print(listener.port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()
    print(json.dumps({"memory": (peak() - min(before)) / len(before)}))


async def send(port: int, size: int, count: int, directory: str | None) -> None:
    """Be the sender; how long it took, and how much each had when the first was done."""
    meters = [Meter() for _ in range(count)]
    shares: list[int] = []

    async def transfer(meter: Meter) -> None:
        peer = await connect_peer("127.0.0.1", port, service=SERVICE, security=security, timeout=10)
        async with peer:
            await peer.send({"Type": "offer"})
            argv = ["head", "-c", str(size), "/dev/zero"]
            async with running(argv, stdout=subprocess.PIPE) as source:
                assert source.stdout is not None
                end = await peer.send_stream(source.stdout.fileno(), meter=meter)
            shares.extend(() if shares else (meter.bytes for meter in meters))
            await peer.send_trailer(Trailer(ok=True, bytes=end.bytes))
            answer = await peer.receive(timeout=60)
            assert answer["Bytes"] == size, answer

    security = ClientSecurity()
    if directory is not None:
        security = ClientSecurity(
            credentials=credentials(directory, "client"), expected_name="server"
        )
    before, began = peak(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for meter in meters:
            nursery.start_soon(transfer, meter)
    seconds = time.perf_counter() - began
    memory = (peak() - before) / count
    print(json.dumps({"seconds": seconds, "memory": memory, "shares": shares}))


def main(argv: Sequence[str]) -> None:
    """See the top."""
    mode, *words = argv
    if mode == "receive":
        trio.run(receive, words[0] if words else None)
    else:
        port, size, count = map(int, words[:3])
        trio.run(send, port, size, count, words[3] if words[3:] else None)


if __name__ == "__main__":
    main(sys.argv[1:])
